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
  const { offsetSize, size } = readLength(cursor);
  const end = cursor.at + size;
  if (end > info.bytes.length || size < 7) throw new DwarfError("a unit of the debug information is cut short");
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new DwarfError(`it has DWARF version ${version}; hotpatch reads 2 to 5`);
  const { kind, abbreviations, addressSize } =
    version >= 5 ? readHead(cursor, offsetSize) : readOldHead(cursor, offsetSize, inTypes);
  if (addressSize !== 8 && addressSize !== 4) throw new DwarfError(`addresses of ${addressSize} bytes`);
  const { signature, type, dwoId } = readIdentity(cursor, kind, start, offsetSize);
  const first = cursor.at;
  if (first > end) throw new DwarfError("a unit of the debug information is cut short");
  const format = { version, offsetSize, addressSize } as const;
  return { ...format, info, start, end, kind, first, abbreviations, signature, type, dwoId, skeleton };
}

/** How many bytes follow, and how many an offset into another section has: 8 in DWARF of 64 bits. */
function readLength(cursor: Cursor): { readonly offsetSize: 4 | 8; readonly size: number } {
  const length = cursor.u32();
  if (length === 0xffffffff) return { offsetSize: 8, size: cursor.u64() };
  if (length >= 0xfffffff0) throw new DwarfError(`a unit claims to have ${length} bytes`);
  return { offsetSize: 4, size: length };
}

/** What stands behind the version. */
interface Head {
  readonly kind: number;
  readonly abbreviations: number;
  readonly addressSize: number;
}

function readHead(cursor: Cursor, offsetSize: 4 | 8): Head {
  const [kind, addressSize] = [cursor.u8(), cursor.u8()];
  return { kind, addressSize, abbreviations: cursor.offset(offsetSize) };
}

/** Before DWARF 5 the section says of which kind its units are. */
function readOldHead(cursor: Cursor, offsetSize: 4 | 8, inTypes: boolean): Head {
  const abbreviations = cursor.offset(offsetSize);
  return { kind: inTypes ? UT.type : UT.compile, abbreviations, addressSize: cursor.u8() };
}

/** What a type unit, and one of a split pair, is found by. */
function readIdentity(
  cursor: Cursor,
  kind: number,
  start: number,
  offsetSize: 4 | 8,
): Pick<Unit, "signature" | "type" | "dwoId"> {
  if (kind === UT.type || kind === UT.split_type)
    return { signature: cursor.big64(), type: start + cursor.offset(offsetSize), dwoId: null };
  const isSplit = kind === UT.skeleton || kind === UT.split_compile;
  return { signature: null, type: 0, dwoId: isSplit ? cursor.big64() : null };
}
