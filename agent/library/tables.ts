/**
 * Tables decide which body runs: one table of bodies per generation, and one pointer (the epoch) to the running table. A
 * switch, a rollback and a restore are each one aligned 8-byte store: all functions flip together, no code is written, no
 * thread is stopped. x86 keeps stores in order, so a table is complete before the epoch points to it.
 */
import { mapAnywhere } from "../os/index.js";
import type { Address } from "../target/address.js";

const POINTER = 8;
const SMALLEST = 64;

export class Tables {
  /** Address of the pointer to the running table. */
  readonly epoch: NativePointer;
  #capacity: number;
  readonly #tables: Map<number, NativePointer>;

  private constructor(epoch: NativePointer, capacity: number, tables: Map<number, NativePointer>) {
    this.epoch = epoch;
    this.#capacity = capacity;
    this.#tables = tables;
  }

  /** Starts with generation 0's table running. `bodies`: one per function. */
  static start(bodies: readonly Address[]): Tables {
    const capacity = Math.max(SMALLEST, bodies.length * 2);
    const epoch = mapAnywhere(POINTER);
    const tables = new Tables(epoch, capacity, new Map());
    tables.#fill(0, bodies);
    tables.run(0);
    return tables;
  }

  /** An earlier session's tables, as recorded in the registry. */
  static resume(epoch: NativePointer, capacity: number, tables: Map<number, NativePointer>): Tables {
    return new Tables(epoch, capacity, tables);
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** The generation whose table the epoch points to. */
  get running(): number {
    const table = this.epoch.readPointer();
    for (const [generation, t] of this.#tables) if (t.equals(table)) return generation;
    throw new Error("the epoch points to a table that no generation has");
  }

  tableOf(generation: number): NativePointer {
    const table = this.#tables.get(generation);
    if (table === undefined) throw new Error(`there is no table of generation ${generation}`);
    return table;
  }

  /** A generation's first `count` bodies. */
  bodiesOf(generation: number, count: number): Address[] {
    const bytes = this.tableOf(generation).readByteArray(count * POINTER);
    if (bytes === null) return [];
    const words = new Uint32Array(bytes);
    return Array.from({ length: count }, (_, i) => (words[2 * i] ?? 0) + (words[2 * i + 1] ?? 0) * 2 ** 32);
  }

  /**
   * Adds a generation's table; nothing runs in it yet. New functions are entered into every older table with this first
   * body, before any of their thunks can be reached.
   * @param known number of functions so far
   * @param bodies one per function, new ones last
   */
  add(generation: number, known: number, bodies: readonly Address[]): void {
    this.extend(known, bodies.slice(known));
    this.#fill(generation, bodies);
  }

  /** Enters new functions into every table. */
  extend(known: number, bodies: readonly Address[]): void {
    const count = known + bodies.length;
    if (count > this.#capacity) this.#grow(known, count * 2);
    if (bodies.length > 0)
      for (const table of this.#tables.values()) table.add(known * POINTER).writeByteArray(words(bodies));
  }

  /** THE switch. */
  run(generation: number): void {
    this.epoch.writePointer(this.tableOf(generation));
  }

  #fill(generation: number, bodies: readonly Address[]): void {
    this.#tables.set(generation, filled(this.#capacity, bodies));
  }

  /** Makes larger copies of all tables. The old ones stay: a thread may have read the epoch and be about to jump. */
  #grow(known: number, capacity: number): void {
    const running = this.running;
    // All or none: allocating one of them may fail.
    const grown = [...this.#tables.keys()].map(
      (generation) => [generation, filled(capacity, this.bodiesOf(generation, known))] as const,
    );
    this.#capacity = capacity;
    for (const [generation, table] of grown) this.#tables.set(generation, table);
    this.run(running);
  }
}

function filled(capacity: number, bodies: readonly Address[]): NativePointer {
  const table = mapAnywhere(capacity * POINTER);
  if (bodies.length > 0) table.writeByteArray(words(bodies));
  return table;
}

function words(addresses: readonly Address[]): ArrayBuffer {
  const halves = new Uint32Array(addresses.length * 2);
  addresses.forEach((address, i) => {
    halves[2 * i] = address % 2 ** 32;
    halves[2 * i + 1] = Math.floor(address / 2 ** 32);
  });
  return halves.buffer;
}
