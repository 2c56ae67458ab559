"""A process's mappings and its modules' functions, read from /proc while the process runs.

The C library's functions are looked up in the process's own memory, so that its mount namespace, its root directory or an
upgraded file makes no difference.
"""
import bisect
import os
import struct
from contextlib import contextmanager

from ptrace import status_of

PT_DYNAMIC, PT_LOAD = 2, 1
DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH = 4, 5, 6, 0x6FFFFEF5
# STT_FUNC and STT_GNU_IFUNC; STT_OBJECT
CODE_SYMBOLS, DATA_SYMBOLS = (2, 10), (1,)
SYMBOL = struct.Struct("<IBBHQQ")
# The C library's own instructions: syscall; ret, and the signal restorer, mov $SYS_rt_sigreturn,%rax; syscall.
SYSCALL_RET = b"\x0f\x05\xc3"
RESTORER = b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"


class Mapping:
    __slots__ = ("start", "end", "permissions", "offset", "path")

    def __init__(self, line):
        range_, self.permissions, offset, _, _, *path = line.split(None, 5)
        self.start, self.end = (int(one, 16) for one in range_.split("-"))
        self.offset = int(offset, 16)
        self.path = path[0].rstrip("\n") if path else ""

    @property
    def name(self):
        return os.path.basename(self.path)


class Image:
    """A process's mappings at the time of creation. `tid`: any live thread of it."""

    def __init__(self, tid):
        self.tid = tid
        with open("/proc/%d/maps" % tid) as maps:
            self.mappings = [Mapping(line) for line in maps]
        self.starts = [one.start for one in self.mappings]

    def at(self, address):
        """The mapping that contains an address, or None."""
        i = bisect.bisect_right(self.starts, address) - 1
        return self.mappings[i] if i >= 0 and address < self.mappings[i].end else None

    @contextmanager
    def memory(self, mode="rb"):
        with open("/proc/%d/mem" % self.tid, mode, buffering=0) as file:
            yield file

    def read(self, at, size):
        """Up to `size` bytes: as many as can be read."""
        with self.memory() as memory:
            try:
                return os.pread(memory.fileno(), size, at)
            except OSError:
                return b""

    def words(self, sp, most):
        """The words of the stack from `sp` up, at most `most` bytes."""
        mapping, start = self.at(sp), sp & ~7
        end = start + most if mapping is None else min(mapping.end, start + most)
        data = self.read(start, max(0, end - start))
        return struct.unpack("<%dQ" % (len(data) // 8), data[: len(data) // 8 * 8])

    def write(self, at, data):
        """Works even where the process itself may not write."""
        with self.memory("r+b") as memory:
            if os.pwrite(memory.fileno(), data, at) != len(data):
                raise OSError("the memory of thread %d cannot be written" % self.tid)

    def module(self, fits):
        """The mappings of the first module whose file name `fits`; empty if there is none."""
        first = next((one for one in self.mappings if one.path.startswith("/") and fits(one.name)), None)
        return [] if first is None else [one for one in self.mappings if one.path == first.path]

    @property
    def c_library(self):
        return self.module(lambda name: name.startswith("libc.so") or name.startswith("libc-2."))

    @property
    def loader(self):
        return self.module(lambda name: name.startswith("ld-linux") or name.startswith("ld-2."))

    def find(self, mappings, instructions):
        """The address of these instructions in a module's code, or None."""
        for one in mappings:
            if "x" in one.permissions:
                at = self.read(one.start, one.end - one.start).find(instructions)
                if at >= 0:
                    return one.start + at
        return None

    def functions(self, mappings, kinds=CODE_SYMBOLS):
        """A module's exported functions: (name, address, size), once per symbol version. `kinds` may ask for data instead."""
        tables = self._dynamic(mappings)
        if DT_SYMTAB not in tables or DT_STRTAB not in tables:
            return []
        base, (symbols, names) = mappings[0].start, (tables[DT_SYMTAB], tables[DT_STRTAB])
        # Every linker puts the string table after the symbols; if it is not there, we find nothing.
        if names <= symbols or names - symbols > 64 * 1024 * 1024:
            return []
        table = self.read(symbols, (names - symbols) // SYMBOL.size * SYMBOL.size)
        last = next((one.end for one in mappings if one.start <= names < one.end), names)
        text = self.read(names, last - names)
        found = []
        for name, info, _, section, value, size in SYMBOL.iter_unpack(table):
            if info & 15 in kinds and section != 0 and name < len(text):
                found.append((text[name : text.index(b"\0", name)].decode("latin-1"), base + value, size))
        return found

    def _dynamic(self, mappings):
        """The dynamic section's values by tag, as addresses."""
        if not mappings:
            return {}
        base = mappings[0].start
        header = self.read(base, 64)
        if header[:5] != b"\x7fELF\x02":
            return {}
        at, count = struct.unpack_from("<Q", header, 32)[0], struct.unpack_from("<H", header, 56)[0]
        for kind, _, _, address, _, _, size, _ in struct.iter_unpack("<IIQQQQQQ", self.read(base + at, 56 * count)):
            if kind == PT_DYNAMIC:
                pairs = struct.iter_unpack("<qQ", self.read(base + address, size))
                # glibc has already added the base, except in modules whose dynamic section is read-only.
                return {tag: value if value >= base else base + value for tag, value in pairs if tag > 0}
        return {}


def inside(address, ranges):
    return any(start <= address < end for start, end in ranges)


def waiting_at(tid):
    """
    (system call number, pc, sp) of a blocked thread, the number being -1 if it is not in a system call; None if it is
    running. Raises OSError if it has exited or we may not see it.
    """
    with open("/proc/%d/syscall" % tid) as file:
        number, *words = file.read().split()
    return (int(number), int(words[-1], 16), int(words[-2], 16)) if len(words) >= 2 else None


def threads_of(pid):
    return sorted(int(one) for one in os.listdir("/proc/%d/task" % pid))


def own_name_of(tid):
    """A thread's id in its innermost PID namespace; None: it has exited."""
    try:
        return int(status_of(tid).get("NSpid", str(tid)).split()[-1])
    except OSError:
        return None


def living_thread(pid):
    """A thread whose /proc entries show the process: the first thread may have exited before the others, and its are empty."""
    for tid in [pid, *threads_of(pid)]:
        if state_of(tid) not in "ZX":
            return tid
    raise OSError("process %d has exited" % pid)


def state_of(tid):
    try:
        with open("/proc/%d/stat" % tid, "rb") as stat:
            return stat.read().rsplit(b")", 1)[1].split()[0].decode()
    except (OSError, IndexError):
        return "X"
