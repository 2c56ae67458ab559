"""Stops another process's thread, and resumes it as if nothing had happened.

Linux x86_64. A single request, the one that sets its registers, sends a stopped thread on its way: it first does what we want
and then, as if returning from a signal handler, has the kernel's rt_sigreturn restore its whole state from a frame that we
wrote. If we are killed meanwhile, the thread does all that by itself.

Knows nothing of Frida, nor of what is done with the thread.
"""
import ctypes
import os
import struct
import threading
import time

# How long a thread may take to stop (in an uninterruptible wait it never does), and to reach its next system call (it may
# have to wait for a lock).
STOP_S, CALL_S = 1.0, 8.0

# linux/ptrace.h, linux/elf.h
CONT, GETREGS, SETREGS, DETACH, SYSCALL = 7, 12, 13, 17, 24
GETREGSET, SETREGSET, SEIZE, INTERRUPT, GETSIGMASK, SETSIGMASK = 0x4204, 0x4205, 0x4206, 0x4207, 0x420A, 0x420B
TRACE_SYSGOOD, TRACE_EXEC = 1, 16
EVENT_EXEC, EVENT_STOP = 4, 128
NT_X86_XSTATE = 0x202
WALL = 0x40000000
SIGTRAP = 5
SYSCALL_STOP = SIGTRAP | 0x80

REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
).split()
# struct sigcontext, asm/sigcontext.h
SIGCONTEXT = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags".split()
USER_CS = 0x33
NO_CALL = (1 << 64) - 1

SYS_RESTART = 219
ERESTART = (-512, -513, -514)  # the kernel restarts these with the same arguments
ERESTART_BLOCK = -516  # and these with what is left of their time
EINTR = -4
# What signal(7) lists as failing with EINTR after a mere stop, and what does so on sockets with a timeout: read, write,
# readv, writev, accept, send and receive, semop, semtimedop, sigtimedwait, io_getevents, epoll_wait and its variants.
BEGIN_AGAIN = {0, 1, 19, 20, 43, 44, 45, 46, 47, 65, 128, 208, 220, 232, 281, 288, 441}

# Signals that must never be blocked, even while our own or a borrowed thread blocks the others: those an instruction raises
# (ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS), for which the kernel kills the process if they are blocked, whatever its handlers;
# and 32 and 33, which glibc uses to cancel threads and to change their user: setuid() waits for all threads to answer 33.
NEVER_BLOCKED = sum(1 << (n - 1) for n in (4, 5, 6, 7, 8, 11, 31, 32, 33))
EVERY_SIGNAL = (1 << 64) - 1
QUIET_MASK = EVERY_SIGNAL & ~NEVER_BLOCKED
CANCEL = 1 << 32 - 1

XSTATE_ROOM = 16 * 1024
RED_ZONE = 128
# Layout of a frame, from an address that is a multiple of 64: the restorer's address, to which syscall; ret returns, struct
# ucontext, and the vector state.
RETURN, CONTEXT, XSTATE = 56, 64, 1024

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Unfit(Exception):
    """This thread cannot be used, or not now. It is unchanged."""


class DoesNotStop(Exception):
    """The thread may stop later and would then stay stopped until its tracer exits: the tracing thread must exit now."""

    def __init__(self, tid):
        super().__init__("thread %d does not stop" % tid)
        self.tid = tid


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def status_of(tid):
    with open("/proc/%d/status" % tid) as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def tracer_of(tid):
    return int(status_of(tid)["TracerPid"])


def wait_until(true, seconds):
    """Polls `true`. Returns whether it became true in time."""
    start = time.monotonic()
    while not true():
        waited = time.monotonic() - start
        if waited > seconds:
            return False
        # A running thread stops within microseconds, and stays stopped for as long as we sleep.
        time.sleep(0 if waited < 0.001 else 0.0005)
    return True


