/**
 * The machine code our threads start in, and the store loop, in the System V calling convention. Self-contained; runs from
 * host-owned memory.
 */

/** `void store(pair *pairs, long count)`: writes each pair's word to its address, one aligned 8-byte store each. */
// biome-ignore format: one line per instruction
const STORE: readonly number[] = [
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

/** Layout of a loader thread's job, in bytes. */
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
 * The body of a loader thread, `void *run(job *)`: calls dlopen, and copies dlerror's text while the thread still exists.
 * In host-owned memory, because a constructor may return long after the script has been unloaded.
 */
// biome-ignore format: one line per instruction
const LOADER: readonly number[] = [
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

/** Layout of a hook thread's job, in bytes. */
export const HOOK_JOB = { function: 0, from: 8, to: 12, done: 16, size: 32 } as const;

/** `void *run(job *)`: calls function(from, to), then sets done. In host-owned memory, like the loader thread's. */
// biome-ignore format: one line per instruction
const HOOK: readonly number[] = [
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

const ALIGN = 16;
const INT3 = 0xcc;

const aligned = (code: readonly number[]): number[] => [
  ...code,
  ...new Array<number>((ALIGN - (code.length % ALIGN)) % ALIGN).fill(INT3),
];
const [store, loader] = [aligned(STORE), aligned(LOADER)];

/** All pieces in one, and the offset of each. */
export const THREAD_CODE: {
  readonly bytes: readonly number[];
  readonly offsets: Readonly<Record<"store" | "loader" | "hook", number>>;
} = {
  bytes: [...store, ...loader, ...HOOK],
  offsets: { store: 0, loader: store.length, hook: store.length + loader.length },
};
