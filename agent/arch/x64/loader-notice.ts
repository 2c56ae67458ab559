/**
 * The machine code behind os/linux/loader-watch.ts, with Linux system calls: the stub that the loader's empty function is
 * made to jump to, our thread that answers it, and the jump itself.
 */
import { ENTRY_SIZE } from "../../../schemas/abi.js";
import type { Address, Word } from "../../target/address.js";
import { entryJump } from "./jumps.js";
import { LINUX } from "./linux.js";

const FUTEX = LINUX.calls.FUTEX;

/**
 * Layout of the page, in bytes. `active`: whether anybody listens. `request`: 1 look, 2 leave; `ack`: our thread has
 * looked; `done`: our thread has exited; `callback`: what it calls.
 */
const PAGE = { active: 0, request: 4, ack: 8, done: 12, callback: 16 } as const;
/**
 * After the code, as offsets from the start of the page: `patience`, struct timespec for which the host's thread waits;
 * `state`, where the loader says what it is doing; `original`, the loader's own word; `tick`, struct timespec after which
 * our thread calls unasked. A forked child keeps these.
 */
const FIXED = { patience: -64, state: -48, original: -40, tick: -32 } as const;
/** Bytes of the code, and of the page after it. */
const SIZE = 4096;
/** Values of `request`. */
const LOOK = 1;
const LEAVE = 2;
/** What the loader says it is doing. Source: link.h. */
const RT_ADD = 1;
const RT_DELETE = 2;

// biome-ignore format: one line per instruction
const STUB: readonly number[] = [
  0x53,                                           // push rbx
  0x48, 0x8d, 0x1d, 0xf8, 0x0f, 0x00, 0x00,       // lea rbx, [rip+page]      (the stub's own page ends there)
  0x83, 0x3b, PAGE.active,                        // cmp dword [rbx], 0
  0x74, 0x6d,                                     // je out
  0x50, 0x51, 0x52, 0x56, 0x57,                   // push rax rcx rdx rsi rdi
  0x41, 0x50, 0x41, 0x51, 0x41, 0x52, 0x41, 0x53, // push r8 r9 r10 r11
  0x48, 0x8b, 0x43, 256 + FIXED.state,            // mov rax, [rbx+state]
  0x83, 0x38, RT_ADD,                             // cmp dword [rax], RT_ADD   (nothing is mapped yet)
  0x74, 0x4a,                                     // je done
  0xc7, 0x43, PAGE.ack, 0, 0, 0, 0,               // mov dword [rbx+ack], 0
  0xc7, 0x43, PAGE.request, LOOK, 0, 0, 0,        // mov dword [rbx+request], LOOK
  0xb8, FUTEX, 0x00, 0x00, 0x00,                  // mov eax, SYS_futex
  0x48, 0x8d, 0x7b, PAGE.request,                 // lea rdi, [rbx+request]
  0xbe, 0x81, 0x00, 0x00, 0x00,                   // mov esi, FUTEX_WAKE_PRIVATE
  0xba, 0x01, 0x00, 0x00, 0x00,                   // mov edx, 1
  0x0f, 0x05,                                     // syscall
  0xb8, FUTEX, 0x00, 0x00, 0x00,                  // wait: mov eax, SYS_futex
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
  0xb8, FUTEX, 0x00, 0x00, 0x00,                  // mov eax, SYS_futex
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
  0xb8, FUTEX, 0x00, 0x00, 0x00,                  // mov eax, SYS_futex
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

/** The layout shared by the script and this code. */
export const NOTICE = {
  size: SIZE,
  page: PAGE,
  fixed: FIXED,
  look: LOOK,
  leave: LEAVE,
  deleting: RT_DELETE,
  watchAt: WATCH_AT,
} as const;

/** The stub for the loader's function at the first byte, our thread's code at `watchAt`. */
export const NOTICE_CODE: readonly number[] = [...STUB, ...new Array<number>(WATCH_AT - STUB.length).fill(0), ...WATCH];

const RET = 0xc3;
const ENDBR64 = 0xfa1e0ff3;
/** Bytes found between functions: those of the no-ops assemblers pad with, and int3. */
const PADDING = new Set([0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x44, 0x80, 0x40, 0x00, 0x90, 0xcc]);
/** jmp +2: to the padding after the first eight bytes. */
const JUMP_OVER = 0x02eb;

/** What redirects the loader's function. */
export interface NoticeJump {
  /** The first eight bytes, written last and in one store. */
  readonly word: Word;
  /** What must already be in the padding after them; null: nothing. */
  readonly behind: readonly number[] | null;
}

/**
 * A jump from an empty function, in which a thread is either at the start or at the ret: "ret" becomes the jump; after an
 * endbr64, a short jump replaces the ret and skips to the padding. Null for any other function.
 * @param word its original first eight bytes
 * @param bytes its first sixteen as they are now
 */
export function noticeJump(at: Address, [low, high]: Word, bytes: Uint8Array, stub: Address): NoticeJump | null {
  const isPadding = (from: number, to: number) => bytes.slice(from, to).every((byte) => PADDING.has(byte));
  if ((low & 0xff) === RET && isPadding(1, ENTRY_SIZE)) return { word: entryJump(at, stub), behind: null };
  if (low >>> 0 !== ENDBR64) return null;
  const [jump, rest] = entryJump(at + ENTRY_SIZE, stub);
  const behind = [...[0, 8, 16, 24].map((shift) => (jump >>> shift) & 0xff), rest & 0xff];
  // An earlier session leaves this very jump in the padding: a thread may be about to run it.
  const left = behind.every((byte, i) => bytes[ENTRY_SIZE + i] === byte);
  const free = left
    ? isPadding(5, ENTRY_SIZE) && isPadding(ENTRY_SIZE + behind.length, bytes.length)
    : isPadding(5, bytes.length);
  if ((high & 0xffff) !== JUMP_OVER && !((high & 0xff) === RET && free)) return null;
  return { word: [low, ((high & 0xffff0000) | JUMP_OVER) >>> 0], behind };
}
