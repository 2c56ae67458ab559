/**
 * Machine code, per architecture: the only file that has any. x86_64 so far. Nothing here knows libraries or
 * generations; callers give addresses and get bytes written.
 */
import { ENTRY_NOPS, ENTRY_SIZE } from "../schemas/abi.js";
import { UNALIGNED } from "../schemas/names.js";

/** Bytes from one thunk to the next: the far form needs 20, rounded up so that no thunk straddles a cache line. */
export const THUNK_SIZE = 32;

/** Bytes of the jump that replaces the first instructions of a function without a mark: e9 rel32. */
export const PLAIN_JUMP_SIZE = 5;

/** The no-ops of marked entries, as the words that they are read in. */
const NOPS: ReadonlySet<string> = new Set(
  Object.values(ENTRY_NOPS).map((bytes) => (bytes.match(/../g) ?? []).reverse().join("")),
);

const REACH = 0x7fff0000;

/** An address as a number: user space has 47 bits, a double holds 53. Bulk work on NativePointers is 20 times slower. */
export type Address = number;

/** 8 bytes as two little-endian halves, low first. */
export type Word = readonly [low: number, high: number];

export const addressOf = (p: NativePointer): Address => Number(p.toString());

export const pointerTo = (address: Address): NativePointer => ptr(`0x${address.toString(16)}`);

/** Whether a 32-bit displacement leads from `from` to `to`, with room for the instruction itself. */
export const inReach = (from: Address, to: Address): boolean => Math.abs(to - from) < REACH;

const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** The word as text, for comparing and for errors. */
export const wordText = ([low, high]: Word): string => hex(high) + hex(low);

/** Why these 8 bytes at this address cannot be a patchable entry, or null when they can. */
export function entryProblem(entry: Address, word: Word): string | null {
  if (entry % ENTRY_SIZE !== 0) return UNALIGNED;
  const text = wordText(word);
  if (NOPS.has(text)) return null;
  return `its entry is not one ${ENTRY_SIZE}-byte no-op (it reads ${text.replace(/../g, "$& ").trim()}, last byte first)`;
}

/** The word that turns an entry into a jump to `thunk`: e9 rel32; 0f 1f 00 (a 3-byte nop). */
export function entryJump(entry: Address, thunk: Address): Word {
  const displacement = (thunk - (entry + 5)) >>> 0;
  return [(0xe9 | (displacement << 8)) >>> 0, (0x001f0f00 | (displacement >>> 24)) >>> 0];
}

/** The thunk an adopted entry leads to, or null when the entry is not a jump. */
export function thunkOf(entry: Address, [low, high]: Word): Address | null {
  if ((low & 0xff) !== 0xe9) return null;
  return entry + 5 + ((low >>> 8) | (high << 24) | 0);
}

/** The jump at the start of a function without a mark. */
export function plainJump(at: Address, thunk: Address): number[] {
  const displacement = (thunk - (at + PLAIN_JUMP_SIZE)) >>> 0;
  return [0xe9, ...[0, 8, 16, 24].map((shift) => (displacement >>> shift) & 0xff)];
}

/** Pushes a return address: with a jump behind it, a call that returns to another place. */
export function pushAddress(address: Address): number[] {
  const bytes = (half: number) => [0, 8, 16, 24].map((shift) => (half >>> shift) & 0xff);
  return [
    ...[0x68, ...bytes(address % 2 ** 32)], // 68 imm32                     push the low half (sign-extended)
    ...[0xc7, 0x44, 0x24, 0x04, ...bytes(Math.floor(address / 2 ** 32))], // mov dword [rsp+4], the high half
  ];
}

/**
 * Writes the jump through the running table into `code`, at `offset`. r11 is scratch at a function's entry in the SysV
 * and Win64 conventions, and the marks (noipa, weak) keep compilers from assuming more about a callee.
 * @param at where the thunk will run
 * @param epoch address of the pointer to the running table
 * @param index the function's place in every table
 */
