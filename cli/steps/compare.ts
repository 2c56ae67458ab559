/** Step: what a switch does to each function. Pure. */
import type { RefusedMark } from "../../schemas/agent.js";
import type { Check, FunctionResult } from "../../schemas/event.js";
import type { Verdicts } from "../evidence/verdict.js";

/** On what the signature is known to be the same where nothing but the name says it: C++ names hold the parameter types. */
export const checkOf = (name: string): Check => (/^_Z/.test(name) ? "mangled" : "unchecked");

const NO_VERDICTS: Verdicts = new Map();

/** Marked function -> hash of its code. */
export type Code = ReadonlyMap<string, string>;

/**
 * @param known all functions the library has had
 * @param before code of the generation that ran; null where its file is gone
 * @param after code of the generation that runs now
 * @param refused marks of the new build that cannot be patched
 * @param verdicts what comparisons of both builds found; a function that callers cannot bear is refused
 */
export function compare(
  known: readonly string[],
  before: Code | null,
  after: Code,
  refused: readonly RefusedMark[] = [],
  verdicts: Verdicts = NO_VERDICTS,
): FunctionResult[] {
  const knownNames = new Set(known);
  const cannot = new Set(refused.map((mark) => mark.name));
  const results: FunctionResult[] = [];
  for (const [name, code] of after) {
    if (cannot.has(name)) continue;
    const { check, change } = verdicts.get(name) ?? { check: checkOf(name), change: null };
    if (!knownNames.has(name)) results.push({ name, status: "new", check });
    else if (change !== null) results.push({ name, status: "refused", reason: change.reasons.join("; "), check });
    else if (before?.get(name) === code) results.push({ name, status: "unchanged", check });
    else results.push({ name, status: "switched", check });
  }
  for (const { name, reason } of refused) results.push({ name, status: "refused", reason, check: checkOf(name) });
  for (const name of known)
    if (!after.has(name) && !cannot.has(name))
      results.push({
        name,
        status: "missing",
        reason: "not in this build: it keeps the body it had",
        check: checkOf(name),
      });
  return results;
}
