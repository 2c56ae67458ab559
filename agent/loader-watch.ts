/**
 * Hears of every library that the loader maps, before its code runs. The loader calls an empty function for debuggers
 * whenever its list has changed; a jump from there, written by one aligned store, leads to code of ours in host-owned
 * memory. The thread that opens the library waits there, at most some seconds, until a thread of ours has looked.
 *
 * So no thread of the host ever runs Frida's code: it may have a small stack, a signal handler under way, or be in there
 * when we leave. The kernel empties our page in a forked child (MADV_WIPEONFORK), where nobody would answer: there the jump
 * leads to a mere return.
 */
import { ENTRY_SIZE } from "../schemas/abi.js";
import { mapNear } from "./memory.js";
import { loaderNotice } from "./modules.js";
import { native } from "./native.js";
import { peek } from "./peek.js";
import { blocking, startThread } from "./thread.js";
import { type Address, addressOf, entryJump, pointerTo, type Word, wordText } from "./thunk.js";

/**
 * Layout of the page, in bytes. `active`: whether anybody listens. `request`: 1 look, 2 leave; `ack`: it was looked;
 * `done`: our thread has left; `callback`: what it calls.
 */
const PAGE = { active: 0, request: 4, ack: 8, done: 12, callback: 16 } as const;
/**
 * Behind the code, counted from the page's start: `patience`, struct timespec that the host's thread waits; `state`, where
 * the loader says what it is doing; `original`, the loader's own word; `tick`, struct timespec after which our thread calls
 * although nothing was asked. A forked child keeps these.
 */
const FIXED = { patience: -64, state: -48, original: -40, tick: -32 } as const;
const SIZE = 4096;
const LOOK = 1;
const LEAVE = 2;
const PATIENCE_S = 5;
const TICK_S = 2;
/** ms that our thread may take to leave. */
const LEAVE_MS = 1000;

// biome-ignore format: one line per instruction
const STUB: readonly number[] = [
  0x53,                                           // push rbx
  0x48, 0x8d, 0x1d, 0xf8, 0x0f, 0x00, 0x00,       // lea rbx, [rip+page]      (the stub's own page ends there)
  0x83, 0x3b, PAGE.active,                        // cmp dword [rbx], 0
  0x74, 0x6d,                                     // je out
  0x50, 0x51, 0x52, 0x56, 0x57,                   // push rax rcx rdx rsi rdi
  0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53, // push r8 r9 r10 r11
  0x48, 0x8b, 0x43, 256 + FIXED.state,            // mov rax, [rbx+state]
  0x83, 0x38, 0x00,                               // cmp dword [rax], RT_CONSISTENT
  0x75, 0x4a,                                     // jne done
  0xc7, 0x43, PAGE.ack, 0, 0, 0, 0,               // mov dword [rbx+ack], 0
  0xc7, 0x43, PAGE.request, LOOK, 0, 0, 0,        // mov dword [rbx+request], LOOK
  0xb8, 0xca, 0x00, 0x00, 0x00,                   // mov eax, SYS_futex
  0x48, 0x8d, 0x7b, PAGE.request,                 // lea rdi, [rbx+request]
  0xbe, 0x81, 0x00, 0x00, 0x00,                   // mov esi, FUTEX_WAKE_PRIVATE
  0xba, 0x01, 0x00, 0x00, 0x00,                   // mov edx, 1
  0x0f, 0x05,                                     // syscall
  0xb8, 0xca, 0x00, 0x00, 0x00,                   // wait: mov eax, SYS_futex
  0x48, 0x8d, 0x7b, PAGE.ack,                     // lea rdi, [rbx+ack]
  0xbe, 0x80, 0x00, 0x00, 0x00,                   // mov esi, FUTEX_WAIT_PRIVATE
  0x31, 0xd2,                                     // xor edx, edx
  0x4c, 0x8d, 0x53, 256 + FIXED.patience,         // lea r10, [rbx+patience]
  0x0f, 0x05,                                     // syscall
  0x83, 0x7b, PAGE.ack, 0x00,                     // cmp dword [rbx+ack], 0
  0x75, 0x0b,                                     // jne done
  0x83, 0xf8, 0x92,                               // cmp eax, -ETIMEDOUT
  0x75, 0xdf,                                     // jne wait
  0xc7, 0x03, 0, 0, 0, 0,                         // mov dword [rbx+active], 0   nobody answers: never again
  0x41, 0x5b, 0x41, 0x5a, 0x41, 0x59, 0x41, 0x58, // done: pop r11 r10 r9 r8
  0x5f, 0x5e, 0x5a, 0x59, 0x58,                   // pop rdi rsi rdx rcx rax
  0x5b,                                           // out: pop rbx
  0xc3,                                           // ret
];

