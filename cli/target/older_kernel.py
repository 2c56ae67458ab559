"""Lets the Frida in this process take the kernel for an older one: 5.5, in which a descriptor cannot be taken from another
process (pidfd_getfd, 5.6).

Where it can, Frida's entering makes a pair of sockets in the target and closes one end a moment later. A child that the
target forks in that moment keeps the end open: the agent then waits for somebody who is not there, until Frida gives up after
five seconds (one in ten attaches to a host that forks 250 times a second). And the end could not be taken anyway: that works
by a process's first thread only, and Frida comes by the carrier. So it uses its other way, a socket with a name.
"""
import ctypes
import struct

PT_DYNAMIC = 2
DT_STRTAB, DT_SYMTAB, DT_RELASZ, DT_JMPREL, DT_PLTRELSZ, DT_RELA = 5, 6, 8, 23, 2, 7
RELEASE, FIELD = 130, 65  # struct utsname
PRETENDED = b"5.5.0"

UNAME = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
real = UNAME(("uname", ctypes.CDLL(None)))


@UNAME
def pretended(name):
    result = real(name)
    ctypes.memmove(name + RELEASE, PRETENDED.ljust(FIELD, b"\0"), FIELD)
    return result


def pretend(path):
    """path: of Frida's loaded module, which calls uname() by its own table. Whether it was found there."""
    with open("/proc/self/maps") as maps:
        lines = [line.split() for line in maps if line.rstrip("\n").endswith(path)]
    if not lines:
        return False
    base = int(lines[0][0].split("-")[0], 16)
    tables = dynamic_of(base)
    for table, size in ((DT_JMPREL, DT_PLTRELSZ), (DT_RELA, DT_RELASZ)):
        for place, info, _ in struct.iter_unpack("<QQq", ctypes.string_at(base + tables[table], tables[size])):
            name = struct.unpack("<I", ctypes.string_at(base + tables[DT_SYMTAB] + (info >> 32) * 24, 4))[0]
            if info >> 32 and ctypes.string_at(base + tables[DT_STRTAB] + name) == b"uname":
                address = ctypes.cast(pretended, ctypes.c_void_p).value
                with open("/proc/self/mem", "r+b", buffering=0) as memory:  # read-only tables as well
                    memory.seek(base + place)
                    memory.write(struct.pack("<Q", address))
                return True
    return False


def dynamic_of(base):
    """The module's dynamic section by tag, as offsets from its base."""
    at, count = struct.unpack("<Q", ctypes.string_at(base + 32, 8))[0], struct.unpack("<H", ctypes.string_at(base + 56, 2))[0]
    for kind, _, _, address, _, _, size, _ in struct.iter_unpack("<IIQQQQQQ", ctypes.string_at(base + at, 56 * count)):
        if kind == PT_DYNAMIC:
            pairs = struct.iter_unpack("<qQ", ctypes.string_at(base + address, size))
            return {tag: value - base if value >= base else value for tag, value in pairs if tag > 0}
    raise ValueError("no dynamic section")
