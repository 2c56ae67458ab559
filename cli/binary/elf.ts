/**
 * Reads little-endian ELF64 files: header, segments, sections, symbols, Build-ID, and the full check that a library
 * must pass before it may be loaded. Pure over bytes: no I/O, nothing is changed.
 * Must not trust a count or an offset: a file caught while it is written, or a fuzzed one, ends in an ElfError.
 * Source: System V gABI ch. 4 and 5; field offsets are those of Elf64_Ehdr, Elf64_Phdr, Elf64_Shdr, Elf64_Sym.
 */
import { createHash } from "node:crypto";
import {
  ET_CORE,
  ET_DYN,
  ET_EXEC,
  ET_REL,
  PT_DYNAMIC,
  PT_GNU_RELRO,
  PT_INTERP,
  PT_LOAD,
  PT_NOTE,
  PT_NULL,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_NULL,
  SHT_SYMTAB,
} from "../../schemas/elf.js";
import type { Arch } from "./arch/index.js";
import { ElfBytes, ElfError, type ElfErrorKind } from "./elf-bytes.js";
import { Dynamic, type ElfRelocation, Memory } from "./elf-dynamic.js";
import {
  buildIdIn,
  type ElfHeader,
  type ElfSection,
  type ElfSegment,
  type ElfSymbol,
  readHeader,
  readSections,
  readSegments,
  readSymbols,
  SYMBOL_SIZE,
} from "./elf-tables.js";

export { ElfError, type ElfErrorKind } from "./elf-bytes.js";
export type { ElfRelocation } from "./elf-dynamic.js";
export * from "./elf-tables.js";

/** ELF files that are not libraries, by e_type. */
const OTHER_TYPES = new Map<number, readonly [ElfErrorKind, string]>([
  [ET_REL, ["invalid", "an object file"]],
  [ET_EXEC, ["executable", "an executable"]],
  [ET_CORE, ["invalid", "a core dump"]],
]);
const PAGE = 4096;
/** x86-64 user addresses have 47 bits. */
const ADDRESS_END = 2 ** 47;

/** An ELF file. Everything beyond the three tables is read on demand, once. */
export class Elf {
  readonly bytes: ElfBytes;
  readonly header: ElfHeader;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  /** What the loader makes read-only after relocation, as the file says it (the loader rounds to pages). */
  readonly relro: { readonly start: number; readonly end: number } | null;
  readonly #memory: Memory;
  #dynamic: Dynamic | null | undefined;
  #dynamicSymbols: readonly ElfSymbol[] | undefined;
  #symbols: readonly ElfSymbol[] | undefined;
  #relocations: readonly ElfRelocation[] | undefined;

  /** Use {@link readElf}. */
  /** What its code says. */
  get arch(): Arch {
    return this.header.arch;
  }

  constructor(bytes: ElfBytes, header: ElfHeader, segments: readonly ElfSegment[], sections: readonly ElfSection[]) {
    this.bytes = bytes;
    this.header = header;
    this.segments = segments;
    this.sections = sections;
    const relro = segments.find((one) => one.type === PT_GNU_RELRO);
    this.relro = relro === undefined ? null : { start: relro.addr, end: relro.addr + relro.memSize };
    const loads = segments.filter((one) => one.type === PT_LOAD);
    this.#memory = new Memory(loads, this.relro);
  }

  /** .dynamic, or null without one (also in a --only-keep-debug file, where it has no bytes). */
  get dynamic(): Dynamic | null {
    if (this.#dynamic === undefined) {
      const segment = this.segments.find((one) => one.type === PT_DYNAMIC);
      const absent = segment === undefined || this.fileOffsetOf(segment.addr) === null;
      this.#dynamic = absent ? null : new Dynamic(this.bytes, this.#memory, segment);
    }
    return this.#dynamic;
  }

  /** PT_INTERP: the path of the loader an executable asks for; null without one. */
  get interpreter(): string | null {
    const segment = this.segments.find((one) => one.type === PT_INTERP);
    return segment === undefined ? null : this.bytes.text(segment.offset, segment.fileSize, 0, "PT_INTERP");
  }