/** `void *run(page *)`: our thread. */
// biome-ignore format: one line per instruction
const WATCH: readonly number[] = [
  0x53,                                           // push rbx
  0x48, 0x89, 0xfb,                               // mov rbx, rdi
  0x8b, 0x43, PAGE.request,                       // look: mov eax, [rbx+request]
  0x83, 0xf8, LEAVE,                              // cmp eax, LEAVE
  0x74, 0x61,                                     // je leave
  0x85, 0xc0,                                     // test eax, eax
  0x75, 0x28,                                     // jne call
  0xb8, 0xca, 0x00, 0x00, 0x00,                   // mov eax, SYS_futex
  0x48, 0x8d, 0x7b, PAGE.request,                 // lea rdi, [rbx+request]
  0xbe, 0x80, 0x00, 0x00, 0x00,                   // mov esi, FUTEX_WAIT_PRIVATE
  0x31, 0xd2,                                     // xor edx, edx
  0x4c, 0x8d, 0x53, 256 + FIXED.tick,             // lea r10, [rbx+tick]
  0x0f, 0x05,                                     // syscall
  0x83, 0xf8, 0x92,                               // cmp eax, -ETIMEDOUT
  0x75, 0xd9,                                     // jne look
  0x48, 0x8b, 0x43, PAGE.callback,                // mov rax, [rbx+callback]
  0x48, 0x85, 0xc0,                               // test rax, rax
  0x74, 0xd0,                                     // je look
  0xff, 0xd0,                                     // call rax
  0xeb, 0xcc,                                     // jmp look
  0x48, 0x8b, 0x43, PAGE.callback,                // call: mov rax, [rbx+callback]
  0x48, 0x85, 0xc0,                               // test rax, rax
  0x74, 0x02,                                     // je skip
  0xff, 0xd0,                                     // call rax
  0xb8, LOOK, 0x00, 0x00, 0x00,                   // skip: mov eax, LOOK
  0x31, 0xc9,                                     // xor ecx, ecx
  0xf0, 0x0f, 0xb1, 0x4b, PAGE.request,           // lock cmpxchg [rbx+request], ecx   unless it says LEAVE by now
  0xc7, 0x43, PAGE.ack, 0x01, 0, 0, 0,            // mov dword [rbx+ack], 1
  0xb8, 0xca, 0x00, 0x00, 0x00,                   // mov eax, SYS_futex
  0x48, 0x8d, 0x7b, PAGE.ack,                     // lea rdi, [rbx+ack]
  0xbe, 0x81, 0x00, 0x00, 0x00,                   // mov esi, FUTEX_WAKE_PRIVATE
  0xba, 0x01, 0x00, 0x00, 0x00,                   // mov edx, 1
  0x0f, 0x05,                                     // syscall
  0xeb, 0x97,                                     // jmp look
  0xc7, 0x43, PAGE.done, 0x01, 0, 0, 0,           // leave: mov dword [rbx+done], 1
  0x31, 0xc0,                                     // xor eax, eax
  0x5b,                                           // pop rbx
  0xc3,                                           // ret
];
const WATCH_AT = 128;

const madvise = native("madvise", "int", ["pointer", "size_t", "int"]);
const syscall = native("syscall", "long", ["long", "pointer", "long", "long", "pointer"]);
const SYS_FUTEX = 202;
const FUTEX_WAKE_PRIVATE = 129;
/** Linux 4.14. */
const MADV_WIPEONFORK = 18;

const RET = 0xc3;
const ENDBR64 = 0xfa1e0ff3;
/** Bytes between functions: of the no-ops that assemblers pad with, and int3. */
const PADDING = new Set([0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x44, 0x80, 0x40, 0x00, 0x90, 0xcc]);
/** jmp +2: over itself to the padding behind the first eight bytes. */
const JUMP_OVER = 0x02eb;

/** Where the loader's empty function is, and the memory that its jump leads to. */
export interface Watched {
  readonly at: Address;
  readonly stub: Address;
}

export class LoaderWatch {
  readonly #at: NativePointer;
  readonly #stub: NativePointer;
  readonly #page: NativePointer;
  /** Held: our thread calls it. */
  readonly #callback: NativeCallback<"void", []>;
  readonly #original: Word;
  #running = true;
  /** Our thread is in the script. */
  #calling = false;

  private constructor(at: Address, stub: NativePointer, original: Word, onChange: () => void, onTick: () => void) {
    this.#at = pointerTo(at);
    this.#stub = stub;
    this.#page = stub.add(SIZE);
    this.#original = original;
    this.#callback = new NativeCallback(
      () => {
        this.#calling = true;
        if (this.#page.add(PAGE.request).readU32() === LOOK) onChange();
        else onTick();
        this.#calling = false;
      },
      "void",
      [],
    );
  }

