/** What a request may ask of the session that it is part of. */
import type { AgentEvent } from "../../schemas/agent.js";

export type Log = (level: Extract<AgentEvent, { type: "log" }>["level"], text: string) => void;

export interface Session {
  /** It may end while a request waits. */
  readonly ended: boolean;
  readonly log: Log;
  /** Writes down what a later session goes on with. */
  record(): void;
}
