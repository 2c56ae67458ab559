/**
 * Entries: the only owner of the bytes at a marked function's start. Generation 0's are registered with Interceptor, so
 * that Frida undoes them when the tool dies; copies' are stored directly. Either way the bytes change by ONE aligned
 * 8-byte store of ours: Interceptor's own write is not atomic and killed hammered hosts (docs/decisions/0001).
 */
import type { Mark } from "./marks.js";
import { mapNear } from "./memory.js";
import { ENTRY_SIZE, entryJump, inReach, THUNK_SIZE, thunkOf, writeThunk } from "./thunk.js";

interface Entry {
  readonly address: NativePointer;
  readonly thunk: NativePointer;
  readonly original: UInt64;
  readonly jump: UInt64;
}

/** Makes [lowest, highest entry] writable for the time of `write`. All entries of a module lie in one or two sections. */
function writing(entries: readonly Entry[], write: () => void): void {
  let low = entries[0]?.address;
  if (low === undefined) return;
  let high = low;
  for (const { address } of entries) {
    if (address.compare(low) < 0) low = address;
    if (address.compare(high) > 0) high = address;
  }
  const page = low.and(ptr(Process.pageSize - 1).not());
  const size = high.add(ENTRY_SIZE).sub(page).toUInt32();
  if (!Memory.protect(page, size, "rwx")) throw new Error(`cannot make the marked code at ${page} writable`);
  try {
    write();
  } finally {
    Memory.protect(page, size, "r-x");
  }
}

const store = (entries: readonly Entry[], word: "jump" | "original"): void =>
  writing(entries, () => {
    for (const e of entries) e.address.writeU64(e[word]);
  });

/** Thunks for `marks`, in memory near their module, ready to run; nothing leads to them yet. */
function makeEntries(
  module: { readonly base: NativePointer; readonly size: number },
  marks: readonly Mark[],
  epoch: NativePointer,
  indexOf: (name: string) => number,
): Entry[] {
  if (marks.length === 0) return [];
  const size = marks.length * THUNK_SIZE;
  const thunks = mapNear(module.base, module.size, size);
  const entries = marks.map((mark, i) => {
    const thunk = thunks.add(i * THUNK_SIZE);
    writeThunk(thunk, epoch, indexOf(mark.name));
    if (!inReach(mark.entry, thunk)) throw new Error(`the thunk of ${mark.name} is out of its entry's reach`);
    return { address: mark.entry, thunk, original: mark.entry.readU64(), jump: entryJump(mark.entry, thunk) };
  });
  Memory.protect(thunks, size, "r-x");
  return entries;
}

/** The entries of the library that the host itself loaded. */
export class HostEntries {
  readonly #entries: readonly Entry[];
  /** Those that Interceptor would revert. Not the ones an earlier session left redirected: it would follow their jump. */
  #registered: readonly Entry[];

  private constructor(entries: readonly Entry[], registered: readonly Entry[]) {
    this.#entries = entries;
    this.#registered = registered;
  }

  /**
   * Redirects them. The epoch must already lead to a table that holds every function.
   * @param known original words of entries that an earlier session may have left redirected
   */
  static adopt(
    module: { readonly base: NativePointer; readonly size: number },
    marks: readonly Mark[],
    epoch: NativePointer,
    indexOf: (name: string) => number,
    known: ReadonlyMap<string, UInt64> = new Map(),
  ): HostEntries {
    const left: Entry[] = [];
    const fresh: Mark[] = [];
    for (const mark of marks) {
      const thunk = thunkOf(mark.entry);
      const original = known.get(mark.entry.toString());
      if (thunk === null || original === undefined) fresh.push(mark);
      else left.push({ address: mark.entry, thunk, original, jump: mark.entry.readU64() });
    }
    const entries = makeEntries(module, fresh, epoch, indexOf);
    // No NativeFunction call between here and our store: it would make Interceptor write first.
    for (const e of entries)
      Interceptor.replaceFast(
        {
          target: e.address,
          relocation: "forced",
          redirectSpaceHint: ENTRY_SIZE,
          writeRedirect(details) {
            details.writer.putBytes(wordBytes(e.jump));
          },
        },
        e.thunk,
      );
    store(entries, "jump");
    Interceptor.flush(); // writes the same bytes again: no change
    return new HostEntries([...left, ...entries], entries);
  }

  /** The host's own bytes again. Interceptor's revert at unload then changes nothing. */
  restore(): void {
    store(this.#entries, "original");
  }

  /** Takes the entries over from Interceptor, so that unloading the script leaves them redirected. */
  keep(): void {
    store(this.#registered, "original");
    for (const e of this.#registered) Interceptor.revert(e.address);
    Interceptor.flush();
    store(this.#registered, "jump");
    this.#registered = [];
  }

  /** The words that `restore` writes, by entry address: what a later session needs. */
  originals(): { readonly entry: string; readonly original: string }[] {
    return this.#entries.map((e) => ({ entry: e.address.toString(), original: `0x${e.original.toString(16)}` }));
  }
}

/** Leads a copy's entries through the table: each is written once in its life. */
export function adoptCopy(
  module: { readonly base: NativePointer; readonly size: number },
  marks: readonly Mark[],
  epoch: NativePointer,
  indexOf: (name: string) => number,
): void {
  store(makeEntries(module, marks, epoch, indexOf), "jump");
}

function wordBytes(word: UInt64): number[] {
  const text = word.toString(16).padStart(16, "0");
  const bytes: number[] = [];
  for (let i = 14; i >= 0; i -= 2) bytes.push(Number.parseInt(text.slice(i, i + 2), 16));
  return bytes;
}
