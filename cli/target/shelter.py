"""Parks a thread of a process in a system call while Frida enters the process through it.

Frida borrows the main thread to start its agent, and gives back the general registers but not the vector registers; a
system call that the kernel does not restart by itself (epoll_wait, sigtimedwait, semop) fails with EINTR. Both were
measured: docs/decisions/0013-sheltering-the-main-thread.md. So the thread is stopped first, its state is saved, and it waits
in ppoll() until Frida is done; then it gets back all it had, and the system call it was in begins again.

Linux x86_64 with glibc. Knows nothing of Frida. Whatever goes wrong, the thread goes on. It is parked by one request, the
one that sets its registers, as if a signal's handler were at its end: on its stack, below the red zone, lies the frame
that rt_sigreturn restores everything from. Should we be killed, that happens by itself when ppoll() ends after WAIT_S.
"""
import ctypes
import os
import struct
import threading
import time
from contextlib import contextmanager

WAIT_S = 5
# How long a thread may take to stop (one in an uninterruptible wait never does), another tracer to be done with it when
# we come back, and Frida to come to it after it was told to go (7 to 60 ms measured).
STOP_S, BUSY_S, VISIT_S = 1.0, 2.0, 0.5

# linux/ptrace.h, linux/elf.h
CONT, GETREGS, SETREGS, DETACH = 7, 12, 13, 17
GETREGSET, SETREGSET, SEIZE, INTERRUPT, GETSIGMASK, SETSIGMASK = 0x4204, 0x4205, 0x4206, 0x4207, 0x420A, 0x420B
EVENT_STOP = 128
NT_X86_XSTATE = 0x202
WALL = 0x40000000
SIGTRAP = 5

REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
).split()
# struct sigcontext, asm/sigcontext.h
SIGCONTEXT = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags".split()
USER_CS = 0x33

SYS_RESTART, SYS_PPOLL = 219, 271
ERESTART = (-512, -513, -514)  # the kernel restarts these with the same arguments
ERESTART_BLOCK = -516  # and these with what is left of their time
EINTR = -4
# What signal(7) lists as failing with EINTR after a mere stop, and what does so on sockets that have a timeout: read,
# write, readv, writev, accept, send and receive, semop, semtimedop, sigtimedwait, io_getevents, epoll_wait and its kin.
BEGIN_AGAIN = {0, 1, 19, 20, 43, 44, 45, 46, 47, 65, 128, 208, 220, 232, 281, 288, 441}

# SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS are answers to an instruction, and must reach threads made meanwhile.
ALL_BUT_FAULTS = ~sum(1 << (n - 1) for n in (4, 5, 7, 8, 11, 31)) & (1 << 64) - 1

# The C library's own instructions: syscall; ret, and the signal restorer, mov $SYS_rt_sigreturn,%rax; syscall.
SYSCALL_RET = b"\x0f\x05\xc3"
RESTORER = b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"

# The frame, from an address that is a multiple of 64: ppoll's time, the restorer's address, to which syscall; ret goes,
# struct ucontext, and the vector state. ppoll, because it keeps what is left of its time here: poll would overwrite the
# place where the kernel keeps that of the system call that we interrupted, and a sleep of 20 ms then took 5 s.
TIME, RETURN, CONTEXT, XSTATE = 0, 56, 64, 1024
XSTATE_ROOM = 16 * 1024
RED_ZONE = 128

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Unsheltered(Exception):
    """It cannot be done here. The thread is as it was."""


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def signed(value):
    return value - (1 << 64) if value >> 63 else value


