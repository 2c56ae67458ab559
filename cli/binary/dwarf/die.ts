/**
 * Owns single entries of the debug information: reading one, its attributes by what is wanted of them, its children.
 * Must not interpret what an entry means. Source: DWARF 5 section 7.5.4 and 7.5.5.
 */
import { type Abbreviation, sizeOfForm } from "./abbrev.js";
import { AT, FORM } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import {
  addressIndexAt,
  blockLengthAt,
  type Reference,
  referenceAt,
  SHARED_FILE,
  skipForm,
  skipValues,
  stringIndexAt,
} from "./form.js";
import type { SectionName } from "./sections.js";
import type { Unit } from "./unit.js";

/** An entry. Attributes are decoded on demand; an absent one is undefined. */
export class Die {
  readonly unit: Unit;
  readonly offset: number;
  readonly abbreviation: Abbreviation;
  /** Where each attribute's value begins. */
  readonly #places: readonly number[];
  /** The actual forms, with DW_FORM_indirect resolved. */
  readonly #forms: readonly number[];
  /** The offset after the values. */
  readonly end: number;

  constructor(unit: Unit, offset: number) {
    unit.info.claimEntry();
    const cursor = new Cursor(unit.info.bytes, offset, unit.end);
    const code = cursor.uleb();
    if (code === 0) throw new DwarfError(`a reference points to byte ${offset}, where there is no entry`);
    this.unit = unit;
    this.offset = offset;
    this.abbreviation = unit.info.abbreviationsOf(unit).get(code);
    const places: number[] = [];
    const forms: number[] = [];
    for (let form of this.abbreviation.forms) {
      if (form === FORM.indirect) form = cursor.uleb();
      places.push(cursor.at);
      forms.push(form);
      skipForm(cursor, form, unit);
    }
    this.#places = places;
    this.#forms = forms;
    this.end = cursor.at;
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  has(attribute: number): boolean {
    return this.abbreviation.attributes.includes(attribute);
  }

  flag(attribute: number): boolean {
    const value = this.#at(attribute);
    if (value === undefined) return false;
    return value.form === FORM.flag_present || value.cursor.u8() !== 0;
  }

  /** A constant or an offset into another section; rounded above 2^53. Undefined also if it is computed at run time. */
  number(attribute: number): number | undefined {
    const value = this.integer(attribute);
    return value === undefined ? undefined : Number(value);
  }

  /** A constant, exactly; the unsigned value for forms without a sign. */
  integer(attribute: number): bigint | undefined {
    const value = this.#at(attribute);
    if (value === undefined) return undefined;
    const { form, cursor, index } = value;
    if (form === FORM.implicit_const) return this.abbreviation.constants?.get(index);
    if (form === FORM.sdata) return cursor.slebBig();
    if (form === FORM.udata) return cursor.ulebBig();
    if (form === FORM.data8) return cursor.big64();
    if (form === FORM.sec_offset) return BigInt(cursor.offset(this.unit.offsetSize));
    const size = form === FORM.data1 ? 1 : form === FORM.data2 ? 2 : form === FORM.data4 ? 4 : 0;
    return size === 0 ? undefined : BigInt(cursor.unsigned(size));
  }

  /** Bytes of a constant's form: 1, 2, 4, 8; 0 if variable. */
  widthOf(attribute: number): number {
    const value = this.#at(attribute);
    return value === undefined ? 0 : Math.max(0, sizeOfForm(value.form, this.unit));
  }

  /** The bytes of an expression or block. */
  block(attribute: number): Buffer | undefined {
    const value = this.#at(attribute);
    if (value === undefined) return undefined;
    const { form, cursor } = value;
    const length = blockLengthAt(cursor, form);
    if (length === null) return undefined;
    const start = cursor.at;
    cursor.skip(length);
    return this.unit.info.bytes.subarray(start, start + length);
  }

  text(attribute: number): string | undefined {
    const value = this.#at(attribute);
    if (value === undefined) return undefined;
    const { form, cursor } = value;
    const { unit } = this;
    switch (form) {
      case FORM.string:
        return cursor.text();
      case FORM.strp:
        return textAt(unit, "str", cursor.offset(unit.offsetSize));
      case FORM.line_strp:
        return textAt(unit, "line_str", cursor.offset(unit.offsetSize));
      case FORM.GNU_strp_alt:
      case FORM.strp_sup:
        throw new DwarfError(SHARED_FILE);
    }
    const index = stringIndexAt(cursor, form);
    return index === null ? undefined : textAt(unit, "str", stringOffset(unit, index));
  }

  /** An index into .debug_addr, or an address itself. */
  address(attribute: number): { readonly address: number } | { readonly index: number } | undefined {
    const value = this.#at(attribute);
    if (value === undefined) return undefined;
    if (value.form === FORM.addr) return { address: value.cursor.unsigned(this.unit.addressSize) };
    const index = addressIndexAt(value.cursor, value.form);
    return index === null ? undefined : { index };
  }

  /** DW_FORM_rnglistx. */
  rangeListIndex(attribute: number): number | undefined {
    const value = this.#at(attribute);
    return value?.form === FORM.rnglistx ? value.cursor.uleb() : undefined;
  }

  reference(attribute: number): Reference | undefined {
    const value = this.#at(attribute);
    if (value === undefined) return undefined;
    return referenceAt(value.cursor, value.form, this.unit);
  }

  /** Its children, one level down. */
  *children(): Generator<Die> {
    if (!this.abbreviation.hasChildren) return;
    const { unit } = this;
    for (let at = this.end; at < unit.end; ) {
      if (unit.info.bytes[at] === 0) return;
      const child = new Die(unit, at);
      yield child;
      at = child.#behind();
    }
  }

  /** Where its next sibling is. */
  #behind(): number {
    if (!this.abbreviation.hasChildren) return this.end;
    const sibling = this.reference(AT.sibling);
    // A backward reference would loop.
    if (sibling !== undefined && "offset" in sibling && sibling.offset > this.end) return sibling.offset;
    const cursor = new Cursor(this.unit.info.bytes, this.end, this.unit.end);
    skipChildren(cursor, this.unit);
    return cursor.at;
  }

