/** What a request needs from the session it belongs to. */
import type { AgentEvent } from "../../schemas/agent.js";

export type Log = (level: Extract<AgentEvent, { type: "log" }>["level"], text: string) => void;

export interface Session {
  /** The session may end while a request waits. */
  readonly ended: boolean;
  readonly log: Log;
  /** Records what a later session needs to resume. */
  record(): void;
}
