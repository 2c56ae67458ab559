/**
 * Machine code, per architecture: the only file that has any. x86_64 so far. Nothing here knows libraries or
 * generations; callers give addresses and get bytes written.
 */

/** Bytes from one thunk to the next: the far form needs 20, rounded up so that no thunk straddles a cache line. */
export const THUNK_SIZE = 32;

/** Bytes of a marked function's entry: ONE aligned instruction, replaced by one aligned store. */
export const ENTRY_SIZE = 8;

/** The 8-byte no-ops that the marks put at an entry, as little-endian words. */
const ENTRY_NOPS: ReadonlySet<string> = new Set([
  "0000000024a48d48", // 48 8d a4 24 00000000     lea 0(%rsp),%rsp          gcc ms_hook_prologue
  "0000020000841f0f", // 0f 1f 84 00 00020000     nopl 0x200(%rax,%rax)     clang patchable_function_entry(8,0), Rust
  "0000000000841f0f", // 0f 1f 84 00 00000000     nopl 0(%rax,%rax)         GNU as
]);

const REACH = 0x7fff0000;

/** Whether a 32-bit displacement leads from `from` to `to`, with room for the instruction itself. */
export function inReach(from: NativePointer, to: NativePointer): boolean {
  const distance = to.compare(from) >= 0 ? to.sub(from) : from.sub(to);
  return distance.compare(REACH) < 0;
}

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, "0");

/** The entry's word as text, for comparing and for errors. */
export const wordText = (word: UInt64): string => word.toString(16).padStart(16, "0");

/** Why this address cannot be a patchable entry, or null when it can. */
export function entryProblem(entry: NativePointer): string | null {
  if (!entry.and(ENTRY_SIZE - 1).isNull())
    return `its entry is not aligned to ${ENTRY_SIZE} bytes, so it cannot be replaced by one store`;
  const word = wordText(entry.readU64());
  if (ENTRY_NOPS.has(word)) return null;
  return `its entry is not one ${ENTRY_SIZE}-byte no-op (it reads ${word.replace(/../g, "$& ").trim()}, last byte first)`;
}

/** The word that turns an entry into a jump to `thunk`: e9 rel32; 0f 1f 00 (a 3-byte nop). */
export function entryJump(entry: NativePointer, thunk: NativePointer): UInt64 {
  const displacement = thunk.sub(entry.add(5)).toInt32();
  return uint64(`0x001f0f${hex(displacement, 8)}e9`);
}

/** The thunk an adopted entry leads to, or null when the entry is not a jump. */
export function thunkOf(entry: NativePointer): NativePointer | null {
  if (entry.readU8() !== 0xe9) return null;
  return entry.add(5).add(entry.add(1).readS32());
}

/**
 * Writes the jump through the running table. r11 is scratch at a function's entry in the SysV and Win64 conventions,
 * and the marks (noipa, weak) keep compilers from assuming more about a callee.
 * @param at where the bytes are written; the code runs at the same address
 * @param epoch address of the pointer to the running table
 * @param index the function's place in every table
 */
export function writeThunk(at: NativePointer, epoch: NativePointer, index: number): void {
  let p = at;
  if (inReach(at, epoch)) {
    p.writeByteArray([0x4c, 0x8b, 0x1d]); // 4c 8b 1d disp32        mov r11, [rip + epoch]
    p.add(3).writeS32(epoch.sub(p.add(7)).toInt32());
    p = p.add(7);
  } else {
    p.writeByteArray([0x49, 0xbb]); // 49 bb imm64                  movabs r11, epoch
    p.add(2).writePointer(epoch);
    p.add(10).writeByteArray([0x4d, 0x8b, 0x1b]); // 4d 8b 1b       mov r11, [r11]
    p = p.add(13);
  }
  p.writeByteArray([0x41, 0xff, 0xa3]); // 41 ff a3 disp32          jmp [r11 + 8 * index]
  p.add(3).writeS32(index * 8);
}

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
