/**
 * What the engine is known to judge wrongly, by pairs of the test's sample. A pair that is judged rightly has to leave
 * the list: the test says so.
 */
import type { Verdict } from "./verdict.js";

/** A fault of the engine that is known. */
export interface Known {
  /** In some build. */
  readonly verdict: Verdict;
  /** The name of the pair. */
  readonly pair: string;
  readonly reason: string;
}

export const KNOWN: readonly Known[] = [];
