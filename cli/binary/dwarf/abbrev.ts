/** Reads abbreviation tables: the attributes and forms of the entries with each code. Source: DWARF 5 section 7.5.3. */
import { FORM } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";

export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** DW_AT_*, in the order of the values. */
  readonly attributes: readonly number[];
  /** DW_FORM_*, in the same order. */
  readonly forms: readonly number[];
  /** Values of DW_FORM_implicit_const, by the index of their attribute. */
  readonly constants: ReadonlyMap<number, bigint> | null;
  /** Bytes of all values together; -1 if that depends on the entry. */
  readonly size: number;
}

export class AbbreviationTable {
  // Compilers number codes from 1 without gaps; any other table goes through the map.
  readonly #dense: (Abbreviation | undefined)[] = [undefined];
  readonly #sparse = new Map<number, Abbreviation>();
  readonly #tags = new Set<number>();

  /** Whether an entry may have this tag: a unit whose table lacks it need not be read. */
  hasTag(tag: number): boolean {
    return this.#tags.has(tag);
  }

  add(code: number, abbreviation: Abbreviation): void {
    this.#tags.add(abbreviation.tag);
    if (code === this.#dense.length) this.#dense.push(abbreviation);
    else this.#sparse.set(code, abbreviation);
  }

  get(code: number): Abbreviation {
    const found = this.#dense[code] ?? this.#sparse.get(code);
    if (found === undefined) throw new DwarfError(`an entry of the debug information has the unknown kind ${code}`);
    return found;
  }
}

/** What the sizes of some forms depend on. */
export interface Format {
  readonly version: number;
  readonly offsetSize: 4 | 8;
  readonly addressSize: number;
}

/** The table that begins at a byte of .debug_abbrev, and how many bytes it has. */
export function readAbbreviations(
  section: Buffer,
  offset: number,
  format: Format,
): { readonly table: AbbreviationTable; readonly bytes: number } {
  const cursor = new Cursor(section, offset);
  const table = new AbbreviationTable();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: number[] = [];
    const forms: number[] = [];
    let constants: Map<number, bigint> | null = null;
    let size = 0;
    for (;;) {
      const [attribute, form] = [cursor.uleb(), cursor.uleb()];
      if (form === FORM.implicit_const) {
        constants ??= new Map();
        constants.set(attributes.length, cursor.slebBig());
      }
      if (attribute === 0 && form === 0) break;
      attributes.push(attribute);
      forms.push(form);
      const bytes = sizeOfForm(form, format);
      size = size < 0 || bytes < 0 ? -1 : size + bytes;
    }
    table.add(code, { tag, hasChildren, attributes, forms, constants, size });
  }
  return { table, bytes: cursor.at - offset };
}

/** Bytes of a value of this form; -1 if that depends on the value. */
export function sizeOfForm(form: number, { version, offsetSize, addressSize }: Format): number {
  switch (form) {
    case FORM.flag_present:
    case FORM.implicit_const:
      return 0;
    case FORM.data1:
    case FORM.ref1:
    case FORM.flag:
    case FORM.strx1:
    case FORM.addrx1:
      return 1;
    case FORM.data2:
    case FORM.ref2:
    case FORM.strx2:
    case FORM.addrx2:
      return 2;
    case FORM.strx3:
    case FORM.addrx3:
      return 3;
    case FORM.data4:
    case FORM.ref4:
    case FORM.strx4:
    case FORM.addrx4:
    case FORM.ref_sup4:
      return 4;
    case FORM.data8:
    case FORM.ref8:
    case FORM.ref_sig8:
    case FORM.ref_sup8:
      return 8;
    case FORM.data16:
      return 16;
    case FORM.addr:
      return addressSize;
    case FORM.ref_addr:
      return version < 3 ? addressSize : offsetSize;
    case FORM.strp:
    case FORM.line_strp:
    case FORM.strp_sup:
    case FORM.sec_offset:
    case FORM.GNU_ref_alt:
    case FORM.GNU_strp_alt:
      return offsetSize;
    default:
      return -1;
  }
}
