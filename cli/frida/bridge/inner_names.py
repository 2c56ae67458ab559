"""Lets Frida find threads by the ids they have for themselves.

When a session ends, Frida waits until the thread that ran its loader is gone, then unmaps its code. It looks in /proc for the
id that the thread has reported: in a PID namespace that is not the id in our /proc, so the thread would seem to be gone at
once. It then crashed in unmapped code, and its host with it.
"""
import ctypes
import os
import re

from image import own_name_of, threads_of
from imports import lead

TASK = re.compile(rb"/proc/(\d+)/task/(\d+)")

signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, use_errno=True)
access = signature(("access", ctypes.CDLL(None)))


@signature
def by_own_name(path, mode):
    """access() as Frida calls it: also finds a thread by the id it has for itself."""
    found = access(path, mode)
    task = None if found == 0 or mode != os.F_OK else TASK.fullmatch(path)
    return 0 if task is not None and has_thread(int(task[1]), int(task[2])) else found


def has_thread(pid, own_name):
    try:
        return any(own_name_of(tid) == own_name for tid in threads_of(pid))
    except OSError:
        return False  # it has ended


def find_threads_by_own_name(file):
    """`file`: Frida's module in this process."""
    lead(file, (b"access",), by_own_name)
