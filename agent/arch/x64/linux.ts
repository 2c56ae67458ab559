/** What Linux has for x86-64 alone: numbers of system calls, layouts, relocations. */
import { R_X86_64 } from "../../../schemas/abi.js";

export const LINUX = {
  /** Source: arch/x86/entry/syscalls/syscall_64.tbl. */
  calls: { FUTEX: 202 },
  /** struct stat, in bytes: its inode, and more than its size. */
  stat: { inode: 8, size: 256 },
  /** Relocations that write an address of the module's own: of its base, and of one of its symbols. */
  relocations: { relative: R_X86_64.RELATIVE, symbol: R_X86_64.ABS64 },
} as const;
