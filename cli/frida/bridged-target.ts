/** A target behind the bridge: turns the session's calls into requests, and the bridge's messages into events. */
import { existsSync } from "node:fs";
import { z } from "zod";
import {
  type AgentAnswer,
  type AgentArgument,
  type AgentMethod,
  AgentMethods,
  type Carrier,
  type Result,
} from "../../schemas/agent.js";
import type { BridgeOp, BridgeRequests } from "../../schemas/bridge.js";
import { bridgeDied, HotpatchError, targetDied } from "../errors.js";
import { type BridgeEvent, type Channel, LinkClosed, RemoteError } from "./channel.js";
import { saysGone } from "./frida-words.js";
import { Mailbox, outcome } from "./mailbox.js";
import { type Range, REPLACED, type Target, type TargetEvent } from "./target.js";

/** How long reading the threads' stacks may take, in ms. */
const STACKS_MS = 2000;
const Stacks = z.array(z.array(z.number())).nullable();

export class BridgedTarget implements Target {
  readonly pid: number;
  carrier: Carrier | null = null;
  readonly #channel: Channel;
  readonly #mail = new Mailbox();
  #detached = false;

  constructor(pid: number, channel: Channel) {
    this.pid = pid;
    this.#channel = channel;
  }

  async call<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<Result<AgentAnswer<M>>> {
    const answer = await this.#request("call", { pid: this.pid, method, argument });
    return AgentMethods[method][1].parse(answer) as Result<AgentAnswer<M>>;
  }

  listen(listener: (event: TargetEvent) => void): void {
    this.#mail.listen(listener);
  }

  async stacks(ranges: readonly Range[]): Promise<number[][] | null> {
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), STACKS_MS).unref());
    return Stacks.parse(await Promise.race([this.#request("stacks", { pid: this.pid, ranges: [...ranges] }), late]));
  }

  async resume(): Promise<void> {
    await this.#request("resume", { pid: this.pid });
  }

  async detach(): Promise<void> {
    if (this.#detached || this.#mail.gone) return;
    this.#detached = true;
    await this.#request("detach", { pid: this.pid });
  }

  async input(data: Buffer): Promise<void> {
    await this.#request("input", { pid: this.pid, base64: data.toString("base64") });
  }

  async resize(cols: number, rows: number): Promise<void> {
    await this.#request("resize", { pid: this.pid, cols, rows });
  }

  /** The bridge is gone. */
  lose(reason: string): void {
    this.#mail.say({ type: "lost", reason });
  }

  hear(event: Extract<BridgeEvent, { pid: number }>): void {
    switch (event.event) {
      case "output":
        return this.#mail.say({ type: "output", stream: event.stream, data: Buffer.from(event.base64, "base64") });
      case "message":
        return this.#mail.sayAgent(event.message);
      case "detached":
        // The process's exit has its own event, with the exit code; a detach was our own request.
        if (event.reason !== "process-terminated" && event.reason !== "application-requested") this.lose(event.reason);
        return;
      case "replaced":
        return this.#mail.say({ type: "replaced", reason: REPLACED });
      case "exited":
        return this.#mail.say({
          type: "exited",
          outcome: outcome(event.exitCode, event.signal),
          reason: "the process exited",
        });
    }
  }

  /** A request fails because the target is gone, or the bridge is, or because of a bug in the agent. */
  async #request<O extends BridgeOp>(op: O, argument: BridgeRequests[O]): Promise<unknown> {
    try {
      return await this.#channel.request(op, argument);
    } catch (error) {
      if (error instanceof LinkClosed) throw new HotpatchError(bridgeDied(this.pid, error.message), error);
      if (error instanceof RemoteError && saysGone(`${error.type} ${error.message}`))
        throw new HotpatchError(
          (existsSync(`/proc/${this.pid}`) ? bridgeDied : targetDied)(this.pid, error.message),
          error,
        );
      throw error;
    }
  }
}
