/**
 * One pass over a unit's entries: the calls that the compiler inlined into code, each with the function around it. Must
 * not decode what it passes over: optimised C++ has hundreds of thousands of such calls.
 */
import type { Abbreviation } from "./abbrev.js";
import { AT, TAG } from "./constants.js";
import { Cursor } from "./cursor.js";
import { skipValues } from "./form.js";
import type { Unit } from "./unit.js";

/** Whether a unit can hold inlined calls at all: its abbreviations show it, without reading an entry. */
export const mayInline = (unit: Unit): boolean => unit.info.abbreviationsOf(unit).hasTag(TAG.inlined_subroutine);

/** @param told of each call's entry, and of the entry of the function that holds the code */
export function eachInlined(unit: Unit, told: (offset: number, holder: number) => void): void {
  const cursor = new Cursor(unit.info.bytes, unit.first, unit.end);
  const abbreviations = unit.info.abbreviationsOf(unit);
  /** The function with code around each depth; 0 if there is none. */
  const holders: number[] = [];
  // Behind the end of the root is padding.
  for (let more = unit.first < unit.end; more; more = holders.length > 0 && cursor.at < unit.end) {
    const offset = cursor.at;
    const code = cursor.uleb();
    if (code === 0) {
      holders.pop();
      continue;
    }
    const abbreviation = abbreviations.get(code);
    skipValues(cursor, abbreviation, unit);
    const around = holders.at(-1) ?? 0;
    if (around !== 0 && abbreviation.tag === TAG.inlined_subroutine) told(offset, around);
    if (abbreviation.hasChildren) holders.push(isFunction(abbreviation) ? ownCode(abbreviation, offset) : around);
  }
}

const isFunction = ({ tag }: Abbreviation): boolean => tag === TAG.subprogram;

/** The function itself, or 0: what is inside a declaration or an abstract description is not code. */
const ownCode = ({ attributes }: Abbreviation, offset: number): number =>
  attributes.includes(AT.low_pc) || attributes.includes(AT.ranges) ? offset : 0;
