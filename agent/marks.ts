/** The marked functions of a loaded module. Reads only. */
import type { RefusedMark } from "../schemas/agent.js";
import { cleanName, isFragment, tellApart } from "../schemas/names.js";
import { exportsInMemory, type FunctionSymbol, readModuleFile } from "./elf.js";
import { wordsAt } from "./memory.js";
import { type Address, entryProblem } from "./thunk.js";

/** The header's sections; C++ inline functions have one of their own (docs/marks.md). */
const SECTIONS: ReadonlySet<string> = new Set(["hotpatch", "hotpatci"]);

export interface Mark {
  readonly name: string;
  readonly entry: Address;
}

export interface ModuleMarks {
  readonly marks: readonly Mark[];
  readonly refused: readonly RefusedMark[];
}

/** Null when the module has no marks, or none that can be seen because its file is gone and it exports none. */
export function marksOf(path: string, base: NativePointer): ModuleMarks | null {
  const file = readModuleFile(path, base);
  if (file === null) {
    // Without the file the sections are unknown: then the entry's bytes tell a mark.
    const exported = exportsInMemory(base) ?? [];
    const words = wordsAt(exported.map((f) => f.address));
    const marked = exported.filter((f, i) => entryProblem(f.address, words[i] ?? [0, 0]) === null);
    return marked.length === 0 ? null : named(marked);
  }
  const sections = file.sections.filter((s) => SECTIONS.has(s.name));
  return sections.length === 0 ? null : named(file.functionsIn(sections));
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
