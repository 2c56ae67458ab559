/** How functions are called, as far as debug information tells: by attribute, by name, or by the compiler's options. Pure. */
import { AT, TAG } from "./constants.js";
import type { Die } from "./die.js";

/** Source: DWARF 5 section 7.15 and LLVM's additions. */
const CONVENTIONS: ReadonlyMap<number, string> = new Map([
  [0x01, ""],
  [0xc0, "sysv_abi"],
  [0xc1, "ms_abi"],
]);

/** "" is the platform's own. */
export function conventionOf(die: Die): string {
  const number = die.number(AT.calling_convention);
  return number === undefined ? "" : (CONVENTIONS.get(number) ?? `convention 0x${number.toString(16)}`);
}

/** rustc names pointers to functions by their types: `unsafe extern "C" fn(i32)`. */
export const rustConventionOf = (pointer: Die): string =>
  /^(?:unsafe )?(extern "[^"]*") fn\(/.exec(pointer.text(AT.name) ?? "")?.[1] ?? "";

/** Options of gcc's that change every call. Source: its manual, "x86 Options" and "Code Gen Options". */
const EVERY_CALL = / (-mabi=ms|-mregparm=\S+|-f(?:pcc|reg)-struct-return|-mvect8-ret-in-mem)(?= |$)/g;
/** In which registers vectors of more than 16 bytes are passed. */
const WIDE_VECTORS = / (-mavx512f|-mavx2?)(?= |$)/g;

/**
 * What a unit's options make of its calls; "" where they change nothing.
 * @param producer as gcc writes it, with its options; clang leaves them out
 * @param wide whether vectors of more than 16 bytes are passed
 */
export function conventionByOptions(producer: string, wide: boolean): string {
  const options = [...producer.matchAll(EVERY_CALL), ...(wide ? producer.matchAll(WIDE_VECTORS) : [])];
  return [...new Set(options.map(([, option]) => option))].join(" ");
}

/** In bytes. */
const SSE_REGISTER = 16;

/** Whether a type is a vector that does not fit an SSE register. @param element its type; undefined if that is unknown */
export function isWideVector(type: Die, element: Die | undefined): boolean {
  if (type.tag !== TAG.array_type || !type.flag(AT.GNU_vector)) return false;
  const [range] = [...type.children()].filter(({ tag }) => tag === TAG.subrange_type);
  const count = range?.number(AT.count) ?? (range?.number(AT.upper_bound) ?? 0) + 1;
  return count * (element?.number(AT.byte_size) ?? 0) > SSE_REGISTER;
}
