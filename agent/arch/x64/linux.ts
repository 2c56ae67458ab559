/** What is specific to Linux on x86-64: system call numbers, layouts, relocations. */
import { R_X86_64 } from "../../../schemas/abi.js";

export const LINUX = {
  /** Source: arch/x86/entry/syscalls/syscall_64.tbl. */
  calls: {
    READ: 0,
    OPEN: 2,
    CLOSE: 3,
    YIELD: 24,
    EXIT: 60,
    WAIT4: 61,
    PTRACE: 101,
    PRCTL: 157,
    FUTEX: 202,
    GETDENTS64: 217,
    CLOCK_GETTIME: 228,
    PROCESS_VM_READV: 310,
  },
  /** Flag of open(2). */
  O_DIRECTORY: 0x10000,
  /**
   * PTRACE_GETREGS, the number of registers it writes, and the indices of rip and rsp among them (sys/user.h); the size in
   * bytes of the psABI's red zone below the stack pointer.
   */
  registers: { GETREGS: 12, REGISTERS: 27, PROGRAM_COUNTER: 16, STACK_POINTER: 19, RED_ZONE: 128 },
  /** struct stat, in bytes: the offset of the inode, and more than its size. */
  stat: { inode: 8, size: 256 },
  /** Relocations that write an address within the module: relative to its base, or of one of its symbols. */
  relocations: { relative: R_X86_64.RELATIVE, symbol: R_X86_64.ABS64 },
} as const;
