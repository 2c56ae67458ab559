"""The carrier: a thread of our own in the target, by which Frida enters and leaves.

Frida starts its agent by borrowing a thread and calling pthread_create() in it, wherever that thread stands. A thread that
stands inside malloc() then waits for itself, or destroys the heap; one that takes a SIGSEGV of its own is taken for one
that has come back; its vector registers are spoilt and its waits end with EINTR (docs/decisions/0014-the-carrier.md). So
we look for a thread at a quiet moment, have it call pthread_create() once, on a stack of ours, as a signal's handler
would, and give Frida the thread that comes of it. That one waits in futex() until it is told to leave.
"""
import os
import re
import struct
import threading
import time
from contextlib import contextmanager, suppress

from carrier_code import (
    CODE,
    DATA,
    EXPECTED,
    FORK_LOOK_NS,
    FORKS,
    GATE,
    LAUNCH_AT,
    LEAVE,
    LOCKS,
    LOOK,
    MAGIC,
    MOST_LOCKS,
    ORDER,
    PAD_AT,
    PAGE,
    PROGRAM,
    RESULT,
    REST_AT,
    SIZE,
    TELLS,
    TID,
    USED,
)
from image import DATA_SYMBOLS, RESTORER, SYSCALL_RET, Image, living_thread, state_of, threads_of
from ptrace import (
    NEVER_BLOCKED,
    NO_CALL,
    QUIET_MASK,
    RED_ZONE,
    RETURN,
    USER_CS,
    DoesNotStop,
    Tracee,
    Unfit,
    frame,
    frame_size,
    on_own_thread,
    resumed,
    status_of,
    tracer_of,
    wait_until,
)

# How long to look for a quiet moment, between two looks, for the carrier to arrive, and to end.
QUIET_S, LOOK_S, ARRIVE_S, LEAVE_S = 8.0, 0.001, 5.0, 2.0
# s that forks that are under way may take.
FORKS_S = 0.05
# s in which Frida comes to it for the last time (7 to 60 ms measured).
VISIT_S = 0.5
# s that a carrier waits for somebody to come, and after which it looks at its order again.
PATIENCE_S = 10

NOT_YET = -1

# pthread_mutex_t: lock, count, owner, users, kind, spins (two halves), and the list of robust ones.
MUTEX = struct.Struct("<IIIIIIQQ")
RECURSIVE = 1
# lock cmpxchg, and lea of a place in the module's data.
LOCK_CMPXCHG = re.compile(rb"\xf0\x0f\xb1")
LEA_RIP = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....)", re.DOTALL)

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
        self.exit_lock = self._exit_lock(functions)
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

    def _exit_lock(self, functions):
        """
        Of the list of what exit() has to do: on_exit() and __cxa_atexit() take it first of all. 0 where they do not agree.
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
    return unfitness_in(grounds, *place)


def unfitness_in(grounds, number, pc, sp):
    """The same of one that waits in this system call."""
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
    raise NoCarrier("no quiet moment was found in any of its threads for %g s: %s" % (QUIET_S, why))


def stopped_quietly(grounds, tid, rank):
    before = waiting_at(tid)
    tracee = Tracee(tid)
    try:
        registers = tracee.registers
        if registers["cs"] != USER_CS:
            raise Unfit("it is no 64-bit thread")
        if int(status_of(tid)["SigPnd"], 16) & NEVER_BLOCKED:
            raise Unfit("a signal of its own is on its way to it")
        # It may have gone on since it was looked at: to seteuid(), say, which makes calls with a lock in its hand.
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


class Carrier:
    """`tid` is the thread to give to Frida; `order` the address of its orders."""

    def __init__(self, pid, held=None, avoided=()):
        """
        held: the process's only thread, stopped by us already and to stay so. avoided: threads that do not stop. To be
        made on a thread that ends afterwards, whatever comes of it: `carrier_in`.
        """
        self.pid = pid
        grounds = Grounds(living_thread(pid))
        self.image, self.unused_in_loader = grounds.image, grounds.unused
        tracee = borrow(pid, grounds, avoided) if held is None else held
        # Whatever happens from here on: the tracer's end lets the thread go, and it has its way back on the stack.
        try:
            base = have_thread_made(grounds, tracee)
        except Unfit as error:
            raise NoCarrier(str(error))
        finally:
            if held is None:
                let_go(tracee)
        self.data = base + DATA
        self.order = self.data + ORDER
        self._lock, self._at_work = threading.Lock(), 0
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

    @contextmanager
    def forks_waiting(self):
        """
        Meanwhile Frida is at work: its threads hold locks of the C library that would be held for ever in a child. Forks
        wait in a handler that fork() calls before it takes locks of its own, 0.4 s at most.
        """
        with self._lock:
            self._at_work += 1
            if self._at_work == 1:
                self._set_gate(1)
                wait_until(lambda: self._number("<I", FORKS) == 0, FORKS_S)
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                if self._at_work == 0:
                    self._set_gate(0)

    def _set_gate(self, closed):
        try:
            self.image.write(self.data + GATE, struct.pack("<I", closed))
        except OSError:
            pass  # the process has ended

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
        return self.data - DATA + REST_AT

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

    def leave(self, tell_frida=lambda: None):
        """
        Lets Frida go, and then the carrier. Whether it has ended. Frida comes back to it once more, some time after it was
        told to go: a thread that waits gives up the processor again after each stop.
        """
        try:
            before = rests(self.tid)
            tell_frida()
            wait_until(lambda: rests(self.tid) != before and tracer_of(self.tid) == 0, VISIT_S)
            if self._number("<I", TID) == self.inner:
                self._command(LEAVE)
                Tracee(self.tid).detach()  # a stop ends its wait: it looks at its order
        except (Unfit, DoesNotStop, OSError, struct.error):
            pass  # the process has ended, or the carrier will look by itself
        return wait_until(lambda: self.gone, LEAVE_S)


def own_name_of(tid):
    """A thread's id in the innermost PID namespace that it is in; None: it has ended."""
    try:
        return int(status_of(tid).get("NSpid", str(tid)).split()[-1])
    except OSError:
        return None


def carrier_in(pid):
    """A Carrier. Raises NoCarrier."""
    avoided = set()
    until = time.monotonic() + QUIET_S
    while True:
        try:
            return on_own_thread(lambda: Carrier(pid, None, avoided))
        except DoesNotStop as error:
            avoided.add(error.tid)
            if time.monotonic() > until:
                raise NoCarrier(str(error))


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
        grounds.image.write(base + DATA + TELLS, struct.pack("<IIQI", grounds.knows_us, 0, grounds.exit_lock, 0))
        grounds.image.write(base + DATA + LOOK, struct.pack("<qq", 0, FORK_LOOK_NS))
        call = {"rip": base + LAUNCH_AT, "rdi": base + DATA, "rsp": back, "orig_rax": NO_CALL}
        tracee.registers = {**registers, **call}
        while True:
            tracee.wait_for_syscall()
            now = tracee.registers
            if now["orig_rax"] == SYS_SIGRETURN and now["rsp"] == back + 8:
                return base
    finally:
        # Back where it was, with what is left of its wait: the way by the frame would begin the wait anew.
        try:
            tracee.vectors = vectors
            tracee.blocked = blocked
            tracee.registers = resumed(registers, interrupted or tracee.pending(blocked), False)
        except Unfit:
            pass  # it runs, in our code, and goes back by the frame


def let_go(tracee):
    try:
        tracee.detach()
    except Unfit:
        pass  # it runs, or has ended: the tracer's end lets it go


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
