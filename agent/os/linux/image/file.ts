/**
 * Sections and function symbols from a loaded module's own file. We read it ourselves because Gum's reader kills the
 * process if the file has been deleted or replaced since (docs/decisions/0004), which is what builds do.
 */
import { PT_LOAD, SHT_DYNSYM, SHT_NOBITS, SHT_SYMTAB, STT_FILE, STT_FUNC } from "../../../../schemas/elf.js";
import { type Address, addressOf } from "../../../target/address.js";
import { MemoryGone, peek } from "../peek.js";
import { loadBias, type Segment, segmentsAt } from "./segments.js";
import { type FunctionSymbol, SYMBOL } from "./symbol.js";

interface Section {
  readonly name: string;
  readonly index: number;
  readonly start: NativePointer;
  readonly size: number;
}

export interface ModuleFile {
  readonly sections: readonly Section[];
  /** Function symbols that lie in these sections or at these addresses, from .symtab and .dynsym. */
  functionsIn(sections: readonly Section[], addresses?: ReadonlySet<Address>): FunctionSymbol[];
}

/** Bytes at the module's base that must match the file: headers, notes with the Build-ID, symbols. */
const COMPARED = 64 * 1024;
/** String tables up to this many bytes are read in one go. */
const STRINGS_AT_ONCE = 16 * 1024 * 1024;
const LONGEST_TABLE = 512 * 1024 * 1024;

/** Null if the file is gone or no longer the one that was mapped. @throws MemoryGone */
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
  const word = (i: number): number => words[i] ?? 0;
  const name = strings(file, stringTable);
  const found: FunctionSymbol[] = [];
  const start = addressOf(bias);
  let source: number | null = null;
  for (let i = 0; i < words.length; i += SYMBOL / 4) {
    const info = word(i + 1);
    const type = info & 15;
    if (type === STT_FILE) source = word(i);
    if (type !== STT_FUNC) continue;
    const address = start + word(i + 2) + word(i + 3) * 2 ** 32;
    if (!wanted.has(info >>> 16) && !addresses.has(address)) continue;
    const local = ((info >>> 4) & 15) === 0;
    found.push({ name: name(word(i)), address, file: local && source !== null ? name(source) : null });
  }
  return found;
}

/** The first segment (headers, notes, hashes, symbols) is never written at run time: equal bytes mean the same file. */
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

/** A function that looks up names in a string table. */
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
