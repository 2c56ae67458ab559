/** All pairs of the campaign, and samples of them. */
import { createHash } from "node:crypto";
import { groupBy } from "./group.js";
import { BY_VALUE_PAIRS } from "./pairs/by-value.js";
import { C_PAIRS } from "./pairs/c.js";
import { CPP_PAIRS } from "./pairs/cpp.js";
import type { Pair } from "./pairs/pair.js";
import { RUST_PAIRS } from "./pairs/rust.js";
import { STD_PAIRS } from "./pairs/std.js";
import { VIRTUAL_PAIRS } from "./pairs/virtual.js";

/** Each has a name of its own. */
export const PAIRS: readonly Pair[] = unique([
  ...C_PAIRS,
  ...CPP_PAIRS,
  ...STD_PAIRS,
  ...BY_VALUE_PAIRS,
  ...VIRTUAL_PAIRS,
  ...RUST_PAIRS,
]);

/** A pair whose name is another's would hide it in reports. */
function unique(pairs: readonly Pair[]): readonly Pair[] {
  const seen = new Set<string>();
  for (const { name } of pairs) {
    if (seen.has(name)) throw new Error(`two pairs are named ${name}`);
    seen.add(name);
  }
  return pairs;
}

/**
 * The pairs in an order that a seed gives: of each language and cause one, then of each a second, and so on, so that the
 * first few are spread over all. By their names, so that a pair that is added does not reorder the others.
 */
export function spread(pairs: readonly Pair[], seed: number): readonly Pair[] {
  const orderOf = (text: string): string => createHash("sha256").update(`${seed} ${text}`).digest("hex");
  const families = groupBy(pairs, ({ language, cause, expect }) => `${language}, ${cause}, ${expect}`);
  const ranked = [...families].flatMap(([family, all]) =>
    all
      .map((pair) => ({ pair, order: orderOf(pair.name) }))
      .sort(byOrder)
      .map(({ pair }, rank) => ({ pair, order: `${String(rank).padStart(6, "0")} ${orderOf(family)}` })),
  );
  return ranked.sort(byOrder).map(({ pair }) => pair);
}

const byOrder = (a: { readonly order: string }, b: { readonly order: string }): number => (a.order < b.order ? -1 : 1);
