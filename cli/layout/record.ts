/** Decides what may change in a struct, class, union or Rust enum; the table is in docs/layout.md. Pure. */
import { fieldName, fieldText, type Types, typeText } from "./text.js";
import type { Field, RecordType, TypeId, TypeNode, Variants } from "./type.js";

/** How a difference in one place is worded. */
export interface Words {
  readonly change: string;
  readonly remark: string;
}

/** Deeper inheritance, or deeper nesting, than anybody writes. */
const DEEPEST = 64;

/** Compares the types of two fields; adds differences to `found`, worded by `words`. */
interface Inside {
  types(before: TypeId, after: TypeId, words: Words): void;
}

/** What is different: what the data cannot bear, and what they can. */
export interface Found {
  readonly changes: string[];
  readonly remarks: string[];
}

/** @param found collects the differences, in field order */
export function compareStructs(
  a: RecordType,
  b: RecordType,
  before: Types,
  after: Types,
  inside: Inside,
  found: Found,
): void {
  const { changes } = found;
  if ((a.tag === "union") !== (b.tag === "union") || (a.tag === "enum") !== (b.tag === "enum"))
    changes.push(`${a.tag} -> ${b.tag}`);
  if (a.size !== b.size) changes.push(`size ${a.size} -> ${b.size}`);
  if (a.align !== b.align) changes.push(`alignment ${a.align ?? "natural"} -> ${b.align ?? "natural"}`);
  compareFields(a.fields, b.fields, before, after, inside, found);
  if (a.variants !== null && b.variants !== null) compareVariants(a.variants, b.variants, before, after, inside, found);
  compareVirtuals(slotsOf(a, before), slotsOf(b, after), changes);
}

/** Source: DWARF 5 section 7.15, DW_CC_pass_by_reference. */
const BY_REFERENCE = 4;

/**
 * Whether a call passes an argument of this type by reference, because the type or a part of it must not be copied
 * bitwise.
 * @param known results so far: a struct may contain another in many ways
 */
export function passedByReference(types: Types, id: TypeId, known: Map<TypeId, boolean>, depth = 0): boolean {
  const found = known.get(id);
  if (found !== undefined) return found;
  const inside = (part: TypeId) => passedByReference(types, part, known, depth + 1);
  const node = types[id];
  let result = false;
  if (depth > DEEPEST) return false;
  if (node?.kind === "array") result = inside(node.of);
  if (node?.kind === "record")
    result = node.passing === null ? node.fields.some(({ type }) => inside(type)) : node.passing === BY_REFERENCE;
  known.set(id, result);
  return result;
}

/** Pairs by name, unnamed ones by order; what remains on both sides at one place was renamed. */
function compareFields(
  before: readonly Field[],
  after: readonly Field[],
  typesBefore: Types,
  typesAfter: Types,
  inside: Inside,
  { changes, remarks }: Found,
): void {
  const left = byKey(after, typesAfter);
  const gone: Field[] = [];
  for (const [key, field] of byKey(before, typesBefore)) {
    const now = left.get(key);
    left.delete(key);
    if (now === undefined) gone.push(field);
    else pair(field, now);
  }
  const added = [...left.values()];
  for (const field of gone) {
    const at = added.findIndex((one) => samePlace(field, one));
    const [now] = at < 0 ? [] : added.splice(at, 1);
    if (now === undefined) changes.push(`${fieldName(typesBefore, field)}: ${fieldText(typesBefore, field)} removed`);
    else pair(field, now);
  }
  for (const field of added) changes.push(`${fieldName(typesAfter, field)}: ${fieldText(typesAfter, field)} added`);

  function pair(was: Field, is: Field): void {
    const [nameBefore, nameAfter] = [fieldName(typesBefore, was), fieldName(typesAfter, is)];
    const renamed = was.kind === "field" && was.name !== is.name;
    const title = renamed ? `${nameBefore} -> ${nameAfter.replace(/^field /, "")}` : nameBefore;
    const text = (verb: string) => `${title}: ${fieldText(typesBefore, was)} ${verb} ${fieldText(typesAfter, is)}`;
    const moved = !samePlace(was, is);
    if (moved) changes.push(text("->"));
    if (renamed && !moved) remarks.push(`${nameBefore} is now named ${is.name ?? "nothing"}`);
    inside.types(was.type, is.type, { change: text("->"), remark: text("is now") });
  }
}

const samePlace = (a: Field, b: Field): boolean => a.kind === b.kind && a.bit === b.bit && a.width === b.width;

function byKey(fields: readonly Field[], types: Types): Map<string, Field> {
  const map = new Map<string, Field>();
  let nameless = 0;
  for (const field of fields) {
    const key = field.kind !== "field" ? `${field.kind} ${typeText(types, field.type)}` : field.name;
    // Names of padding and anonymous members may occur twice.
    if (key === null || key === "" || map.has(key)) map.set(` ${nameless++}`, field);
    else map.set(key, field);
  }
  return map;
}

/** Live data holds one of the old variants: each must be where it was. New ones are harmless. */
function compareVariants(a: Variants, b: Variants, before: Types, after: Types, inside: Inside, found: Found): void {
  const { changes, remarks } = found;
  const discriminants: [readonly Field[], readonly Field[]] = [
    a.discriminant === null ? [] : [a.discriminant],
    b.discriminant === null ? [] : [b.discriminant],
  ];
  compareFields(...discriminants, before, after, inside, found);
  const cases = new Map(b.cases.map((one) => [one.name, one]));
  for (const was of a.cases) {
    const is = cases.get(was.name);
    cases.delete(was.name);
    if (is === undefined) changes.push(`variant ${was.name} removed`);
    else {
      if (was.value !== is.value)
        changes.push(`variant ${was.name}: discriminant ${was.value ?? "none"} -> ${is.value ?? "none"}`);
      compareFields(was.fields, is.fields, before, after, inside, found);
    }
  }
  for (const name of cases.keys()) remarks.push(`variant ${name} added`);
}

/** The slots of an object's primary vtable: a class overrides what its first base put there. */
function slotsOf(record: RecordType, types: Types): Map<number, string> {
  const lines: RecordType[] = [];
  for (let at: RecordType | undefined = record; at !== undefined && lines.length < DEEPEST; ) {
    lines.push(at);
    const base: Field | undefined = at.fields.find((one) => one.kind === "base" && one.bit === 0);
    const node: TypeNode | undefined = base === undefined ? undefined : types[base.type];
    at = node?.kind === "record" ? node : undefined;
  }
  const slots = new Map<number, string>();
  for (const { virtuals } of lines.reverse()) for (const [slot, name] of virtuals) slots.set(slot, name);
  return slots;
}

/** Live objects keep their vtable, and callers built earlier use its old slots. */
function compareVirtuals(
  before: ReadonlyMap<number, string>,
  after: ReadonlyMap<number, string>,
  changes: string[],
): void {
  const slots = [...new Set([...before.keys(), ...after.keys()])].sort((a, b) => a - b);
  for (const slot of slots) {
    const [was, is] = [before.get(slot), after.get(slot)];
    if (was !== is) changes.push(`virtual function ${slot}: ${was ?? "none"} -> ${is ?? "none"}`);
  }
}
