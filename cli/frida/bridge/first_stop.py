"""Makes Frida stop a carrier only where it waits.

Frida calls the C library in the thread that it has stopped, wherever that is. In the handler with which a thread answers
setuid(), pthread_create() waits for a lock that the caller of setuid() holds until the handler returns: a deadlock. Frida
learns of a stop from waitpid(), so there we let a carrier that is elsewhere continue, and stop it again where it waits.
"""
import ctypes
import os
import time
from contextlib import contextmanager

from image import inside, waiting_at
from imports import lead
from ptrace import EVENT_STOP, SIGTRAP, DoesNotStop, Tracee, Unfit

# How long it may take to get there. If it is elsewhere for longer, Frida is done with the thread.
HOME_S = 2.0

signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.c_int, use_errno=True)
waitpid = signature(("waitpid", ctypes.CDLL(None)))
# Thread -> the address range (from, to) that it waits in.
homes = {}


@signature
def at_home(tid, status, options):
    """waitpid() as Frida calls it: reports a carrier's requested stop only where it waits."""
    found = waitpid(tid, status, options)
    if found <= 0 or found not in homes or not is_request(status[0]):
        return found
    home = homes[found]
    try:
        tracee = Tracee(found, seized=True)
        until = time.monotonic() + HOME_S
        while not inside(tracee.registers["rip"], [home]) and time.monotonic() < until:
            # At any stop another signal may come first, so it is stopped again where it waits.
            tracee.run(lambda: waits_at(found, home), HOME_S)
        return found
    except (Unfit, DoesNotStop, OSError):
        return 0  # it has ended, or Frida gives it up after a while


def waits_at(tid, home):
    place = waiting_at(tid)
    return place is not None and inside(place[1], [home])


def is_request(status):
    """Whether a thread stopped on request."""
    return os.WIFSTOPPED(status) and os.WSTOPSIG(status) == SIGTRAP and status >> 16 == EVENT_STOP


@contextmanager
def stops_at(tid, home):
    homes[tid] = home
    try:
        yield
    finally:
        del homes[tid]


def choose_first_stop(file):
    """`file`: Frida's module in this process."""
    lead(file, (b"waitpid",), at_home)