class Tracee:
    """A stopped thread. All calls must come from the thread that made it."""

    def __init__(self, tid):
        self.tid = tid
        self.call(SEIZE)
        try:
            self.call(INTERRUPT)
            self.wait_for_stop()
        except Unsheltered:
            raise
        except OSError as error:
            raise Unsheltered("the thread has ended: %s" % error)

    def call(self, request, address=0, data=0):
        if libc.ptrace(request, self.tid, address, data) < 0:
            raise Unsheltered("ptrace request %#x: %s" % (request, os.strerror(ctypes.get_errno())))

    def wait(self):
        until = time.monotonic() + STOP_S
        while time.monotonic() < until:
            _, status = os.waitpid(self.tid, os.WNOHANG | WALL)
            if status != 0:
                if not os.WIFSTOPPED(status):
                    raise Unsheltered("the thread has ended")
                return os.WSTOPSIG(status), status >> 16
            time.sleep(0.0005)
        raise Unsheltered("the thread does not stop")

    def wait_for_stop(self):
        while True:
            signal, event = self.wait()
            if event == EVENT_STOP:
                if signal == SIGTRAP:
                    return
                self.detach()
                raise Unsheltered("the process is stopped")
            self.call(CONT, 0, signal)  # one that was on its way: it is delivered, and then we stop

    def detach(self):
        self.call(DETACH)

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
        """Whether a signal waits that is not in `blocked`."""
        fields = status_of(self.tid)
        return (int(fields["SigPnd"], 16) | int(fields["ShdPnd"], 16)) & ~blocked != 0


class Memory:
    """What a process has mapped."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/maps" % pid) as maps:
            self.lines = [line.split(None, 5) for line in maps]

    def ranges(self, fits):
        for range_, permissions, _, _, _, *path in self.lines:
            if fits(permissions, path[0].strip() if path else ""):
                start, end = range_.split("-")
                yield int(start, 16), int(end, 16)

    def find(self, instructions):
        """Their address in the C library."""
        for start, end in self.ranges(lambda p, path: "x" in p and os.path.basename(path).startswith("libc.so")):
            with open("/proc/%d/mem" % self.pid, "rb") as memory:
                memory.seek(start)
                at = memory.read(end - start).find(instructions)
            if at >= 0:
                return start + at
        raise Unsheltered("its C library has other instructions")

    def below(self, stack_pointer, size):
        """A place for `size` bytes below the red zone, on the process's own first stack: coroutines' may have no room."""
        place = (stack_pointer - RED_ZONE - size) & ~63
        for start, end in self.ranges(lambda _, path: path == "[stack]"):
            if start <= place and stack_pointer < end:
                return place
        raise Unsheltered("its stack pointer is not in its first stack, or too low there")

    def write(self, at, data):
        with open("/proc/%d/mem" % self.pid, "r+b", buffering=0) as memory:
            memory.seek(at)
            if memory.write(data) != len(data):
                raise Unsheltered("its stack cannot be written")


def resumed(registers, interrupted, whole_time):
    """The registers with which a system call that our stop has ended begins again."""
    if signed(registers["orig_rax"]) < 0:
        return registers
    result, number = signed(registers["rax"]), registers["orig_rax"]
    if result in ERESTART or (result == EINTR and number in BEGIN_AGAIN and not interrupted):
        again = number
    elif result == ERESTART_BLOCK:
        again = number if whole_time else SYS_RESTART
    else:
        return registers
    return {**registers, "rax": again, "rip": registers["rip"] - 2, "orig_rax": (1 << 64) - 1}


def context(at, registers, vectors, blocked):
    """struct ucontext, such that rt_sigreturn restores all of it. asm/ucontext.h"""
    # uc_flags: FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS. Flags of uc_stack that nobody knows leave sigaltstack alone.
    head = struct.pack("<QQQiiQ", 7, 0, 0, 0x7FFF, 0, 0)
    general = struct.pack("<18Q", *(registers[name] for name in SIGCONTEXT))
    segments = struct.pack("<4H4QQ", registers["cs"] & 0xFFFF, 0, 0, registers["ss"] & 0xFFFF, 0, 0, 0, 0, at + XSTATE)
    mask = bytes(64) + struct.pack("<Q", blocked)
    # The kernel's own words of the vector state: magic, size with the second magic, features, size.
    features = struct.unpack_from("<Q", vectors, 464)[0]
    words = struct.pack("<IIQI", 0x46505853, len(vectors) + 4, features, len(vectors)).ljust(48, b"\0")
    state = vectors[:464] + words + vectors[512:] + struct.pack("<I", 0x46505845)
    return (head + general + segments + mask).ljust(XSTATE - CONTEXT, b"\0") + state


class Shelter:
    def __init__(self, tid):
        self.tid = tid
        memory = Memory(tid)
        call, restorer = memory.find(SYSCALL_RET), memory.find(RESTORER)
        tracee = Tracee(tid)
        try:
            self.registers, self.vectors, self.blocked = tracee.registers, tracee.vectors, tracee.blocked
            if self.registers["cs"] != USER_CS:
                raise Unsheltered("it is no 64-bit thread")
            if "shstk" in status_of(tid).get("x86_Thread_features", ""):
                raise Unsheltered("it has a shadow stack")
            self.interrupted = tracee.pending(self.blocked)
            at = memory.below(self.registers["rsp"], XSTATE + len(self.vectors) + 64)
            by_itself = resumed(self.registers, self.interrupted, True)
            frame = struct.pack("<qq", WAIT_S, 0).ljust(RETURN, b"\0") + struct.pack("<Q", restorer)
            memory.write(at, frame + context(at, by_itself, self.vectors, self.blocked))
            self.parked_at, self.parked_stack = call + 2, at + RETURN
            waiting = {"rax": SYS_PPOLL, "rdi": 0, "rsi": 0, "rdx": at + TIME, "r10": 0, "rip": call, "rsp": self.parked_stack}
            tracee.registers = {**self.registers, **waiting, "orig_rax": (1 << 64) - 1}
            tracee.blocked = self.blocked | ALL_BUT_FAULTS
        finally:
            tracee.detach()
        # From within ppoll() a visit can be told; a busy machine may take a while to get the thread there.
        wait_until(lambda: system_call_of(tid) == SYS_PPOLL, STOP_S)

    def wait_for_visit(self, before):
        """Until another tracer has stopped the thread and let it go. `before`: rests() of the thread before that."""

        def visited():
            return rests(self.tid) != before and tracer_of(self.tid) == 0 and system_call_of(self.tid) == SYS_PPOLL

        wait_until(visited, VISIT_S)

    def return_to(self):
        until = time.monotonic() + BUSY_S
        while True:
            try:
                return Tracee(self.tid)
            except Unsheltered:
                if time.monotonic() > until:
                    raise
            time.sleep(0.002)

    def leave(self):
        tracee = self.return_to()
        try:
            now = tracee.registers
            if now["rip"] not in (self.parked_at, self.parked_at - 2) or now["rsp"] != self.parked_stack:
                return  # it has gone on by itself
            interrupted = self.interrupted or tracee.pending(self.blocked)
            # The registers last: until then it stays parked, whatever happens to us.
            tracee.vectors = self.vectors
            tracee.blocked = self.blocked
            tracee.registers = resumed(self.registers, interrupted, False)
        finally:
            tracee.detach()


def on_own_thread(work):
    """Its result. A tracer's end lets go of what it traces, whatever state that is in."""
    result = []

    def run():
        try:
            result.append((work(), None))
        except Exception as error:
            result.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


