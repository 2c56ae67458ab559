/**
 * Reads structs, classes, unions and Rust enums: where their members are, and what is in their vtables.
 * Source: DWARF 5 sections 5.7.1 to 5.7.10; the bit offsets of version 3 as gcc still writes them with -gstrict-dwarf.
 */
import type { Field, RecordType, TemplateArgument, TypeId, Variants, VirtualFunction } from "../../layout/type.js";
import { AT, LANG_RUST, OP, TAG } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import { type Die, rootOf } from "./die.js";

/** What reading a record needs from the other readers. */
export interface RecordContext {
  typeOf(die: Die, attribute?: number): TypeId;
  /** Qualified. */
  nameOf(die: Die): string | null;
  /** A function's name, result and types as text. */
  prototypeOf(die: Die): string;
  virtualOf(die: Die): VirtualFunction;
  /** Whether an entry's type is a pointer to a function, not by way of a typedef. */
  isFunctionPointer(die: Die): boolean;
}

export const isRecordTag = (tag: number): boolean =>
  tag === TAG.structure_type || tag === TAG.class_type || tag === TAG.union_type;

export function readRecord(die: Die, alias: string | null, context: RecordContext): RecordType {
  const size = die.number(AT.byte_size);
  const name = context.nameOf(die) ?? alias;
  if (size === undefined) throw new DwarfError(`${name ?? "a struct"} has no fixed size`);
  const align = die.number(AT.alignment) ?? null;
  const parts: Parts = { fields: [], variants: null, virtuals: new Map(), virtualDestructor: false, parameters: [] };
  const copies: Copies = { written: false, deleted: 0, kept: 0 };
  for (const child of die.children()) readPart(child, die, parts, copies, context);
  const passing = die.number(AT.calling_convention) ?? passingOf(copies);
  const rust = rootOf(die.unit).number(AT.language) === LANG_RUST;
  return { kind: "record", tag: tagOf(die, parts), name, size, align, passing, rust, ...parts };
}

/** What a record has from the entries inside its own. */
interface Parts {
  readonly fields: Field[];
  variants: Variants | null;
  readonly virtuals: Map<number, VirtualFunction>;
  virtualDestructor: boolean;
  readonly parameters: TemplateArgument[];
}

function readPart(child: Die, record: Die, parts: Parts, copies: Copies, context: RecordContext): void {
  switch (child.tag) {
    case TAG.variant_part:
      parts.variants = readVariants(child, context);
      break;
    case TAG.subprogram:
      readVirtual(child, parts, context);
      readCopy(child, record, copies, context);
      break;
    case TAG.template_type_parameter:
    case TAG.template_value_parameter:
    case TAG.GNU_template_template_parameter:
      parts.parameters.push(readArgument(child, context));
      break;
    case TAG.GNU_template_parameter_pack:
      for (const one of child.children()) readPart(one, record, parts, copies, context);
      break;
    default:
      if (isMember(child)) parts.fields.push(readField(child, context));
  }
}

function readArgument(die: Die, context: RecordContext): TemplateArgument {
  const name = die.text(AT.name) ?? "";
  if (die.tag === TAG.template_type_parameter) return { name, type: context.typeOf(die), value: null };
  const value = die.text(AT.GNU_template_name) ?? die.integer(AT.const_value) ?? die.block(AT.const_value);
  return { name, type: null, value: value instanceof Buffer ? value.toString("hex") : String(value ?? "") };
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
/** Source: DWARF 5 section 7.25. */
const DEFAULTED_IN_CLASS = 1;

/** What a class says of its destructor, and of its constructors that copy and move. */
interface Copies {
  /** One of them has a body of its own. */
  written: boolean;
  /** Constructors that are deleted, and those that are not. */
  deleted: number;
  kept: number;
}

/**
 * Calls pass a class by reference if copying it or ending it takes a function, or if it can neither be copied nor moved
 * (Itanium C++ ABI, "non-trivial for the purposes of calls").
 */
function passingOf({ written, deleted, kept }: Copies): number | null {
  return written || (deleted > 0 && kept === 0) ? CC_PASS_BY_REFERENCE : null;
}

function readCopy(method: Die, record: Die, copies: Copies, context: RecordContext): void {
  if (method.flag(AT.artificial)) return;
  const [name, own] = [method.text(AT.name) ?? "", (record.text(AT.name) ?? "").replace(/<.*/, "")].map((one) =>
    one.replace(/<.*/, ""),
  );
  const isDestructor = name === `~${own}`;
  if (!isDestructor && (name !== own || !isCopy(method, record, context))) return;
  const isDeleted = method.flag(AT.deleted);
  if (!isDeleted && method.number(AT.defaulted) !== DEFAULTED_IN_CLASS) copies.written = true;
  if (!isDestructor) copies[isDeleted ? "deleted" : "kept"] += 1;
}

function isCopy(method: Die, record: Die, context: RecordContext): boolean {
  const [name, whole] = [method.text(AT.name) ?? "", context.nameOf(record) ?? ""];
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
    // gcc does not describe attributes of function types, such as ms_abi.
    column: context.isFunctionPointer(die) ? (die.number(AT.decl_column) ?? null) : null,
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

/**
 * Puts a virtual function into its slot. Not destructors: gcc gives them none, clang the first. They show as a gap, or as
 * the flag.
 */
function readVirtual(die: Die, parts: Parts, context: RecordContext): void {
  if ((die.number(AT.virtuality) ?? 0) === 0) return;
  const slot = constantOf(die.block(AT.vtable_elem_location)) ?? die.number(AT.vtable_elem_location);
  const name = die.text(AT.name);
  if (name?.startsWith("~") === true) parts.virtualDestructor = true;
  else if (slot !== undefined && name !== undefined) parts.virtuals.set(slot, context.virtualOf(die));
}