def on_own_thread(work):
    """Runs `work` on a new thread and returns its result. A tracer's exit releases what it traces, whatever its state."""
    result = []

    def run():
        try:
            result.append((work(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


class Tracee:
    """A stopped thread. All calls must come from the thread that created this object."""

    def __init__(self, tid, seized=False):
        """seized: the calling thread has already stopped it."""
        self.tid = tid
        if seized:
            return
        self.call(SEIZE, 0, TRACE_SYSGOOD | TRACE_EXEC)
        try:
            self.call(INTERRUPT)
            self.wait_for_stop()
        except OSError as error:
            raise Unfit("the thread has exited: %s" % error)

    def call(self, request, address=0, data=0):
        if libc.ptrace(request, self.tid, address, data) < 0:
            raise Unfit("ptrace request %#x: %s" % (request, os.strerror(ctypes.get_errno())))

    def stop(self):
        """(signal, event) if it has stopped; None while it runs."""
        try:
            _, status = os.waitpid(self.tid, os.WNOHANG | WALL)
        except ChildProcessError:
            raise Unfit("the thread has exited")
        if status == 0:
            return None
        if not os.WIFSTOPPED(status):
            raise Unfit("the thread has exited")
        return os.WSTOPSIG(status), status >> 16

    def wait(self, seconds=STOP_S):
        """(signal, event) of a stop that is about to come. Raises DoesNotStop."""
        stop = None

        def stopped():
            nonlocal stop
            stop = self.stop()
            return stop is not None

        if not wait_until(stopped, seconds):
            raise DoesNotStop(self.tid)
        return stop

    def wait_for_stop(self):
        while self.passes_on(*self.wait()):
            pass

    def passes_on(self, signal, event):
        """True: it stopped for a signal that was already on its way, which is delivered. False: it stopped at our request."""
        if event == EVENT_STOP:
            if signal == SIGTRAP:
                return False
            self.detach()
            raise Unfit("the process is stopped")
        self.call(CONT, 0, signal if event == 0 else 0)
        return True

    def wait_for_syscall(self, seconds=CALL_S):
        """Runs it to its next system call entry or exit; signals that arrive first are delivered."""
        signal = 0
        while True:
            self.call(SYSCALL, 0, signal)
            signal, event = self.wait(seconds)
            if signal == SYSCALL_STOP:
                return
            if event != 0:
                signal = 0

    def run(self, arrived, seconds=CALL_S):
        """Runs it until `arrived` says so, then stops it; signals that arrive first are delivered."""

        def there():
            stop = self.stop()
            if stop is not None:
                self.passes_on(*stop)
            return stop is None and arrived()

        self.call(CONT)
        if not wait_until(there, seconds):
            raise DoesNotStop(self.tid)
        self.call(INTERRUPT)
        self.wait_for_stop()

    def detach(self):
        self.call(DETACH)

    def leave(self):
        """Detaches from a thread that we have not changed: a wait that only our stop interrupted is restarted."""
        try:
            registers = self.registers
            if signed(registers["rax"]) == EINTR:
                self.registers = resumed(registers, self.pending(self.blocked), False)
        finally:
            self.detach()

    @property
    def registers(self):
        buffer = ctypes.create_string_buffer(len(REGISTERS) * 8)
        self.call(GETREGS, 0, ctypes.addressof(buffer))
        return dict(zip(REGISTERS, struct.unpack("<27Q", buffer.raw)))

    @registers.setter
    def registers(self, values):
        buffer = ctypes.create_string_buffer(struct.pack("<27Q", *(values[name] for name in REGISTERS)))
        self.call(SETREGS, 0, ctypes.addressof(buffer))

    @property
    def vectors(self):
        buffer = ctypes.create_string_buffer(XSTATE_ROOM)
        vector = Vector(ctypes.addressof(buffer), XSTATE_ROOM)
        self.call(GETREGSET, NT_X86_XSTATE, ctypes.addressof(vector))
        return buffer.raw[: vector.size]

    @vectors.setter
    def vectors(self, values):
        buffer = ctypes.create_string_buffer(values)
        vector = Vector(ctypes.addressof(buffer), len(values))
        self.call(SETREGSET, NT_X86_XSTATE, ctypes.addressof(vector))

    @property
    def blocked(self):
        mask = ctypes.c_uint64()
        self.call(GETSIGMASK, 8, ctypes.addressof(mask))
        return mask.value

    @blocked.setter
    def blocked(self, signals):
        mask = ctypes.c_uint64(signals)
        self.call(SETSIGMASK, 8, ctypes.addressof(mask))

    def pending(self, blocked):
        """Whether a signal that is not in `blocked` is pending."""
        fields = status_of(self.tid)
        return (int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)) & ~blocked != 0


def resumed(registers, interrupted, by_itself):
    """
    The registers that restart a system call our stop interrupted. by_itself: after rt_sigreturn, which loses the remaining
    time of a wait: it then restarts with its full time.
    """
    if signed(registers["orig_rax"]) < 0:
        return registers
    result, number = signed(registers["rax"]), registers["orig_rax"]
    if result in ERESTART or (result == EINTR and number in BEGIN_AGAIN and not interrupted):
        again = number
    elif result == ERESTART_BLOCK:
        again = number if by_itself else SYS_RESTART
    else:
        # It has its result. We set these registers at another system call's entry, which would repeat this one: a second read().
        return {**registers, "orig_rax": NO_CALL}
    return {**registers, "rax": again, "rip": registers["rip"] - 2, "orig_rax": NO_CALL}


def frame_size(vectors):
    """Size of a frame in bytes, including room for its alignment."""
    return XSTATE + len(vectors) + 128


def frame(at, restorer, registers, vectors, blocked):
    """A signal frame to be written to `at`: returning to at + RETURN restores all of this. asm/ucontext.h"""
    # uc_flags: FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS. Unknown flags in uc_stack leave sigaltstack alone.
    head = struct.pack("<QQQiiQ", 7, 0, 0, 0x7FFF, 0, 0)
    general = struct.pack("<18Q", *(registers[name] for name in SIGCONTEXT))
    segments = struct.pack("<4H4QQ", registers["cs"] & 0xFFFF, 0, 0, registers["ss"] & 0xFFFF, 0, 0, 0, 0, at + XSTATE)
    mask = bytes(64) + struct.pack("<Q", blocked)
    # The kernel's own fields in the vector state: magic, size with the second magic, features, size.
    features = struct.unpack_from("<Q", vectors, 464)[0]
    words = struct.pack("<IIQI", 0x46505853, len(vectors) + 4, features, len(vectors)).ljust(48, b"\0")
    state = vectors[:464] + words + vectors[512:] + struct.pack("<I", 0x46505845)
    context = (head + general + segments + mask).ljust(XSTATE - CONTEXT, b"\0") + state
    return bytes(RETURN) + struct.pack("<Q", restorer) + context
