/**
 * Finds an entry's code: DW_AT_low_pc and DW_AT_ranges, directly or by index, in whole and split units.
 * Source: DWARF 5 sections 2.17, 7.25, 7.27; DWARF 4 section 7.24; DW_AT_GNU_addr_base of gcc's and clang's version 4.
 */
import { AT, RLE } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import { type Die, rootOf } from "./die.js";
import type { Unit } from "./unit.js";

/** Half-open, relative to the load base. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** The code ranges of an entry, the one with its entry point first; empty if it has no code. */
export function rangesOf(die: Die): Range[] {
  const low = addressOf(die, AT.low_pc);
  if (die.has(AT.ranges)) return rangeList(die);
  if (low === undefined) return [];
  const high = die.address(AT.high_pc) === undefined ? undefined : addressOf(die, AT.high_pc);
  return [{ start: low, end: high ?? low + (die.number(AT.high_pc) ?? 1) }];
}

/** The address that an attribute gives, itself or as an index into .debug_addr. */
function addressOf(die: Die, attribute: number): number | undefined {
  const found = die.address(attribute);
  if (found === undefined) return undefined;
  return "address" in found ? found.address : indexedAddress(die.unit, found.index);
}

/** The address at an index of .debug_addr, which is in the main file for a split unit. */
export function indexedAddress(unit: Unit, index: number): number {
  const owner = unit.skeleton ?? unit;
  const root = rootOf(owner);
  const base = root.number(AT.addr_base) ?? root.number(AT.GNU_addr_base) ?? 0;
  return new Cursor(owner.info.sections.get("addr"), base + index * owner.addressSize).unsigned(owner.addressSize);
}

function rangeList(die: Die): Range[] {
  const { unit } = die;
  const offset = die.number(AT.ranges);
  if (unit.version < 5) return oldRangeList(unit, offset ?? 0);
  const index = die.rangeListIndex(AT.ranges);
  if (index === undefined) return newRangeList(unit, offset ?? 0);
  // After the header of 12 or 20 bytes if no attribute says so: in split units.
  const base = rootOf(unit).number(AT.rnglists_base) ?? (unit.offsetSize === 4 ? 12 : 20);
  const lists = unit.info.sections.get("rnglists");
  return newRangeList(unit, base + new Cursor(lists, base + index * unit.offsetSize).offset(unit.offsetSize));
}

/** The base of offsets in a range list, until the list sets another. */
function baseOf(unit: Unit): number {
  const owner = unit.skeleton ?? unit;
  return addressOf(rootOf(owner), AT.low_pc) ?? 0;
}

/** More ranges than any function or unit has: every entry of a crafted file could refer to a list. */
const MOST_RANGES = 100_000;

function oldRangeList(unit: Unit, offset: number): Range[] {
  const size = unit.addressSize;
  // Version 4 lists are always in the main file; a split unit's offsets start where its skeleton says.
  const owner = unit.skeleton ?? unit;
  const cursor = new Cursor(owner.info.sections.get("ranges"), offset);
  const highest = 2 ** (8 * size) - 1;
  let base = baseOf(unit);
  const ranges: Range[] = [];
  while (ranges.length < MOST_RANGES) {
    const [start, end] = [cursor.unsigned(size), cursor.unsigned(size)];
    if (start === 0 && end === 0) return ranges;
    // 2^64 - 1 is rounded to 2^64 by u64.
    if (start >= highest) base = end;
    else if (start < end) ranges.push({ start: base + start, end: base + end });
    unit.info.claimEntry();
  }
  throw new DwarfError("a range list is not terminated");
}

function newRangeList(unit: Unit, offset: number): Range[] {
  const cursor = new Cursor(unit.info.sections.get("rnglists"), offset);
  const address = () => cursor.unsigned(unit.addressSize);
  const indexed = () => indexedAddress(unit, cursor.uleb());
  let base: number | null = null;
  const ranges: Range[] = [];
  const add = (start: number, end: number) => {
    if (start < end) ranges.push({ start, end });
  };
  while (ranges.length < MOST_RANGES) {
    unit.info.claimEntry();
    const kind = cursor.u8();
    switch (kind) {
      case RLE.end_of_list:
        return ranges;
      case RLE.base_addressx:
        base = indexed();
        break;
      case RLE.base_address:
        base = address();
        break;
      case RLE.startx_endx:
        add(indexed(), indexed());
        break;
      case RLE.startx_length: {
        const start = indexed();
        add(start, start + cursor.uleb());
        break;
      }
      case RLE.offset_pair: {
        base ??= baseOf(unit);
        add(base + cursor.uleb(), base + cursor.uleb());
        break;
      }
      case RLE.start_end:
        add(address(), address());
        break;
      case RLE.start_length: {
        const start = address();
        add(start, start + cursor.uleb());
        break;
      }
      default:
        throw new DwarfError(`a range list has the unknown entry kind ${kind}`);
    }
  }
  throw new DwarfError("a range list is not terminated");
}
