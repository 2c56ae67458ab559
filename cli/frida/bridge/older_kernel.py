"""Makes the Frida in this process believe the kernel is an older one: 5.5, which cannot duplicate another process's
descriptors (pidfd_getfd, 5.6).

Where it can, Frida creates a socket pair in the target when injecting its agent, and closes one end a moment later. A child
forked in that moment keeps the end open: the agent then waits for a peer that is not there, until Frida gives up after five
seconds (one in ten attaches to a host that forks 250 times a second). Nor could Frida fetch the other end: that works only
through a process's first thread, and Frida comes through the carrier. So we have it use its fallback, a named socket.
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
    """`file`: Frida's module in this process. If its calls cannot be redirected, attaching to such hosts is less reliable."""
    lead(file, (b"uname",), pretended)
