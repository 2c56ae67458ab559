/** What a library exports besides its marks: variables and switch hooks. Pure. */
import { HOOKS } from "../../schemas/abi.js";
import type { Hooks } from "../../schemas/agent.js";
import { SHN_LORESERVE, SHN_UNDEF, STB_GNU_UNIQUE, STT_FUNC, STT_OBJECT } from "../../schemas/elf.js";
import type { Elf } from "./elf.js";

const isDefined = ({ sectionIndex }: { readonly sectionIndex: number }): boolean =>
  sectionIndex !== SHN_UNDEF && sectionIndex < SHN_LORESERVE;

export interface ExportedVariable {
  /** In bytes. */
  readonly size: number;
  /** Relative to the load base. */
  readonly address: number;
  /**
   * STB_GNU_UNIQUE (gcc's for C++ inline variables, and statics of templates and inline functions): one in the process,
   * however libraries are opened. It lives on in every copy.
   */
  readonly unique: boolean;
}

/** Those that live on in every copy, as persistent variables do. Not the implementation's own. */
export const uniqueAmong = (exports: ReadonlyMap<string, ExportedVariable>): Map<string, ExportedVariable> =>
  new Map(
    [...exports].filter(([name, { unique }]) => unique && !/^_Z(?:GV|T|N?K?S[a-z]|Z?NK?St|NK?9__gnu_cxx)/.test(name)),
  );

/** The exported variables that code may write. */
export function writableExports(elf: Elf): Map<string, ExportedVariable> {
  const exports = new Map<string, ExportedVariable>();
  for (const symbol of elf.dynamicSymbols())
    if (isDefined(symbol) && symbol.type === STT_OBJECT && elf.writableAt(symbol.value))
      exports.set(symbol.name, {
        size: symbol.size,
        address: symbol.value,
        unique: symbol.bind === STB_GNU_UNIQUE,
      });
  return exports;
}

/** The library's switch hooks (docs/marks.md, "Hooks"). */
export function switchHooks(elf: Elf): Hooks {
  const at = (name: string): number | null => {
    const found = elf.dynamicSymbols().find((one) => one.name === name && one.type === STT_FUNC && isDefined(one));
    return found !== undefined && elf.segmentAt(found.value) !== null ? found.value : null;
  };
  return { before: at(HOOKS.before), after: at(HOOKS.after) };
}
