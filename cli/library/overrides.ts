/**
 * New overrides of virtual functions that live objects do not reach: an object keeps the vtable it was made with, and the
 * slot there leads to what the class had until then. Pure but for c++filt.
 */
import type { FunctionResult } from "../../schemas/event.js";
import type { VirtualSlots } from "../binary/vtables.js";
import { withReasons } from "../steps/compare.js";
import { demangle } from "./demangle.js";

/** Says of new functions what objects that exist already call instead. @param before what earlier builds had in each slot */
export function withOverrides(
  functions: readonly FunctionResult[],
  before: () => VirtualSlots,
  after: () => VirtualSlots,
): FunctionResult[] {
  const fresh = new Set(functions.filter(({ status }) => status === "new").map(({ name }) => name));
  if (fresh.size === 0) return [...functions];
  const known = before();
  const former = new Map<string, string>();
  for (const [slot, name] of after()) {
    const was = known.get(slot);
    if (was !== undefined && was !== name && fresh.has(name)) former.set(name, was);
  }
  const shown = new Map([...former].map(([name, was]) => [name, demangle([was])[0] ?? was]));
  return withReasons(functions, shown, (was) => `objects that exist already keep calling ${was}`);
}
