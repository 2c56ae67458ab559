/** The marked functions of a loaded module. Read-only. */
import { RECORD_VERSION, SECTIONS } from "../../schemas/abi.js";
import type { RefusedMark } from "../../schemas/agent.js";
import { cleanName, isFragment, tellApart, whyAmbiguous } from "../../schemas/names.js";
import { codeWriter } from "../arch/index.js";
import { codeMappings, exportsInMemory, type FunctionSymbol, type ModuleFile, readModuleFile } from "../os/index.js";
import { type Address, addressOf } from "../target/address.js";
import { contains, type Extent, type Place } from "../target/extent.js";
import { wordsAt } from "../target/words.js";
import { type RecordedMarks, recordedMarks } from "./records.js";

const { functions: PLAIN, inline: INLINE, flag: FLAG, marks: RECORDS } = SECTIONS;
const MARKED: readonly string[] = [PLAIN, INLINE, FLAG];
const NO_RECORDS: RecordedMarks = { marks: [], unknown: [] };

export interface Mark {
  readonly name: string;
  readonly entry: Address;
}

export interface ModuleMarks {
  readonly marks: readonly Mark[];
  readonly refused: readonly RefusedMark[];
}

/** The marks compiled into an executable. Its own code cannot be rebuilt as a library copy. */
export interface ExecutableMarks {
  /** Number of marked functions of its own. */
  readonly own: number;
  /** Inline functions from a library's header, compiled into the executable too: they are patched with the library. */
  readonly inline: readonly Mark[];
}

/**
 * Functions with a record take their name from it, the others from symbols. Null if the module has no marks, or none that
 * are visible: its file is gone, and it neither exports any nor has records.
 */
export function marksOf(module: Place): ModuleMarks | null {
  const { path, base } = module;
  const file = readModuleFile(path, base);
  if (file === null) {
    const found = named(markedExports(base), recordedMarks(module));
    return found.marks.length === 0 ? null : found;
  }
  if (!isMarked(file)) return null;
  const sections = file.sections.filter((s) => s.name === PLAIN || s.name === INLINE);
  const recorded = file.sections.some((s) => s.name === RECORDS) ? recordedMarks(module) : NO_RECORDS;
  const found = named(file.functionsIn(sections, templates(module)), recorded);
  return sections.length === 0 && found.marks.length === 0 ? null : found;
}

export function executableMarks(module: Place): ExecutableMarks {
  const { path, base } = module;
  const file = readModuleFile(path, base);
  if (file === null) return { own: markedExports(base).length, inline: [] };
  if (!isMarked(file)) return { own: 0, inline: [] };
  const inSection = (name: string) => file.sections.filter((s) => s.name === name);
  const own = named(file.functionsIn(inSection(PLAIN)));
  const ownEntries = new Set(own.marks.map((mark) => mark.entry));
  const inline = named(file.functionsIn(inSection(INLINE), templates(module)));
  return {
    own: own.marks.length + own.refused.length,
    inline: inline.marks.filter((mark) => !ownEntries.has(mark.entry)),
  };
}

const isMarked = (file: ModuleFile): boolean => file.sections.some(({ name }) => MARKED.includes(name));

/**
 * Where gcc's entries are in the module's code: those outside the marked sections are template instances, for which gcc
 * ignores the section attribute but keeps the entry (cli/binary/marks.ts).
 */
function templates(module: Extent): Set<Address> {
  return new Set(
    codeMappings()
      .filter((range) => contains(module, range.base))
      .flatMap((range) => Memory.scanSync(range.base, range.size, codeWriter.gccEntry))
      .map(({ address }) => addressOf(address)),
  );
}

/** Without the file the sections are unknown, so a mark is recognized by its entry's bytes. */
function markedExports(base: NativePointer): FunctionSymbol[] {
  const exported = exportsInMemory(base) ?? [];
  const words = wordsAt(exported.map((f) => f.address));
  return exported.filter((f, i) => codeWriter.entryProblem(f.address, words[i] ?? [0, 0]) === null);
}

interface Named {
  readonly name: string;
  readonly entry: Address;
  readonly file: string | null;
  readonly place: string | null;
}

function named(functions: readonly FunctionSymbol[], recorded = NO_RECORDS): ModuleMarks {
  const entries = new Set(recorded.marks.map((mark) => mark.entry));
  // A function may be in both .symtab and .dynsym; an alias at the same address counts as another function.
  const seen = new Map<string, Named>();
  for (const mark of recorded.marks) seen.set(`${mark.entry} ${mark.name}`, { ...mark, file: null });
  const whole = new Set(functions.map((f) => f.name));
  for (const { name: symbol, address, file } of functions) {
    const name = cleanName(symbol);
    if (name === "" || entries.has(address) || (isFragment(symbol) && whole.has(name))) continue;
    const key = `${address} ${name}`;
    if (!seen.has(key)) seen.set(key, { name, entry: address, file, place: null });
  }
  const { unique, ambiguous } = tellApart([...seen.values()]);
  const marks: Mark[] = [];
  const refused: RefusedMark[] = recorded.unknown.map((version) => ({
    name: RECORDS,
    code: "unknown-version",
    reason: `a record of ${RECORDS} has version ${version}; this hotpatch reads version ${RECORD_VERSION}`,
  }));
  const words = wordsAt([...unique.values()].map((f) => f.entry));
  let i = 0;
  for (const [name, { entry }] of unique) {
    const reason = codeWriter.entryProblem(entry, words[i++] ?? [0, 0]);
    if (reason === null) marks.push({ name, entry });
    else refused.push({ name, code: "entry-too-small", reason });
  }
  for (const [name, twins] of ambiguous) refused.push({ name, code: "ambiguous-name", reason: whyAmbiguous(twins) });
  return { marks, refused };
}
