/**
 * The units of one file's debug information: their headers, and what the root entry of each says about the whole unit.
 * Must not read further entries. Source: DWARF 5 section 7.5.1; DWARF 4 section 7.5.1 for .debug_types.
 */
import { type AbbreviationTable, type Format, readAbbreviations } from "./abbrev.js";
import { UT } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import type { SectionName, Sections } from "./sections.js";

/** A unit in .debug_info or .debug_types. All positions are offsets from its section's start. */
export interface Unit extends Format {
  readonly info: InfoSection;
  readonly start: number;
  readonly end: number;
  /** DW_UT_*. */
  readonly kind: number;
  /** Of its root entry. */
  readonly first: number;
  readonly abbreviations: number;
  /** For a type unit: the signature used by DW_FORM_ref_sig8, and the offset of the type. */
  readonly signature: bigint | null;
  readonly type: number;
  /** For skeletons and split units of DWARF 5. */
  readonly dwoId: bigint | null;
  /** For a split unit: the unit in the main file that names it and knows where its addresses are. */
  readonly skeleton: Unit | null;
}

/** One .debug_info or .debug_types, and the other sections of its file that its units read from. */
export class InfoSection {
  readonly sections: Sections;
  readonly bytes: Buffer;
  readonly units: readonly Unit[];
  /** Budget of single-entry reads: a crafted file could have each entry read over and over. */
  #entries: number;
  #abbreviationBytes: number;
  readonly #tables = new Map<string, AbbreviationTable>();

  /**
   * @param name in which section of `sections` the bytes are
   * @param skeleton the unit of the main file that names this one's file
   */
  constructor(sections: Sections, name: "info" | "types", bytes: Buffer, skeleton: Unit | null = null) {
    this.sections = sections;
    this.bytes = bytes;
    this.units = readUnits(this, name, skeleton);
    this.#entries = 2 * this.bytes.length + 10_000;
    this.#abbreviationBytes = 2 * sections.get("abbrev").length + 1000;
  }

  /** The unit that contains an offset. @throws DwarfError if none does */
  unitAt(offset: number): Unit {
    let [low, high] = [0, this.units.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.units[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const unit = this.units[low];
    if (unit === undefined || offset < unit.first || offset >= unit.end)
      throw new DwarfError(`a reference points to byte ${offset}, where there is no entry`);
    return unit;
  }

  /** Counts a single-entry read. */
  claimEntry(): void {
    this.#entries -= 1;
    if (this.#entries < 0) throw new DwarfError("its entries refer to each other endlessly");
  }

  abbreviationsOf(unit: Unit): AbbreviationTable {
    const key = `${unit.abbreviations} ${unit.version} ${unit.offsetSize} ${unit.addressSize}`;
    let table = this.#tables.get(key);
    if (table === undefined) {
      const read = readAbbreviations(this.sections.get("abbrev"), unit.abbreviations, unit);
      this.#abbreviationBytes -= read.bytes;
      if (this.#abbreviationBytes < 0) throw new DwarfError("its abbreviation tables overlap");
      table = read.table;
      this.#tables.set(key, table);
    }
    return table;
  }
}

function readUnits(info: InfoSection, section: SectionName, skeleton: Unit | null): Unit[] {
  const units: Unit[] = [];
  for (let start = 0; start < info.bytes.length; ) {
    const unit = readUnit(info, section === "types", start, skeleton);
    units.push(unit);
    start = unit.end;
  }
  return units;
}

function readUnit(info: InfoSection, inTypes: boolean, start: number, skeleton: Unit | null): Unit {
  const cursor = new Cursor(info.bytes, start);
  const length = cursor.u32();
  if (length >= 0xfffffff0 && length !== 0xffffffff) throw new DwarfError(`a unit claims to have ${length} bytes`);
  const offsetSize = length === 0xffffffff ? 8 : 4;
  const size = offsetSize === 8 ? cursor.u64() : length;
  const end = cursor.at + size;
  if (end > info.bytes.length || size < 7) throw new DwarfError("a unit of the debug information is cut short");
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new DwarfError(`it has DWARF version ${version}; hotpatch reads 2 to 5`);
  let kind: number = inTypes ? UT.type : UT.compile;
  if (version >= 5) kind = cursor.u8();
  const before = version >= 5 ? cursor.u8() : 0;
  const abbreviations = cursor.offset(offsetSize);
  const addressSize = version >= 5 ? before : cursor.u8();
  if (addressSize !== 8 && addressSize !== 4) throw new DwarfError(`addresses of ${addressSize} bytes`);
  let [signature, dwoId, type] = [null as bigint | null, null as bigint | null, 0];
  if (kind === UT.type || kind === UT.split_type) {
    signature = cursor.big64();
    type = start + cursor.offset(offsetSize);
  } else if (kind === UT.skeleton || kind === UT.split_compile) dwoId = cursor.big64();
  const first = cursor.at;
  if (first > end) throw new DwarfError("a unit of the debug information is cut short");
  const format = { version, offsetSize, addressSize } as const;
  return { ...format, info, start, end, kind, first, abbreviations, signature, type, dwoId, skeleton };
}
