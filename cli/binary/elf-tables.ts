/**
 * The records of an ELF64 file as plain objects: header, program headers, section headers, symbols, notes.
 * Must not follow addresses (elf-dynamic.ts does) and must not do I/O.
 * Source: System V gABI ch. 4 and 5; field offsets are those of Elf64_Ehdr, Elf64_Phdr, Elf64_Shdr, Elf64_Sym.
 */

import { NT_GNU_BUILD_ID, SHN_XINDEX, SHT_NULL, STB_LOCAL, STT_FILE } from "../../schemas/elf.js";
import { ARCHES, type Arch } from "./arch/index.js";
import { type ElfBytes, ElfError } from "./elf-bytes.js";

const HEADER_SIZE = 64;
/** Bytes of one Elf64_Phdr. */
export const SEGMENT_SIZE = 56;
const SECTION_SIZE = 64;
/** Bytes of one Elf64_Sym. */
export const SYMBOL_SIZE = 24;
const MAGIC = 0x464c457f; // 7f 45 4c 46, as a little-endian word

export interface ElfHeader {
  /** ET_*. */
  readonly type: number;
  /** EM_*. */
  readonly arch: Arch;
  readonly entry: number;
}

export interface ElfSegment {
  /** PT_*. */
  readonly type: number;
  /** PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  readonly offset: number;
  readonly addr: number;
  readonly fileSize: number;
  readonly memSize: number;
  readonly align: number;
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** SHT_*. */
  readonly type: number;
  /** SHF_*. */
  readonly flags: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entsize: number;
}

export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  /** STB_*. */
  readonly bind: number;
  /** STT_*. */
  readonly type: number;
  /** STV_*: 0 default, 1 internal, 2 hidden, 3 protected. */
  readonly visibility: number;
  /** 0: undefined here. From SHN_LORESERVE on: not a section. */
  readonly sectionIndex: number;
  /** Its index in its own table. */
  readonly index: number;
  /** File offset of its 24-byte record. */
  readonly fileOffset: number;
  /** For a local symbol of .symtab, the source file (STT_FILE) named before it; otherwise null. */
  readonly file: string | null;
}

/** Names for e_machine, for the architectures a developer is likely to meet. */
const MACHINES: Readonly<Record<number, string>> = {
  3: "x86 (32-bit)",
  8: "MIPS",
  21: "PowerPC64",
  22: "s390x",
  40: "ARM (32-bit)",
  62: "x86-64",
  183: "AArch64",
  243: "RISC-V",
  258: "LoongArch",
};

/** @throws ElfError architecture for anything but 64-bit, little-endian, x86-64. */
export function readHeader(bytes: ElfBytes): ElfHeader {
  if (bytes.length === 0) throw new ElfError("incomplete", "the file is empty");
  if (bytes.isZero(0, Math.min(bytes.length, HEADER_SIZE)))
    throw new ElfError("incomplete", "the file starts with zeros");
  if (bytes.length < HEADER_SIZE)
    throw new ElfError("incomplete", `the file has ${bytes.length} bytes, its header needs 64`);
  if (bytes.u32(0) !== MAGIC) throw new ElfError("invalid", "this is not an ELF file");
  const [bits, order] = [bytes.u8(4), bytes.u8(5)];
  if (bits === 0 && order === 0) throw new ElfError("incomplete", "the header is not written yet");
  if (bits !== 1 && bits !== 2) throw new ElfError("invalid", `unknown ELF class ${bits}`);
  if (bits === 1) throw new ElfError("architecture", "this is a 32-bit ELF file; 64-bit x86-64 is needed");
  if (order !== 1) throw new ElfError("architecture", "this is a big-endian ELF file; x86-64 is little-endian");
  const [type, machine] = [bytes.u16(16), bytes.u16(18)];
  if (type === 0 && machine === 0) throw new ElfError("incomplete", "the header is not written yet");
  const arch = ARCHES.find(({ elfMachine }) => elfMachine === machine);
  if (arch === undefined) {
    const name = MACHINES[machine] ?? `machine ${machine}`;
    throw new ElfError("architecture", `this is an ELF file for ${name}; x86-64 is needed`);
  }
  return { type, arch, entry: bytes.u64(24) };
}

