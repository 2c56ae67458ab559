"""Lets a thread in which Frida has called a function return by itself if we are killed before the call returns.

Frida makes the function return to an unmapped address, 0x320, and catches the fault as its tracer. With the tracer gone, the
fault kills the host. So we replace the address that Frida writes with that of code in the target, which checks whether it is
still traced: if so it jumps to 0x320 itself, if not it makes the carrier leave (cli/frida/bridge/carrier.py).

Frida writes it from this process with syscall(process_vm_writev), so its calls to syscall() are redirected through a page of
ours. In machine code, as they are too frequent and too time-critical for Python.
"""
import ctypes
import mmap
import struct
import threading
from contextlib import contextmanager

from imports import lead

# Layout of the page: the address to return to, the C library's syscall(), and the page's size.
PAD, REAL, SIZE = 4096 - 16, 4096 - 8, 4096


def to(place, at, length):
    return list(struct.pack("<i", place - (at + length)))


# fmt: off
STUB = bytes([
    0x48, 0x81, 0xFF, 0x37, 0x01, 0x00, 0x00, # cmp rdi, SYS_process_vm_writev
    0x75, 0x22,                               # jne real
    0x48, 0x83, 0x7A, 0x08, 0x08,             # cmp qword [rdx+8], 8    bytes
    0x75, 0x1B,                               # jne real
    0x48, 0x8B, 0x02,                         # mov rax, [rdx]
    0x48, 0x81, 0x38, 0x20, 0x03, 0x00, 0x00, # cmp qword [rax], 0x320
    0x75, 0x0F,                               # jne real
    0x4C, 0x8B, 0x1D, *to(PAD, 0x1C, 7),      # mov r11, [rip+pad]
    0x4D, 0x85, 0xDB,                         # test r11, r11
    0x74, 0x03,                               # je real
    0x4C, 0x89, 0x18,                         # mov [rax], r11
    0xFF, 0x25, *to(REAL, 0x2B, 6),           # real: jmp [rip+real]
])
# fmt: on


class WayHome:
    """One per process."""

    def __init__(self, file):
        """`file`: Frida's module in this process."""
        self._page = mmap.mmap(-1, SIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page[: len(STUB)] = STUB
        real = ctypes.cast(ctypes.CDLL(None).syscall, ctypes.c_void_p).value
        self._page[REAL : REAL + 8] = struct.pack("<Q", real)
        self._lock = threading.Lock()
        lead(file, (b"syscall",), ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(self._page))))

    @contextmanager
    def to(self, pad):
        """Makes Frida's calls return to `pad` meanwhile, an address in the one target that it is working on."""
        with self._lock:
            self._page[PAD : PAD + 8] = struct.pack("<Q", pad)
            try:
                yield
            finally:
                self._page[PAD : PAD + 8] = bytes(8)
