/**
 * Notices every library that the loader maps, before its code runs, and that it is about to unmap some. Whenever its list
 * changes, the loader calls an empty function for debuggers; a jump from there, written in one aligned store, leads to our code in host-owned memory.
 * The thread that opens the library waits there, for a few seconds at most, until our own thread has looked.
 *
 * So no host thread ever runs Frida's code: it may have a small stack, be in a signal handler, or be in there when we
 * leave. In a forked child nobody would answer, so the kernel zeroes our page there (MADV_WIPEONFORK), and the jump leads
 * to a plain return.
 */
import { ENTRY_SIZE } from "../../../schemas/abi.js";
import { LINUX, NOTICE, NOTICE_CODE, type NoticeJump, noticeJump } from "../../arch/index.js";
import { type Address, addressOf, pointerTo, type Word, wordNumber, wordText } from "../../target/address.js";
import { native } from "../../target/native.js";
import { whileWritable } from "../../target/writable.js";
import { mapNear } from "./memory.js";
import { loaderNotice } from "./modules.js";
import { peek } from "./peek.js";
import { blocking, startThread } from "./thread.js";

const { page: PAGE, fixed: FIXED, size: SIZE } = NOTICE;
/** How long a host thread waits for ours, in seconds. */
const PATIENCE_S = 5;
const TICK_S = 2;
/** How long our thread may take to exit, in ms. */
const LEAVE_MS = 1000;

const madvise = native("madvise", "int", ["pointer", "size_t", "int"]);
const syscall = native("syscall", "long", ["long", "pointer", "long", "long", "pointer"]);
const FUTEX_WAKE_PRIVATE = 129;
/** Since Linux 4.14. */
const MADV_WIPEONFORK = 18;

/** Where the loader's empty function is, and the stub it jumps to. */
export interface Watched {
  readonly at: Address;
  readonly stub: Address;
}

/**
 * What is called on our own thread. The first two while the thread that opens or closes libraries waits in the loader,
 * holding its lock: they must not wait for that lock.
 */
export interface Heard {
  /** The loader's list has changed, and new libraries have not run yet. */
  readonly changed: () => void;
  /** The loader is about to unmap libraries; it does not say which. */
  readonly closing: () => void;
  /** Every two seconds, even when nobody can reach the script any more. */
  readonly tick: () => void;
}

export class LoaderWatch {
  readonly #at: NativePointer;
  readonly #stub: NativePointer;
  readonly #page: NativePointer;
  /** Kept alive: our thread calls it. */
  readonly #callback: NativeCallback<"void", []>;
  readonly #original: Word;
  #running = true;
  /** Whether our thread is in the script. */
  #calling = false;

  private constructor(at: Address, stub: NativePointer, original: Word, { changed, closing, tick }: Heard) {
    this.#at = pointerTo(at);
    this.#stub = stub;
    this.#page = stub.add(SIZE);
    this.#original = original;
    this.#callback = new NativeCallback(
      () => {
        this.#calling = true;
        if (this.#page.add(PAGE.request).readU32() !== NOTICE.look) tick();
        else if (this.#page.add(FIXED.state).readPointer().readU32() === NOTICE.deleting) closing();
        else changed();
        this.#calling = false;
      },
      "void",
      [],
    );
  }

  /**
   * @param before what an earlier session left behind
   * @returns the watch, or why it is impossible here
   */
  static start(before: Watched | null, heard: Heard): LoaderWatch | string {
    const { at, state } = loaderNotice();
    const ours = before?.at === at;
    const stub = ours ? pointerTo(before.stub) : makeStub(at, state);
    if (stub === null) return "the kernel cannot wipe a page on fork (needs Linux 4.14)";
    const page = stub.add(SIZE);
    const original = ours ? wordAt(addressOf(page) + FIXED.original) : wordAt(at);
    const bytes = at % ENTRY_SIZE === 0 ? new Uint8Array(peek(at, ENTRY_SIZE * 2)) : null;
    const jump = bytes === null ? null : noticeJump(at, original, bytes, addressOf(stub));
    if (jump === null)
      return `the loader's notification function reads ${wordText(original)}, which is not an empty function`;
    const watch = new LoaderWatch(at, stub, original, heard);
    watch.#begin(jump);
    return watch;
  }

  /** What a later session needs. */
  get watched(): Watched {
    return { at: addressOf(this.#at), stub: addressOf(this.#stub) };
  }

  #begin({ behind, word }: NoticeJump): void {
    this.#page.add(PAGE.request).writeU32(0);
    this.#page.add(PAGE.done).writeU32(0);
    this.#page.add(PAGE.callback).writePointer(this.#callback);
    startThread(this.#stub.add(NOTICE.watchAt), this.#page);
    this.#page.add(PAGE.active).writeU32(1);
    this.#write(word, behind);
  }

  /**
   * Restores the loader's own bytes; after that nobody calls into the script any more. A thread waiting in our code
   * continues through code that stays.
   */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#write(this.#original, null);
    this.#page.add(PAGE.active).writeU32(0);
    this.#page.add(PAGE.callback).writePointer(NULL);
    this.#page.add(PAGE.request).writeU32(NOTICE.leave);
    syscall(LINUX.calls.FUTEX, this.#page.add(PAGE.request), FUTEX_WAKE_PRIVATE, 1, NULL);
    if (!this.#calling) blocking(() => this.#page.add(PAGE.done).readU32() !== 0, LEAVE_MS);
  }

  #write(word: Word, behind: readonly number[] | null): void {
    const at = addressOf(this.#at);
    const writable = whileWritable(at, at + ENTRY_SIZE * 2, () => {
      if (behind !== null) this.#at.add(ENTRY_SIZE).writeByteArray([...behind]);
      this.#at.writeU64(wordNumber(word));
    });
    if (!writable) throw new Error("the loader's code cannot be made writable");
  }
}

/** Two pages near the loader: code, and what it shares with us. Null if the kernel cannot wipe the latter in children. */
function makeStub(at: Address, state: Address): NativePointer | null {
  const stub = mapNear({ base: pointerTo(at - (at % SIZE)), size: SIZE }, [at], 2 * SIZE);
  const page = stub.add(SIZE);
  if (madvise(page, SIZE, MADV_WIPEONFORK) !== 0) return null;
  stub.writeByteArray([...NOTICE_CODE]);
  page.add(FIXED.patience).writeS64(PATIENCE_S);
  page.add(FIXED.tick).writeS64(TICK_S);
  page.add(FIXED.state).writePointer(pointerTo(state));
  page.add(FIXED.original).writeU64(wordNumber(wordAt(at)));
  Memory.protect(stub, SIZE, "r-x");
  return stub;
}

function wordAt(at: Address): Word {
  const [low = 0, high = 0] = new Uint32Array(peek(at, ENTRY_SIZE));
  return [low, high];
}