/** All program headers. */
export function readSegments(bytes: ElfBytes): ElfSegment[] {
  const [table, entrySize, count] = [bytes.u64(32), bytes.u16(54), bytes.u16(56)];
  if (count > 0 && entrySize !== SEGMENT_SIZE) throw new ElfError("invalid", `program headers of ${entrySize} bytes`);
  bytes.require(table, count * SEGMENT_SIZE, "the program header table");
  const list: ElfSegment[] = [];
  for (let at = table; at < table + count * SEGMENT_SIZE; at += SEGMENT_SIZE) {
    list.push({
      type: bytes.u32(at),
      flags: bytes.u32(at + 4),
      offset: bytes.u64(at + 8),
      addr: bytes.u64(at + 16),
      fileSize: bytes.u64(at + 32),
      memSize: bytes.u64(at + 40),
      align: bytes.u64(at + 48),
    });
  }
  return list;
}

/** All section headers with their names; empty in a file without a section table. */
export function readSections(bytes: ElfBytes): ElfSection[] {
  const [table, entrySize] = [bytes.u64(40), bytes.u16(58)];
  let [count, names] = [bytes.u16(60), bytes.u16(62)];
  if (table === 0) return [];
  if (entrySize !== SECTION_SIZE) throw new ElfError("invalid", `section headers of ${entrySize} bytes`);
  bytes.require(table, SECTION_SIZE, "the section table");
  // gABI: counts that do not fit into the header are in section 0.
  if (count === 0) count = bytes.u64(table + 32);
  if (names === SHN_XINDEX) names = bytes.u32(table + 40);
  bytes.require(table, count * SECTION_SIZE, "the section table");
  if (count > 1 && bytes.isZero(table, Math.min(count, 64) * SECTION_SIZE)) {
    throw new ElfError("incomplete", "the section table holds zeros");
  }
  const nameAt = table + names * SECTION_SIZE;
  if (names >= count)
    throw new ElfError("invalid", `section ${names} should hold the names, but there are only ${count}`);
  const [strings, size] = [bytes.u64(nameAt + 24), bytes.u64(nameAt + 32)];
  const list: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * SECTION_SIZE;
    const type = bytes.u32(at + 4);
    list.push({
      index,
      name: type === SHT_NULL || names === 0 ? "" : bytes.text(strings, size, bytes.u32(at), "a section"),
      type,
      flags: bytes.u64(at + 8),
      addr: bytes.u64(at + 16),
      offset: bytes.u64(at + 24),
      size: bytes.u64(at + 32),
      link: bytes.u32(at + 40),
      info: bytes.u32(at + 44),
      entsize: bytes.u64(at + 56),
    });
  }
  return list;
}

/** The Build-ID among the notes of a range, or null. The range is inside the file. */
export function buildIdIn(bytes: ElfBytes, offset: number, size: number): string | null {
  const end = offset + size;
  for (let at = offset; at + 12 <= end; ) {
    const [nameSize, size, type] = [bytes.u32(at), bytes.u32(at + 4), bytes.u32(at + 8)];
    const content = at + 12 + Math.ceil(nameSize / 4) * 4;
    if (content + size > end) return null;
    // "GNU\0" as a little-endian word.
    if (type === NT_GNU_BUILD_ID && nameSize === 4 && bytes.u32(at + 12) === 0x00554e47 && size > 0 && size <= 64) {
      return bytes.buffer.toString("hex", content, content + size);
    }
    at = content + Math.ceil(size / 4) * 4;
  }
  return null;
}

type Range = { readonly offset: number; readonly size: number };

/** All records of a symbol table, the null symbol at 0. */
export function readSymbols(bytes: ElfBytes, table: Range, strings: Range, what: string): ElfSymbol[] {
  bytes.claim(table.size, what);
  const list: ElfSymbol[] = [];
  let file: string | null = null;
  for (let index = 0; (index + 1) * SYMBOL_SIZE <= table.size; index++) {
    const at = table.offset + index * SYMBOL_SIZE;
    const nameAt = bytes.u32(at);
    const name = nameAt === 0 ? "" : bytes.text(strings.offset, strings.size, nameAt, what);
    const info = bytes.u8(at + 4);
    const [bind, type] = [info >> 4, info & 15];
    if (type === STT_FILE) file = name === "" ? null : name;
    list.push({
      name,
      value: bytes.u64(at + 8),
      size: bytes.u64(at + 16),
      bind,
      type,
      visibility: bytes.u8(at + 5) & 3,
      sectionIndex: bytes.u16(at + 6),
      index,
      fileOffset: at,
      file: bind === STB_LOCAL && type !== STT_FILE ? file : null,
    });
  }
  return list;
}
