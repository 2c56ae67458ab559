"""Reduces Frida's memory footprint in our process."""
import ctypes
import importlib
import sys
import types

MADV_DONTNEED = 4


def import_frida():
    """
    Imports Frida's package without its asynchronous half, which is nearly as large again and pulls in asyncio: saves half of
    the time and 8 MB. A package that uses that half for more than names is imported whole.
    """
    unused = sys.modules["frida.aio"] = types.ModuleType("frida.aio")
    unused.__getattr__ = lambda name: type(name, (), {})
    try:
        return importlib.import_module("frida")
    except Exception:
        for name in [name for name in sys.modules if name.split(".")[0] == "frida"]:
            del sys.modules[name]
        return importlib.import_module("frida")


def give_back(file):
    """
    Frida's module contains its agents and helpers for all kinds of processes, and has read what it needs of them by now. Its
    unmodified pages and freed memory go back to the system; pages that are needed again are read again.
    """
    libc = ctypes.CDLL(None)
    for start, end in unchanged(file):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)


def unchanged(file):
    """(start, end) of a file's mappings that are not writable and have no modified pages."""
    found, range_, fits = [], "", False
    with open("/proc/self/smaps") as smaps:
        for line in smaps:
            words = line.split(None, 5)
            if not words[0].endswith(":"):
                range_, fits = words[0], "w" not in words[1] and words[-1].rstrip("\n") == file
            elif fits and words[0] == "Anonymous:" and words[1] == "0":
                start, end = range_.split("-")
                found.append((int(start, 16), int(end, 16)))
    return found
