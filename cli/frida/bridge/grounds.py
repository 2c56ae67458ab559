"""What is known of a process before any of its threads is touched, and which thread to borrow: one at a quiet moment.

A thread is quiet if it is outside everything that could hold a lock of the allocator, the loader or the C library: what it is
then made to call (cli/frida/bridge/borrowed.py) neither deadlocks nor corrupts the heap.
"""
import os
import re
import struct
import time
from contextlib import suppress

from carrier_code import MOST_LOCKS
from image import DATA_SYMBOLS, RESTORER, SYSCALL_RET, Image, inside, state_of, threads_of, waiting_at
from ptrace import NEVER_BLOCKED, USER_CS, Tracee, Unfit, status_of, tracer_of

# How long to look for a quiet moment, and how often.
QUIET_S, LOOK_S = 8.0, 0.001

# pthread_mutex_t: lock, count, owner, users, kind, spins (two halves), and the robust list.
MUTEX = struct.Struct("<IIIIIIQQ")
RECURSIVE = 1
# lock cmpxchg, and lea of an address in the module's data.
LOCK_CMPXCHG = re.compile(rb"\xf0\x0f\xb1")
LEA_RIP = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....)", re.DOTALL)

SYS_FUTEX = 202
# Waits that the kernel restarts by itself after our stop: read, poll, select, pause, nanosleep, wait4, msgrcv, ...
TAKES_NO_HARM = {0, 7, 23, 34, 35, 61, 70, 130, 230, 247, 270, 271}
# Functions that call futex() in a thread waiting for its own program rather than for an allocator's lock.
WAITS = ("pthread_cond_", "pthread_join", "pthread_timedjoin", "pthread_clockjoin", "sem_", "pthread_barrier_", "syscall")
ALLOCATES = {
    *"malloc calloc realloc reallocarray free memalign posix_memalign aligned_alloc valloc pvalloc".split(),
    *"malloc_trim malloc_info mallinfo mallinfo2 malloc_stats fork vfork".split(),
}
# Bytes of a stack to search for what a thread is in the middle of, and words to search for what it waits in.
LOOKED_AT, INNERMOST = 64 * 1024, 48


class NoCarrier(Exception):
    """The target cannot have a carrier; it is unchanged. The text says why."""


class Grounds:
    """What is known of a process before any of its threads is touched."""

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
            raise NoCarrier("hotpatch does not know its C library")
        self.locks = self._locks_of(loader)
        self.exit_lock = self._exit_lock(functions)
        self.knows_us = os.readlink("/proc/self/ns/pid") == os.readlink("/proc/%d/ns/pid" % tid)
        # A loader function that nothing calls unless the process is being profiled: a harmless place for Frida to hook.
        unused = [at for name, at, _ in self.image.functions(loader) if name == "_dl_mcount"]
        self.unused = unused[0] - self.loader[0] if unused else None
        self.allocating = [(at, at + size) for name, at, size in functions if name in ALLOCATES]
        self.waiting = [(at, at + size) for name, at, size in functions if name.startswith(WAITS)]
        self._allocators = {}

    def _locks_of(self, loader):
        """
        Addresses of the loader's locks: consecutive recursive mutexes in its data (struct rtld_global, whose layout differs
        between glibc versions). Empty if there is no such run.
        """
        for name, at, size in self.image.functions(loader, DATA_SYMBOLS):
            if name == "_rtld_global":
                data = self.image.read(at, size)
                rows = (list(mutexes(data, start)) for start in range(0, len(data) - MUTEX.size, 8))
                row = max(rows, key=len)
                return [at + offset for offset in row[:MOST_LOCKS]] if len(row) > 1 else []
        return []

    def _exit_lock(self, functions):
        """
        Address of the lock of exit()'s list: the first that on_exit() and __cxa_atexit() take. 0 if they do not agree.
        """
        found = set()
        for name, at, size in functions:
            if name not in ("on_exit", "__cxa_atexit"):
                continue
            code = self.image.read(at, 256)
            if 5 <= size < len(code) and code[size - 5] == 0xE9:  # a jump at its end: it only adds an argument
                at += size + struct.unpack_from("<i", code, size - 4)[0]
                code = self.image.read(at, 256)
            first = LOCK_CMPXCHG.search(code)
            loads = [one for one in LEA_RIP.finditer(code) if first is not None and one.end() <= first.start()]
            found.add(at + loads[-1].end() + struct.unpack("<i", loads[-1][1])[0] if loads else 0)
        return found.pop() if len(found) == 1 else 0

    def is_allocator(self, mapping):
        """Whether a module implements the program's malloc()."""
        if mapping.path not in self._allocators:
            module = [one for one in self.image.mappings if one.path == mapping.path]
            self._allocators[mapping.path] = any(name == "malloc" for name, _, _ in self.image.functions(module))
        return self._allocators[mapping.path]

    def stack(self, sp):
        """The words from the stack pointer up."""
        return self.image.words(sp, LOOKED_AT)

    def is_busy(self, words):
        """Whether a stack may belong to a thread inside the allocator, the loader or a signal handler."""
        return any(
            word == self.restorer or (inside(word, [self.loader, *self.allocating]) and self.follows_call(word))
            for word in words
            if self.loader[0] <= word < self.loader[1] or self.c_library[0] <= word < self.c_library[1]
        )

    def follows_call(self, address):
        """Whether an address may be a return address: there are function pointers on stacks as well."""
        before = self.image.read(address - 7, 7)
        if len(before) < 7:
            return False
        # e8 rel32, or ff /2 with up to five bytes of operand.
        return before[2] == 0xE8 or any(before[-n] == 0xFF and before[1 - n] & 0x38 == 0x10 for n in (2, 3, 4, 6, 7))

    def is_computing(self, pc, words):
        """Whether a running thread is outside everything that could hold a lock of the allocator or the loader."""
        mapping = self.image.at(pc)
        if mapping is None or inside(pc, [self.loader, self.c_library]) or self.is_busy(words):
            return False
        modules = {id(one): one for one in map(self.image.at, (pc, *words)) if one is not None and "x" in one.permissions}
        return not any(self.is_allocator(one) for one in modules.values() if not inside(one.start, [self.c_library]))


