/** The result of comparing two builds of a function, in the form that every kind of evidence uses. */
import type { Check } from "../../schemas/event.js";

/** A change that breaks callers built earlier, or live data. */
export interface Change {
  readonly code: "signature-changed" | "layout-changed";
  /** Each gives old and new. */
  readonly reasons: readonly string[];
}

export interface Verdict {
  /** The evidence it rests on. */
  readonly check: Check;
  /** Null: the function may be switched. */
  readonly change: Change | null;
  /** Differences that are harmless to callers and data. */
  readonly remarks?: readonly string[];
  /** Why there was no stricter evidence. */
  readonly reason?: string;
}

/** By function. A missing one lacks evidence on one of the two sides. */
export type Verdicts = ReadonlyMap<string, Verdict>;

/** The functions that may not be switched. */
export const changesIn = (verdicts: Verdicts): Map<string, Change> =>
  new Map([...verdicts].flatMap(([name, { change }]) => (change === null ? [] : [[name, change]])));

/**
 * One verdict for each function that either kind of evidence covers. Debug information says more than records do, so it
 * takes precedence where it covers a function; a change that only records show (another version of rustc) still counts.
 */
export function strictest(dwarf: Verdicts, records: Verdicts): Verdicts {
  const all = new Map(records);
  for (const [name, verdict] of dwarf) {
    const record = records.get(name);
    if (record === undefined) all.set(name, verdict);
    else if (verdict.check !== "dwarf") all.set(name, record);
    else if (verdict.change === null) all.set(name, record.change === null ? verdict : record);
    else {
      // Records have the signature as it was written.
      const both = [verdict, record].every(({ change }) => change?.code === "signature-changed");
      all.set(name, both ? { ...verdict, change: record.change } : verdict);
    }
  }
  return all;
}
