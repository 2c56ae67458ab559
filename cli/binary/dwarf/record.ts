/**
 * Reads structs, classes, unions and Rust enums: where their members are, and what is in their vtables.
 * Source: DWARF 5 sections 5.7.1 to 5.7.10; the bit offsets of version 3 as gcc still writes them with -gstrict-dwarf.
 */
import type { Field, RecordType, TypeId, Variants } from "../../layout/type.js";
import { AT, OP, TAG } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import type { Die } from "./die.js";

/** What reading a record needs from the other readers. */
export interface RecordContext {
  typeOf(die: Die, attribute?: number): TypeId;
  /** Qualified. */
  nameOf(die: Die): string | null;
  /** A function's name, result and types as text. */
  prototypeOf(die: Die): string;
}

export const isRecordTag = (tag: number): boolean =>
  tag === TAG.structure_type || tag === TAG.class_type || tag === TAG.union_type;

export function readRecord(die: Die, alias: string | null, context: RecordContext): RecordType {
  const size = die.number(AT.byte_size);
  const name = context.nameOf(die) ?? alias;
  if (size === undefined) throw new DwarfError(`${name ?? "a struct"} has no fixed size`);
  const align = die.number(AT.alignment) ?? null;
  const passing = die.number(AT.calling_convention) ?? null;
  const parts: Parts = { passing, fields: [], variants: null, virtuals: new Map() };
  for (const child of die.children()) readPart(child, die, parts, context);
  return { kind: "record", tag: tagOf(die, parts), name, size, align, ...parts };
}

/** What a record has from the entries inside its own. */
interface Parts {
  passing: number | null;
  readonly fields: Field[];
  variants: Variants | null;
  readonly virtuals: Map<number, string>;
}

function readPart(child: Die, record: Die, parts: Parts, context: RecordContext): void {
  if (child.tag === TAG.variant_part) parts.variants = readVariants(child, context);
  else if (child.tag === TAG.subprogram) {
    readVirtual(child, parts.virtuals, context);
    if (parts.passing === null && isHandWritten(child, record, context)) parts.passing = CC_PASS_BY_REFERENCE;
  } else if (isMember(child)) parts.fields.push(readField(child, context));
}

function tagOf({ tag }: Die, { variants }: Parts): RecordType["tag"] {
  if (variants !== null) return "enum";
  if (tag === TAG.union_type) return "union";
  return tag === TAG.class_type ? "class" : "struct";
}

/**
 * Source: DWARF 5 section 7.15. clang states it for every class; gcc (12) does not, so it is derived from its cause.
 */
const CC_PASS_BY_REFERENCE = 4;

/** A user-provided destructor, copy or move: calls then pass the class by reference (Itanium C++ ABI 3.1.2.3). */
function isHandWritten(method: Die, record: Die, context: RecordContext): boolean {
  if (method.flag(AT.artificial) || method.has(AT.defaulted) || method.has(AT.deleted)) return false;
  const [name, own] = [method.text(AT.name) ?? "", (record.text(AT.name) ?? "").replace(/<.*/, "")];
  if (name.replace(/<.*/, "") === `~${own}`) return true;
  if (name.replace(/<.*/, "") !== own) return false;
  const whole = context.nameOf(record) ?? "";
  return [`void ${name}(${whole}&)`, `void ${name}(${whole}&&)`].includes(context.prototypeOf(method));
}

/** Static members are declarations or variables, not part of the layout. */
const isMember = (die: Die): boolean =>
  die.tag === TAG.inheritance || (die.tag === TAG.member && !die.flag(AT.declaration) && !die.flag(AT.external));

function readField(die: Die, context: RecordContext): Field {
  const isBase = die.tag === TAG.inheritance;
  const isVirtual = isBase && (die.number(AT.virtuality) ?? 0) !== 0;
  return {
    kind: isVirtual ? "virtual base" : isBase ? "base" : "field",
    name: die.text(AT.name) ?? null,
    bit: isVirtual ? null : bitOf(die),
    width: die.number(AT.bit_size) ?? null,
    type: context.typeOf(die),
  };
}

function bitOf(die: Die): number {
  const bit = die.number(AT.data_bit_offset);
  if (bit !== undefined) return bit;
  const byte = byteOf(die);
  const fromHigh = die.number(AT.bit_offset);
  const [width, storage] = [die.number(AT.bit_size), die.number(AT.byte_size)];
  if (fromHigh === undefined || width === undefined) return 8 * byte;
  if (storage === undefined) throw new DwarfError("a bitfield does not say how large its storage is");
  return 8 * byte + 8 * storage - fromHigh - width;
}

function byteOf(die: Die): number {
  if (!die.has(AT.data_member_location)) return 0; // a union's
  const byte = die.number(AT.data_member_location) ?? constantOf(die.block(AT.data_member_location));
  if (byte === undefined) throw new DwarfError("a member whose location is computed at run time");
  return byte;
}

/** The value of a constant expression; undefined for any other. */
function constantOf(expression: Buffer | undefined): number | undefined {
  if (expression === undefined || expression.length === 0) return undefined;
  const cursor = new Cursor(expression, 0);
  const operation = cursor.u8();
  if (operation >= OP.lit0 && operation < OP.lit0 + 32) return operation - OP.lit0;
  if (operation !== OP.plus_uconst && operation !== OP.constu) return undefined;
  const value = cursor.uleb();
  return cursor.at === expression.length ? value : undefined;
}

function readVariants(die: Die, context: RecordContext): Variants {
  let discriminant: Field | null = null;
  const cases: Variants["cases"][number][] = [];
  for (const child of die.children()) {
    if (child.tag === TAG.member) discriminant = readField(child, context);
    if (child.tag !== TAG.variant) continue;
    const fields = [...child.children()].filter(isMember).map((member) => readField(member, context));
    const value = child.integer(AT.discr_value);
    cases.push({ name: fields[0]?.name ?? "", value: value === undefined ? null : String(value), fields });
  }
  return { discriminant, cases };
}

/** Puts a virtual function into its slot. The destructors of all classes are one function to their callers. */
function readVirtual(die: Die, slots: Map<number, string>, context: RecordContext): void {
  if ((die.number(AT.virtuality) ?? 0) === 0) return;
  const slot = constantOf(die.block(AT.vtable_elem_location)) ?? die.number(AT.vtable_elem_location);
  const name = die.text(AT.name);
  if (slot !== undefined && name !== undefined) slots.set(slot, name.startsWith("~") ? "~" : context.prototypeOf(die));
}
