/** Decides what may change in the arguments of a template's or a generic type's instance. Pure. */
import { DEEPEST, type Inside } from "./inside.js";
import { type Types, typeText } from "./text.js";
import type { RecordType, TemplateArgument, TypeId, TypeNode } from "./type.js";

/**
 * What an instance was made with: a container keeps its elements behind pointers that do not name their type. Not where it
 * has nothing to keep them with: a strong number is no player.
 */
export function compareArguments(a: RecordType, b: RecordType, inside: Inside): void {
  const [was, is] = [a.parameters, b.parameters];
  if (was.length !== is.length && a.name !== b.name)
    return void inside.found.changes.push(`${was.length} -> ${is.length} template arguments`);
  const holds = a.rust || leadsAway(inside.before, a, 0);
  for (const [i, before] of was.entries()) {
    // Not every compiler describes arguments that were left to their defaults.
    const after = is.length === was.length ? is[i] : is.find(({ name }) => name !== "" && name === before.name);
    if (after !== undefined) comparePair(before, after, `template argument ${after.name || i + 1}`, holds, inside);
  }
}

/** @param holds whether the instance has anything to keep elements with */
function comparePair(
  before: TemplateArgument,
  after: TemplateArgument,
  at: string,
  holds: boolean,
  { before: typesBefore, after: typesAfter, types, found }: Inside,
): void {
  const [old, now] = [argumentText(before, typesBefore), argumentText(after, typesAfter)];
  const change = `${at}: ${old} -> ${now}`;
  if (before.type === null || after.type === null) {
    if (old !== now && isNumber(old) && isNumber(now)) found.changes.push(change);
    return;
  }
  const isEmptyPair = isEmpty(typesBefore[before.type]) && isEmpty(typesAfter[after.type]);
  // Another order, another allocator: the name is all there is.
  if (old !== now && isEmptyPair) found.changes.push(change);
  else if (holds || old !== now) types(before.type, after.type, { change, remark: `${at}: ${old} is now ${now}`, at });
}

/** Or nothing, as where a template is the argument; an enumerator may be told by its name or its number. */
const isNumber = (value: string): boolean => /^-?\d+$/.test(value);

const argumentText = ({ type, value }: TemplateArgument, types: Types): string =>
  type === null ? (value ?? "") : typeText(types, type);

const isEmpty = (node: TypeNode | undefined): boolean =>
  node?.kind === "record" && node.fields.length === 0 && node.variants === null;

/** Whether anything but numbers is in a record: pointers, or bytes that stand for something else. */
function leadsAway(types: Types, record: RecordType, depth: number): boolean {
  return record.virtuals.size > 0 || record.fields.some(({ type }) => leads(types, type, depth + 1));
}

function leads(types: Types, id: TypeId, depth: number): boolean {
  const node = types[id];
  if (node === undefined || depth > DEEPEST) return true;
  if (node.kind === "array") return isByte(types[node.of]) || leads(types, node.of, depth + 1);
  if (node.kind === "record") return leadsAway(types, node, depth + 1);
  return node.kind !== "base" && node.kind !== "enum";
}

/** Source: DWARF 5 section 7.8: DW_ATE_unsigned_char. std::byte is an enum. */
const UNSIGNED_CHAR = 8;

/** Of what arrays are made that hold objects of another type. */
export const isByte = (node: TypeNode | undefined): boolean =>
  (node?.kind === "base" && node.size === 1 && node.encoding === UNSIGNED_CHAR) ||
  (node?.kind === "enum" && node.name === "std::byte");
