"""Prints the seccomp filters of a process as JSON: a list of base64, each an array of struct sock_filter.

Runs as `python3 -I seccomp.py PID`. The process is stopped for the moment of asking, and goes on. Needs CAP_SYS_ADMIN in
the first user namespace. Source: ptrace(2), PTRACE_SECCOMP_GET_FILTER; linux/ptrace.h.
"""
import base64
import ctypes
import json
import os
import sys
import time

PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_SECCOMP_GET_FILTER = 0x420C
WALL = 0x40000000  # __WALL: also of a process that is no child of ours
ENOENT = 2  # no filter of this number
LIMIT_S = 10.0

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, address=None, data=None):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def wait_for_stop(pid):
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG | WALL)[0] == pid:
            return
        time.sleep(0.001)
    raise OSError("it did not stop within %d s" % LIMIT_S)


def filters(pid):
    found = []
    while True:
        try:
            length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found))
        except OSError as error:
            if error.errno == ENOENT:
                return found
            raise
        program = ctypes.create_string_buffer(8 * length)
        ptrace(PTRACE_SECCOMP_GET_FILTER, pid, len(found), program)
        found.append(base64.b64encode(program.raw).decode())


def main(pid):
    # Ending ends the tracing too, whatever happens in between; the process goes on.
    ptrace(PTRACE_SEIZE, pid)
    ptrace(PTRACE_INTERRUPT, pid)
    wait_for_stop(pid)
    try:
        print(json.dumps(filters(pid)))
    finally:
        ptrace(PTRACE_DETACH, pid)


try:
    main(int(sys.argv[1]))
except OSError as error:
    sys.exit(str(error))
