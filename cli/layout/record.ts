/** Decides what may change in a struct, class, union or Rust enum; the table is in docs/layout.md. Pure. */
import { compareArguments } from "./arguments.js";
import { pairFields, samePlace } from "./fields.js";
import { DEEPEST, type Inside } from "./inside.js";
import { fieldName, fieldText, type Types, typeText } from "./text.js";
import type { Field, RecordType, TypeId, Variants } from "./type.js";
import { compareVirtuals } from "./virtuals.js";

/** Adds the differences in field order. */
export function compareStructs(a: RecordType, b: RecordType, inside: Inside): void {
  const { changes } = inside.found;
  if ((a.tag === "union") !== (b.tag === "union") || (a.tag === "enum") !== (b.tag === "enum"))
    changes.push(`${a.tag} -> ${b.tag}`);
  if (a.size !== b.size) changes.push(`size ${a.size} -> ${b.size}`);
  if (a.align !== b.align) changes.push(`alignment ${a.align ?? "natural"} -> ${b.align ?? "natural"}`);
  compareFields(a.fields, b.fields, inside);
  if (a.variants !== null && b.variants !== null) compareVariants(a.variants, b.variants, inside);
  compareVirtuals(a, b, inside);
  compareArguments(a, b, inside);
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

function compareFields(before: readonly Field[], after: readonly Field[], inside: Inside): void {
  const { changes, remarks, unseen } = inside.found;
  const { pairs, gone, added, told } = pairFields(before, after, inside.before, inside.after);
  remarks.push(...told);
  for (const [was, is] of pairs) comparePair(was, is);
  for (const field of gone)
    changes.push(`${fieldName(inside.before, field)}: ${fieldText(inside.before, field)} removed`);
  for (const field of added) changes.push(`${fieldName(inside.after, field)}: ${fieldText(inside.after, field)} added`);
  const bases = (fields: readonly Field[], types: Types) =>
    fields.filter(({ kind }) => kind === "virtual base").map(({ type }) => typeText(types, type));
  const [was, is] = [bases(before, inside.before), bases(after, inside.after)];
  if (was.length === is.length && was.join() !== is.join())
    changes.push(`virtual bases ${was.join(", ")} -> ${is.join(", ")}`);

  function comparePair(was: Field, is: Field): void {
    const [nameBefore, nameAfter] = [fieldName(inside.before, was), fieldName(inside.after, is)];
    const renamed = was.kind === "field" && was.name !== is.name;
    const title = renamed ? `${nameBefore} -> ${nameAfter.replace(/^field /, "")}` : nameBefore;
    const text = (verb: string) => `${title}: ${fieldText(inside.before, was)} ${verb} ${fieldText(inside.after, is)}`;
    const moved = !samePlace(was, is);
    if (moved) changes.push(text("->"));
    if (isVtablePointer(was) && isVtablePointer(is)) return;
    if (renamed && !moved) remarks.push(`${nameBefore} is now named ${is.name ?? "nothing"}`);
    if (!moved && was.column !== null && is.column !== null && was.column !== is.column)
      unseen.push(`${nameAfter} is declared differently, and gcc does not describe attributes of function types`);
    inside.types(was.type, is.type, { change: text("->"), remark: text("is now"), at: nameAfter });
  }
}

/** Every compiler has its own name and type for it; what it leads to is the virtual functions' business. */
const isVtablePointer = ({ name }: Field): boolean => name !== null && /^_vptr[.$]/.test(name);

/** Live data holds one of the old variants: each must be where it was. New ones are harmless. */
function compareVariants(a: Variants, b: Variants, inside: Inside): void {
  const { changes, remarks } = inside.found;
  const discriminants: [readonly Field[], readonly Field[]] = [
    a.discriminant === null ? [] : [a.discriminant],
    b.discriminant === null ? [] : [b.discriminant],
  ];
  compareFields(...discriminants, inside);
  const cases = new Map(b.cases.map((one) => [one.name, one]));
  for (const was of a.cases) {
    const is = cases.get(was.name);
    cases.delete(was.name);
    if (is === undefined) changes.push(`variant ${was.name} removed`);
    else {
      if (was.value !== is.value)
        changes.push(`variant ${was.name}: discriminant ${was.value ?? "none"} -> ${is.value ?? "none"}`);
      compareFields(was.fields, is.fields, inside);
    }
  }
  for (const name of cases.keys()) remarks.push(`variant ${name} added`);
}
