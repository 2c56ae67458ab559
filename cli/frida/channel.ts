/**
 * Requests and answers as lines of JSON. The transport is injected, so tests need no process. When the link closes, every
 * pending request fails with the same reason.
 */
import type { BridgeMessage, BridgeOp, BridgeRequests } from "../../schemas/bridge.js";
import { BridgeMessage as Message } from "../../schemas/bridge.js";

/** The other side answered a request with an error. */
export class RemoteError extends Error {
  /** The other side's exception class. */
  readonly type: string;
  constructor(type: string, message: string) {
    super(message.split(/\n\s+at /)[0]); // an agent's error brings its stack along
    this.name = "RemoteError";
    this.stack = `${this.stack ?? this.name}\n${message}`;
    this.type = type;
  }
}

/** The link was closed before the answer arrived. */
export class LinkClosed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "LinkClosed";
  }
}

export type BridgeEvent = Extract<BridgeMessage, { event: string }>;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Channel {
  readonly #send: (line: string) => void;
  readonly #onEvent: (event: BridgeEvent) => void;
  readonly #pending = new Map<number, Pending>();
  #rest = "";
  #nextId = 1;
  #closed: string | null = null;

  constructor(send: (line: string) => void, onEvent: (event: BridgeEvent) => void) {
    this.#send = send;
    this.#onEvent = onEvent;
  }

  /** Rejects with a RemoteError or a LinkClosed. */
  request<O extends BridgeOp>(op: O, argument: BridgeRequests[O]): Promise<unknown> {
    if (this.#closed !== null) return Promise.reject(new LinkClosed(this.#closed));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send(`${JSON.stringify({ id, op, ...argument })}\n`);
    });
  }

  /** Takes in what has arrived; lines may come in pieces. Throws if the other side violates the contract. */
  receive(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#take(Message.parse(JSON.parse(line)));
  }

  close(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    for (const { reject } of this.#pending.values()) reject(new LinkClosed(reason));
    this.#pending.clear();
  }

  #take(message: BridgeMessage): void {
    if ("event" in message) return this.#onEvent(message);
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return; // answered after the link was given up
    this.#pending.delete(message.id);
    if ("error" in message) pending.reject(new RemoteError(message.error.type, message.error.message));
    else pending.resolve(message.ok);
  }
}
