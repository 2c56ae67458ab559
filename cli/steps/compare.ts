/** Step: what a switch does to each function. Pure. */
import type { RefusedMark } from "../../schemas/agent.js";
import type { Check, FunctionResult } from "../../schemas/event.js";

/** On what evidence the signature is known to be the same. C++ names hold the parameter types. */
export const checkOf = (name: string): Check => (/^_Z/.test(name) ? "mangled" : "unchecked");

/** Marked function -> hash of its code. */
export type Code = ReadonlyMap<string, string>;

/**
 * @param known all functions the library has had
 * @param before code of the generation that ran; null where its file is gone
 * @param after code of the generation that runs now
 * @param refused marks of the new build that cannot be patched
 */
export function compare(
  known: readonly string[],
  before: Code | null,
  after: Code,
  refused: readonly RefusedMark[] = [],
): FunctionResult[] {
  const knownNames = new Set(known);
  const cannot = new Set(refused.map((mark) => mark.name));
  const results: FunctionResult[] = [];
  for (const [name, code] of after) {
    if (cannot.has(name)) continue;
    const check = checkOf(name);
    if (!knownNames.has(name)) results.push({ name, status: "new", check });
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
