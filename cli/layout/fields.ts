/** Pairs the fields of two builds of a record: by name, unnamed ones by order, then by place. Pure. */
import { type Types, typeText } from "./text.js";
import type { Field, TypeId, TypeNode } from "./type.js";

export interface PairedFields {
  readonly pairs: readonly (readonly [Field, Field])[];
  readonly gone: readonly Field[];
  readonly added: readonly Field[];
  /** What became of fields that nobody uses. */
  readonly told: readonly string[];
}

export function pairFields(
  before: readonly Field[],
  after: readonly Field[],
  typesBefore: Types,
  typesAfter: Types,
): PairedFields {
  const [was, is] = [unwrapped(before, typesBefore, 0), unwrapped(after, typesAfter, 0)];
  const left = byKey(is, typesAfter);
  const missing: Field[] = [];
  const pairs: [Field, Field][] = [];
  for (const [key, field] of byKey(was, typesBefore)) {
    const now = left.get(key);
    if (now === undefined || isSplit(field, now, typesBefore, typesAfter)) missing.push(field);
    else {
      left.delete(key);
      pairs.push([field, now]);
    }
  }
  const added = [...left.values()];
  const gone: Field[] = [];
  // What remains on both sides at one place was renamed.
  for (const field of missing) {
    const candidates = added.filter((one) => sameSpan(field, one, typesBefore, typesAfter));
    // The members of a union are all at one place.
    const text = typeText(typesBefore, field.type);
    const now = candidates.find(({ type }) => typeText(typesAfter, type) === text) ?? candidates[0];
    if (now !== undefined) added.splice(added.indexOf(now), 1);
    if (now === undefined) gone.push(field);
    else pairs.push([field, now]);
  }
  return { pairs, ...fillSpares(gone, added, typesBefore, typesAfter) };
}

/** Whether a field stands where another does, as a member of the same kind. */
export const samePlace = (a: Field, b: Field): boolean => a.kind === b.kind && a.bit === b.bit && a.width === b.width;

/** A spare field is renamed only into one that takes all of it. */
const sameSpan = (a: Field, b: Field, before: Types, after: Types): boolean =>
  samePlace(a, b) && (!isSpare(a, before) || bitsOf(a, before) === bitsOf(b, after));

/** Deeper than anybody nests anonymous structs. */
const DEEPEST = 16;

/** The members of anonymous structs and unions are the outer record's: wrapping some changes nothing. */
function unwrapped(fields: readonly Field[], types: Types, depth: number): Field[] {
  return fields.flatMap((field) => {
    const node = types[field.type];
    const isAnonymous = field.kind === "field" && field.name === null && node?.kind === "record" && node.name === null;
    const { bit } = field;
    if (!isAnonymous || bit === null || node.align !== null || node.variants !== null || depth > DEEPEST)
      return [field];
    const inner = unwrapped(node.fields, types, depth + 1);
    return inner.map((one) => (one.bit === null ? one : { ...one, bit: one.bit + bit }));
  });
}

function byKey(fields: readonly Field[], types: Types): Map<string, Field> {
  const map = new Map<string, Field>();
  let nameless = 0;
  for (const field of fields) {
    const key = field.kind !== "field" ? `${field.kind} ${spelled(typeText(types, field.type))}` : field.name;
    // Names of padding and anonymous members may occur twice.
    if (key === null || key === "" || map.has(key)) map.set(` ${nameless++}`, field);
    else map.set(key, field);
  }
  return map;
}

/** A template's name without its arguments: every compiler spells them in its own way. They are compared one by one. */
const spelled = (name: string): string => name.replace(/<.*/s, "<>");

/** Names of members that are kept for later: new ones may take their place. */
const SPARE = /^_*(?:reserved|spare|unused|padding|pad|filler|dummy)_*\d*_*$/i;

/** Whether nobody uses it: a number, or numbers, with such a name. */
function isSpare({ name, type, kind, width }: Field, types: Types): boolean {
  if (kind !== "field" || name === null || width !== null || !SPARE.test(name)) return false;
  const node = types[type];
  return (node?.kind === "array" ? types[node.of] : node)?.kind === "base";
}

/** A spare field that gave up a part of itself. */
const isSplit = (was: Field, is: Field, before: Types, after: Types): boolean =>
  isSpare(was, before) && isSpare(is, after) && bitsOf(was, before) !== bitsOf(is, after);

/** Added fields in the place of spare ones are new names for bytes that no one has used. */
function fillSpares(
  gone: readonly Field[],
  added: readonly Field[],
  before: Types,
  after: Types,
): Omit<PairedFields, "pairs"> {
  const told: string[] = [];
  let left = [...added];
  const missing = gone.filter((spare) => {
    if (!isSpare(spare, before)) return true;
    const inside = left.filter((one) => within(one, after, spare, before));
    if (inside.length === 0) return true;
    left = left.filter((one) => !inside.includes(one));
    told.push(`field ${spare.name} is now ${inside.map(({ name }) => name ?? "unnamed").join(", ")}`);
    return false;
  });
  return { gone: missing, added: left, told };
}

function within(inner: Field, innerTypes: Types, outer: Field, outerTypes: Types): boolean {
  const [size, room] = [bitsOf(inner, innerTypes), bitsOf(outer, outerTypes)];
  if (inner.bit === null || outer.bit === null || size === null || room === null) return false;
  return inner.bit >= outer.bit && inner.bit + size <= outer.bit + room;
}

const bitsOf = ({ width, type }: Field, types: Types): number | null => {
  const bytes = sizeOf(types, type, 0);
  return width ?? (bytes === null ? null : 8 * bytes);
};

const POINTER = 8;

/** In bytes; null if it is not known. */
function sizeOf(types: Types, id: TypeId, depth: number): number | null {
  const node: TypeNode | undefined = types[id];
  switch (node?.kind) {
    case "base":
    case "enum":
    case "record":
      return node.size;
    case "pointer":
      return POINTER;
    case "atomic":
      return sizeOf(types, node.of, depth + 1);
    case "array": {
      const one = depth > DEEPEST ? null : sizeOf(types, node.of, depth + 1);
      return node.counts.reduce<number | null>(
        (all, count) => (all === null || count === null ? null : all * count),
        one,
      );
    }
    default:
      return null;
  }
}