def wait_until(true, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until and not true():
        time.sleep(0.0005)


def status_of(tid):
    with open("/proc/%d/status" % tid) as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def tracer_of(tid):
    return int(status_of(tid)["TracerPid"])


def rests(tid):
    """How often a thread has given up the processor by itself: a thread that waits does so again after each stop."""
    return int(status_of(tid)["voluntary_ctxt_switches"])


def system_call_of(tid):
    """Number of the system call that a thread waits in; None while it runs."""
    with open("/proc/%d/syscall" % tid) as words:
        number = words.read().split()[0]
    return int(number) if number.lstrip("-").isdigit() else None


@contextmanager
def sheltered(pid):
    """The main thread waits in a system call meanwhile; where that cannot be arranged, it does what it did."""
    try:
        shelter = on_own_thread(lambda: Shelter(pid))
    except (Unsheltered, OSError):
        shelter = None
    try:
        yield shelter
    finally:
        if shelter is not None:
            try:
                on_own_thread(shelter.leave)
            except (Unsheltered, OSError):
                pass  # it has ended, or goes on by itself in a while


@contextmanager
def sheltered_while_leaving(pid):
    """Until Frida has been at the main thread for the last time, some time after it was told to go."""
    with sheltered(pid) as shelter:
        try:
            before = rests(pid)
        except OSError:
            shelter = None  # it has ended
        yield
        if shelter is not None:
            try:
                shelter.wait_for_visit(before)
            except OSError:
                pass  # it has ended