def mutexes(data, offset):
    """Offsets of the consecutive recursive mutexes from there on."""
    while offset + MUTEX.size <= len(data):
        _, count, _, users, kind, spins, *rest = MUTEX.unpack_from(data, offset)
        if kind != RECURSIVE or count > 16 or users > 16 or spins != 0 or rest != [0, 0]:
            return
        yield offset
        offset += MUTEX.size


def extent(mappings):
    return (mappings[0].start, mappings[-1].end) if mappings else (0, 0)


def waits_in(tid):
    """(number, pc, sp) of a thread that waits in a system call; None for any other, or if we may not see it."""
    try:
        place = waiting_at(tid)
    except OSError:
        return None
    return place if place is not None and place[0] >= 0 else None


RUNS = 5


def unfitness(grounds, tid):
    """How unsuitable a thread is for borrowing, 0 being best; RUNS: only a stop can tell; None: not at all."""
    state = state_of(tid)
    try:
        if state not in "RS" or tracer_of(tid) != 0:
            return None
    except OSError:
        return None  # it has ended
    place = waits_in(tid)
    if place is None or state == "R":
        return RUNS
    return unfitness_in(grounds, *place)


def unfitness_in(grounds, number, pc, sp):
    """The same for a thread that waits in this system call."""
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


def borrow(pid, grounds, avoided):
    """A stopped thread at a quiet moment."""
    until = time.monotonic() + QUIET_S
    why = "none of its threads could be stopped"
    while time.monotonic() < until:
        ranked = [(unfitness(grounds, tid), tid) for tid in threads_of(pid) if tid not in avoided]
        for rank, tid in sorted((rank, tid) for rank, tid in ranked if rank is not None):
            try:
                return stopped_quietly(grounds, tid, rank)
            except (Unfit, OSError) as error:
                why = str(error)
        time.sleep(LOOK_S)
    raise NoCarrier("none of its threads reached a quiet moment within %g s: %s" % (QUIET_S, why))


def stopped_quietly(grounds, tid, rank):
    before = waits_in(tid)
    tracee = Tracee(tid)
    try:
        registers = tracee.registers
        if registers["cs"] != USER_CS:
            raise Unfit("it is not a 64-bit thread")
        if int(status_of(tid)["SigPnd"], 16) & NEVER_BLOCKED:
            raise Unfit("a signal is pending for it")
        # It may have moved on since it was examined: to seteuid(), say, which makes calls while holding a lock.
        call, pc, sp = registers["orig_rax"], registers["rip"], registers["rsp"]
        if rank != RUNS and before is not None and (before[0], before[2]) == (call, sp):
            quiet = unfitness_in(grounds, call, pc, sp) is not None
        else:
            quiet = grounds.is_computing(pc, grounds.stack(sp))
        if not quiet:
            raise Unfit("its threads are inside the allocator, the loader or the C library")
        return tracee
    except BaseException:
        with suppress(Unfit):  # it has ended
            tracee.leave()
        raise
