/** Switches from one generation to another, with the library's hooks before and after. */
import { HOOKS } from "../../schemas/abi.js";
import type { Result, SwitchAnswer, SwitchRequest } from "../../schemas/agent.js";
import type { Library } from "../library/library.js";
import { NoRoom } from "../os/index.js";
import { callHook } from "./hook.js";
import { fail, ok } from "./result.js";
import type { Session } from "./session.js";

/** If the before-hook does not return in time, nothing is changed. */
export async function switchGeneration(
  library: Library,
  { library: id, generation, hooks, timeoutMs }: SwitchRequest,
  session: Session,
): Promise<Result<SwitchAnswer>> {
  if (!library.copies.has(generation)) return fail("no-such-generation", `there is no generation ${generation}`);
  const from = library.running;
  /** Whether the hook returned in time, or why it was not called. */
  const call = async (hook: number | null): Promise<boolean | string> => {
    if (hook === null) return true;
    try {
      return await callHook(library.copies.baseOf(generation).add(hook), from, generation, timeoutMs);
    } catch (error) {
      if (error instanceof NoRoom) return error.message;
      throw error;
    }
  };
  const called = await call(hooks.before);
  if (typeof called === "string") return fail("no-room", `${HOOKS.before} was not called: ${called}`);
  if (!called) return fail("hook-timeout", `${HOOKS.before}(${from}, ${generation}) took longer than ${timeoutMs} ms`);
  if (session.ended) return fail("internal", "the session ended during the switch");
  library.switchTo(generation);
  session.log("trace", `the epoch of ${id} now selects generation ${generation}, before ${from}`);
  const after = await call(hooks.after);
  const uncalled = typeof after === "string" ? after : null;
  return ok({ from, generation, late: after === false, uncalled });
}
