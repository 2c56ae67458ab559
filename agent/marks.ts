/** The marked functions of a loaded module. Reads only. */
import type { RefusedMark } from "../schemas/agent.js";
import { cleanName, isFragment, tellApart } from "../schemas/names.js";
import { exportsInMemory, type FunctionSymbol, type ModuleFile, readModuleFile } from "./elf.js";
import { wordsAt } from "./memory.js";
import { type Address, addressOf, entryProblem } from "./thunk.js";

/** The header's sections; inline functions have one of their own (docs/marks.md). */
const PLAIN = "hotpatch";
const INLINE = "hotpatci";
/** hotpatch_is_patched(): a library that has it was made with the header. */
const FLAG = "hp_flag";
/** gcc ignores the section of a template and keeps its entry: lea 0(%rsp),%rsp (cli/binary/marks.ts). */
const TEMPLATE_ENTRY = "48 8d a4 24 00 00 00 00";

/** A loaded module; `size` in bytes. */
export interface Place {
  readonly path: string;
  readonly base: NativePointer;
  readonly size: number;
}

export interface Mark {
  readonly name: string;
  readonly entry: Address;
}

export interface ModuleMarks {
  readonly marks: readonly Mark[];
  readonly refused: readonly RefusedMark[];
}

/** What an executable has been compiled with. Its own code cannot be rebuilt into a library copy. */
export interface ExecutableMarks {
  /** Marked functions of its own. */
  readonly own: number;
  /** Inline functions of a library's header, compiled into the executable too: they are the library's to patch. */
  readonly inline: readonly Mark[];
}

/** Null when the module has no marks, or none that can be seen because its file is gone and it exports none. */
export function marksOf({ path, base, size }: Place): ModuleMarks | null {
  const file = readModuleFile(path, base);
  if (file === null) {
    const marked = markedExports(base);
    return marked.length === 0 ? null : named(marked);
  }
  if (!isMarked(file)) return null;
  const sections = file.sections.filter((s) => s.name === PLAIN || s.name === INLINE);
  const found = named(file.functionsIn(sections, templates(base, size)));
  return sections.length === 0 && found.marks.length === 0 ? null : found;
}

export function executableMarks({ path, base, size }: Place): ExecutableMarks {
  const file = readModuleFile(path, base);
  if (file === null) return { own: markedExports(base).length, inline: [] };
  if (!isMarked(file)) return { own: 0, inline: [] };
  const inSection = (name: string) => file.sections.filter((s) => s.name === name);
  const own = named(file.functionsIn(inSection(PLAIN)));
  const ownEntries = new Set(own.marks.map((mark) => mark.entry));
  const inline = named(file.functionsIn(inSection(INLINE), templates(base, size)));
  return {
    own: own.marks.length + own.refused.length,
    inline: inline.marks.filter((mark) => !ownEntries.has(mark.entry)),
  };
}

const isMarked = (file: ModuleFile): boolean => file.sections.some(({ name }) => [PLAIN, INLINE, FLAG].includes(name));

/** Where gcc's entries stand in the module's code: those outside the marked sections are instances of templates. */
function templates(base: NativePointer, size: number): Set<Address> {
  const end = base.add(size);
  return new Set(
    Process.enumerateRanges("r-x")
      .filter((range) => range.base.compare(base) >= 0 && range.base.compare(end) < 0)
      .flatMap((range) => Memory.scanSync(range.base, range.size, TEMPLATE_ENTRY))
      .map(({ address }) => addressOf(address)),
  );
}

/** Without the file the sections are unknown: then the entry's bytes tell a mark. */
function markedExports(base: NativePointer): FunctionSymbol[] {
  const exported = exportsInMemory(base) ?? [];
  const words = wordsAt(exported.map((f) => f.address));
  return exported.filter((f, i) => entryProblem(f.address, words[i] ?? [0, 0]) === null);
}

function named(functions: readonly FunctionSymbol[]): ModuleMarks {
  // .symtab and .dynsym may both have a function; an alias at the same address is a function of its own name.
  const seen = new Map<string, { name: string; entry: Address; file: string | null }>();
  const whole = new Set(functions.map((f) => f.name));
  for (const { name: symbol, address, file } of functions) {
    const name = cleanName(symbol);
    if (name === "" || (isFragment(symbol) && whole.has(name))) continue;
    const key = `${address} ${name}`;
    if (!seen.has(key)) seen.set(key, { name, entry: address, file });
  }
  const { unique, ambiguous } = tellApart([...seen.values()]);
  const marks: Mark[] = [];
  const refused: RefusedMark[] = [];
  const words = wordsAt([...unique.values()].map((f) => f.entry));
  let i = 0;
  for (const [name, { entry }] of unique) {
    const reason = entryProblem(entry, words[i++] ?? [0, 0]);
    if (reason === null) marks.push({ name, entry });
    else refused.push({ name, code: "entry-too-small", reason });
  }
  for (const [name, n] of ambiguous)
    refused.push({ name, code: "ambiguous-name", reason: `${n} marked functions have this name` });
  return { marks, refused };
}
