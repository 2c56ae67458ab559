/**
 * A host whose threads call a library without a pause and check every result, and the board through which they are told
 * what may be expected. Knows nothing of how the library is patched: tests and the long run do that, each in its own way.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { hasEnded, Lines, ROOT, type Workshop } from "../support/workshop.js";

const SOURCES = join(ROOT, "test/soak");
/** Functions that each generation adds: the tables, which begin with room for 64, grow on the way. */
const NEW_FUNCTIONS = 25;

// The layout of `struct board` in host.cpp, in bytes.
const WORD = 8;
const AT = { phase: 0, floor: 8, ceiling: 16 } as const;
const THREADS = 8;
const THREAD_SIZE = 128;
const FIELDS = ["calls", "impossible", "fell", "stale", "call", "least", "saw", "signals", "steady", "rose"] as const;

type Counts = Record<(typeof FIELDS)[number], number>;

/** Sums over all threads; see `struct seen` in host.cpp. */
export interface Seen {
  readonly calls: number;
  /** Results that no generation gives. */
  readonly impossible: number;
  /** A generation followed by an older one, although generations only went up. */
  readonly fell: number;
  /** An older generation than one whose switch had been reported. */
  readonly stale: number;
  readonly signals: number;
  /** Looks of a thread at many calls, all of them while generations only went up, and those in which one went up. */
  readonly steady: number;
  readonly rose: number;
  /** The first fault of each thread that had one. */
  readonly examples: readonly string[];
}

export class Hammer {
  readonly shop: Workshop;
  readonly host: ChildProcess;
  readonly output: Lines;
  readonly #board: number;
  #phase = 0;

  private constructor(shop: Workshop, host: ChildProcess, board: number) {
    this.shop = shop;
    this.host = host;
    this.output = new Lines(host.stdout);
    this.#board = board;
  }

  /** Starts the threads, on generation 0. */
  static async start(shop: Workshop): Promise<Hammer> {
    const library = await Hammer.build(shop, 0);
    const program = await shop.compile("hammered", [join(SOURCES, "host.cpp"), "-ldl", "-lpthread"], "g++");
    const board = shop.path("board");
    writeFileSync(board, Buffer.alloc(4096));
    const hammer = new Hammer(shop, shop.start(program, [library, board]), openSync(board, "r+"));
    await hammer.output.next((line) => line === "hammering", "hammering");
    return hammer;
  }

  /** Builds generation `n` of the library; returns its path. */
  static build(shop: Workshop, n: number): Promise<string> {
    const added = Array.from({ length: 1 + n * NEW_FUNCTIONS }, (_, i) => `extra_${i}`);
    const functions = added.map((name) => `extern "C" { HOTPATCH long ${name}() { return ${n}; } }`).join("\n");
    const source = `#include "${join(SOURCES, "library.cpp")}"\n${functions}\n`;
    return shop.library("libhammered.so", source, [`-DGENERATION=${n}`, `-DNEWEST=${added.at(-1)}`], "g++");
  }

  get pid(): number {
    return this.host.pid ?? 0;
  }

  get alive(): boolean {
    return !hasEnded(this.host);
  }

  /** Results of generation `n` are possible from here on. */
  mayReach(n: number): void {
    this.#write(AT.ceiling, n);
  }

  /** The switch to `n` has been reported: nothing older may answer while generations only go up. */
  reached(n: number): void {
    this.#write(AT.floor, n);
  }

  /** From here on an older generation may answer than before. */
  falls(): void {
    this.#write(AT.phase, ++this.#phase);
  }

  /** `n` runs, and from here on generations only go up. */
  rises(n: number): void {
    this.#write(AT.floor, n);
    this.#write(AT.phase, ++this.#phase);
  }

  /** Runs what may lead to an older generation; `n` runs afterwards. */
  async falling<T>(n: number, change: () => Promise<T>): Promise<T> {
    this.falls();
    const result = await change();
    this.rises(n);
    return result;
  }

  seen(): Seen {
    const threads = Array.from({ length: THREADS }, (_, i) => this.#thread(i));
    const sum = (field: keyof Counts) => threads.reduce((n, thread) => n + thread[field], 0);
    const examples = threads
      .filter((thread) => thread.impossible + thread.fell + thread.stale > 0)
      .map(({ call, least, saw }) => `call ${call}: expected ${least} at least, saw ${saw}`);
    const [calls, impossible, fell, stale] = [sum("calls"), sum("impossible"), sum("fell"), sum("stale")];
    return {
      calls,
      impossible,
      fell,
      stale,
      signals: sum("signals"),
      steady: sum("steady"),
      rose: sum("rose"),
      examples,
    };
  }

  /** Calls of each thread so far: one that stands still hangs. */
  get progress(): number[] {
    return Array.from({ length: THREADS }, (_, i) => this.#thread(i).calls);
  }

  close(): void {
    closeSync(this.#board);
  }

  #thread(i: number): Counts {
    const bytes = Buffer.alloc(FIELDS.length * WORD);
    readSync(this.#board, bytes, 0, bytes.length, 64 + i * THREAD_SIZE);
    return Object.fromEntries(FIELDS.map((name, f) => [name, Number(bytes.readBigInt64LE(f * WORD))])) as never;
  }

  #write(at: number, value: number): void {
    const word = Buffer.alloc(WORD);
    word.writeBigInt64LE(BigInt(value));
    writeSync(this.#board, word, 0, WORD, at);
  }
}