  get soname(): string | null {
    return this.dynamic?.soname ?? null;
  }

  get needed(): readonly string[] {
    return this.dynamic?.needed() ?? [];
  }

  /** The Build-ID as hex of any length, or null. Source: PT_NOTE, else SHT_NOTE; note "GNU" of type 3. */
  get buildId(): string | null {
    const notes = this.segments.filter((one) => one.type === PT_NOTE && one.fileSize > 0);
    const sections = this.sections.filter((one) => one.type === SHT_NOTE);
    const ranges = [
      ...notes.map((one) => ({ offset: one.offset, size: one.fileSize })),
      ...sections.map((one) => ({ offset: one.offset, size: one.size })),
    ];
    // A note may be in both lists, but notes never overlap otherwise: a crafted pile of them is not searched for ever.
    let left = 2 * this.bytes.length;
    for (const { offset, size } of ranges) {
      left -= size;
      if (left < 0) throw new ElfError("invalid", "its notes are larger than the file");
      this.bytes.require(offset, size, "a note");
      const found = buildIdIn(this.bytes, offset, size);
      if (found !== null) return found;
    }
    return null;
  }

  /** .dynsym, in file order, the null symbol at 0; empty without .dynamic. */
  dynamicSymbols(): readonly ElfSymbol[] {
    if (this.#dynamicSymbols === undefined) {
      const table = this.dynamic?.symbols(this.sections, () => this.relocations()) ?? null;
      const strings = this.dynamic?.strings() ?? { offset: 0, size: 0 };
      this.#dynamicSymbols = table === null ? [] : readSymbols(this.bytes, table, strings, ".dynsym");
    }
    return this.#dynamicSymbols;
  }

  /** .symtab, in file order, the null symbol at 0; empty in a stripped file. */
  symbols(): readonly ElfSymbol[] {
    if (this.#symbols === undefined) {
      const section = this.sections.find((one) => one.type === SHT_SYMTAB);
      const strings = section === undefined ? undefined : this.sections[section.link];
      if (section === undefined) this.#symbols = [];
      else if (strings === undefined) throw new ElfError("invalid", ".symtab names no string table");
      else {
        this.bytes.require(section.offset, section.size, ".symtab");
        this.#symbols = readSymbols(this.bytes, section, strings, ".symtab");
      }
    }
    return this.#symbols;
  }

  /** All dynamic RELA records, found through .dynamic, those of the PLT last. */
  relocations(): readonly ElfRelocation[] {
    this.#relocations ??= this.dynamic?.relocations() ?? [];
    return this.#relocations;
  }

  /** A section's bytes: a view, empty for SHT_NOBITS. @throws ElfError incomplete when it ends past the file. */
  contentsOf(section: ElfSection): Buffer {
    if (section.type === SHT_NOBITS) return this.bytes.buffer.subarray(0, 0);
    return this.bytes.slice(section.offset, section.size, `section ${section.name}`);
  }

  /** The PT_LOAD segment that contains an address, or null. */
  segmentAt(address: number): ElfSegment | null {
    return this.#memory.segmentAt(address);
  }

  /** May the library's own code write there after loading? False in RELRO and where nothing is loaded. */
  writableAt(address: number): boolean {
    return this.#memory.writableAt(address);
  }

  /** The file offset of an address; null for .bss and where nothing is loaded. */
  fileOffsetOf(address: number): number | null {
    return this.#memory.fileOffsetOf(address);
  }
}

/** `segmentsOnly`: skip the section table, so that a prefix of the file is enough. */
export interface ReadOptions {
  readonly segmentsOnly?: boolean;
}

/**
 * Reads the header and the segment and section tables; the rest is read on demand.
 * @throws ElfError see {@link ElfErrorKind}; `architecture` for anything but 64-bit little-endian x86-64.
 */
export function readElf(buffer: Buffer, options: ReadOptions = {}): Elf {
  const bytes = new ElfBytes(buffer);
  const header = readHeader(bytes);
  const segments = readSegments(bytes);
  return new Elf(bytes, header, segments, options.segmentsOnly === true ? [] : readSections(bytes));
}

