"""The carrier: a thread of our own in the target, by which Frida enters and leaves.

Frida starts its agent by borrowing a thread and calling pthread_create() in it, wherever that thread stands. A thread that
stands inside malloc() then waits for itself, or destroys the heap; one that takes a SIGSEGV of its own is taken for one
that has come back; its vector registers are spoilt and its waits end with EINTR (docs/decisions/0014-the-carrier.md). So
we look for a thread at a quiet moment, have it call pthread_create() once, on a stack of ours, as a signal's handler
would, and give Frida the thread that comes of it. That one waits in futex() until it is told to leave.
"""
import os
import struct
import threading
import time
from contextlib import contextmanager, suppress

from carrier_code import (
    BEFORE_FORK_AT,
    CARRY_AT,
    CODE,
    DATA,
    EVERY,
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
    STAY_NS,
    TELLS,
    TID,
    USED,
)
from grounds import QUIET_S, Grounds, NoCarrier, borrow
from image import living_thread, own_name_of, threads_of
from ptrace import (
    CANCEL,
    EVERY_SIGNAL,
    NO_CALL,
    QUIET_MASK,
    RED_ZONE,
    RETURN,
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

# How long to wait for the carrier to arrive, and to end.
ARRIVE_S, LEAVE_S = 5.0, 2.0
# s that forks that are under way may take.
FORKS_S = 0.05
# s in which Frida comes to it for the last time (7 to 60 ms measured), and after which Frida itself gives up.
VISIT_S, FRIDA_S = 0.5, 6.0
# s that a carrier waits for somebody to come, and after which it looks at its order again.
PATIENCE_S = 10

NOT_YET = -1

SYS_MMAP, SYS_MPROTECT = 9, 10
PROT_RW, PROT_RX = 3, 5
MAP_PRIVATE_ANONYMOUS = 0x22


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
        except (Unfit, OSError) as error:
            raise NoCarrier(str(error))
        finally:
            if held is None:
                let_go(tracee)
        self.data = base + DATA
        self.order = self.data + ORDER
        self._lock, self._at_work = threading.Lock(), 0
        if not wait_until(lambda: self._number("<I", TID) != 0 or self._number("<q", RESULT) > 0, ARRIVE_S):
            raise NoCarrier("a thread created in it did not start within %g s" % ARRIVE_S)
        error = self._number("<q", RESULT)
        if error > 0:
            raise NoCarrier("it cannot start another thread: %s" % os.strerror(error))
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
                with suppress(OSError, struct.error):  # the process has ended
                    self._set_gate(1)
                    wait_until(lambda: self._number("<I", FORKS) == 0, FORKS_S)
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                if self._at_work == 0:
                    with suppress(OSError):
                        self._set_gate(0)

    def _set_gate(self, closed):
        self.image.write(self.data + GATE, struct.pack("<I", closed))

    @property
    def is_there(self):
        """Whether its memory is: the process is the same program still."""
        try:
            return self.image.read(self.data - DATA + CODE, len(MAGIC)) == MAGIC
        except OSError:
            return False

    @property
    def home(self):
        """The addresses (from, to) between which it waits."""
        return self.data - DATA + CARRY_AT, self.data - DATA + BEFORE_FORK_AT

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
            # What Frida calls there must not return when we are gone.
            wait_until(lambda: tracer_of(self.tid) == 0, FRIDA_S)
            if self._number("<I", TID) == self.inner:
                self._command(LEAVE)
                Tracee(self.tid).detach()  # a stop ends its wait: it looks at its order
        except (Unfit, DoesNotStop, OSError, struct.error):
            pass  # the process has ended, or the carrier will look by itself
        return wait_until(lambda: self.gone, LEAVE_S)


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

    def put_back():
        """With what is left of its wait: the way by the frame would begin the wait anew."""
        tracee.vectors = vectors
        tracee.blocked = blocked
        tracee.registers = resumed(registers, interrupted or tracee.pending(blocked), False)

    try:
        # All of them: a handler would make system calls of its own, and they would be taken for ours.
        tracee.blocked = EVERY_SIGNAL
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
        grounds.image.write(base + DATA + EVERY, struct.pack("<Qqq", EVERY_SIGNAL, 0, STAY_NS))
    except BaseException:
        with suppress(Unfit):  # it runs, and goes back by the frame
            put_back()
        raise
    # It must answer setuid() now, which holds a lock that pthread_create() needs. But no cancellation, which would unwind our
    # stack; and what it has blocked itself stays so: one that waits by sigwait() would get the signal by its handler.
    tracee.blocked = blocked | QUIET_MASK | CANCEL
    tracee.registers = {**registers, "rip": base + LAUNCH_AT, "rdi": base + DATA, "rsp": back, "orig_rax": NO_CALL}
    tracee.run(lambda: grounds.image.read(base + DATA + RESULT, 8) != struct.pack("<q", NOT_YET))
    if base + LAUNCH_AT <= tracee.registers["rip"] < base + CARRY_AT:
        put_back()
    return base


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
        raise Unfit("it cannot get more memory from the kernel: %s" % os.strerror(NO_CALL - base + 1))
    grounds.image.write(base + CODE, PROGRAM)
    if call(SYS_MPROTECT, base + CODE, PAGE, PROT_RX) != 0:
        raise Unfit("the kernel does not let it map new code")
    return base
