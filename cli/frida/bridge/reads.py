"""Keeps Frida from reading shared memory that is no library.

Frida looks for libraries through all that a target has mapped. What it can open neither by its mapping nor by its path, such
as shared memory without a name, it reads whole from /proc/PID/mem, once for each library that its agent needs: four times
the shared buffers of a database, whose pages are resident from then on. It does so in our process: we look at the first
bytes for it, and answer what does not begin as a library with the zeros that the buffer holds. Frida goes on to the next
mapping then, as it does after reading it.
"""
import ctypes

from imports import lead

MAGIC = b"\x7fELF"
# Smaller reads are of what Frida has found. No file is read at offsets like these: they are addresses.
SMALL, LOWEST = 64 * 1024, 1 << 32

signature = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
pread = signature(("pread64", ctypes.CDLL(None)))


@signature
def sparing(fd, buffer, size, at):
    """pread(), as Frida calls it: into a buffer of zeros."""
    if size > SMALL and at >= LOWEST:
        got = pread(fd, buffer, len(MAGIC), at)
        if got == len(MAGIC) and ctypes.string_at(buffer, got) != MAGIC:
            return size
    return pread(fd, buffer, size, at)


def spare_shared_memory(file):
    """`file`: Frida's module in this process. Where its calls cannot be led here, it goes on reading as it would."""
    lead(file, (b"pread", b"pread64"), sparing)
