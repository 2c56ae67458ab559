/** What Linux has for x86-64 alone: numbers of system calls, layouts, relocations. */
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
   * PTRACE_GETREGS, the number of registers that it writes, and which of them are rip and rsp (sys/user.h). Below the stack
   * pointer the psABI keeps a red zone of so many bytes.
   */
  registers: { GETREGS: 12, REGISTERS: 27, PROGRAM_COUNTER: 16, STACK_POINTER: 19, RED_ZONE: 128 },
  /** struct stat, in bytes: its inode, and more than its size. */
  stat: { inode: 8, size: 256 },
  /** Relocations that write an address of the module's own: of its base, and of one of its symbols. */
  relocations: { relative: R_X86_64.RELATIVE, symbol: R_X86_64.ABS64 },
} as const;
