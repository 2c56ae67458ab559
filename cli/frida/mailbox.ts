/** Passes a target's events to its listener in order, queueing them until there is one. Used by both backends. */
import { constants } from "node:os";
import { AgentEvent } from "../../schemas/agent.js";
import type { Outcome, TargetEvent } from "./target.js";

export class Mailbox {
  #listener: ((event: TargetEvent) => void) | null = null;
  readonly #early: TargetEvent[] = [];
  #gone = false;

  /** Only output is passed on after "exited" or "lost": the first of them says how the target ended. */
  get gone(): boolean {
    return this.#gone;
  }

  say(event: TargetEvent): void {
    // A launcher's terminal outlives it: what it started keeps printing.
    if (this.#gone && event.type !== "output") return;
    if (event.type === "output") return this.#pass(event);
    this.#gone = event.type === "exited" || event.type === "lost";
    this.#pass(event);
  }

  #pass(event: TargetEvent): void {
    if (this.#listener === null) this.#early.push(event);
    else this.#listener(event);
  }

  /** A message from Frida's script, in Frida's format: {type: "send", payload} or {type: "error", description, stack}. */
  sayAgent(message: unknown): void {
    const { type, payload, description, stack } = message as Record<string, unknown>;
    if (type === "send") this.say({ type: "agent", event: AgentEvent.parse(payload) });
    else
      this.say({
        type: "agent-error",
        text: String(description ?? JSON.stringify(message)),
        stack: String(stack ?? ""),
      });
  }

  listen(listener: (event: TargetEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#early.splice(0)) listener(event);
  }
}

/** At most one of the two is non-null. */
export function outcome(exitCode: number | null, signal: number | null): Outcome {
  if (exitCode !== null) return { exitCode };
  if (signal === null) return {};
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return { signal: name ?? `signal ${signal}` };
}
