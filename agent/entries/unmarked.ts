/**
 * Entries of functions without a mark: the only owner of their bytes. A jump there overwrites real instructions, so it is
 * written while all threads are stopped (os/linux/stop-the-world.ts), and by us rather than by Interceptor, which writes
 * when it sees fit and whose trampoline goes away with the script (docs/decisions/0010).
 */
import type { RefusedMark } from "../../schemas/agent.js";
import { codeWriter } from "../arch/index.js";
import { type CodeWrite, type Written, writeStopped } from "../os/index.js";
import { type Address, addressOf, pointerTo, spanOf } from "../target/address.js";
import type { Extent } from "../target/extent.js";
import { whileWritable } from "../target/writable.js";
import { makeThunks } from "./thunks.js";
import type { Trampoline } from "./trampoline.js";

/** An entry as recorded in the registry for later sessions: thunk and trampoline stay, so the jump may come and go. */
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
   * Redirects functions through the table, which must already contain them.
   * @returns the redirected ones, and those that could not be, whose bytes are unchanged
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

  /** Takes over an earlier session's entries: some still redirected, some restored. */
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
   * Restores the functions' own bytes. An entry that a thread is inside keeps its jump: it reaches generation 0's body
   * through memory that stays, as under `keep`, which needs no work here at all.
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

/** A function may have several names: its entry uses the table index of the first. */
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
