/** Expected failures as the answers that the cli gets. */
import type { AgentFailure, Result } from "../../schemas/agent.js";
import { NoRoom } from "../os/index.js";

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: AgentFailure["code"], detail: string): Result<never> => ({
  ok: false,
  error: { code, detail },
});

export const notFollowed = (library: string): Result<never> => fail("internal", `${library} is not followed`);

/** What the target has no memory or thread for is no fault of ours. */
export function noRoom(error: unknown): Result<never> {
  if (error instanceof NoRoom) return fail("no-room", error.message);
  throw error;
}
