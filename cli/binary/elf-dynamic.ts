/**
 * What the loader sees: PT_LOAD ranges and the tables that .dynamic points to (symbols, relocations, strings).
 * Must not need section headers (a file may have none), must not do I/O and must not change the bytes.
 * Source: System V gABI ch. 5 "Dynamic Section"; x86-64 psABI 1.0 table 4.9 (relocation types).
 */

import {
  DF_1_PIE,
  DF_STATIC_TLS,
  DT_FLAGS,
  DT_FLAGS_1,
  DT_GNU_HASH,
  DT_HASH,
  DT_JMPREL,
  DT_NEEDED,
  DT_NULL,
  DT_PLTREL,
  DT_PLTRELSZ,
  DT_RELA,
  DT_RELAENT,
  DT_RELASZ,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMTAB,
  PF_W,
  SHT_DYNSYM,
} from "../../schemas/elf.js";
import { type ElfBytes, ElfError } from "./elf-bytes.js";
import { type ElfSection, type ElfSegment, SYMBOL_SIZE } from "./elf-tables.js";

/** Only these are kept, so that a .dynamic of a million entries costs nothing. */
const KEPT: ReadonlySet<number> = new Set([
  DT_PLTRELSZ,
  DT_HASH,
  DT_STRTAB,
  DT_SYMTAB,
  DT_RELA,
  DT_RELASZ,
  DT_RELAENT,
  DT_STRSZ,
  DT_SONAME,
  DT_PLTREL,
  DT_JMPREL,
  DT_GNU_HASH,
  DT_FLAGS,
  DT_FLAGS_1,
]);
const RELA_SIZE = 24;

/** One dynamic relocation. */
export interface ElfRelocation {
  /** File offset of its 24-byte record. */
  readonly fileOffset: number;
  /** The address it writes to, relative to the load base. */
  readonly offset: number;
  /** R_X86_64_*. */
  readonly type: number;
  /** Index into the dynamic symbols; 0 means no symbol. */
  readonly symbol: number;
  readonly addend: number;
}

/** A table in the file: byte offset and number of bytes, checked. */
export interface Table {
  readonly offset: number;
  readonly size: number;
}

/** The PT_LOAD segments as an address space. */
export class Memory {
  readonly loads: readonly ElfSegment[];
  readonly #relro: { start: number; end: number } | null;

  constructor(loads: readonly ElfSegment[], relro: { start: number; end: number } | null) {
    this.loads = loads;
    this.#relro = relro;
    let end = 0;
    for (const load of loads) {
      // gABI: "PT_LOAD entries appear in ascending order of p_vaddr". Lookups below are binary searches because of it.
      if (load.addr < end) throw new ElfError("invalid", "its loadable segments overlap or are not in ascending order");
      end = load.addr + Math.max(load.memSize, load.fileSize);
    }
  }

  /** The PT_LOAD segment that contains an address, or null. */
  segmentAt(address: number): ElfSegment | null {
    let low = 0;
    let high = this.loads.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const load = this.loads[middle];
      if (load === undefined) return null;
      if (address < load.addr) high = middle - 1;
      else if (address >= load.addr + Math.max(load.memSize, load.fileSize)) low = middle + 1;
      else return load;
    }
    return null;
  }

  writableAt(address: number): boolean {
    const segment = this.segmentAt(address);
    if (segment === null || (segment.flags & PF_W) === 0) return false;
    return this.#relro === null || address < this.#relro.start || address >= this.#relro.end;
  }

  fileOffsetOf(address: number): number | null {
    const segment = this.segmentAt(address);
    if (segment === null || address - segment.addr >= segment.fileSize) return null;
    return segment.offset + (address - segment.addr);
  }

  /** A table the loader finds by address. @throws ElfError invalid if no segment contains all of it. */
  table(bytes: ElfBytes, address: number, size: number, what: string): Table {
    const segment = this.segmentAt(address);
    const inside = segment === null ? 0 : address - segment.addr;
    if (segment === null || inside + size > segment.fileSize) {
      throw new ElfError("invalid", `${what} (${size} bytes at 0x${address.toString(16)}) lies outside the segments`);
    }
    bytes.require(segment.offset + inside, size, what);
    return { offset: segment.offset + inside, size };
  }
}

/** The entries of .dynamic and the tables they point to. Built only if the file has a PT_DYNAMIC with contents. */
export class Dynamic {
  readonly #bytes: ElfBytes;
  readonly #memory: Memory;
  readonly #values = new Map<number, number>();
  readonly #neededAt: number[] = [];
  /** Entries before DT_NULL; 0 if .dynamic is not written yet. */
  readonly entries: number;

  constructor(bytes: ElfBytes, memory: Memory, segment: ElfSegment) {
    this.#bytes = bytes;
    this.#memory = memory;
    // By address, as the loader does; p_offset of PT_DYNAMIC is never read at run time.
    const table = memory.table(bytes, segment.addr, segment.fileSize, ".dynamic");
    let entries = 0;
    for (let at = table.offset; at + 16 <= table.offset + table.size; at += 16, entries++) {
      const tag = bytes.u64(at);
      if (tag === DT_NULL) break;
      if (tag === DT_NEEDED) this.#neededAt.push(bytes.u64(at + 8));
      else if (KEPT.has(tag)) this.#values.set(tag, bytes.u64(at + 8)); // the last of two wins, as in ld.so
    }
    this.entries = entries;
  }

