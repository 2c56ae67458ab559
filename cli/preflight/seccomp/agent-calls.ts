/**
 * The system calls that an agent makes in its target from attach to detach, with the arguments that filters inspect.
 * Source: perf record -e raw_syscalls:sys_enter over a session with a load, a switch, a rollback and an end; Frida
 * 17.26.2, glibc 2.36, x86_64. Pointers, lengths and descriptors stand for any: 0.
 */
import type { SystemCall } from "./bpf.js";

const call = (nr: number, ...args: number[]): SystemCall => ({ nr, args: args.map(BigInt) });

const PROT_NONE = 0;
const READ = 1;
const READ_WRITE = 3;
const READ_EXEC = 5;
const READ_WRITE_EXEC = 7;
const PRIVATE_ANONYMOUS = 0x22;

const AF_UNIX = 1;
const STREAM_CLOEXEC = 0x80001;

const mmap = (protection: number): SystemCall => call(9, 0, 4096, protection, PRIVATE_ANONYMOUS);
const mprotect = (protection: number): SystemCall => call(10, 0, 4096, protection);

/** Indispensable to the agent: even a filter that only returns an error rules it out. */
export const NEEDED_CALLS: ReadonlyMap<string, SystemCall> = new Map([
  ["mmap of code", mmap(READ_EXEC)],
  ["mmap of writable code", mmap(READ_WRITE_EXEC)],
  ["mprotect to code", mprotect(READ_EXEC)],
  ["mprotect to writable code", mprotect(READ_WRITE_EXEC)],
  ["memfd_create", call(319, 0, 1)],
  // How the agent connects to Frida: its descriptor cannot be fetched through a thread other than the process's first.
  ["socket", call(41, AF_UNIX, STREAM_CLOEXEC)],
  ["connect", call(42)],
]);

export const AGENT_CALLS: ReadonlyMap<string, SystemCall> = new Map([
  ...NEEDED_CALLS,
  ["mmap", mmap(PROT_NONE)],
  ["mmap of data", mmap(READ_WRITE)],
  ["mprotect to data", mprotect(READ)],
  ["read", call(0)],
  ["write", call(1)],
  ["close", call(3)],
  ["fstat", call(5)],
  ["poll", call(7)],
  ["lseek", call(8)],
  ["munmap", call(11)],
  ["rt_sigaction", call(13, 11, 0, 0, 8)],
  ["rt_sigprocmask", call(14, 2, 0, 0, 8)],
  ["rt_sigreturn", call(15)], // by cli/frida/bridge/ptrace.py, as restart_syscall
  ["ioctl", call(16, 0, 0xc0686611)],
  ["pread64", call(17)],
  ["access", call(21)],
  ["sched_yield", call(24)],
  ["madvise", call(28, 0, 4096, 4)],
  ["getpid", call(39)],
  ["sendto", call(44)],
  ["recvfrom", call(45)],
  ["sendmsg", call(46, 0, 0, 0x4000)],
  ["recvmsg", call(47)],
  ["getsockname", call(51)],
  ["getpeername", call(52)],
  ["socketpair", call(53, 1, 0x80001)],
  ["setsockopt", call(54, 0, 6, 1)],
  ["getsockopt", call(55, 0, 1, 9)],
  ["exit", call(60)],
  ["uname", call(63)],
  ["fcntl", call(72, 0, 2, 1)],
  ["ftruncate", call(77)],
  ["geteuid", call(107)],
  ["getegid", call(108)],
  ["sigaltstack", call(131)],
  ["prctl PR_GET_DUMPABLE", call(157, 3)],
  ["gettid", call(186)],
  ["futex", call(202)],
  ["sched_getaffinity", call(204)],
  ["restart_syscall", call(219)],
  ["openat", call(257)],
  ["newfstatat", call(262)],
  ["ppoll", call(271)],
  ["set_robust_list", call(273, 0, 24)],
  ["eventfd2", call(290, 0, 0x80800)],
  ["dup3", call(292)],
  ["pipe2", call(293)],
  ["process_vm_readv", call(310)],
  ["rseq", call(334, 0, 32, 0, 0x53053053)],
  ["clone3", call(435, 0, 88)],
]);
