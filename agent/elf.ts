/**
 * What a loaded module's own file says: sections and function symbols. Read by ourselves, because Gum's reader kills the
 * process when the file has been deleted or replaced since (docs/decisions/0004), which is what builds do.
 */
import { pageAlign } from "./memory.js";
import { MemoryGone, Peeked, peek } from "./peek.js";
import { type Address, addressOf, pointerTo } from "./thunk.js";

export interface Section {
  readonly name: string;
  readonly index: number;
  readonly start: NativePointer;
  readonly size: number;
}

export interface FunctionSymbol {
  readonly name: string;
  readonly address: Address;
  /** Source file of a static function, where .symtab tells it. */
  readonly file: string | null;
}

export interface ModuleFile {
  readonly sections: readonly Section[];
  /** Function symbols that lie in these sections or at these addresses, from .symtab and .dynsym. */
  functionsIn(sections: readonly Section[], addresses?: ReadonlySet<Address>): FunctionSymbol[];
}

/** Bytes at the module's base that must be in the file as well: headers, notes with the Build-ID, symbols. */
const COMPARED = 64 * 1024;
/** A string table up to this size is read in one go, in bytes. */
const STRINGS_AT_ONCE = 16 * 1024 * 1024;
const LONGEST_TABLE = 512 * 1024 * 1024;

const MAGIC = 0x464c457f;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PF_X = 1;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_DYNSYM = 11;
const STT_FUNC = 2;
const STT_FILE = 4;
const DT_NULL = 0;
const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_GNU_HASH = 0x6ffffef5;
const SYMBOL = 24;

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** Null when the file is not there or no longer the one that was mapped. @throws MemoryGone */
export function readModuleFile(path: string, base: NativePointer): ModuleFile | null {
  let file: File;
  try {
    file = new File(path, "rb");
  } catch {
    return null; // unlinked, or out of this process's reach
  }
  try {
    const segments = segmentsAt(base);
    if (segments === null || !sameStart(file, base, segments)) return null;
    return readTables(file, path, loadBias(base, segments));
  } catch (error) {
    if (error instanceof MemoryGone) throw error;
    return null; // shorter than its own tables say: being written
  } finally {
    file.close();
  }
}

function readTables(file: File, path: string, bias: NativePointer): ModuleFile | null {
  const header = new DataView(bytesAt(file, 0, 64));
  const headers = new DataView(bytesAt(file, u64(header, 40), 64 * header.getUint16(60, true)));
  const count = header.getUint16(60, true);
  const at = (i: number) => ({
    name: headers.getUint32(i * 64, true),
    type: headers.getUint32(i * 64 + 4, true),
    address: u64(headers, i * 64 + 16),
    offset: u64(headers, i * 64 + 24),
    size: u64(headers, i * 64 + 32),
    link: headers.getUint32(i * 64 + 40, true),
  });
  const namesIndex = header.getUint16(62, true);
  if (count === 0 || namesIndex >= count) return null;
  const names = strings(file, at(namesIndex));
  const all = Array.from({ length: count }, (_, i) => at(i));
  return {
    sections: all.flatMap((s, index) =>
      s.size === 0 || s.address === 0 || s.type === SHT_NOBITS
        ? []
        : [{ name: names(s.name), index, start: bias.add(s.address), size: s.size }],
    ),
    functionsIn(sections, addresses = new Set()) {
      const wanted = new Set(sections.map((s) => s.index));
      const again = new File(path, "rb");
      try {
        return all
          .filter((s) => s.type === SHT_SYMTAB || s.type === SHT_DYNSYM)
          .flatMap((table) => functionsOf(again, table, at(table.link), wanted, addresses, bias));
      } finally {
        again.close();
      }
    },
  };
}

