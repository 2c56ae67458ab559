"""Lets the Frida in this process take the kernel for an older one: 5.5, in which a descriptor cannot be taken from another
process (pidfd_getfd, 5.6).

Where it can, Frida's entering makes a pair of sockets in the target and closes one end a moment later. A child that the
target forks in that moment keeps the end open: the agent then waits for somebody who is not there, until Frida gives up after
five seconds (one in ten attaches to a host that forks 250 times a second). And the end could not be taken anyway: that works
by a process's first thread only, and Frida comes by the carrier. So it uses its other way, a socket with a name.
"""
import ctypes

from imports import lead

RELEASE, FIELD = 130, 65  # struct utsname
PRETENDED = b"5.5.0"

UNAME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
real = UNAME(("uname", ctypes.CDLL(None)))


@UNAME
def pretended(name):
    result = real(name)
    ctypes.memmove(name + RELEASE, PRETENDED.ljust(FIELD, b"\0"), FIELD)
    return result


def pretend_older_kernel(file):
    """`file`: Frida's module in this process. Where its calls cannot be led here, it enters such hosts less surely."""
    lead(file, (b"uname",), pretended)
