/** Owns what of an enum may change, and what may not. The table is docs/layout.md. Pure. */
import type { Found } from "./inside.js";
import type { EnumType } from "./type.js";

/** @param found takes what is different, in the order of the constants */
export function compareEnums(a: EnumType, b: EnumType, { changes, remarks }: Pick<Found, "changes" | "remarks">): void {
  if (a.size !== b.size) changes.push(`size ${a.size} -> ${b.size}`);
  else if (a.signed !== b.signed && a.signed !== null && b.signed !== null)
    changes.push(`${sign(a.signed)} -> ${sign(b.signed)}`);
  // A value that is no longer a constant is undefined behaviour in Rust; in C and C++ it is merely unexpected.
  const lost = a.closed || b.closed ? changes : remarks;
  for (const [name, value] of a.constants) {
    const now = b.constants.get(name);
    if (now === undefined) lost.push(`${name} = ${value} removed`);
    else if (now !== value) lost.push(`${name} = ${value} -> ${now}`);
  }
  for (const [name, value] of b.constants) if (!a.constants.has(name)) remarks.push(`${name} = ${value} added`);
}

const sign = (signed: boolean): string => (signed ? "signed" : "unsigned");
