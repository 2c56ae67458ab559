/**
 * Several names of one entry: aliases that the source or the compiler made. There is one jump at it, so callers by any of
 * the names go where it leads: they are chosen and refused together. Pure.
 */
import type { RefusedMark } from "../../schemas/agent.js";
import type { PlainFunction } from "../binary/functions.js";
import type { Choice } from "../steps/inspect.js";

/** Why a function cannot be patched. */
export type Refusal = Omit<RefusedMark, "name">;

/** The functions that are chosen, and all other names of their entries. */
export function withAllNames(
  all: readonly PlainFunction[],
  isChosen: (one: PlainFunction) => boolean,
): PlainFunction[] {
  const entries = new Set(all.filter(isChosen).map((one) => one.value));
  return all.filter((one) => entries.has(one.value));
}

/** By name. What speaks against one name of an entry speaks against all. */
export function ofEntries(
  functions: ReadonlyMap<string, PlainFunction>,
  refusalOf: (one: PlainFunction) => Refusal | null,
): Map<string, Refusal> {
  const refusals = new Map<string, Refusal>();
  const first = new Map<number, string>();
  for (const [name, one] of functions) {
    const refusal = refusalOf(one);
    if (refusal === null) continue;
    refusals.set(name, refusal);
    if (!first.has(one.value)) first.set(one.value, name);
  }
  for (const [name, { value }] of functions) {
    const other = first.get(value) ?? name;
    const refusal = refusals.get(other);
    if (refusal !== undefined && !refusals.has(name))
      refusals.set(name, { ...refusal, reason: `${other} is the same function: ${refusal.reason}` });
  }
  return refusals;
}

/** Functions that come along with a requested one. @param requested the names that globs mean */
export function drawnIn(functions: Choice["functions"], requested: ReadonlySet<string>): Choice["drawnIn"] {
  const byEntry = new Map(functions.filter(({ name }) => requested.has(name)).map((one) => [one.offset, one.name]));
  return new Map(
    functions.flatMap(({ name, offset }) => {
      const other = byEntry.get(offset);
      return other === undefined || requested.has(name) ? [] : [[name, other] as const];
    }),
  );
}
