/**
 * Reads .dwp files: the split files of a library in one, with an index.
 * Source: DWARF 5 section 7.3.5; version 2 of the index is gcc's and LLVM's for DWARF 4.
 */
import type { Elf } from "../elf.js";
import { Cursor, DwarfError } from "./cursor.js";
import { DebugSections, type SectionName, type Sections } from "./sections.js";

/** Column ids that the two versions share; 8 is macro information in version 2 and range lists in 5. */
const COLUMNS: Readonly<Record<number, SectionName>> = { 1: "info", 2: "types", 3: "abbrev", 6: "str_offsets" };
const RNGLISTS_COLUMN = 8;

interface Contribution {
  readonly offset: number;
  readonly size: number;
}
type Row = ReadonlyMap<SectionName, Contribution>;

/** One unit's share of the package's sections. */
class Share implements Sections {
  readonly #all: Sections;
  readonly #row: Row;

  constructor(all: Sections, row: Row) {
    this.#all = all;
    this.#row = row;
  }

  has(name: SectionName): boolean {
    return this.get(name).length > 0;
  }

  get(name: SectionName): Buffer {
    if (name === "types" && !this.#row.has("types")) return Buffer.alloc(0);
    const bytes = this.#all.get(name);
    const share = this.#row.get(name);
    if (share === undefined) return bytes;
    if (share.offset + share.size > bytes.length) throw new DwarfError("the index of its .dwp points outside the file");
    return bytes.subarray(share.offset, share.offset + share.size);
  }

  every(name: SectionName): Buffer[] {
    return [this.get(name)];
  }
}

export class DwarfPackage {
  readonly #sections: Sections;
  readonly #units: ReadonlyMap<bigint, Row>;
  readonly #types: readonly Row[];

  constructor(elf: Elf) {
    this.#sections = new DebugSections(elf, ".dwo");
    this.#units = readIndex(new DebugSections(elf).get("cu_index"));
    this.#types = [...readIndex(new DebugSections(elf).get("tu_index")).values()];
  }

  /** The sections of the unit with this id; null if it is not in the package. */
  unit(id: bigint): Sections | null {
    const row = this.#units.get(id);
    return row === undefined ? null : new Share(this.#sections, row);
  }

  /** The sections of every type unit, and in which of them it is. */
  typeSections(): { readonly sections: Sections; readonly name: "info" | "types" }[] {
    return this.#types.map((row) => ({
      sections: new Share(this.#sections, row),
      name: row.has("types") ? "types" : "info",
    }));
  }
}

/** Signature or id -> where its contributions are; empty without an index. */
function readIndex(bytes: Buffer): Map<bigint, Row> {
  const rows = new Map<bigint, Row>();
  if (bytes.length === 0) return rows;
  const cursor = new Cursor(bytes, 0);
  const version = cursor.u32() & 0xffff;
  if (version !== 2 && version !== 5)
    throw new DwarfError(`the index of its .dwp has version ${version}; hotpatch reads 2 and 5`);
  const [columns, units, slots] = [cursor.u32(), cursor.u32(), cursor.u32()];
  const signatures = cursor.at;
  const places = signatures + 8 * slots;
  const table = places + 4 * slots;
  // Every read is checked, so the counts need no check: an excessive one ends in an error.
  const word = (at: number): number => new Cursor(bytes, at).u32();
  const names = Array.from({ length: Math.min(columns, 16) }, (_, i) => nameOf(word(table + 4 * i), version));
  for (let slot = 0; slot < slots; slot++) {
    const row = word(places + 4 * slot);
    if (row === 0 || row > units) continue;
    const contributions = new Map<SectionName, Contribution>();
    for (const [i, name] of names.entries()) {
      if (name === null) continue;
      const at = table + 4 * (columns * row + i);
      contributions.set(name, { offset: word(at), size: word(at + 4 * columns * units) });
    }
    rows.set(new Cursor(bytes, signatures + 8 * slot).big64(), contributions);
  }
  return rows;
}

const nameOf = (column: number, version: number): SectionName | null =>
  column === RNGLISTS_COLUMN && version === 5 ? "rnglists" : (COLUMNS[column] ?? null);
