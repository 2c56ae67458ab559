/** Layouts in words, for messages. Pure. */
import type { Field, Signature, TypeId, TypeNode } from "./type.js";

/** Levels of pointers and the like before a text gives up. */
const DEEPEST = 12;

export type Types = readonly TypeNode[];

export const nodeOf = (types: Types, id: TypeId): TypeNode => types[id] ?? { kind: "void" };

/** A type as a person would write it, without `struct` and qualifiers. */
export function typeText(types: Types, id: TypeId, depth = 0): string {
  if (depth > DEEPEST) return "...";
  const text = (other: TypeId) => typeText(types, other, depth + 1);
  const node = nodeOf(types, id);
  switch (node.kind) {
    case "void":
      return "void";
    case "base":
    case "opaque":
    case "named":
    case "unknown":
      return node.name;
    case "pointer":
      return nodeOf(types, node.to).kind === "function" ? text(node.to) : `${text(node.to)}${node.mark}`;
    case "member pointer":
      return `${text(node.to)} ${text(node.of)}::*`;
    case "array":
      return `${text(node.of)}${node.counts.map((n) => `[${n ?? ""}]`).join("")}${node.vector ? " vector" : ""}`;
    case "function":
      return signatureText(types, node.signature, "(*)", depth + DEEPEST / 3);
    case "atomic":
      return `_Atomic ${text(node.of)}`;
    case "enum":
      return node.name ?? "(anonymous enum)";
    case "record":
      return node.name ?? `(anonymous ${node.tag})`;
  }
}

/** @param name precedes the arguments */
export function signatureText(
  types: Types,
  { result, parameters, variadic }: Signature,
  name: string,
  depth = 0,
): string {
  const all = parameters.map((one) => typeText(types, one, depth));
  if (variadic) all.push("...");
  return `${typeText(types, result, depth)} ${name}(${all.join(", ")})`;
}

/** What a field is called in messages. */
export function fieldName(types: Types, { kind, name, type }: Field): string {
  if (kind !== "field") return `${kind} ${typeText(types, type)}`;
  return name === null ? typeText(types, type) : `field ${name}`;
}

/** Type and offset: `int at 8`, `int:3 at 8 bit 5`. */
export function fieldText(types: Types, { bit, width, type }: Field): string {
  const what = `${typeText(types, type)}${width === null ? "" : `:${width}`}`;
  if (bit === null) return what;
  const rest = bit % 8;
  return `${what} at ${(bit - rest) / 8}${width === null ? "" : ` bit ${rest}`}`;
}