  /**
   * @param before what an earlier session has left
   * @param onChange is called on a thread of ours while the thread that opens or closes a library waits in the loader, with
   *   its lock: it must not wait for that lock
   * @param onTick is called on the same thread every two seconds, also when nobody can reach the script any more
   * @returns why it cannot be done here
   */
  static start(before: Watched | null, onChange: () => void, onTick: () => void): LoaderWatch | string {
    const { at, state } = loaderNotice();
    const ours = before?.at === at;
    const stub = ours ? pointerTo(before.stub) : makeStub(at, state);
    if (stub === null) return "the kernel cannot wipe a page on fork (needs Linux 4.14)";
    const page = stub.add(SIZE);
    const original = ours ? wordAt(addressOf(page) + FIXED.original) : wordAt(at);
    const jump = jumpFrom(at, original, addressOf(stub));
    if (jump === null)
      return `the loader's notification function reads ${wordText(original)}, which is not an empty function`;
    const watch = new LoaderWatch(at, stub, original, onChange, onTick);
    watch.#begin(jump);
    return watch;
  }

  /** What a later session needs. */
  get watched(): Watched {
    return { at: addressOf(this.#at), stub: addressOf(this.#stub) };
  }

  #begin({ behind, word }: Jump): void {
    this.#page.add(PAGE.request).writeU32(0);
    this.#page.add(PAGE.done).writeU32(0);
    this.#page.add(PAGE.callback).writePointer(this.#callback);
    startThread(this.#stub.add(WATCH_AT), this.#page);
    this.#page.add(PAGE.active).writeU32(1);
    this.#write(word, behind);
  }

  /**
   * The loader's own bytes again; then nobody calls into the script any more. A thread that waits in our code goes on by
   * code that stays.
   */
  stop(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#write(this.#original, null);
    this.#page.add(PAGE.active).writeU32(0);
    this.#page.add(PAGE.callback).writePointer(NULL);
    this.#page.add(PAGE.request).writeU32(LEAVE);
    syscall(SYS_FUTEX, this.#page.add(PAGE.request), FUTEX_WAKE_PRIVATE, 1, NULL);
    if (!this.#calling) blocking(() => this.#page.add(PAGE.done).readU32() !== 0, LEAVE_MS);
  }

  #write(word: Word, behind: readonly number[] | null): void {
    const size = ENTRY_SIZE * 2;
    const page = this.#at.sub(addressOf(this.#at) % Process.pageSize);
    const length = addressOf(this.#at) - addressOf(page) + size;
    if (!Memory.protect(page, length, "rwx")) throw new Error("the loader's code cannot be made writable");
    try {
      if (behind !== null) this.#at.add(ENTRY_SIZE).writeByteArray([...behind]);
      this.#at.writeU64(asNumber(word));
    } finally {
      Memory.protect(page, length, "r-x");
    }
  }
}

interface Jump {
  /** The first eight bytes, written last and at once. */
  readonly word: Word;
  /** What must stand behind them before, in the padding; null: nothing. */
  readonly behind: readonly number[] | null;
}

/**
 * A jump from an empty function, of which a thread is either at the start or at its ret: "ret" becomes the jump; behind an
 * endbr64 a short jump takes the place of ret, and leads over to the padding. Null for any other function.
 */
function jumpFrom(at: Address, [low, high]: Word, stub: Address): Jump | null {
  if (at % ENTRY_SIZE !== 0) return null;
  const bytes = new Uint8Array(peek(at, ENTRY_SIZE * 2));
  const padded = (from: number) => bytes.slice(from).every((byte) => PADDING.has(byte));
  if ((low & 0xff) === RET && bytes.slice(1, ENTRY_SIZE).every((byte) => PADDING.has(byte)))
    return { word: entryJump(at, stub), behind: null };
  const ends = (high & 0xff) === RET || (high & 0xffff) === JUMP_OVER;
  if (low >>> 0 !== ENDBR64 || !ends || (!padded(5) && (high & 0xffff) !== JUMP_OVER)) return null;
  const [jump, rest] = entryJump(at + ENTRY_SIZE, stub);
  const far = [0, 8, 16, 24].map((shift) => (jump >>> shift) & 0xff);
  return { word: [low, ((high & 0xffff0000) | JUMP_OVER) >>> 0], behind: [...far, rest & 0xff] };
}

/** Two pages near the loader: code, and what it shares with us. Null where the kernel cannot keep it from children. */
function makeStub(at: Address, state: Address): NativePointer | null {
  const stub = mapNear({ base: pointerTo(at - (at % SIZE)), size: SIZE }, [at], 2 * SIZE);
  const page = stub.add(SIZE);
  if (madvise(page, SIZE, MADV_WIPEONFORK) !== 0) return null;
  stub.writeByteArray([...STUB]);
  stub.add(WATCH_AT).writeByteArray([...WATCH]);
  page.add(FIXED.patience).writeS64(PATIENCE_S);
  page.add(FIXED.tick).writeS64(TICK_S);
  page.add(FIXED.state).writePointer(pointerTo(state));
  page.add(FIXED.original).writeU64(asNumber(wordAt(at)));
  Memory.protect(stub, SIZE, "r-x");
  return stub;
}

function wordAt(at: Address): Word {
  const [low = 0, high = 0] = new Uint32Array(peek(at, ENTRY_SIZE));
  return [low, high];
}

const asNumber = ([low, high]: Word): UInt64 => uint64(`0x${high.toString(16)}${low.toString(16).padStart(8, "0")}`);
