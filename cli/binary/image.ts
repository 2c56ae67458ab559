/** A library file, whatever its format: what can be told of all of them. */
import { HOOKS } from "../../schemas/abi.js";
import { tellApart, whyAmbiguous } from "../../schemas/names.js";
import { type Elf, validateLibrary } from "./elf.js";
import { switchHooks } from "./exports.js";
import { type Marks, readMarks } from "./marks.js";
import { isPe, readPe } from "./pe.js";
import { readState, type StateRecord } from "./state.js";

/** A marked function. */
interface ImageFunction {
  readonly name: string;
  /** Why it cannot be patched; null: it can. */
  readonly reason: string | null;
}

export interface Image {
  readonly format: "ELF" | "PE";
  readonly soname: string | null;
  readonly buildId: string | null;
  readonly hasDebugInfo: boolean;
  /** Whether it was made with hotpatch.h. */
  readonly hasFlag: boolean;
  readonly functions: readonly ImageFunction[];
  /** Bytes of marked code that no name stands for. */
  readonly unnamedBytes: number;
  readonly state: readonly StateRecord[];
  readonly hooks: { readonly before: boolean; readonly after: boolean };
  /** What only ELF has; null for another format, which can be read but not patched. */
  readonly elf: { readonly elf: Elf; readonly marks: Marks } | null;
}

/** @throws ElfError when it is no library of a known format and architecture */
export const openImage = (bytes: Buffer): Image =>
  isPe(bytes) ? imageOfPe(bytes) : imageOfElf(validateLibrary(bytes));

function imageOfElf(elf: Elf): Image {
  const marks = readMarks(elf);
  const hooks = switchHooks(elf);
  const { unique, ambiguous } = tellApart([...marks.functions]);
  return {
    format: "ELF",
    soname: elf.soname,
    buildId: elf.buildId,
    hasDebugInfo: elf.sections.some((one) => /^\.z?debug_info$/.test(one.name)),
    hasFlag: marks.flags.length > 0,
    functions: [
      ...[...unique].map(([name, { reason }]) => ({ name, reason })),
      ...[...ambiguous].map(([name, those]) => ({ name, reason: whyAmbiguous(those) })),
    ],
    unnamedBytes: marks.unnamedBytes,
    state: readState(elf),
    hooks: { before: hooks.before !== null, after: hooks.after !== null },
    elf: { elf, marks },
  };
}

function imageOfPe(bytes: Buffer): Image {
  const { functions, state, exports, flags, codeBytes, hasDebugInfo } = readPe(bytes);
  return {
    format: "PE",
    soname: null,
    buildId: null,
    hasDebugInfo,
    hasFlag: flags > 0,
    functions: functions.map(({ symbol, reason }) => ({ name: symbol, reason })),
    unnamedBytes: functions.length === 0 ? codeBytes : 0,
    state,
    hooks: { before: exports.has(HOOKS.before), after: exports.has(HOOKS.after) },
    elf: null,
  };
}
