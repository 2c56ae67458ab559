"""The carrier's code and data in the target, in one mapping: a page of code, a page of data, and a stack on which the borrowed
thread calls pthread_create(). x86_64.

It stays in the host: threads may be inside it at any time, and glibc has no way to unregister fork() handlers.
"""
import struct

PAGE = 4096
CODE, DATA, STACK, SIZE = 0, PAGE, 2 * PAGE, 2 * PAGE + 256 * 1024
MAGIC = b"hotpatch carrier9"

# struct data: order u32, thread id u32, result i64, pthread_t, pthread_create, pthread_detach, patience (struct timespec),
# blocked signals u64, __register_atfork, whether that was called u32, the forking thread's id u32, addresses of the loader's
# locks u64 each and a zero, the carrier's stack pointer u64, whether /proc tells it who traces it u32 (not from another PID
# namespace), the lock of exit()'s list u64, whether forks must wait u32, how many are in progress u32, how long to wait at a
# time (struct timespec); all signals u64, how long the borrowed thread stays (struct timespec).
ORDER, TID, RESULT, THREAD, CREATE, DETACH_, TIMEOUT, MASK = 0, 4, 8, 16, 24, 32, 40, 56
REGISTER, REGISTERED, FORKER, LOCKS, STACK_AT, TELLS, EXIT_LOCK = 64, 72, 76, 80, 120, 128, 136
GATE, FORKS, LOOK = 144, 148, 152
EVERY, STAY = 168, 176
MOST_LOCKS = 4
# Orders. A carrier that nobody has come for leaves when its patience runs out; one in use stays.
EXPECTED, USED, LEAVE = 0, 1, 2
# A fork waits for Frida this many times, this long each; then it continues regardless.
FORK_LOOKS, FORK_LOOK_NS = 200, 2_000_000
# How long the borrowed thread stays if nobody puts it back: its tracer is gone, or late.
STAY_NS = 250_000_000


def to(place, code_at, length):
    """The displacement from the end of an instruction to a place in the mapping."""
    return list(struct.pack("<i", place - (code_at + length)))


# Where each piece starts; they are contiguous.
CARRY_AT = CODE + len(MAGIC) + 86
BEFORE_FORK_AT = CARRY_AT + 147
AFTER_FORK_AT = BEFORE_FORK_AT + 91
IN_CHILD_AT = AFTER_FORK_AT + 8
PAD_AT = IN_CHILD_AT + 82

