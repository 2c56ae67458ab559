"""The functions that a module in this process imports: where their addresses are stored, and how to redirect them."""
import ctypes
import struct

DT_PLTRELSZ, DT_STRTAB, DT_SYMTAB, DT_JMPREL = 2, 5, 6, 23
RELOCATION, SYMBOL_SIZE = struct.Struct("<QQq"), 24


def lead(file, names, function):
    """Redirects calls to `names` from the module `file` to `function`, a ctypes function, if its table is writable."""
    for name, slot in imports(file):
        if name in names and is_writable(slot):
            ctypes.c_void_p.from_address(slot).value = ctypes.cast(function, ctypes.c_void_p).value


def imports(file):
    """(name, where its address is stored) of each function that a loaded module imports."""
    # The handle is the loader's struct link_map: base, name, dynamic section.
    base, _, at = (ctypes.c_size_t * 3).from_address(ctypes.CDLL(file)._handle)
    tables = {}
    while True:
        tag, value = (ctypes.c_size_t * 2).from_address(at)
        if tag == 0:
            break
        tables[tag], at = value, at + 16
    if DT_JMPREL not in tables:
        return
    # glibc has already added the base to addresses, other loaders have not.
    places = (tables[tag] for tag in (DT_SYMTAB, DT_STRTAB, DT_JMPREL))
    symbols, names, relocations = (place if place >= base else base + place for place in places)
    for place, info, _ in RELOCATION.iter_unpack(ctypes.string_at(relocations, tables[DT_PLTRELSZ])):
        name = ctypes.c_uint32.from_address(symbols + (info >> 32) * SYMBOL_SIZE).value
        yield ctypes.string_at(names + name), base + place


def is_writable(address):
    with open("/proc/self/maps") as maps:
        for line in maps:
            range_, permissions = line.split()[:2]
            start, end = (int(one, 16) for one in range_.split("-"))
            if start <= address < end:
                return "w" in permissions
    return False