  #at(attribute: number): { form: number; cursor: Cursor; index: number } | undefined {
    const index = this.abbreviation.attributes.indexOf(attribute);
    if (index < 0) return undefined;
    const { unit } = this;
    return {
      form: this.#forms[index] ?? 0,
      cursor: new Cursor(unit.info.bytes, this.#places[index] ?? 0, unit.end),
      index,
    };
  }
}

function textAt(unit: Unit, section: SectionName, offset: number): string {
  return new Cursor(unit.info.sections.get(section), offset).text();
}

function stringOffset(unit: Unit, index: number): number {
  const size = unit.offsetSize;
  return new Cursor(unit.info.sections.get("str_offsets"), stringBase(unit) + index * size).offset(size);
}

/** Where the unit's string offsets begin: split units have no attribute for it, and start after the header. */
function stringBase(unit: Unit): number {
  if (unit.version < 5) return 0;
  return rootOf(unit).number(AT.str_offsets_base) ?? (unit.offsetSize === 4 ? 8 : 16);
}

const roots = new WeakMap<Unit, Die>();

/** A unit's first entry, which describes the unit. */
export function rootOf(unit: Unit): Die {
  let root = roots.get(unit);
  if (root === undefined) {
    root = new Die(unit, unit.first);
    roots.set(unit, root);
  }
  return root;
}

/** Moves a cursor from an entry's first child past the end of its last. */
function skipChildren(cursor: Cursor, unit: Unit): void {
  const abbreviations = unit.info.abbreviationsOf(unit);
  for (let depth = 1; depth > 0; unit.info.claimEntry()) {
    const code = cursor.uleb();
    if (code === 0) depth -= 1;
    else {
      const abbreviation = abbreviations.get(code);
      skipValues(cursor, abbreviation, unit);
      if (abbreviation.hasChildren) depth += 1;
    }
  }
}
