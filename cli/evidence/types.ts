/** Names what changed in a library's types, from the records of both builds. Pure. */
import type { TypePart, TypeRecord } from "../binary/records.js";

export type Types = ReadonlyMap<string, TypeRecord>;

/**
 * The changes of types that the text names, directly or by the types of their fields: "struct game::Player: size 8 ->
 * 16; field hp: u32 at 0 -> f32 at 0". Types are looked up by the last component of their names, as texts name them; if
 * two types share it, both are reported.
 * @param text types as written in the source
 */
export function changedTypes(before: Types, after: Types, text: string): string[] {
  const old = byLastWord(before);
  const changes: string[] = [];
  const seen = new Set<string>();
  const left = [text];
  for (let types = left.pop(); types !== undefined; types = left.pop())
    for (const word of types.match(/[\p{L}\p{N}_]+/gu) ?? []) {
      if (seen.has(word)) continue;
      seen.add(word);
      for (const type of old.get(word) ?? []) {
        const now = after.get(type.name);
        if (now !== undefined) changes.push(...difference(type, now));
        left.push(...type.parts.map((part) => part.text));
      }
    }
  return changes;
}

function byLastWord(types: Types): Map<string, TypeRecord[]> {
  const found = new Map<string, TypeRecord[]>();
  for (const type of types.values()) {
    const word = type.name.slice(type.name.lastIndexOf(":") + 1);
    found.set(word, [...(found.get(word) ?? []), type]);
  }
  return found;
}

const said = ({ text, offset }: TypePart): string => (offset === null ? text || "nothing" : `${text} at ${offset}`);

/** One line, or none if both are the same. */
function difference(before: TypeRecord, after: TypeRecord): string[] {
  const changes: string[] = [];
  if (before.size !== after.size) changes.push(`size ${before.size} -> ${after.size}`);
  if (before.align !== after.align) changes.push(`alignment ${before.align} -> ${after.align}`);
  const known = new Map(before.parts.map((part) => [part.name, part]));
  const kept = new Set(after.parts.map((part) => part.name));
  const kind = (part: TypePart) => (part.offset === null ? "variant" : "field");
  for (const part of before.parts) if (!kept.has(part.name)) changes.push(`${kind(part)} ${part.name}: gone`);
  for (const part of after.parts) {
    const was = known.get(part.name);
    if (was === undefined) changes.push(`${kind(part)} ${part.name}: new, ${said(part)}`);
    else if (said(was) !== said(part)) changes.push(`${kind(part)} ${part.name}: ${said(was)} -> ${said(part)}`);
    else if (was.size !== part.size) changes.push(`${kind(part)} ${part.name}: size ${was.size} -> ${part.size}`);
  }
  const order = (parts: readonly TypePart[]) => parts.map((part) => part.name).join(", ");
  if (changes.length === 0 && order(before.parts) !== order(after.parts))
    changes.push(`order ${order(before.parts)} -> ${order(after.parts)}`);
  return changes.length === 0 ? [] : [`${before.name}: ${changes.join("; ")}`];
}
