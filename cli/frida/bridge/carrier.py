"""The carrier: our own thread in the target, through which Frida enters and leaves.

Frida starts its agent by hijacking a thread and calling pthread_create() in it, wherever that thread happens to be. A thread
inside malloc() then deadlocks or corrupts the heap; one that raises a SIGSEGV of its own is mistaken for one that has
returned; its vector registers are clobbered and its waits fail with EINTR (docs/decisions/0014-the-carrier.md). So we wait
for a thread to be at a quiet moment, have it call pthread_create() once, on a stack of ours, like a signal handler, and
give Frida the new thread. That one waits in futex() until it is told to leave.
"""
import os
import struct
import threading
import time
from contextlib import contextmanager, suppress

from borrowed import make_carrier
from carrier_code import (
    BEFORE_FORK_AT,
    CARRY_AT,
    CODE,
    DATA,
    FORKS,
    GATE,
    LEAVE,
    MAGIC,
    ORDER,
    PAD_AT,
    REST_AT,
    RESULT,
    TID,
    USED,
)
from grounds import QUIET_S, Grounds, NoCarrier, borrow
from image import living_thread, own_name_of, threads_of
from ptrace import DoesNotStop, Tracee, Unfit, on_own_thread, status_of, tracer_of, wait_until

# How long to wait for the carrier to start, and to exit.
ARRIVE_S, LEAVE_S = 5.0, 2.0
# How long forks in progress may take, in s.
FORKS_S = 0.05
# s within which Frida uses it for the last time (7 to 60 ms measured), and after which Frida itself gives up.
VISIT_S, FRIDA_S = 0.5, 6.0


class Carrier:
    """`tid` is the thread to give to Frida, `order` the address of the carrier's order."""

    def __init__(self, pid, held=None, avoided=()):
        """
        held: the process's only thread, which we have stopped and which is to stay stopped. avoided: threads that do not
        stop. Must be created on a thread that exits afterwards, whatever the outcome: see `carrier_in`.
        """
        self.pid = pid
        grounds = Grounds(living_thread(pid))
        self.image, self.unused_in_loader = grounds.image, grounds.unused
        tracee = borrow(pid, grounds, avoided) if held is None else held
        # Whatever happens from here on, the tracer's exit releases the thread, and its way back is on the stack.
        try:
            base = make_carrier(grounds, tracee)
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
        # Its id for itself, and for us: they differ if the target is in a PID namespace of its own.
        self.inner = self._number("<I", TID)
        self.tid = next((tid for tid in threads_of(pid) if own_name_of(tid) == self.inner), self.inner)

    def _number(self, form, offset):
        return struct.unpack(form, self.image.read(self.data + offset, struct.calcsize(form)))[0]

    def _command(self, order):
        self.image.write(self.order, struct.pack("<I", order))

    @contextmanager
    def forks_waiting(self):
        """
        For while Frida is at work: its threads hold C library locks that would stay locked for ever in a child. Forks wait,
        0.4 s at most, in a handler that fork() calls before it takes its own locks.
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
        """Whether its memory is there: if so, the process is still running the same program."""
        try:
            return self.image.read(self.data - DATA + CODE, len(MAGIC)) == MAGIC
        except OSError:
            return False

    @property
    def home(self):
        """The address range (from, to) that it waits in."""
        return self.data - DATA + CARRY_AT, self.data - DATA + BEFORE_FORK_AT

    @property
    def pad(self):
        """The address Frida's calls should return to."""
        return self.data - DATA + PAD_AT

    @property
    def rest(self):
        """The address of code that waits for ever."""
        return self.data - DATA + REST_AT

    @property
    def dismissed(self):
        """Whether the agent has told it to leave: by then the agent has restored what it changed."""
        return self._number("<I", ORDER) == LEAVE or self._number("<I", TID) == 0

    def stay(self):
        """Frida is in: the carrier now waits for its order however long that takes."""
        self._command(USED)

    @property
    def gone(self):
        return not os.path.exists("/proc/%d/task/%d" % (self.pid, self.tid))

    def leave(self, tell_frida=lambda: None):
        """
        Releases Frida, then the carrier. Returns whether the carrier has exited. Frida uses it once more some time after it
        was told to leave, which shows: a waiting thread yields the processor again after each stop.
        """
        try:
            before = rests(self.tid)
            tell_frida()
            wait_until(lambda: rests(self.tid) != before and tracer_of(self.tid) == 0, VISIT_S)
            # Frida's call there must not return after we are gone.
            wait_until(lambda: tracer_of(self.tid) == 0, FRIDA_S)
            if self._number("<I", TID) == self.inner:
                self._command(LEAVE)
                Tracee(self.tid).detach()  # a stop ends its wait: it looks at its order
        except (Unfit, DoesNotStop, OSError, struct.error):
            pass  # the process has ended, or the carrier will look by itself
        return wait_until(lambda: self.gone, LEAVE_S)


def let_go(tracee):
    try:
        tracee.detach()
    except Unfit:
        pass  # it runs, or has ended: the tracer's end lets it go


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
    """How often a thread has voluntarily given up the processor."""
    return int(status_of(tid)["voluntary_ctxt_switches"])