/**
 * The full check before a library may be loaded: a truncated file kills the process that maps it (SIGBUS), so nothing
 * is left to the loader.
 * @throws ElfError see {@link ElfErrorKind}
 */
export function validateLibrary(buffer: Buffer): Elf {
  const elf = readElf(buffer);
  if (elf.header.type !== ET_DYN) {
    const [kind, what] = OTHER_TYPES.get(elf.header.type) ?? ["invalid", `no library (e_type ${elf.header.type})`];
    throw new ElfError(kind, `this is ${what}, not a shared library`);
  }
  checkSegments(elf);
  // Section 0 is not a section; its fields may hold counts.
  for (const section of elf.sections) if (section.type !== SHT_NULL) elf.contentsOf(section);
  checkDynamic(elf);
  return elf;
}

function checkSegments(elf: Elf): void {
  if (elf.segments.every((one) => one.type === PT_NULL)) {
    throw new ElfError("incomplete", "the program headers are not written yet");
  }
  for (const [index, one] of elf.segments.entries()) {
    elf.bytes.require(one.offset, one.fileSize, `segment ${index}`);
    if (one.type !== PT_LOAD) continue;
    if (one.fileSize > one.memSize) throw new ElfError("invalid", `segment ${index} is larger than its memory`);
    if (one.addr + one.memSize > ADDRESS_END)
      throw new ElfError("invalid", `segment ${index} is outside the address space`);
    // ld.so maps whole pages: offset and address must agree within one.
    if ((one.addr - one.offset) % PAGE !== 0) throw new ElfError("invalid", `segment ${index} is not aligned to pages`);
  }
  if (!elf.segments.some((one) => one.type === PT_LOAD)) throw new ElfError("invalid", "it has nothing to load");
}

/** Reads all that .dynamic leads to, so that no later step meets what cannot be read. */
function checkDynamic(elf: Elf): void {
  const dynamic = elf.dynamic;
  if (dynamic === null) throw new ElfError("invalid", "it has no PT_DYNAMIC: it cannot be loaded as a library");
  if (dynamic.entries === 0) throw new ElfError("incomplete", ".dynamic is not written yet");
  if (dynamic.isPie) throw new ElfError("executable", "this is an executable, not a shared library");
  checkStrings(elf, dynamic);
  checkDynamicSymbols(elf);
  checkRelocations(elf);
  checkNames(elf);
  elf.symbols();
}

function checkStrings(elf: Elf, dynamic: Dynamic): void {
  const strings = dynamic.strings();
  if (strings === null) throw new ElfError("invalid", ".dynamic names no string table");
  if (strings.size > 1 && elf.bytes.isZero(strings.offset, strings.size)) {
    throw new ElfError("incomplete", ".dynstr is not written yet");
  }
}

function checkDynamicSymbols(elf: Elf): void {
  const symbols = elf.dynamicSymbols();
  if (symbols.length === 0) throw new ElfError("invalid", "it has no dynamic symbols");
  if (symbols.length > 1 && elf.bytes.isZero(symbols[0]?.fileOffset ?? 0, symbols.length * SYMBOL_SIZE)) {
    throw new ElfError("incomplete", ".dynsym is not written yet");
  }
}

function checkRelocations(elf: Elf): void {
  const count = elf.dynamicSymbols().length;
  for (const one of elf.relocations()) {
    if (one.symbol >= count) {
      throw new ElfError("invalid", `a relocation names dynamic symbol ${one.symbol} of ${count}`);
    }
    if (one.type !== elf.arch.relocations.none && elf.segmentAt(one.offset) === null) {
      throw new ElfError("invalid", `a relocation writes to 0x${one.offset.toString(16)}, outside the segments`);
    }
  }
}

function checkNames(elf: Elf): void {
  for (const name of [elf.soname, ...elf.needed, elf.buildId]) {
    if (name === "") throw new ElfError("invalid", "DT_SONAME or DT_NEEDED is an empty name");
  }
}

/** SHA-256 of the bytes as hex: "the same artifact" means the same hash; a Build-ID survives strip and objcopy. */
export function contentHash(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
