/**
 * Owns the values of attributes in the forms they have: reading those of several forms, and passing over any. A cursor
 * stands at a value, and behind it afterwards. Must not know which attribute a value is of.
 * Source: DWARF 5 section 7.5.6.
 */
import { type Abbreviation, sizeOfForm } from "./abbrev.js";
import { FORM } from "./constants.js";
import { type Cursor, DwarfError } from "./cursor.js";
import type { Unit } from "./unit.js";

/** A reference: an offset in the same section, or the signature of a type unit. */
export type Reference = { readonly unit: Unit; readonly offset: number } | { readonly signature: bigint };

export const SHARED_FILE = "dwz moved part of its debug information into a shared file, which hotpatch does not read";

const STRING_FORMS: Readonly<Record<number, number>> = {
  [FORM.strx]: 0,
  [FORM.GNU_str_index]: 0,
  [FORM.strx1]: 1,
  [FORM.strx2]: 2,
  [FORM.strx3]: 3,
  [FORM.strx4]: 4,
};
const ADDRESS_FORMS: Readonly<Record<number, number>> = {
  [FORM.addrx]: 0,
  [FORM.GNU_addr_index]: 0,
  [FORM.addrx1]: 1,
  [FORM.addrx2]: 2,
  [FORM.addrx3]: 3,
  [FORM.addrx4]: 4,
};

/** The index of a string; null for a form that is none. */
export const stringIndexAt = (cursor: Cursor, form: number): number | null => indexAt(cursor, form, STRING_FORMS);
/** The index of an address; null for a form that is none. */
export const addressIndexAt = (cursor: Cursor, form: number): number | null => indexAt(cursor, form, ADDRESS_FORMS);

/** The value of an index form with its width from `forms` (0: LEB128); null for another form. */
function indexAt(cursor: Cursor, form: number, forms: Readonly<Record<number, number>>): number | null {
  const width = forms[form];
  if (width === undefined) return null;
  return width === 0 ? cursor.uleb() : cursor.unsigned(width);
}

/** Where a value leads; undefined for a form that is no reference. @throws DwarfError when it leads out of what is read */
export function referenceAt(cursor: Cursor, form: number, unit: Unit): Reference | undefined {
  switch (form) {
    case FORM.ref1:
      return within(unit, cursor.u8());
    case FORM.ref2:
      return within(unit, cursor.u16());
    case FORM.ref4:
      return within(unit, cursor.u32());
    case FORM.ref8:
      return within(unit, cursor.u64());
    case FORM.ref_udata:
      return within(unit, cursor.uleb());
    case FORM.ref_addr: {
      const offset = cursor.offset(unit.offsetSize);
      return { unit: unit.info.unitAt(offset), offset };
    }
    case FORM.ref_sig8:
      return { signature: cursor.big64() };
    case FORM.GNU_ref_alt:
    case FORM.ref_sup4:
    case FORM.ref_sup8:
      throw new DwarfError(SHARED_FILE);
    default:
      return undefined;
  }
}

function within(unit: Unit, offset: number): Reference {
  const at = unit.start + offset;
  if (at < unit.first || at >= unit.end) throw new DwarfError(`a reference points to byte ${at}, outside its unit`);
  return { unit, offset: at };
}

/** How many bytes a block has, which begins behind the cursor then; null for a form that is none. */
export function blockLengthAt(cursor: Cursor, form: number): number | null {
  switch (form) {
    case FORM.block1:
      return cursor.u8();
    case FORM.block2:
      return cursor.u16();
    case FORM.block4:
      return cursor.u32();
    case FORM.block:
    case FORM.exprloc:
      return cursor.uleb();
    default:
      return null;
  }
}

/** Moves a cursor past a value. */
export function skipForm(cursor: Cursor, form: number, unit: Unit): void {
  const size = sizeOfForm(form, unit);
  if (size >= 0) return cursor.skip(size);
  const length = blockLengthAt(cursor, form);
  if (length !== null) return cursor.skip(length);
  switch (form) {
    case FORM.string:
      return cursor.skipText();
    case FORM.sdata:
    case FORM.udata:
    case FORM.ref_udata:
    case FORM.strx:
    case FORM.addrx:
    case FORM.loclistx:
    case FORM.rnglistx:
    case FORM.GNU_addr_index:
    case FORM.GNU_str_index:
      cursor.uleb();
      return;
    default:
      throw new DwarfError(`an attribute has the unknown form 0x${form.toString(16)}`);
  }
}

/** Moves a cursor past the values of an entry. */
export function skipValues(cursor: Cursor, { size, forms }: Abbreviation, unit: Unit): void {
  if (size >= 0) cursor.skip(size);
  else for (const form of forms) skipForm(cursor, form === FORM.indirect ? cursor.uleb() : form, unit);
}
