"""What a process's threads execute and return to, read from outside. Linux x86_64.

A blocked thread is not disturbed: the kernel says where it is. A running one is stopped just long enough to read its
registers.
"""
import time

from image import Image, inside, living_thread, state_of, threads_of, waiting_at
from ptrace import Tracee, Unfit

# Time limit for all threads together; most bytes to read of one thread's stack.
LIMIT_S, DEEPEST = 1.5, 4 * 1024 * 1024


class TooSlow(Exception):
    """Not all threads could be examined in time."""


def addresses_on_stacks(pid, ranges):
    """
    For each thread, the addresses within ranges (pairs of start and end) that are its pc or lie on its stack: every return
    address and whatever looks like one, so an upper bound. Raises TooSlow, or OSError if the kernel forbids it.
    """
    until = time.monotonic() + LIMIT_S
    image = Image(living_thread(pid))
    image.read(image.mappings[0].start, 1)
    found = []
    for tid in threads_of(pid):
        if time.monotonic() > until:
            raise TooSlow
        place = place_of(tid)
        if place is not None:
            if image.at(place[1]) is None:
                image = Image(tid)  # it has begun since
            found.append(addresses_on_stack(image, place, ranges))
    return found


def place_of(tid):
    """A thread's (pc, sp); None: it has exited."""
    try:
        place = waiting_at(tid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    if place is not None:
        return place[1:]
    try:
        tracee = Tracee(tid)
    except Unfit:
        if state_of(tid) in "XZ":
            return None
        raise OSError("thread %d cannot be stopped" % tid)
    try:
        registers = tracee.registers
        return registers["rip"], registers["rsp"]
    finally:
        tracee.leave()  # it may have begun to wait meanwhile


def addresses_on_stack(image, place, ranges):
    """The addresses within ranges that a thread executes at or returns to. place: its (pc, sp)."""
    pc, sp = place
    if image.at(sp) is None:
        return []  # it has ended
    low, high = min(start for start, _ in ranges), max(end for _, end in ranges)
    return [word for word in (pc, *image.words(sp, DEEPEST)) if low <= word < high and inside(word, ranges)]
