"""Accepts only the target's own connections.

Frida's way in is a named socket (cli/frida/bridge/older_kernel.py), which every user of the machine can see and connect to
while it listens, some 10 ms: whoever came first would be taken for the target's agent, and given Frida's side of it. So before
Frida gets a connection, we check who the kernel says it is from.
"""
import ctypes
import errno
import os
import socket
import struct
from contextlib import contextmanager

from imports import lead

signature = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, use_errno=True
)
accept = signature(("accept4", ctypes.CDLL(None)))
expected = set()


@signature
def checked(listener, address, length, flags):
    """accept4(): a connection from elsewhere is closed, as if there had been none."""
    fd = accept(listener, address, length, flags)
    if fd >= 0 and is_public(listener) and caller(fd) not in expected:
        os.close(fd)
        ctypes.set_errno(errno.EAGAIN)
        return -1
    return fd


@signature
def checked_plain(listener, address, length, _):
    """accept()"""
    return checked(listener, address, length, 0)


def is_public(listener):
    with socket.socket(fileno=os.dup(listener)) as one:
        name = one.getsockname()
        return one.family == socket.AF_UNIX and isinstance(name, bytes)


def caller(fd):
    """The process at the other end."""
    with socket.socket(fileno=os.dup(fd)) as one:
        return struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


@contextmanager
def from_target(pid):
    expected.add(pid)
    try:
        yield
    finally:
        expected.discard(pid)


def check_callers(file):
    """`file`: Frida's module in this process."""
    lead(file, (b"accept4",), checked)
    lead(file, (b"accept",), checked_plain)