export function writeThunk(code: DataView, offset: number, at: Address, epoch: Address, index: number): void {
  let o = offset;
  if (inReach(at, epoch)) {
    code.setUint32(o, 0x1d8b4c, true); // 4c 8b 1d disp32           mov r11, [rip + epoch]
    code.setInt32(o + 3, epoch - (at + 7), true);
    o += 7;
  } else {
    code.setUint16(o, 0xbb49, true); // 49 bb imm64                 movabs r11, epoch
    code.setUint32(o + 2, epoch % 2 ** 32, true);
    code.setUint32(o + 6, Math.floor(epoch / 2 ** 32), true);
    code.setUint32(o + 10, 0x1b8b4d, true); // 4d 8b 1b             mov r11, [r11]
    o += 13;
  }
  code.setUint32(o, 0xa3ff41, true); // 41 ff a3 disp32             jmp [r11 + 8 * index]
  code.setInt32(o + 3, index * 8, true);
}

/** `void store(pair *pairs, long count)`: writes each pair's word to its address, one aligned 8-byte store each. */
// biome-ignore format: one line per instruction
export const STORE_CODE: readonly number[] = [
  0x48, 0x85, 0xf6,                         // test rsi, rsi
  0x74, 0x13,                               // je done
  0x48, 0x8b, 0x07,                         // next: mov rax, [rdi]
  0x48, 0x8b, 0x57, 0x08,                   // mov rdx, [rdi+8]
  0x48, 0x89, 0x10,                         // mov [rax], rdx
  0x48, 0x83, 0xc7, 0x10,                   // add rdi, 16
  0x48, 0xff, 0xce,                         // dec rsi
  0x75, 0xed,                               // jne next
  0xc3,                                     // done: ret
];

/** Layout of the record a loader thread works on, in bytes from its start. */
export const LOAD_JOB = {
  dlopen: 0,
  dlerror: 8,
  strncpy: 16,
  path: 24,
  handle: 32,
  done: 40,
  mode: 44,
  error: 48,
  errorSize: 4048,
  size: 4096,
} as const;

/**
 * The body of a loader thread, `void *run(job *)`: dlopen, and dlerror's text copied while its thread still exists.
 * In host-owned memory, because a constructor may return long after the script was unloaded.
 */
// biome-ignore format: one line per instruction
export const LOADER_CODE: readonly number[] = [
  0x53,                                     // push rbx              (aligns the stack to 16)
  0x48, 0x89, 0xfb,                         // mov rbx, rdi
  0x48, 0x8b, 0x7b, LOAD_JOB.path,          // mov rdi, [rbx+path]
  0x8b, 0x73, LOAD_JOB.mode,                // mov esi, [rbx+mode]
  0xff, 0x13,                               // call [rbx]            dlopen
  0x48, 0x89, 0x43, LOAD_JOB.handle,        // mov [rbx+handle], rax
  0x48, 0x85, 0xc0,                         // test rax, rax
  0x75, 0x17,                               // jne done
  0xff, 0x53, LOAD_JOB.dlerror,             // call [rbx+8]          dlerror
  0x48, 0x85, 0xc0,                         // test rax, rax
  0x74, 0x0f,                               // je done
  0x48, 0x89, 0xc6,                         // mov rsi, rax
  0x48, 0x8d, 0x7b, LOAD_JOB.error,         // lea rdi, [rbx+error]
  0xba, 0xcf, 0x0f, 0x00, 0x00,             // mov edx, errorSize-1
  0xff, 0x53, LOAD_JOB.strncpy,             // call [rbx+16]         strncpy
  0xc7, 0x43, LOAD_JOB.done, 1, 0, 0, 0,    // done: mov dword [rbx+done], 1
  0x31, 0xc0,                               // xor eax, eax
  0x5b,                                     // pop rbx
  0xc3,                                     // ret
];

/** Layout of the record a hook's thread works on, in bytes from its start. */
export const HOOK_JOB = { function: 0, from: 8, to: 12, done: 16, size: 32 } as const;

/** `void *run(job *)`: function(from, to), then done. In host-owned memory, like the loader's. */
// biome-ignore format: one line per instruction
export const HOOK_CODE: readonly number[] = [
  0x53,                                     // push rbx
  0x48, 0x89, 0xfb,                         // mov rbx, rdi
  0x8b, 0x7b, HOOK_JOB.from,                // mov edi, [rbx+from]
  0x8b, 0x73, HOOK_JOB.to,                  // mov esi, [rbx+to]
  0xff, 0x13,                               // call [rbx]
  0xc7, 0x43, HOOK_JOB.done, 1, 0, 0, 0,    // mov dword [rbx+done], 1
  0x31, 0xc0,                               // xor eax, eax
  0x5b,                                     // pop rbx
  0xc3,                                     // ret
];
