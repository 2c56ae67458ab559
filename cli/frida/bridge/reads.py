"""Keeps Frida from reading shared memory that is not a library.

Frida searches everything a target has mapped for libraries. What it can open neither through the mapping nor by path, such
as unnamed shared memory, it reads in full from /proc/PID/mem, once for each library that its agent needs: four times the
shared buffers of a database, whose pages are resident from then on. It does so in our process, so we check the first bytes
for it, and for anything that does not start like a library return the zeros already in the buffer. Frida then moves on to
the next mapping, as it would after reading this one.
"""
import ctypes

from imports import lead

MAGIC = b"\x7fELF"
# Smaller reads are of what Frida has found. No file is read at offsets this large: they are addresses.
SMALL, LOWEST = 64 * 1024, 1 << 32

signature = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
pread = signature(("pread64", ctypes.CDLL(None)))


@signature
def sparing(fd, buffer, size, at):
    """pread() as Frida calls it: into a zeroed buffer."""
    if size > SMALL and at >= LOWEST:
        got = pread(fd, buffer, len(MAGIC), at)
        if got == len(MAGIC) and ctypes.string_at(buffer, got) != MAGIC:
            return size
    return pread(fd, buffer, size, at)


def spare_shared_memory(file):
    """`file`: Frida's module in this process. If its calls cannot be redirected, it keeps reading everything."""
    lead(file, (b"pread", b"pread64"), sparing)
