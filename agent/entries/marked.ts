/**
 * Entries: the only owner of the bytes at the start of a marked function. Generation 0's are registered with Interceptor,
 * so that Frida reverts them if the tool dies; copies' are written directly. Either way the bytes change in ONE aligned
 * 8-byte store of our own: Interceptor's write is not atomic and crashed hosts under load (docs/decisions/0001).
 */
import { ENTRY_SIZE } from "../../schemas/abi.js";
import { codeWriter } from "../arch/index.js";
import type { Mark } from "../marks/marks.js";
import { codeOf } from "../os/index.js";
import { type Address, addressOf, pointerTo, spanOf, type Word, wordNumber } from "../target/address.js";
import type { Extent } from "../target/extent.js";
import { nativeAt } from "../target/native.js";
import { wordsAt } from "../target/words.js";
import { whileWritable } from "../target/writable.js";
import { makeThunks } from "./thunks.js";

/** An entry as recorded in the registry for later sessions. */
export interface KnownEntry extends Mark {
  readonly original: Word;
  /** Its thunk: reused, so that attaching again takes no new memory. Missing from the first agents' records. */
  readonly thunk?: Address;
}

interface Entry {
  /** The function whose table index it jumps through. */
  readonly name: string;
  readonly address: Address;
  readonly thunk: Address;
  readonly original: Word;
  readonly jump: Word;
}

/** Makes [lowest, highest entry] writable during `write`. All of a module's entries lie in one or two sections. */
function writing(entries: readonly Entry[], write: () => void): void {
  if (entries.length === 0) return;
  const { low, high } = spanOf(entries.map(({ address }) => address));
  if (!whileWritable(low, high + ENTRY_SIZE, write))
    throw new Error(`cannot make the marked code at 0x${low.toString(16)} writable`);
}

const store = (entries: readonly Entry[], word: "jump" | "original"): void =>
  writing(entries, () => {
    for (const e of entries) pointerTo(e.address).writeU64(wordNumber(e[word]));
  });

interface Found {
  readonly mark: Mark;
  readonly word: Word;
}

/**
 * Marks with the words at their entries. An entry may have several names (aliases; a C++ constructor has two): it uses the
 * table index of the first.
 */
function oncePerEntry(marks: readonly Mark[], words: readonly Word[]): Found[] {
  const found = new Map<Address, Found>();
  marks.forEach((mark, i) => {
    if (!found.has(mark.entry)) found.set(mark.entry, { mark, word: words[i] ?? [0, 0] });
  });
  return [...found.values()];
}

/** The found entries, with thunks that are ready to run but not reachable yet. */
function makeEntries(
  module: Extent,
  found: readonly Found[],
  epoch: Address,
  indexOf: (name: string) => number,
): Entry[] {
  const places = found.map(({ mark: { name, entry: at }, word: original }) => ({ name, at, original }));
  return makeThunks(module, places, epoch, indexOf).map(({ name, at: address, thunk, original }) => ({
    name,
    address,
    thunk,
    original,
    jump: codeWriter.entryJump(address, thunk),
  }));
}

/** The entries of a library as the host itself loaded it. */
export class HostEntries {
  readonly #entries: readonly Entry[];
  /** Those that this session has redirected: of what an earlier session left so, Interceptor would follow the jumps. */
  readonly #fresh: readonly Entry[];
  /** Whether Interceptor would revert the fresh ones. */
  #registered = false;

  private constructor(entries: readonly Entry[], fresh: readonly Entry[]) {
    this.#entries = entries;
    this.#fresh = fresh;
  }

