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
  /** What is different although callers and data can bear it. */
  readonly remarks?: readonly string[];
  /** Why nothing stricter was found to rest on. */
  readonly reason?: string;
}

/** By function. One that is missing has no evidence on one of the two sides. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** The functions that may not be switched. */
export const changesIn = (verdicts: Verdicts): Map<string, Change> =>
  new Map([...verdicts].flatMap(([name, { change }]) => (change === null ? [] : [[name, change]])));

/**
 * One verdict for each function that either kind of evidence knows. Debug information says more than records do, so it
 * counts where it has anything to say; a change that records alone see (another version of rustc) is one all the same.
 */
export function strictest(dwarf: Verdicts, records: Verdicts): Verdicts {
  const all = new Map(records);
  for (const [name, verdict] of dwarf) {
    const record = records.get(name);
    if (record === undefined) all.set(name, verdict);
    else if (verdict.check !== "dwarf") all.set(name, record);
    else if (verdict.change === null) all.set(name, record.change === null ? verdict : record);
    else {
      // Records have the signature in its author's words.
      const both = [verdict, record].every(({ change }) => change?.code === "signature-changed");
      all.set(name, both ? { ...verdict, change: record.change } : verdict);
    }
  }
  return all;
}
