/** What has changed, each once, with the functions that it reaches. Pure. */
import type { Change } from "./verdict.js";

export interface Cause {
  /** With old and new. */
  readonly change: string;
  /** In the order of the build. */
  readonly functions: readonly string[];
}

/** @returns the change that reaches most functions first */
export function causesOf(changes: ReadonlyMap<string, Change>): Cause[] {
  const reached = new Map<string, string[]>();
  for (const [name, { reasons }] of changes)
    for (const reason of new Set(reasons)) {
      const names = reached.get(reason);
      if (names === undefined) reached.set(reason, [name]);
      else names.push(name);
    }
  return [...reached]
    .map(([change, functions]) => ({ change, functions }))
    .sort((a, b) => b.functions.length - a.functions.length);
}
