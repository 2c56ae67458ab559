/**
 * The marked functions of a loaded module, read through Gum: the observer must know them before any code of the
 * library runs, so the cli's reader is too far away. Reads only.
 */
import type { RefusedMark } from "../schemas/agent.js";
import { entryProblem } from "./thunk.js";

/** The header's sections; C++ inline functions have one of their own (docs/marks.md). */
const SECTIONS: ReadonlySet<string> = new Set(["hotpatch", "hotpatci"]);

/** What compilers append to a name when they clone or split a function. */
const CLONE_SUFFIX = /\.(?:(?:lto_priv|constprop|isra)(?:\.\d+)?|part\.\d+|llvm\.\w+)/g;

export interface Mark {
  readonly name: string;
  readonly entry: NativePointer;
}

export interface ModuleMarks {
  readonly marks: readonly Mark[];
  readonly refused: readonly RefusedMark[];
  /** Bytes of marked code, named or not. */
  readonly codeBytes: number;
}

/** A function's name without what the compiler appended. */
export const cleanName = (name: string): string => name.replace(CLONE_SUFFIX, "");

/**
 * Null when the module has no marked section. Entries already led through a thunk by an earlier session are marks too
 * (`adopted` tells them).
 */
export function marksOf(module: Module, adopted: (entry: NativePointer) => boolean): ModuleMarks | null {
  const sections = module.enumerateSections().filter((s) => SECTIONS.has(s.name) && s.size > 0);
  if (sections.length === 0) return null;
  const ranges = sections.map((s) => ({ start: s.address, end: s.address.add(s.size) }));
  const marked = (p: NativePointer) => ranges.some((r) => p.compare(r.start) >= 0 && p.compare(r.end) < 0);

  // One mark per address: an alias adds no function. Exported names come first, they survive strip.
  const byAddress = new Map<string, Mark>();
  const add = (name: string, entry: NativePointer) => {
    if (!marked(entry) || name.endsWith(".cold")) return;
    const key = entry.toString();
    if (!byAddress.has(key)) byAddress.set(key, { name: cleanName(name), entry });
  };
  for (const e of module.enumerateExports()) if (e.type === "function") add(e.name, e.address);
  for (const s of module.enumerateSymbols()) if (s.type === "function") add(s.name, s.address);

  const byName = new Map<string, Mark[]>();
  for (const mark of byAddress.values()) {
    const same = byName.get(mark.name);
    if (same === undefined) byName.set(mark.name, [mark]);
    else same.push(mark);
  }
  const marks: Mark[] = [];
  const refused: RefusedMark[] = [];
  for (const [name, same] of byName) {
    const [mark] = same;
    if (mark === undefined) continue;
    if (same.length > 1) {
      refused.push({ name, code: "ambiguous-name", reason: `${same.length} marked functions have this name` });
      continue;
    }
    const problem = adopted(mark.entry) ? null : entryProblem(mark.entry);
    if (problem === null) marks.push(mark);
    else refused.push({ name, code: "entry-too-small", reason: problem });
  }
  return { marks, refused, codeBytes: sections.reduce((sum, s) => sum + s.size, 0) };
}
