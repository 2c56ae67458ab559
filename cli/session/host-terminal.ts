/** The spawned host's terminal, in the order in which it is written to: a host that does not read keeps only this waiting. */
import type { Target } from "../frida/target.js";
import { SerialQueue } from "./serial-queue.js";

export class HostTerminal {
  readonly #owner: () => Target | null;
  readonly #queue: SerialQueue;

  /** @param owner who has the terminal now; null: nobody yet, or the host has one of its own */
  constructor(owner: () => Target | null, failed: (error: unknown) => void) {
    this.#owner = owner;
    this.#queue = new SerialQueue(failed);
  }

  input(text: string): void {
    this.#send((target) => target.input(Buffer.from(text)));
  }

  /** In characters. */
  resize(cols: number, rows: number): void {
    this.#send((target) => target.resize(cols, rows));
  }

  #send(job: (target: Target) => Promise<void>): void {
    const target = this.#owner();
    if (target !== null) this.#queue.add(() => job(target));
  }
}