  /**
   * Redirects the entries. The epoch must already point to a table with every function.
   * @param known entries that an earlier session redirected, and may have left redirected
   */
  static adopt(
    module: Extent,
    marks: readonly Mark[],
    epoch: NativePointer,
    indexOf: (name: string) => number,
    known: ReadonlyMap<Address, KnownEntry> = new Map(),
  ): HostEntries {
    const left: Entry[] = [];
    const restored: Entry[] = [];
    const fresh: Found[] = [];
    for (const found of oncePerEntry(marks, wordsAt(marks.map((mark) => mark.entry)))) {
      const { name, entry: address } = found.mark;
      const thunk = codeWriter.thunkOf(address, found.word);
      const before = known.get(address);
      if (thunk !== null && before !== undefined)
        left.push({ name, address, thunk, original: before.original, jump: found.word });
      else if (before?.thunk !== undefined)
        restored.push({
          name,
          address,
          thunk: before.thunk,
          original: before.original,
          jump: codeWriter.entryJump(address, before.thunk),
        });
      else fresh.push(found);
    }
    const entries = [...restored, ...makeEntries(module, fresh, addressOf(epoch), indexOf)];
    store(entries, "jump");
    return new HostEntries([...left, ...entries], entries);
  }

  /**
   * From here on Frida restores the entries if the tool dies. Only for a module that stays: Interceptor may write to it at
   * any later time, because its transaction ends only when no other thread is in the script. Only while generation 0 runs:
   * for a moment its functions are called directly.
   */
  register(): void {
    store(this.#fresh, "original"); // Interceptor would follow our jumps
    // From here to our store, nothing may let another thread into the script: Interceptor would then write first.
    for (const e of this.#fresh)
      Interceptor.replaceFast(
        {
          target: pointerTo(e.address),
          relocation: "forced",
          redirectSpaceHint: ENTRY_SIZE,
          writeRedirect(details) {
            details.writer.putBytes(bytesOf(e.jump));
          },
        },
        pointerTo(e.thunk),
      );
    store(this.#fresh, "jump");
    Interceptor.flush(); // writes the same bytes again: no change
    this.#registered = true;
  }

  /** Restores the host's own bytes. Interceptor's revert at unload then changes nothing. */
  restore(): void {
    store(this.#entries, "original");
  }

  /** Takes the entries over from Interceptor, so that unloading the script leaves them redirected. */
  keep(): void {
    if (!this.#registered) return;
    store(this.#fresh, "original");
    for (const e of this.#fresh) Interceptor.revert(pointerTo(e.address));
    Interceptor.flush();
    store(this.#fresh, "jump");
    this.#registered = false;
  }

  /** What a later session needs: the words `restore` writes, and the thunks. */
  known(): KnownEntry[] {
    return this.#entries.map(({ name, address, original, thunk }) => ({ name, entry: address, original, thunk }));
  }
}

/**
 * Redirects a copy's entries through the table: each is written once and for all.
 * @param words the current words at the entries
 */
export function adoptCopy(
  module: Extent,
  marks: readonly Mark[],
  words: readonly Word[],
  epoch: NativePointer,
  indexOf: (name: string) => number,
): void {
  const entries = makeEntries(module, oncePerEntry(marks, words), addressOf(epoch), indexOf);
  const pairs = new Uint32Array(entries.length * 4);
  entries.forEach(({ address, jump }, i) => {
    pairs.set([address % 2 ** 32, Math.floor(address / 2 ** 32), ...jump], i * 4);
  });
  const memory = Memory.alloc(Math.max(pairs.byteLength, 16));
  memory.writeByteArray(pairs.buffer);
  writing(entries, () => storeAll()(memory, entries.length));
}

/** The store loop in machine code: thousands of entries in microseconds. */
const makeStoreAll = () => nativeAt(codeOf("store"), "void", ["pointer", "long"]);
let storing: ReturnType<typeof makeStoreAll> | null = null;
function storeAll() {
  storing ??= makeStoreAll();
  return storing;
}

const bytesOf = ([low, high]: Word): number[] =>
  [low, high].flatMap((half) => [half & 0xff, (half >>> 8) & 0xff, (half >>> 16) & 0xff, half >>> 24]);
