/** Expected failures as answers for the cli. */
import type { AgentFailure, Result } from "../../schemas/agent.js";
import { NoRoom } from "../os/index.js";

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: AgentFailure["code"], detail: string): Result<never> => ({
  ok: false,
  error: { code, detail },
});

export const notFollowed = (library: string): Result<never> => fail("internal", `${library} is not followed`);

/** The target lacking memory or threads is an expected failure, not a bug. */
export function noRoom(error: unknown): Result<never> {
  if (error instanceof NoRoom) return fail("no-room", error.message);
  throw error;
}
