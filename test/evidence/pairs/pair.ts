/** What a pair of sources is: an edit, and what has to be said of it. */

export type Language = "C" | "C++" | "Rust";

/**
 * `same`: harmless, must be accepted. `refuse`: old data or old callers would be misread. `not-seen`: the same, but no
 * debug information can show it; so it must not be told as checked.
 */
export type Expectation = "same" | "refuse" | "not-seen";

/** Begins each unit of C and C++. */
export const HEAD = '#include "hotpatch.h"';

/** The units of a library; marks may be in all of them. */
export type Source = readonly [string, ...string[]];

export interface Pair {
  /** Unique. */
  readonly name: string;
  readonly language: Language;
  /** What kind of edit it is, or what hides it. */
  readonly cause: string;
  readonly expect: Expectation;
  /** Why `expect` is right, in one line. */
  readonly why: string;
  readonly old: Source;
  readonly new: Source;
  /** For what only one of them understands, or does. */
  readonly compiler?: "gcc" | "clang";
  /** For both sides, behind those of the build. */
  readonly flags?: readonly string[];
}

/** A row of a table of edits that stand for themselves. */
export type Row = Pick<Pair, "cause" | "expect" | "why" | "compiler" | "flags"> & {
  readonly what: string;
  readonly old: string | Source;
  readonly new: string | Source;
};

/** The rows of a table as pairs. @param head begins each unit */
export const pairsOf = (language: Language, head: string, rows: readonly Row[]): Pair[] =>
  rows.map(({ what, old, new: now, ...row }) => ({
    ...row,
    name: `${language}: ${what}`,
    language,
    old: headed(head, old),
    new: headed(head, now),
  }));

function headed(head: string, source: string | Source): Source {
  const [first, ...others] = typeof source === "string" ? [source] : source;
  const unit = (text = "") => `${head}\n${text}\n`;
  return [unit(first), ...others.map(unit)];
}