# What the borrowed thread calls. rdi: data. It then stays a while, with every signal blocked, to be put back by its tracer;
# else it returns by itself. Not in futex(), nanosleep() or poll(): for those the kernel saves the remaining time, in the very
# place where it has saved that of the wait the thread is to resume.
# fmt: off
LAUNCH = bytes([
    0x53,                                     # push rbx
    0x48, 0x89, 0xFB,                         # mov rbx, rdi
    0x48, 0x8D, 0x7B, THREAD,                 # lea rdi, [rbx+thread]
    0x31, 0xF6,                               # xor esi, esi
    0x48, 0x8D, 0x15, *to(CARRY_AT, CODE + len(MAGIC) + 0x0A, 7),  # lea rdx, [rip+carry]
    0x48, 0x89, 0xD9,                         # mov rcx, rbx
    0xFF, 0x53, CREATE,                       # call [rbx+create]
    0x4C, 0x63, 0xE0,                         # movsxd r12, eax
    0xB8, 0x0E, 0x00, 0x00, 0x00,             # mov eax, SYS_rt_sigprocmask
    0xBF, 0x02, 0x00, 0x00, 0x00,             # mov edi, SIG_SETMASK
    0x48, 0x8D, 0xB3, *struct.pack("<i", EVERY),  # lea rsi, [rbx+every]
    0x31, 0xD2,                               # xor edx, edx
    0x41, 0xBA, 0x08, 0x00, 0x00, 0x00,       # mov r10d, 8
    0x0F, 0x05,                               # syscall
    0x4C, 0x89, 0x63, RESULT,                 # mov [rbx+result], r12
    0xB8, 0x0F, 0x01, 0x00, 0x00,             # mov eax, SYS_ppoll
    0x31, 0xFF,                               # xor edi, edi
    0x31, 0xF6,                               # xor esi, esi
    0x48, 0x8D, 0x93, *struct.pack("<i", STAY),   # lea rdx, [rbx+stay]
    0x45, 0x31, 0xD2,                         # xor r10d, r10d
    0x41, 0xB8, 0x08, 0x00, 0x00, 0x00,       # mov r8d, 8
    0x0F, 0x05,                               # syscall
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
])
# The carrier. rdi: data.
CARRY = bytes([
    0x53,                                     # push rbx
    0x48, 0x89, 0xFB,                         # mov rbx, rdi
    0x64, 0x48, 0x8B, 0x3C, 0x25, 0x10, 0, 0, 0,  # mov rdi, fs:[0x10]   pthread_self()
    0xFF, 0x53, DETACH_,                      # call [rbx+detach]
    0xB8, 0x0E, 0x00, 0x00, 0x00,             # mov eax, SYS_rt_sigprocmask
    0xBF, 0x02, 0x00, 0x00, 0x00,             # mov edi, SIG_SETMASK
    0x48, 0x8D, 0x73, MASK,                   # lea rsi, [rbx+mask]
    0x31, 0xD2,                               # xor edx, edx
    0x41, 0xBA, 0x08, 0x00, 0x00, 0x00,       # mov r10d, 8
    0x0F, 0x05,                               # syscall
    0x83, 0x7B, REGISTERED, 0x00,             # cmp dword [rbx+registered], 0
    0x75, 0x22,                               # jne named
    0xC7, 0x43, REGISTERED, 1, 0, 0, 0,       # mov dword [rbx+registered], 1
    0x48, 0x8D, 0x3D, *to(BEFORE_FORK_AT, CARRY_AT + 0x35, 7),  # lea rdi, [rip+before_fork]
    0x48, 0x8D, 0x35, *to(AFTER_FORK_AT, CARRY_AT + 0x3C, 7),   # lea rsi, [rip+after_fork]
    0x48, 0x8D, 0x15, *to(IN_CHILD_AT, CARRY_AT + 0x43, 7),     # lea rdx, [rip+in_child]
    0x48, 0x89, 0xD9,                         # mov rcx, rbx
    0xFF, 0x53, REGISTER,                     # call [rbx+register]
    0xB8, 0xBA, 0x00, 0x00, 0x00,             # named: mov eax, SYS_gettid
    0x0F, 0x05,                               # syscall
    0x89, 0x43, TID,                          # mov [rbx+tid], eax
    0x48, 0x89, 0x63, STACK_AT,               # mov [rbx+stack], rsp
    0x8B, 0x13,                               # wait: mov edx, [rbx+order]
    0x83, 0xFA, LEAVE,                        # cmp edx, LEAVE
    0x74, 0x23,                               # je leave
    0xB8, 0xCA, 0x00, 0x00, 0x00,             # mov eax, SYS_futex
    0x48, 0x89, 0xDF,                         # mov rdi, rbx
    0xBE, 0x80, 0x00, 0x00, 0x00,             # mov esi, FUTEX_WAIT_PRIVATE
    0x4C, 0x8D, 0x53, TIMEOUT,                # lea r10, [rbx+timeout]
    0x45, 0x31, 0xC0,                         # xor r8d, r8d
    0x45, 0x31, 0xC9,                         # xor r9d, r9d
    0x0F, 0x05,                               # syscall
    0x83, 0x3B, EXPECTED,                     # cmp dword [rbx+order], EXPECTED
    0x75, 0xDB,                               # jne wait
    0x83, 0xF8, 0x92,                         # cmp eax, -ETIMEDOUT
    0x75, 0xD6,                               # jne wait
    0xC7, 0x43, TID, 0, 0, 0, 0,              # leave: mov dword [rbx+tid], 0
    0x31, 0xC0,                               # xor eax, eax
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
])
# Handler before fork(): waits while Frida is at work, whose threads hold C library locks that would never be released in the
# child; then records which thread forks.
BEFORE_FORK = bytes([
    0x53,                                     # push rbx
    0xBB, FORK_LOOKS, 0x00, 0x00, 0x00,       # mov ebx, looks
    0xF0, 0xFF, 0x05, *to(DATA + FORKS, BEFORE_FORK_AT + 0x06, 7),    # try: lock inc dword [rip+forks]
    0x83, 0x3D, *to(DATA + GATE, BEFORE_FORK_AT + 0x0D, 7), 0,        # cmp dword [rip+gate], 0
    0x74, 0x36,                               # je go
    0xF0, 0xFF, 0x0D, *to(DATA + FORKS, BEFORE_FORK_AT + 0x16, 7),    # lock dec dword [rip+forks]
    0xB8, 0xCA, 0x00, 0x00, 0x00,             # mov eax, SYS_futex
    0x48, 0x8D, 0x3D, *to(DATA + GATE, BEFORE_FORK_AT + 0x22, 7),     # lea rdi, [rip+gate]
    0xBE, 0x80, 0x00, 0x00, 0x00,             # mov esi, FUTEX_WAIT_PRIVATE
    0xBA, 0x01, 0x00, 0x00, 0x00,             # mov edx, 1
    0x4C, 0x8D, 0x15, *to(DATA + LOOK, BEFORE_FORK_AT + 0x33, 7),     # lea r10, [rip+look]
    0x0F, 0x05,                               # syscall
    0xFF, 0xCB,                               # dec ebx
    0x75, 0xC6,                               # jne try
    0xC7, 0x05, *to(DATA + GATE, BEFORE_FORK_AT + 0x40, 10), 0, 0, 0, 0,  # mov dword [rip+gate], 0   nobody opens it
    0xEB, 0xBA,                               # jmp try
    0xB8, 0xBA, 0x00, 0x00, 0x00,             # go: mov eax, SYS_gettid
    0x0F, 0x05,                               # syscall
    0x89, 0x05, *to(DATA + FORKER, BEFORE_FORK_AT + 0x53, 6),         # mov [rip+forker], eax
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
])
# Handler after fork(), in the parent.
AFTER_FORK = bytes([
    0xF0, 0xFF, 0x0D, *to(DATA + FORKS, AFTER_FORK_AT, 7),            # lock dec dword [rip+forks]
    0xC3,                                     # ret
])
# Handler after fork(), in the child: releases locks held by threads that do not exist there: the loader's, some of which glibc
# itself releases, and that of exit()'s list, which nobody holds across a fork.
IN_CHILD = bytes([
    0x48, 0xC7, 0x05, *to(DATA + GATE, IN_CHILD_AT, 11), 0, 0, 0, 0,  # mov qword [rip+gate], 0   nor are forks under way
    0x48, 0x8D, 0x15, *to(DATA + LOCKS, IN_CHILD_AT + 11, 7),        # lea rdx, [rip+locks]
    0x8B, 0x0D, *to(DATA + FORKER, IN_CHILD_AT + 18, 6),         # mov ecx, [rip+forker]
    0x48, 0x8B, 0x02,                         # next: mov rax, [rdx]
    0x48, 0x85, 0xC0,                         # test rax, rax
    0x74, 0x1F,                               # je done
    0x48, 0x83, 0xC2, 0x08,                   # add rdx, 8
    0x83, 0x38, 0x00,                         # cmp dword [rax], 0      not locked
    0x74, 0xEF,                               # je next
    0x39, 0x48, 0x08,                         # cmp [rax+8], ecx        by the thread that forked
    0x74, 0xEA,                               # je next
    0x48, 0xC7, 0x00, 0, 0, 0, 0,             # mov qword [rax], 0
    0x48, 0xC7, 0x40, 0x08, 0, 0, 0, 0,       # mov qword [rax+8], 0
    0xEB, 0xD9,                               # jmp next
    0x48, 0x8B, 0x05, *to(DATA + EXIT_LOCK, IN_CHILD_AT + 63, 7),  # done: mov rax, [rip+exit_lock]
    0x48, 0x85, 0xC0,                         # test rax, rax
    0x74, 0x06,                               # je out
    0xC7, 0x00, 0, 0, 0, 0,                   # mov dword [rax], 0
    0xC3,                                     # out: ret
])
# Where Frida's calls in the carrier return to (cli/frida/bridge/way_home.py): on to the fault that Frida waits for, if /proc
# says that it still traces us; else the carrier leaves. rax: the result.
PAD = bytes([
    0x83, 0x3D, *to(DATA + TELLS, PAD_AT, 7), 0,    # cmp dword [rip+tells], 0
    0x74, 0x69,                               # je fault
    0x49, 0x89, 0xC4,                         # mov r12, rax
    0x48, 0x81, 0xEC, 0x00, 0x04, 0x00, 0x00, # sub rsp, 1024
    0xB8, 0x01, 0x01, 0x00, 0x00,             # mov eax, SYS_openat
    0xBF, 0x9C, 0xFF, 0xFF, 0xFF,             # mov edi, AT_FDCWD
    0x48, 0x8D, 0x35, 0x6A, 0x00, 0x00, 0x00, # lea rsi, [rip+path]
    0x31, 0xD2,                               # xor edx, edx
    0x0F, 0x05,                               # syscall
    0x85, 0xC0,                               # test eax, eax
    0x78, 0x43,                               # js back
    0x41, 0x89, 0xC5,                         # mov r13d, eax
    0x31, 0xC0,                               # xor eax, eax            SYS_read
    0x44, 0x89, 0xEF,                         # mov edi, r13d
    0x48, 0x89, 0xE6,                         # mov rsi, rsp
    0xBA, 0xF8, 0x03, 0x00, 0x00,             # mov edx, 1016
    0x0F, 0x05,                               # syscall
    0x4C, 0x8D, 0x74, 0x04, 0xF4,             # lea r14, [rsp+rax-12]
    0xB8, 0x03, 0x00, 0x00, 0x00,             # mov eax, SYS_close
    0x44, 0x89, 0xEF,                         # mov edi, r13d
    0x0F, 0x05,                               # syscall
    0x48, 0x89, 0xE7,                         # mov rdi, rsp
    0x49, 0xB8, *b"TracerPi",                 # mov r8, "TracerPi"
    0x4C, 0x39, 0xF7,                         # next: cmp rdi, r14
    0x73, 0x10,                               # jae back
    0x4C, 0x39, 0x07,                         # cmp [rdi], r8
    0x74, 0x05,                               # je found
    0x48, 0xFF, 0xC7,                         # inc rdi
    0xEB, 0xF1,                               # jmp next
    0x80, 0x7F, 0x0B, 0x30,                   # found: cmp byte [rdi+11], "0"
    0x74, 0x09,                               # je lost
    0x4C, 0x89, 0xE0,                         # back: mov rax, r12
    0x68, 0x20, 0x03, 0x00, 0x00,             # fault: push 0x320
    0xC3,                                     # ret
    0x48, 0x8D, 0x1D, *to(DATA, PAD_AT + 0x78, 7),  # lost: lea rbx, [rip+data]
    0x48, 0x8B, 0x63, STACK_AT,               # mov rsp, [rbx+stack]
    0xC7, 0x43, TID, 0, 0, 0, 0,              # mov dword [rbx+tid], 0
    0x31, 0xC0,                               # xor eax, eax
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
    *b"/proc/thread-self/status\0",           # path
])
# For stranded threads (cli/frida/bridge/stranded.py).
REST = bytes([
    0xB8, 0x22, 0x00, 0x00, 0x00,             # rest: mov eax, SYS_pause
    0x0F, 0x05,                               # syscall
    0xEB, 0xF7,                               # jmp rest
])
# fmt: on
PROGRAM = MAGIC + LAUNCH + CARRY + BEFORE_FORK + AFTER_FORK + IN_CHILD + PAD + REST
LAUNCH_AT, REST_AT = CODE + len(MAGIC), CODE + len(PROGRAM) - len(REST)
starts = (CARRY_AT, BEFORE_FORK_AT, AFTER_FORK_AT, IN_CHILD_AT, PAD_AT, REST_AT)
assert starts == tuple(CODE + PROGRAM.index(one) for one in (CARRY, BEFORE_FORK, AFTER_FORK, IN_CHILD, PAD, REST))