function functionsOf(
  file: File,
  table: { readonly offset: number; readonly size: number },
  stringTable: { readonly offset: number; readonly size: number },
  wanted: ReadonlySet<number>,
  addresses: ReadonlySet<Address>,
  bias: NativePointer,
): FunctionSymbol[] {
  const words = new Uint32Array(bytesAt(file, table.offset, table.size - (table.size % SYMBOL)));
  const name = strings(file, stringTable);
  const found: FunctionSymbol[] = [];
  const start = addressOf(bias);
  let source: number | null = null;
  for (let i = 0; i < words.length; i += SYMBOL / 4) {
    const info = words[i + 1] ?? 0;
    const type = info & 15;
    if (type === STT_FILE) source = words[i] ?? 0;
    if (type !== STT_FUNC) continue;
    const address = start + (words[i + 2] ?? 0) + (words[i + 3] ?? 0) * 2 ** 32;
    if (!wanted.has(info >>> 16) && !addresses.has(address)) continue;
    const local = ((info >>> 4) & 15) === 0;
    found.push({
      name: name(words[i] ?? 0),
      address,
      file: local && source !== null ? name(source) : null,
    });
  }
  return found;
}

/**
 * Exported functions by the module's own tables in memory: all that is left when its file is gone. Null when the module
 * is no ELF image or has no symbol table.
 */
export function exportsInMemory(base: NativePointer): FunctionSymbol[] | null {
  const memory = new Peeked();
  const segments = segmentsAt(base, memory);
  const dynamic = dynamicAt(base, memory);
  if (segments === null || dynamic === null) return null;
  const { bias, tables: tags } = dynamic;
  const [symbols, names] = [tags.get(DT_SYMTAB), tags.get(DT_STRTAB)];
  const count = symbolCount(memory, tags.get(DT_HASH), tags.get(DT_GNU_HASH));
  if (symbols === undefined || names === undefined || count === 0) return null;
  const code = segments.filter((s) => s.type === PT_LOAD && (s.flags & PF_X) !== 0);
  const found: FunctionSymbol[] = [];
  for (let i = 0, p = addressOf(symbols); i < count; i++, p += SYMBOL) {
    if ((memory.u8(p + 4) & 15) !== STT_FUNC || memory.u16(p + 6) === 0) continue;
    const value = memory.u64(p + 8);
    if (!code.some((s) => value >= s.vaddr && value < s.vaddr + s.memorySize)) continue;
    const name = memory.text(addressOf(names) + memory.u32(p));
    found.push({ name, address: addressOf(bias) + value, file: null });
  }
  return found;
}

export interface DynamicTables {
  /** What is added to the file's addresses. */
  readonly bias: NativePointer;
  /** By DT_*: where a table is. */
  readonly tables: ReadonlyMap<number, NativePointer>;
  /** By DT_*: the plain number, for sizes. */
  readonly values: ReadonlyMap<number, number>;
}

/** The dynamic section of the image at `base`, from memory; null when there is none. @throws MemoryGone */
export function dynamicAt(base: NativePointer, memory = new Peeked()): DynamicTables | null {
  const segments = segmentsAt(base, memory);
  const dynamic = segments?.find((s) => s.type === PT_DYNAMIC);
  if (segments == null || dynamic === undefined) return null;
  const bias = loadBias(base, segments);
  const tables = new Map<number, NativePointer>();
  const values = new Map<number, number>();
  const start = addressOf(bias) + dynamic.vaddr;
  for (let p = start; p + 16 <= start + dynamic.memorySize; p += 16) {
    const tag = memory.u64(p);
    if (tag === DT_NULL) break;
    const value = memory.u64(p + 8);
    // glibc has added the bias already; other loaders leave the file's value.
    tables.set(tag, value >= addressOf(base) ? pointerTo(value) : bias.add(value));
    values.set(tag, value);
  }
  return { bias, tables, values };
}

/** DT_HASH holds the number of symbols; DT_GNU_HASH only where the last chain ends. */
function symbolCount(memory: Peeked, hash: NativePointer | undefined, gnu: NativePointer | undefined): number {
  if (hash !== undefined) return memory.u32(addressOf(hash) + 4);
  if (gnu === undefined) return 0;
  const at = addressOf(gnu);
  const buckets = memory.u32(at);
  const first = memory.u32(at + 4);
  const table = at + 16 + memory.u32(at + 8) * 8;
  let last = 0;
  for (let i = 0; i < buckets; i++) last = Math.max(last, memory.u32(table + i * 4));
  if (last < first) return first;
  const chains = table + buckets * 4;
  while ((memory.u32(chains + (last - first) * 4) & 1) === 0) last++;
  return last + 1;
}

