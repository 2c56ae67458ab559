/**
 * Entries of functions without a mark: the only owner of their bytes. A jump there replaces instructions of their own,
 * so it is written while all threads stand (os/linux/stop-the-world.ts), by ourselves and not through Interceptor, which
 * would write at a time of its own and whose trampoline ends with the script (docs/decisions/0010).
 */
import type { RefusedMark } from "../../schemas/agent.js";
import { codeWriter } from "../arch/index.js";
import { type CodeWrite, type Written, writeStopped } from "../os/index.js";
import { type Address, addressOf, pointerTo, spanOf } from "../target/address.js";
import type { Extent } from "../target/extent.js";
import { whileWritable } from "../target/writable.js";
import { makeThunks } from "./thunks.js";
import type { Trampoline } from "./trampoline.js";

/** An entry as the registry keeps it for later sessions: thunk and trampoline stay, so the jump may come and go. */
export interface PlainEntry {
  readonly name: string;
  readonly at: Address;
  readonly thunk: Address;
  /** The bytes under the jump. */
  readonly original: readonly number[];
}

export class PlainEntries {
  readonly #entries: readonly PlainEntry[];

  private constructor(entries: readonly PlainEntry[]) {
    this.#entries = entries;
  }

  /**
   * Leads functions through the table, which must hold them already.
   * @returns those that are, and those that could not be: their bytes are as they were
   */
  static adopt(
    module: Extent,
    trampolines: readonly Trampoline[],
    epoch: NativePointer,
    indexOf: (name: string) => number,
  ): { readonly entries: PlainEntries; readonly refused: readonly RefusedMark[] } {
    const places = oncePerEntry(trampolines);
    const led = makeThunks(module, places, addressOf(epoch), indexOf);
    return PlainEntries.#write(led.map(({ name, at, thunk }) => ({ name, at, thunk, original: bytesAt(at) })));
  }

  /** Those of an earlier session: some are redirected still, some were restored. */
  static resume(entries: readonly PlainEntry[]): { entries: PlainEntries; refused: readonly RefusedMark[] } {
    const ours = entries.filter(({ at, original, thunk }) => {
      const now = bytesAt(at);
      return equal(now, original) || equal(now, codeWriter.functionJump(at, thunk));
    });
    const refused = entries
      .filter((entry) => !ours.includes(entry))
      .map(({ name }) => ({ name, code: "entry-unsafe" as const, reason: "another tool has changed its first bytes" }));
    const resumed = PlainEntries.#write(ours);
    return { entries: resumed.entries, refused: [...refused, ...resumed.refused] };
  }

  static #write(entries: readonly PlainEntry[]): { entries: PlainEntries; refused: readonly RefusedMark[] } {
    const written = write(entries.map(({ at, thunk }) => ({ address: at, bytes: codeWriter.functionJump(at, thunk) })));
    const refused = entries.flatMap(({ name }, i) => {
      const outcome = written[i] ?? "busy";
      return outcome === "written" ? [] : [{ name, code: "entry-unsafe" as const, reason: whyNot(outcome) }];
    });
    return { entries: new PlainEntries(entries.filter((_, i) => written[i] === "written")), refused };
  }

  /**
   * The functions' own bytes again. An entry that a thread is inside of keeps its jump: it leads to generation 0's body
   * through memory that stays, as under `keep`, for which there is nothing to do at all.
   */
  restore(): void {
    write(this.#entries.map(({ at, original }) => ({ address: at, bytes: original })));
  }

  kept(): readonly PlainEntry[] {
    return this.#entries;
  }
}

const whyNot = (outcome: Exclude<Written, "written">): string =>
  outcome === "busy"
    ? `a thread does not leave its first ${codeWriter.jumpSize} bytes`
    : `the process could not be stopped while its entry is written: ${outcome.failed}`;

/** A function may have several names: its entry leads to the place of the first. */
function oncePerEntry(trampolines: readonly Trampoline[]): Trampoline[] {
  const byPlace = new Map<Address, Trampoline>();
  for (const one of trampolines) if (!byPlace.has(one.at)) byPlace.set(one.at, one);
  return [...byPlace.values()];
}

function write(writes: readonly CodeWrite[]): Written[] {
  if (writes.length === 0) return [];
  const { low, high } = spanOf(writes.map(({ address }) => address));
  let written: Written[] = [];
  const writable = whileWritable(low, high + codeWriter.jumpSize, () => {
    written = writeStopped(writes);
  });
  return writable ? written : writes.map(() => ({ failed: "its code cannot be made writable" }));
}

const bytesAt = (at: Address): number[] =>
  Array.from(new Uint8Array(pointerTo(at).readByteArray(codeWriter.jumpSize) ?? new ArrayBuffer(0)));

const equal = (a: readonly number[], b: readonly number[]): boolean => a.every((byte, i) => byte === b[i]);
