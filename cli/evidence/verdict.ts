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
  /** Nothing that the build says has changed: another version of the compiler may mean something else by it. */
  readonly compiler?: true;
}

/** Of a persistent variable. */
export interface StateVerdict {
  readonly check: Check;
  /** What live data cannot bear, each as "state NAME: ...". */
  readonly changes: readonly string[];
  /** Differences that leave the data usable. */
  readonly remarks?: readonly string[];
  /** What could not be seen, or why nothing could. */
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
  for (const [name, verdict] of dwarf) all.set(name, stricter(verdict, records.get(name)));
  return all;
}

function stricter(dwarf: Verdict, record: Verdict | undefined): Verdict {
  if (record === undefined) return dwarf;
  if (dwarf.change === null) return outweighs(dwarf, record) ? dwarf : record;
  // Records have the signature as it was written.
  const both = [dwarf, record].every(({ change }) => change?.code === "signature-changed");
  return both ? { ...dwarf, change: record.change } : dwarf;
}

/** Debug information that tells everything knows renames from changes; a record only sees that something is different. */
function outweighs(dwarf: Verdict, record: Verdict): boolean {
  if (dwarf.check === "dwarf") return record.compiler !== true;
  return dwarf.check === "partly" && record.change === null && record.check === "partly";
}
