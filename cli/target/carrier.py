"""The carrier: a thread of our own in the target, by which Frida enters and leaves.

Frida starts its agent by borrowing a thread and calling pthread_create() in it, wherever that thread stands. A thread that
stands inside malloc() then waits for itself, or destroys the heap; one that takes a SIGSEGV of its own is taken for one
that has come back; its vector registers are spoilt and its waits end with EINTR (docs/decisions/0014-the-carrier.md). So
we look for a thread at a quiet moment, have it call pthread_create() once, on a stack of ours, as a signal's handler
would, and give Frida the thread that comes of it. That one waits in futex() until it is told to leave.
"""
import os
import struct
import time

from image import DATA_SYMBOLS, RESTORER, SYSCALL_RET, Image, living_thread, state_of, threads_of
from ptrace import (
    NEVER_BLOCKED,
    NO_CALL,
    QUIET_MASK,
    RED_ZONE,
    RETURN,
    USER_CS,
    Tracee,
    Unfit,
    frame,
    frame_size,
    resumed,
    status_of,
    tracer_of,
    wait_until,
)

# How long to look for a quiet moment, between two looks, for the carrier to arrive, and to end.
QUIET_S, LOOK_S, ARRIVE_S, LEAVE_S = 8.0, 0.001, 5.0, 2.0
# s in which Frida comes to it for the last time (7 to 60 ms measured).
VISIT_S = 0.5
# s that a carrier waits for somebody to come, and after which it looks at its order again.
PATIENCE_S = 10

PAGE = 4096
# Code, data, and a stack on which the borrowed thread calls pthread_create(); untouched pages cost nothing.
CODE, DATA, STACK, SIZE = 0, PAGE, 2 * PAGE, 2 * PAGE + 256 * 1024
MAGIC = b"hotpatch carrier6"

# struct data: order u32, thread id u32, result i64, pthread_t, pthread_create, pthread_detach, patience (struct timespec),
# blocked signals u64, __register_atfork, whether that was called u32, who forks u32, the loader's locks u64 each and a zero,
# the carrier's stack pointer u64, whether /proc tells it who traces it u32 (not from another PID namespace).
ORDER, TID, RESULT, THREAD, CREATE, DETACH_, TIMEOUT, MASK, REGISTER, REGISTERED, FORKER, LOCKS, STACK_AT, TELLS = (
    *(0, 4, 8, 16, 24, 32, 40, 56, 64, 72, 76, 80, 120, 128),
)
MOST_LOCKS = 4
# Orders. A carrier that nobody has come for leaves when its patience ends; one that is used stays.
EXPECTED, USED, LEAVE = 0, 1, 2
NOT_YET = -1



def to_data(code_at, length, offset):
    """A displacement from the end of an instruction to the data."""
    return list(struct.pack("<i", DATA + offset - (code_at + length)))


