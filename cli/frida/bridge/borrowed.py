"""What a borrowed thread does for us: it maps memory for the carrier and calls pthread_create() once.

It does so on a stack of ours, like a signal handler, so that it finds its way back even if we are killed meanwhile. Normally
its tracer puts it back, which preserves the remaining time of its wait (docs/decisions/0014-the-carrier.md).
"""
import os
import struct
from contextlib import suppress

from carrier_code import (
    CARRY_AT,
    CODE,
    DATA,
    EVERY,
    EXPECTED,
    FORK_LOOK_NS,
    LAUNCH_AT,
    LOCKS,
    LOOK,
    MAGIC,
    MOST_LOCKS,
    PAGE,
    PROGRAM,
    RESULT,
    SIZE,
    STAY_NS,
    TELLS,
    TID,
)
from image import own_name_of, threads_of
from ptrace import CANCEL, EVERY_SIGNAL, NO_CALL, QUIET_MASK, RED_ZONE, RETURN, Unfit, frame, frame_size, resumed

# s that a carrier waits for somebody to come, and after which it checks its order again.
PATIENCE_S = 10

NOT_YET = -1

SYS_MMAP, SYS_MPROTECT = 9, 10
PROT_RW, PROT_RX = 3, 5
MAP_PRIVATE_ANONYMOUS = 0x22


def make_carrier(grounds, tracee):
    """Makes a stopped thread call pthread_create(), then puts it back. Returns the address of the carrier's memory."""
    registers, vectors, blocked = tracee.registers, tracee.vectors, tracee.blocked
    interrupted = tracee.pending(blocked)
    size = frame_size(vectors)

    def write_way_back(at):
        by_itself = resumed(registers, interrupted, True)
        grounds.image.write(at, frame(at, grounds.restorer, by_itself, vectors, blocked))
        return at + RETURN

    def put_back():
        """Preserves the remaining time of its wait: returning through the frame would restart the wait from the beginning."""
        tracee.vectors = vectors
        tracee.blocked = blocked
        tracee.registers = resumed(registers, interrupted or tracee.pending(blocked), False)

    try:
        # All of them: a handler would make system calls of its own, which we would mistake for ours.
        tracee.blocked = EVERY_SIGNAL
        base = existing(grounds.image)
        if base is None:
            room = room_below(grounds.image, registers, size)
            base = mapped(grounds, tracee, registers, None if room is None else write_way_back(room))
        back = write_way_back((base + SIZE - size) & ~63)
        write_data(grounds, base + DATA)
    except BaseException:
        with suppress(Unfit):  # it runs, and goes back by the frame
            put_back()
        raise
    # It must now answer setuid(), which holds a lock that pthread_create() needs. But no cancellation, which would unwind our
    # stack; and what it has blocked itself stays blocked: a thread in sigwait() would get the signal in a handler.
    tracee.blocked = blocked | QUIET_MASK | CANCEL
    tracee.registers = {**registers, "rip": base + LAUNCH_AT, "rdi": base + DATA, "rsp": back, "orig_rax": NO_CALL}
    tracee.run(lambda: grounds.image.read(base + DATA + RESULT, 8) != struct.pack("<q", NOT_YET))
    if base + LAUNCH_AT <= tracee.registers["rip"] < base + CARRY_AT:
        put_back()
    return base


def write_data(grounds, data):
    """Writes the data of the carrier's code; carrier_code.py has the layout."""
    known = (EXPECTED, 0, NOT_YET, 0, grounds.create, grounds.detach, PATIENCE_S, 0, QUIET_MASK, grounds.register)
    grounds.image.write(data, struct.pack("<IIqQQQqqQQ", *known))
    locks = (grounds.locks + [0] * (MOST_LOCKS + 1))[: MOST_LOCKS + 1]
    grounds.image.write(data + LOCKS, struct.pack("<%dQ" % len(locks), *locks))
    grounds.image.write(data + TELLS, struct.pack("<IIQI", grounds.knows_us, 0, grounds.exit_lock, 0))
    grounds.image.write(data + LOOK, struct.pack("<qq", 0, FORK_LOOK_NS))
    grounds.image.write(data + EVERY, struct.pack("<Qqq", EVERY_SIGNAL, 0, STAY_NS))


def existing(image):
    """The address of an earlier carrier's memory, if it is no longer in use."""
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
    """A place on a thread's own stack, below the red zone; None if the stack is not known to extend that far."""
    sp, mapping = registers["rsp"], image.at(registers["rsp"])
    place = (sp - RED_ZONE - size) & ~63
    if mapping is None or place < mapping.start:
        return None
    # A coroutine's stack may end anywhere. The first thread's is labelled, and glibc puts the other threads' control block at
    # the end of theirs.
    own = mapping.path == "[stack]" or (sp < registers["fs_base"] < mapping.end)
    return place if own else None


def mapped(grounds, tracee, registers, back):
    """Maps memory through a thread of the process. back: where its way back is on the stack, in case we die meanwhile."""

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
