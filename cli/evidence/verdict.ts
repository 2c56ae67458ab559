/** What a comparison of two builds of a function ends in. Every kind of evidence speaks in these words. */
import type { Check } from "../../schemas/event.js";

/** A change that callers built earlier, or live data, cannot bear. */
export interface Change {
  readonly code: "signature-changed" | "layout-changed";
  /** Each says what it was and what it is. */
  readonly reasons: readonly string[];
}

export interface Verdict {
  /** What it rests on. */
  readonly check: Check;
  /** Null: the function may be switched. */
  readonly change: Change | null;
}

/** By function. One that is missing has no evidence on one of the two sides. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** The functions that may not be switched. */
export const changesIn = (verdicts: Verdicts): Map<string, Change> =>
  new Map([...verdicts].flatMap(([name, { change }]) => (change === null ? [] : [[name, change]])));