  /** Some of its thread-local variables need a place in the static TLS block, which is nearly full. */
  get hasStaticTls(): boolean {
    return ((this.#values.get(DT_FLAGS) ?? 0) & DF_STATIC_TLS) !== 0;
  }

  get isPie(): boolean {
    // Bit 27; `&` works on 32 bits, but a bogus value may have more.
    return Math.floor((this.#values.get(DT_FLAGS_1) ?? 0) / DF_1_PIE) % 2 === 1;
  }

  strings(): Table | null {
    const address = this.#values.get(DT_STRTAB);
    if (address === undefined) return null;
    return this.#memory.table(this.#bytes, address, this.#values.get(DT_STRSZ) ?? 0, ".dynstr");
  }

  text(index: number, what: string): string {
    const table = this.strings();
    if (table === null) throw new ElfError("invalid", `${what}: .dynamic names no string table`);
    return this.#bytes.text(table.offset, table.size, index, what);
  }

  get soname(): string | null {
    const index = this.#values.get(DT_SONAME);
    return index === undefined ? null : this.text(index, "DT_SONAME");
  }

  needed(): string[] {
    return this.#neededAt.map((index) => this.text(index, "DT_NEEDED"));
  }

  /** Where the dynamic symbols are; null if .dynamic names none. */
  symbols(sections: readonly ElfSection[], relocations: () => readonly ElfRelocation[]): Table | null {
    const address = this.#values.get(DT_SYMTAB);
    if (address === undefined) return null;
    const section = sections.find((one) => one.type === SHT_DYNSYM && one.addr === address);
    let count = section === undefined ? this.#hashedSymbols() : Math.floor(section.size / SYMBOL_SIZE);
    if (section === undefined) {
      // A GNU hash table lists defined symbols only; an empty one says nothing about the undefined ones before them.
      for (const one of relocations()) count = Math.max(count, one.symbol + 1);
    }
    return this.#memory.table(this.#bytes, address, count * SYMBOL_SIZE, ".dynsym");
  }

  /** Source: gABI "Hash Table" (nchain = symbols); binutils bfd/elflink.c for DT_GNU_HASH. */
  #hashedSymbols(): number {
    const bytes = this.#bytes;
    const hash = this.#values.get(DT_HASH);
    if (hash !== undefined) return bytes.u32(this.#memory.table(bytes, hash, 8, ".hash").offset + 4);
    const gnu = this.#values.get(DT_GNU_HASH);
    if (gnu === undefined) throw new ElfError("invalid", "the number of dynamic symbols is not recorded");
    const head = this.#memory.table(bytes, gnu, 16, ".gnu.hash").offset;
    const [buckets, first, words] = [bytes.u32(head), bytes.u32(head + 4), bytes.u32(head + 8)];
    const bucketsAt = gnu + 16 + 8 * words;
    const table = this.#memory.table(bytes, bucketsAt, 4 * buckets, ".gnu.hash");
    let last = 0;
    for (let index = 0; index < buckets; index++) last = Math.max(last, bytes.u32(table.offset + 4 * index));
    if (last < first) return first;
    for (let address = bucketsAt + 4 * buckets + 4 * (last - first); ; address += 4, last++) {
      if (bytes.u32(this.#memory.table(bytes, address, 4, ".gnu.hash").offset) & 1) return last + 1;
    }
  }

  /** All RELA records, those of the PLT last. Packed DT_RELR ones name no symbol and are left out. */
  relocations(): ElfRelocation[] {
    const size = this.#values.get(DT_RELASZ) ?? 0;
    const pltSize = this.#values.get(DT_PLTRELSZ) ?? 0;
    const plain = this.#relocationTable(this.#values.get(DT_RELA), size, ".rela.dyn");
    const plt = this.#relocationTable(this.#values.get(DT_JMPREL), pltSize, ".rela.plt");
    if (size > 0 && (this.#values.get(DT_RELAENT) ?? RELA_SIZE) !== RELA_SIZE) {
      throw new ElfError("invalid", "its relocation records are not 24 bytes long");
    }
    if (plt.size > 0 && (this.#values.get(DT_PLTREL) ?? DT_RELA) !== DT_RELA) {
      throw new ElfError("invalid", "its PLT relocations are not RELA");
    }
    this.#bytes.claim(Math.max(plain.size, plt.size), "the relocation table");
    const list: ElfRelocation[] = [];
    this.#read(plain, list, null);
    // Some linkers let DT_RELASZ include the PLT's records (ld.so allows for it): list none twice.
    this.#read(plt, list, plain);
    return list;
  }

  #relocationTable(address: number | undefined, size: number, what: string): Table {
    if (address === undefined || size === 0) return { offset: 0, size: 0 };
    return this.#memory.table(this.#bytes, address, size, what);
  }

  #read(table: Table, list: ElfRelocation[], known: Table | null): void {
    for (let at = table.offset; at + RELA_SIZE <= table.offset + table.size; at += RELA_SIZE) {
      if (known !== null && at >= known.offset && at < known.offset + known.size) continue;
      list.push({
        fileOffset: at,
        offset: this.#bytes.u64(at),
        type: this.#bytes.u32(at + 8),
        symbol: this.#bytes.u32(at + 12),
        addend: this.#bytes.i64(at + 16),
      });
    }
  }
}
