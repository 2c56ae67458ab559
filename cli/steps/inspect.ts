/**
 * Step: what is this artifact, and may it be loaded at all? Bytes in, facts or a refusal out; opens no file, and asks nobody
 * but the `choose` it is given.
 */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import type { Hooks, RefusedMark, UnmarkedFunction } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import { tellApart, whyAmbiguous } from "../../schemas/names.js";
import { contentHash, type Elf, ElfError, validateLibrary } from "../binary/elf.js";
import { type ExportedVariable, switchHooks, writableExports } from "../binary/exports.js";
import { type Marks, readMarks } from "../binary/marks.js";
import type { Meaning } from "../binary/meaning/meaning.js";
import { MeaningReader } from "../binary/meaning/reader.js";
import { readState, type StateRecord } from "../binary/state.js";
import { type VirtualSlots, virtualSlots } from "../binary/vtables.js";
import { noMarks, strippedMarks } from "../errors.js";
import { unfitFile } from "./unfit.js";

/** Which unmarked functions of a file are to be switched. */
export interface Choice {
  readonly functions: readonly (UnmarkedFunction & { readonly size: number })[];
  /** Those that were requested and cannot be, each once. */
  readonly refused: readonly RefusedMark[];
  /** Those that were not requested by this name, but share the entry of one that was. Name -> that one. */
  readonly drawnIn: ReadonlyMap<string, string>;
}

export const NO_CHOICE: Choice = { functions: [], refused: [], drawnIn: new Map() };

/** A library file that may be loaded. */
export interface Inspected {
  readonly bytes: Buffer;
  readonly elf: Elf;
  readonly marks: Marks;
  readonly buildId: string | null;
  /** sha256 of the whole file. */
  readonly hash: string;
  /** Unmarked functions that are switched too; also in `code` and `entries`. */
  readonly choice: Choice;
  /**
   * Function -> hash of its code and what it refers to, or of the whole file if its extent is unknown: equal hashes mean an
   * unchanged function.
   */
  readonly code: ReadonlyMap<string, string>;
  /** What each hash stands for, where the extent is known. */
  readonly meanings: ReadonlyMap<string, Meaning>;
  /** Function -> address relative to the load base. */
  readonly entries: ReadonlyMap<string, number>;
  /** Marked functions that cannot be patched, and why. */
  readonly refused: readonly RefusedMark[];
  readonly state: readonly StateRecord[];
  /** The library's switch hooks. */
  readonly hooks: Hooks;
  readonly exports: ReadonlyMap<string, ExportedVariable>;
  /** What is in its vtables: read at each call, because few builds need it. */
  readonly virtuals: () => VirtualSlots;
}

export type Inspection =
  | { readonly kind: "fit"; readonly artifact: Inspected }
  /** Still being written: look again at the next change. */
  | { readonly kind: "incomplete"; readonly report: ErrorReport }
  | { readonly kind: "unfit"; readonly report: ErrorReport };

/** Selects unmarked functions. */
export type Choose = (elf: Elf, marks: Marks) => Choice;

/**
 * @param running what the target runs meanwhile, for the report
 * @param choose null: marks only. Otherwise a library without marks is fit as well, even when nothing was chosen
 */
export function inspect(
  path: string,
  library: string,
  bytes: Buffer,
  running: string,
  choose: Choose | null = null,
): Inspection {
  let contents: Contents;
  let bodies: Bodies;
  const hash = contentHash(bytes);
  try {
    contents = read(bytes, choose);
    bodies = bodiesOf(contents, hash);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    return {
      kind: error.kind === "incomplete" ? "incomplete" : "unfit",
      report: unfitFile(path, bytes, error, running),
    };
  }
  const { elf, marks } = contents;
  if (choose === null && marks.functions.length === 0) {
    const report =
      marks.codeBytes === 0 ? noMarks(library, running) : strippedMarks(library, marks.unnamedBytes, running);
    return { kind: "unfit", report };
  }
  return {
    kind: "fit",
    artifact: {
      bytes,
      ...contents,
      buildId: elf.buildId,
      hash,
      ...bodies,
      hooks: switchHooks(elf),
      exports: writableExports(elf),
      virtuals: () => virtualSlots(elf),
    },
  };
}

type Contents = Pick<Inspected, "elf" | "marks" | "state" | "choice">;

/** @throws ElfError when the file is no library that can be read */
function read(bytes: Buffer, choose: Choose | null): Contents {
  const elf = validateLibrary(bytes);
  const marks = readMarks(elf);
  return { elf, marks, state: readState(elf), choice: choose?.(elf, marks) ?? NO_CHOICE };
}

type Bodies = Pick<Inspected, "code" | "meanings" | "entries" | "refused">;

/**
 * @param hash of the whole file
 * @throws ElfError when its functions cannot be read
 */
function bodiesOf({ elf, marks, choice }: Contents, hash: string): Bodies {
  const { unique, ambiguous } = tellApart(marks.functions);
  const sizes = new Map<string, number>();
  const entries = new Map<string, number>();
  const refused: RefusedMark[] = [...ambiguous].map(([name, twins]) => ({
    name,
    code: "ambiguous-name",
    reason: whyAmbiguous(twins),
  }));
  for (const [name, f] of unique) {
    if (f.entry === null || elf.fileOffsetOf(f.value) === null) {
      refused.push({ name, code: "entry-too-small", reason: f.reason ?? "its code is not in the file" });
      continue;
    }
    sizes.set(name, f.size === 0 ? stubSize(elf, f.value) : f.size);
    entries.set(name, f.value);
  }
  const throughTable = new Map([...entries].map(([name, address]) => [address, name]));
  for (const { name, offset, size, plain } of choice.functions) {
    sizes.set(name, size);
    entries.set(name, offset);
    if (plain === null) throughTable.set(offset, name);
  }
  const known = [...entries].flatMap(([name, address]) => {
    const size = sizes.get(name) ?? 0;
    return size === 0 ? [] : [{ name, address, size }];
  });
  const read = new MeaningReader(elf, throughTable).read(known);
  const meanings = new Map(read.map((meaning, i) => [known[i]?.name ?? "", meaning]));
  const code = new Map([...entries.keys()].map((name) => [name, meanings.get(name)?.whole ?? hash]));
  return { code, meanings, entries, refused };
}

/** Bytes of an entry that jumps to its body, as in Rust's marks; 0 for any other. */
function stubSize(elf: Elf, entry: number): number {
  const { arch, bytes } = elf;
  const jump = (elf.fileOffsetOf(entry) ?? 0) + ENTRY_SIZE;
  return arch.jumpTarget(bytes.buffer, jump) === null ? 0 : ENTRY_SIZE + arch.jumpSize;
}

/** A file's marked functions, in the agent's form. */
export function marksIn({ entries, choice }: Inspected): { name: string; offset: number }[] {
  const unmarked = new Set(choice.functions.map((one) => one.name));
  return [...entries].filter(([name]) => !unmarked.has(name)).map(([name, offset]) => ({ name, offset }));
}