# What the borrowed thread calls. rdi: data.
# fmt: off
LAUNCH = bytes([
    0x53,                                     # push rbx
    0x48, 0x89, 0xFB,                         # mov rbx, rdi
    0x48, 0x8D, 0x7B, THREAD,                 # lea rdi, [rbx+thread]
    0x31, 0xF6,                               # xor esi, esi
    0x48, 0x8D, 0x15, 0x0F, 0x00, 0x00, 0x00, # lea rdx, [rip+carry]
    0x48, 0x89, 0xD9,                         # mov rcx, rbx
    0xFF, 0x53, CREATE,                       # call [rbx+create]
    0x48, 0x98,                               # cdqe
    0x48, 0x89, 0x43, RESULT,                 # mov [rbx+result], rax
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
    0x90,                                     # nop
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
    0x75, 0x1D,                               # jne named
    0xC7, 0x43, REGISTERED, 1, 0, 0, 0,       # mov dword [rbx+registered], 1
    0x48, 0x8D, 0x3D, 0x52, 0x00, 0x00, 0x00, # lea rdi, [rip+before_fork]
    0x31, 0xF6,                               # xor esi, esi
    0x48, 0x8D, 0x15, 0x57, 0x00, 0x00, 0x00, # lea rdx, [rip+in_child]
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
BEFORE_FORK_AT = CODE + len(MAGIC) + len(LAUNCH) + len(CARRY)
# Of fork(): notes who forks.
BEFORE_FORK = bytes([
    0xB8, 0xBA, 0x00, 0x00, 0x00,             # mov eax, SYS_gettid
    0x0F, 0x05,                               # syscall
    0x89, 0x05, *to_data(BEFORE_FORK_AT + 7, 6, FORKER),  # mov [rip+forker], eax
    0xC3,                                     # ret
])
IN_CHILD_AT = BEFORE_FORK_AT + len(BEFORE_FORK)
# In the child: lets go of the loader's locks that threads held which are not in it. glibc itself does so for some of them.
IN_CHILD = bytes([
    0x48, 0x8D, 0x15, *to_data(IN_CHILD_AT, 7, LOCKS),        # lea rdx, [rip+locks]
    0x8B, 0x0D, *to_data(IN_CHILD_AT + 7, 6, FORKER),         # mov ecx, [rip+forker]
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
    0xC3,                                     # done: ret
])
PAD_AT = IN_CHILD_AT + len(IN_CHILD)
# Where Frida's calls in the carrier return to (cli/target/way_home.py): on to the fault that Frida waits for, if it is still
# there to trace us, by what /proc says; else the carrier leaves. rax: the result.
PAD = bytes([
    0x83, 0x3D, *to_data(PAD_AT, 7, TELLS), 0,    # cmp dword [rip+tells], 0
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
    0x48, 0x8D, 0x1D, *to_data(PAD_AT + 0x78, 7, 0),  # lost: lea rbx, [rip+data]
    0x48, 0x8B, 0x63, STACK_AT,               # mov rsp, [rbx+stack]
    0xC7, 0x43, TID, 0, 0, 0, 0,              # mov dword [rbx+tid], 0
    0x31, 0xC0,                               # xor eax, eax
    0x5B,                                     # pop rbx
    0xC3,                                     # ret
    *b"/proc/thread-self/status\0",           # path
])
# For threads that have lost their way home.
REST = bytes([
    0xB8, 0x22, 0x00, 0x00, 0x00,             # rest: mov eax, SYS_pause
    0x0F, 0x05,                               # syscall
    0xEB, 0xF7,                               # jmp rest
])
# fmt: on
PROGRAM = MAGIC + LAUNCH + CARRY + BEFORE_FORK + IN_CHILD + PAD + REST

# pthread_mutex_t: lock, count, owner, users, kind, spins (two halves), and the list of robust ones.
MUTEX = struct.Struct("<IIIIIIQQ")
RECURSIVE = 1

SYS_MMAP, SYS_MPROTECT, SYS_SIGRETURN, SYS_FUTEX = 9, 10, 15, 202
PROT_RW, PROT_RX = 3, 5
MAP_PRIVATE_ANONYMOUS = 0x22

# Waits that the kernel begins again by itself when we come: read, poll, select, pause, nanosleep, wait4, msgrcv, ...
TAKES_NO_HARM = {0, 7, 23, 34, 35, 61, 70, 130, 230, 247, 270, 271}
# Functions from which futex() is called by a thread that waits for its own program, not for a lock of an allocator.
WAITS = ("pthread_cond_", "pthread_join", "pthread_timedjoin", "pthread_clockjoin", "sem_", "pthread_barrier_", "syscall")
ALLOCATES = {
    *"malloc calloc realloc reallocarray free memalign posix_memalign aligned_alloc valloc pvalloc".split(),
    *"malloc_trim malloc_info mallinfo mallinfo2 malloc_stats fork vfork".split(),
}
# Bytes of a stack that are looked at for what a thread is in the middle of, and words for what it waits in.
LOOKED_AT, INNERMOST = 64 * 1024, 48


class NoCarrier(Exception):
    """The target cannot have one; it is as it was. The text says why."""


class Grounds:
    """What is known of a process before a thread of it is touched."""

    def __init__(self, tid):
        self.image = Image(tid)
        library, loader = self.image.c_library, self.image.loader
        self.c_library, self.loader = extent(library), extent(loader)
        self.call = self.image.find(library, SYSCALL_RET)
        self.restorer = self.image.find(library, RESTORER)
        functions = self.image.functions(library)
        named = {name: address for name, address, _ in functions}
        if "pthread_create" not in named:  # before glibc 2.34 it is in a library of its own
            more = self.image.functions(self.image.module(lambda name: name.startswith("libpthread")))
            named.update((name, address) for name, address, _ in more)
        self.create, self.detach = named.get("pthread_create"), named.get("pthread_detach")
        self.register = named.get("__register_atfork")
        if None in (self.call, self.restorer, self.create, self.detach, self.register):
            raise NoCarrier("its C library is not one that hotpatch knows")
        self.locks = self._locks_of(loader)
        self.knows_us = os.readlink("/proc/self/ns/pid") == os.readlink("/proc/%d/ns/pid" % tid)
        # Of the loader's functions one that nothing calls unless the process is profiled: a place for Frida to watch.
        unused = [at for name, at, _ in self.image.functions(loader) if name == "_dl_mcount"]
        self.unused = unused[0] - self.loader[0] if unused else None
        self.allocating = [(at, at + size) for name, at, size in functions if name in ALLOCATES]
        self.waiting = [(at, at + size) for name, at, size in functions if name.startswith(WAITS)]
        self._allocators = {}

    def _locks_of(self, loader):
        """
        Addresses of the loader's locks: recursive mutexes, one behind the other in its data (struct rtld_global, whose
        form differs between versions of glibc). Empty where there is no such row.
        """
        for name, at, size in self.image.functions(loader, DATA_SYMBOLS):
            if name == "_rtld_global":
                data = self.image.read(at, size)
                rows = (list(mutexes(data, start)) for start in range(0, len(data) - MUTEX.size, 8))
                row = max(rows, key=len)
                return [at + offset for offset in row[:MOST_LOCKS]] if len(row) > 1 else []
        return []

    def is_allocator(self, mapping):
        """Whether a module serves the program's malloc()."""
        if mapping.path not in self._allocators:
            module = [one for one in self.image.mappings if one.path == mapping.path]
            self._allocators[mapping.path] = any(name == "malloc" for name, _, _ in self.image.functions(module))
        return self._allocators[mapping.path]

    def stack(self, sp):
        """The words from the stack pointer up."""
        mapping = self.image.at(sp)
        end = sp + LOOKED_AT if mapping is None else min(mapping.end, sp + LOOKED_AT)
        data = self.image.read(sp & ~7, max(0, end - (sp & ~7)))
        return struct.unpack("<%dQ" % (len(data) // 8), data[: len(data) // 8 * 8])

    def is_busy(self, words):
        """Whether a stack may belong to a thread inside the allocator, the loader, or a signal's handler."""
        return any(
            word == self.restorer or (inside(word, [self.loader, *self.allocating]) and self.follows_call(word))
            for word in words
            if self.loader[0] <= word < self.loader[1] or self.c_library[0] <= word < self.c_library[1]
        )

    def follows_call(self, address):
        """Whether an address may be one that a function returns to: pointers to functions lie on stacks as well."""
        before = self.image.read(address - 7, 7)
        if len(before) < 7:
            return False
        # e8 rel32, or ff /2 with up to five bytes of operand.
        return before[2] == 0xE8 or any(before[-n] == 0xFF and before[1 - n] & 0x38 == 0x10 for n in (2, 3, 4, 6, 7))

    def is_computing(self, pc, words):
        """Whether a running thread is outside of everything that could hold a lock of the allocator or the loader."""
        mapping = self.image.at(pc)
        if mapping is None or inside(pc, [self.loader, self.c_library]) or self.is_busy(words):
            return False
        modules = {id(one): one for one in map(self.image.at, (pc, *words)) if one is not None and "x" in one.permissions}
        return not any(self.is_allocator(one) for one in modules.values() if not inside(one.start, [self.c_library]))


def mutexes(data, offset):
    """Offsets of the recursive mutexes that lie there one behind the other."""
    while offset + MUTEX.size <= len(data):
        _, count, _, users, kind, spins, *rest = MUTEX.unpack_from(data, offset)
        if kind != RECURSIVE or count > 16 or users > 16 or spins != 0 or rest != [0, 0]:
            return
        yield offset
        offset += MUTEX.size


def extent(mappings):
    return (mappings[0].start, mappings[-1].end) if mappings else (0, 0)


def inside(address, ranges):
    return any(start <= address < end for start, end in ranges)


def waiting_at(tid):
    """(number of the system call, pc, sp) of a thread that waits in one; None of one that runs, or is not ours to see."""
    try:
        with open("/proc/%d/syscall" % tid) as file:
            words = file.read().split()
    except OSError:
        return None
    if len(words) < 3 or words[0] == "-1":
        return None
    return int(words[0]), int(words[-1], 16), int(words[-2], 16)


RUNS = 5


def unfitness(grounds, tid):
    """How little a thread is fit to be borrowed, 0 best; RUNS: only a stop can tell; None: not at all."""
    state = state_of(tid)
    try:
        if state not in "RS" or tracer_of(tid) != 0:
            return None
    except OSError:
        return None  # it has ended
    place = waiting_at(tid)
    if place is None or state == "R":
        return RUNS
    number, pc, sp = place
    words = grounds.stack(sp)
    busy = grounds.is_busy(words)
    if number == SYS_FUTEX:
        if not inside(pc, [grounds.c_library]):
            mapping = grounds.image.at(pc)
            return None if busy or mapping is None or grounds.is_allocator(mapping) else 3
        waits = any(inside(word, grounds.waiting) for word in (pc, *words[:INNERMOST]))
        return None if busy or not waits else 2
    if busy:
        return 4  # a wait like this is not made inside an allocator: what lies on the stack is of earlier calls
    return 0 if number in TAKES_NO_HARM else 1


def borrow(pid, grounds):
    """A stopped thread at a quiet moment."""
    until = time.monotonic() + QUIET_S
    why = "none of its threads could be stopped"
    while time.monotonic() < until:
        ranked = [(unfitness(grounds, tid), tid) for tid in threads_of(pid)]
        for rank, tid in sorted((rank, tid) for rank, tid in ranked if rank is not None):
            try:
                return stopped_quietly(grounds, tid, rank)
            except (Unfit, OSError) as error:
                why = str(error)
        time.sleep(LOOK_S)
    raise NoCarrier("no quiet moment was found in any of its threads for %g s: %s" % (QUIET_S, why))


def stopped_quietly(grounds, tid, rank):
    tracee = Tracee(tid)
    try:
        registers = tracee.registers
        if registers["cs"] != USER_CS:
            raise Unfit("it is no 64-bit thread")
        if int(status_of(tid)["SigPnd"], 16) & NEVER_BLOCKED:
            raise Unfit("a signal of its own is on its way to it")
        # It may have gone on since it was looked at: then it is one that runs.
        runs = rank == RUNS or registers["orig_rax"] >> 63 != 0
        if runs and not grounds.is_computing(registers["rip"], grounds.stack(registers["rsp"])):
            raise Unfit("its threads are inside the allocator, the loader or the C library")
        return tracee
    except BaseException:
        tracee.leave()
        raise


class Carrier:
    """`tid` is the thread to give to Frida; `order` the address of its orders."""

    def __init__(self, pid, held=None):
        """held: the process's only thread, stopped by us already and to stay so."""
        self.pid = pid
        grounds = Grounds(living_thread(pid))
        self.image, self.unused_in_loader = grounds.image, grounds.unused
        tracee = borrow(pid, grounds) if held is None else held
        # Whatever happens from here on: the tracer's end lets the thread go, and it has its way back on the stack.
        try:
            base = have_thread_made(grounds, tracee)
        except Unfit as error:
            raise NoCarrier(str(error))
        finally:
            if held is None:
                tracee.detach()
        self.data = base + DATA
        self.order = self.data + ORDER
        if not wait_until(lambda: self._number("<I", TID) != 0 or self._number("<q", RESULT) > 0, ARRIVE_S):
            raise NoCarrier("a thread made in it did not start within %g s" % ARRIVE_S)
        error = self._number("<q", RESULT)
        if error > 0:
            raise NoCarrier("it can have no more threads: %s" % os.strerror(error))
        # What it calls itself; and what we do, where it lives in a PID namespace of its own.
        self.inner = self._number("<I", TID)
        self.tid = next((tid for tid in threads_of(pid) if own_name_of(tid) == self.inner), self.inner)

    def _number(self, form, offset):
        return struct.unpack(form, self.image.read(self.data + offset, struct.calcsize(form)))[0]

    def _command(self, order):
        self.image.write(self.order, struct.pack("<I", order))

    @property
    def is_there(self):
        """Whether its memory is: the process is the same program still."""
        try:
            return self.image.read(self.data - DATA + CODE, len(MAGIC)) == MAGIC
        except OSError:
            return False

    @property
    def pad(self):
        """Where Frida's calls are to return to."""
        return self.data - DATA + PAD_AT

    @property
    def rest(self):
        """Where code lies that waits for ever."""
        return self.data - DATA + CODE + len(PROGRAM) - len(REST)

    @property
    def dismissed(self):
        """Whether the agent has given its last order: it has put back what it changed."""
        return self._number("<I", ORDER) == LEAVE or self._number("<I", TID) == 0

    def stay(self):
        """Frida is in: the carrier waits for its order, however long that takes."""
        self._command(USED)

    @property
    def gone(self):
        return not os.path.exists("/proc/%d/task/%d" % (self.pid, self.tid))

    def leave(self, let_go=lambda: None):
        """
        Lets Frida go, and then the carrier. Whether it has ended. Frida comes back to it once more, some time after it was
        told to go: a thread that waits gives up the processor again after each stop.
        """
        try:
            before = rests(self.tid)
            let_go()
            wait_until(lambda: rests(self.tid) != before and tracer_of(self.tid) == 0, VISIT_S)
            if self._number("<I", TID) == self.inner:
                self._command(LEAVE)
                Tracee(self.tid).detach()  # a stop ends its wait: it looks at its order
        except (Unfit, OSError, struct.error):
            pass  # the process has ended, or the carrier will look by itself
        return wait_until(lambda: self.gone, LEAVE_S)


def own_name_of(tid):
    """A thread's id in the innermost PID namespace that it is in; None: it has ended."""
    try:
        return int(status_of(tid).get("NSpid", str(tid)).split()[-1])
    except OSError:
        return None


def rests(tid):
    """How often a thread has given up the processor by itself."""
    return int(status_of(tid)["voluntary_ctxt_switches"])


def have_thread_made(grounds, tracee):
    """Has a stopped thread call pthread_create(), and puts it back to where it was. Returns where the carrier's memory is."""
    registers, vectors, blocked = tracee.registers, tracee.vectors, tracee.blocked
    interrupted = tracee.pending(blocked)
    size = frame_size(vectors)

    def write_way_back(at):
        by_itself = resumed(registers, interrupted, True)
        grounds.image.write(at, frame(at, grounds.restorer, by_itself, vectors, blocked))
        return at + RETURN

    try:
        # Also what it has blocked itself: a thread that waits for a signal by sigwait() would get it by its handler.
        tracee.blocked = blocked | QUIET_MASK
        base = existing(grounds.image)
        if base is None:
            room = room_below(grounds.image, registers, size)
            base = mapped(grounds, tracee, registers, None if room is None else write_way_back(room))
        back = write_way_back((base + SIZE - size) & ~63)
        known = (EXPECTED, 0, NOT_YET, 0, grounds.create, grounds.detach, PATIENCE_S, 0, QUIET_MASK, grounds.register)
        grounds.image.write(base + DATA, struct.pack("<IIqQQQqqQQ", *known))
        locks = (grounds.locks + [0] * (MOST_LOCKS + 1))[: MOST_LOCKS + 1]
        grounds.image.write(base + DATA + LOCKS, struct.pack("<%dQ" % len(locks), *locks))
        grounds.image.write(base + DATA + TELLS, struct.pack("<I", grounds.knows_us))
        call = {"rip": base + CODE + len(MAGIC), "rdi": base + DATA, "rsp": back, "orig_rax": NO_CALL}
        tracee.registers = {**registers, **call}
        while True:
            tracee.wait_for_syscall()
            now = tracee.registers
            if now["orig_rax"] == SYS_SIGRETURN and now["rsp"] == back + 8:
                return base
    finally:
        # Back where it was, with what is left of its wait: the way by the frame would begin the wait anew.
        tracee.vectors = vectors
        tracee.blocked = blocked
        tracee.registers = resumed(registers, interrupted or tracee.pending(blocked), False)


def existing(image):
    """Where an earlier carrier's memory is, if nobody uses it."""
    for code, data in zip(image.mappings, image.mappings[1:]):
        fits = code.permissions == "r-xp" and code.path == "" and code.end - code.start == PAGE
        if not fits or data.start != code.end or data.end < code.start + SIZE:
            continue
        if image.read(code.start, len(MAGIC)) != MAGIC:
            continue
        tid = struct.unpack("<I", image.read(data.start + TID, 4))[0]
        if tid == 0 or all(own_name_of(one) != tid for one in threads_of(image.tid)):
            return code.start
    return None


def room_below(image, registers, size):
    """A place on a thread's own stack, below the red zone; None where the stack is not known to go on there."""
    sp, mapping = registers["rsp"], image.at(registers["rsp"])
    place = (sp - RED_ZONE - size) & ~63
    if mapping is None or place < mapping.start:
        return None
    # A coroutine's stack may end anywhere. The first thread's is marked, and glibc puts others' control block at their end.
    own = mapping.path == "[stack]" or (sp < registers["fs_base"] < mapping.end)
    return place if own else None


def mapped(grounds, tracee, registers, back):
    """Memory in the process, made by a thread of it. back: where the stack holds its way back, should we end meanwhile."""

    def call(number, *arguments):
        values = dict(zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments))
        stack = registers["rsp"] if back is None else back
        tracee.registers = {**registers, **values, "rax": number, "rip": grounds.call, "rsp": stack, "orig_rax": NO_CALL}
        tracee.wait_for_syscall()
        tracee.wait_for_syscall()
        return tracee.registers["rax"]

    base = call(SYS_MMAP, 0, SIZE, PROT_RW, MAP_PRIVATE_ANONYMOUS, NO_CALL, 0)
    if base > NO_CALL - PAGE:
        raise Unfit("the kernel gives it no more memory: %s" % os.strerror(NO_CALL - base + 1))
    grounds.image.write(base + CODE, PROGRAM)
    if call(SYS_MPROTECT, base + CODE, PAGE, PROT_RX) != 0:
        raise Unfit("the kernel lets it have no new code")
    return base
