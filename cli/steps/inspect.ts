/** Step: what is this artifact, and may it be loaded at all? Pure: bytes in, facts or a refusal out. */
import { createHash } from "node:crypto";
import type { Hooks, RefusedMark } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import { tellApart, whyAmbiguous } from "../../schemas/names.js";
import { contentHash, type Elf, ElfError, validateLibrary } from "../binary/elf.js";
import { type ExportedVariable, switchHooks, writableExports } from "../binary/exports.js";
import { type Marks, readMarks } from "../binary/marks.js";
import { readState, type StateRecord } from "../binary/state.js";
import { artifactIncomplete, artifactInvalid, noMarks, strippedMarks, wrongArchitecture } from "../errors.js";

/** A library file that may be loaded. */
export interface Inspected {
  readonly bytes: Buffer;
  readonly elf: Elf;
  readonly marks: Marks;
  readonly buildId: string | null;
  /** sha256 of the whole file. */
  readonly hash: string;
  /** Marked function -> hash of its code bytes, or of the whole file where its body cannot be told: equal hashes mean an unchanged function. */
  readonly code: ReadonlyMap<string, string>;
  /** Marked function -> address relative to the load base. */
  readonly entries: ReadonlyMap<string, number>;
  /** Marked functions that cannot be patched, and why. */
  readonly refused: readonly RefusedMark[];
  readonly state: readonly StateRecord[];
  /** What the library wants to be called around a switch to it. */
  readonly hooks: Hooks;
  readonly exports: ReadonlyMap<string, ExportedVariable>;
}

export type Inspection =
  | { readonly kind: "fit"; readonly artifact: Inspected }
  /** A writer is at work: look again at the next change. */
  | { readonly kind: "incomplete"; readonly report: ErrorReport }
  | { readonly kind: "unfit"; readonly report: ErrorReport };

const hashOf = (code: Buffer): string => createHash("sha1").update(code).digest("hex");

/** @param running what the target runs meanwhile, for the report */
export function inspect(path: string, library: string, bytes: Buffer, running: string): Inspection {
  let elf: Elf;
  let marks: Marks;
  let state: StateRecord[];
  try {
    elf = validateLibrary(bytes);
    marks = readMarks(elf);
    state = readState(elf);
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    if (error.kind === "incomplete")
      return { kind: "incomplete", report: artifactIncomplete(path, error.message, running) };
    if (error.kind === "architecture")
      return { kind: "unfit", report: wrongArchitecture(path, error.message, running) };
    return { kind: "unfit", report: artifactInvalid(path, error.message, running) };
  }
  if (marks.codeBytes === 0 && marks.functions.length === 0)
    return { kind: "unfit", report: noMarks(library, running) };
  if (marks.functions.length === 0)
    return { kind: "unfit", report: strippedMarks(library, marks.unnamedBytes, running) };
  const hash = contentHash(bytes);
  const { unique, ambiguous } = tellApart(marks.functions);
  const code = new Map<string, string>();
  const entries = new Map<string, number>();
  const refused: RefusedMark[] = [...ambiguous].map(([name, twins]) => ({
    name,
    code: "ambiguous-name",
    reason: whyAmbiguous(twins),
  }));
  for (const [name, f] of unique) {
    const start = elf.fileOffsetOf(f.value);
    if (f.entry === null || start === null) {
      refused.push({ name, code: "entry-too-small", reason: f.reason ?? "its code is not in the file" });
      continue;
    }
    code.set(name, f.size === 0 ? hash : hashOf(bytes.subarray(start, start + f.size)));
    entries.set(name, f.value);
  }
  return {
    kind: "fit",
    artifact: {
      bytes,
      elf,
      marks,
      buildId: elf.buildId,
      hash,
      code,
      entries,
      refused,
      state,
      hooks: switchHooks(elf),
      exports: writableExports(elf),
    },
  };
}
