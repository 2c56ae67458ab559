/** Pairing marks by name. Pure. */

export interface Match<T> {
  /** In both, with the copy's side. */
  readonly matched: readonly T[];
  /** Only in the copy. */
  readonly added: readonly T[];
  /** Names that only the running side knows. */
  readonly missing: readonly string[];
}

/**
 * @param known names of all functions the library has had, by any generation
 * @param offered the copy's marks
 */
export function match<T extends { readonly name: string }>(known: readonly string[], offered: readonly T[]): Match<T> {
  const knownNames = new Set(known);
  const offeredNames = new Set(offered.map((m) => m.name));
  return {
    matched: offered.filter((m) => knownNames.has(m.name)),
    added: offered.filter((m) => !knownNames.has(m.name)),
    missing: known.filter((name) => !offeredNames.has(name)),
  };
}