/** The program headers of the image at `base`, from memory; null when there is no 64-bit ELF image. @throws MemoryGone */
function segmentsAt(base: NativePointer, memory = new Peeked()): Segment[] | null {
  const start = addressOf(base);
  if (memory.u32(start) !== MAGIC || memory.u8(start + 4) !== 2) return null;
  const table = start + memory.u64(start + 32);
  return Array.from({ length: memory.u16(start + 56) }, (_, i) => {
    const p = table + i * 56;
    return {
      type: memory.u32(p),
      flags: memory.u32(p + 4),
      offset: memory.u64(p + 8),
      vaddr: memory.u64(p + 16),
      fileSize: memory.u64(p + 32),
      memorySize: memory.u64(p + 40),
    };
  });
}

/** Where the first segment of this type is in memory; null when the image has none. */
export function segmentOf(base: NativePointer, type: number): NativePointer | null {
  const segments = segmentsAt(base) ?? [];
  const found = segments.find((s) => s.type === type);
  return found === undefined ? null : loadBias(base, segments).add(found.vaddr);
}

/** Bytes that the image at `base` takes from its first mapped byte to its last. */
export function imageSize(base: NativePointer): number {
  const loads = (segmentsAt(base) ?? []).filter((s) => s.type === PT_LOAD);
  const [first, last] = [loads[0], loads[loads.length - 1]]; // PT_LOAD entries are in ascending order
  if (first === undefined || last === undefined) throw new Error(`there is no ELF image at ${base}`);
  return pageAlign(last.vaddr + last.memorySize - (first.vaddr - first.offset));
}

/** What is added to the file's addresses. `base` is where the file's first byte is mapped. */
function loadBias(base: NativePointer, segments: readonly Segment[]): NativePointer {
  const first = segments.find((s) => s.type === PT_LOAD);
  return first === undefined ? base : base.sub(first.vaddr - first.offset);
}

/** The first segment is never written at run time (headers, notes, hashes, symbols): equal bytes, same file. */
function sameStart(file: File, base: NativePointer, segments: readonly Segment[]): boolean {
  const first = segments.find((s) => s.type === PT_LOAD);
  if (first === undefined || first.offset !== 0) return false;
  const size = Math.min(first.fileSize, COMPARED) & ~3;
  const [a, b] = [new Uint32Array(peek(addressOf(base), size)), new Uint32Array(bytesAt(file, 0, size))];
  return a.every((word, i) => word === b[i]);
}

function bytesAt(file: File, offset: number, size: number): ArrayBuffer {
  if (size > LONGEST_TABLE) throw new Error(`a table of ${size} bytes is too long`);
  file.seek(offset);
  const bytes = file.readBytes(size);
  if (bytes.byteLength !== size) throw new Error("the file is shorter than its tables say");
  return bytes;
}

const u64 = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/** Looks names up in a string table. */
function strings(
  file: File,
  { offset, size }: { readonly offset: number; readonly size: number },
): (at: number) => string {
  const all = size <= STRINGS_AT_ONCE ? new Uint8Array(bytesAt(file, offset, size)) : null;
  return (at) => {
    for (let length = 256; ; length *= 4) {
      const bytes = all?.subarray(at) ?? new Uint8Array(bytesAt(file, offset + at, Math.min(length, size - at)));
      const end = bytes.indexOf(0);
      if (end >= 0) return text(bytes.subarray(0, end));
      if (all !== null || at + length >= size) throw new Error("a name is not terminated");
    }
  };
}

/** UTF-8 to a string; QuickJS has no TextDecoder. */
function text(bytes: Uint8Array): string {
  let latin = "";
  for (const byte of bytes) latin += String.fromCharCode(byte);
  return bytes.some((b) => b > 127) ? decodeURIComponent(escape(latin)) : latin;
}
