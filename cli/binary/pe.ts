/**
 * Reads the marks of a PE32+ library (.dll) written by mingw-w64. For `inspect` only: nothing is patched on Windows.
 * Pure, bounds-checked; must not do I/O.
 * Source: Microsoft PE/COFF specification, "COFF File Header", "Section Table", "COFF Symbol Table", ".edata".
 */
import { SECTIONS } from "../../schemas/abi.js";
import { DEFAULT_ARCH } from "./arch/index.js";
import { ElfBytes, ElfError } from "./elf-bytes.js";
import { CODE_SECTIONS, entryAt, FLAG } from "./marks.js";
import { textAt } from "./record-section.js";
import { type StateRecord, stateRecordsIn } from "./state.js";

const PE32_PLUS = 0x20b;
const SECTION_SIZE = 40;
const SYMBOL_SIZE = 18;
const FUNCTION_TYPE = 0x20;
const CLASS_EXTERNAL = 2;
const CLASS_STATIC = 3;

interface PeSection {
  readonly name: string;
  /** Relative to the image base. */
  readonly addr: number;
  readonly size: number;
  readonly offset: number;
  readonly fileSize: number;
}

interface PeFunction {
  readonly symbol: string;
  readonly value: number;
  /** Null if the 8-byte entry is present. */
  readonly reason: string | null;
}

export interface PeMarks {
  readonly functions: readonly PeFunction[];
  readonly state: readonly StateRecord[];
  /** Number of flags. */
  readonly flags: number;
  readonly codeBytes: number;
  /** Names that the library exports. */
  readonly exports: ReadonlySet<string>;
  readonly hasDebugInfo: boolean;
}

export const isPe = (bytes: Buffer): boolean => bytes.length > 64 && bytes.toString("latin1", 0, 2) === "MZ";

/** @throws ElfError for anything that is not a complete 64-bit x86 PE file */
export function readPe(buffer: Buffer): PeMarks {
  const bytes = new ElfBytes(buffer);
  bytes.require(0, 64, "the DOS header");
  const header = bytes.u32(60);
  bytes.require(header, 24, "the PE header");
  if (bytes.u32(header) !== 0x4550) throw new ElfError("invalid", "this is a DOS program, not a PE file");
  const machine = bytes.u16(header + 4);
  const optional = header + 24;
  const optionalSize = bytes.u16(header + 20);
  bytes.require(optional, Math.max(optionalSize, 120), "the optional header");
  if (machine !== DEFAULT_ARCH.peMachine || bytes.u16(optional) !== PE32_PLUS)
    throw new ElfError("architecture", `this is a PE file for machine 0x${machine.toString(16)}; x86-64 is needed`);
  const symbols = { offset: bytes.u32(header + 12), count: bytes.u32(header + 16) };
  const strings = symbols.offset === 0 ? null : symbols.offset + symbols.count * SYMBOL_SIZE;
  const sections = readSections(bytes, optional + optionalSize, bytes.u16(header + 6), strings);
  const marked = sections.filter((one) => CODE_SECTIONS.has(one.name));
  const imageBase = bytes.u64(optional + 24);
  const exported = readExports(bytes, sections, bytes.u32(optional + 112));
  const found = new Map(exported);
  if (strings !== null)
    for (const [name, value] of readSymbols(bytes, symbols, strings, sections)) found.set(name, value);
  const inside = (value: number, one: PeSection) => value >= one.addr && value < one.addr + one.size;
  return {
    functions: [...found]
      .filter(([, value]) => marked.some((one) => inside(value, one)))
      .map(([symbol, value]) => ({
        symbol,
        value,
        reason: entryAt(DEFAULT_ARCH, value, entryBytes(bytes, sections, value)).reason,
      })),
    state: sections
      .filter((one) => one.name === SECTIONS.state)
      .flatMap((one) =>
        stateRecordsIn(contents(bytes, one), one.offset, {
          pointed: (_, inFile) => Number(inFile) - imageBase,
          text: (address) => {
            const at = fileOffset(sections, address);
            return at === null ? null : textAt(bytes, at);
          },
        }),
      ),
    flags: sections
      .filter((one) => one.name === SECTIONS.flag)
      .reduce((n, one) => n + count(contents(bytes, one), FLAG), 0),
    codeBytes: marked.reduce((sum, one) => sum + one.size, 0),
    exports: new Set(exported.keys()),
    hasDebugInfo: sections.some((one) => one.name === ".debug_info"),
  };
}

const contents = (bytes: ElfBytes, { name, offset, size, fileSize }: PeSection): Buffer =>
  bytes.slice(offset, Math.min(size, fileSize), `section ${name}`);

function readSections(bytes: ElfBytes, table: number, count: number, strings: number | null): PeSection[] {
  bytes.require(table, count * SECTION_SIZE, "the section table");
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * SECTION_SIZE;
    const short = bytes.slice(at, 8, "a section's name").toString("latin1").replace(/\0.*$/s, "");
    const long = /^\/(\d+)$/.exec(short);
    const section = {
      name: long !== null && strings !== null ? textAt(bytes, strings + Number(long[1])) : short,
      size: bytes.u32(at + 8),
      addr: bytes.u32(at + 12),
      fileSize: bytes.u32(at + 16),
      offset: bytes.u32(at + 20),
    };
    bytes.require(section.offset, section.offset === 0 ? 0 : section.fileSize, `section ${section.name}`);
    return section;
  });
}

function readSymbols(
  bytes: ElfBytes,
  { offset, count }: { readonly offset: number; readonly count: number },
  strings: number,
  sections: readonly PeSection[],
): Map<string, number> {
  bytes.require(offset, count * SYMBOL_SIZE, "the symbol table");
  const found = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const at = offset + i * SYMBOL_SIZE;
    const storage = bytes.u8(at + 16);
    const section = sections[bytes.u16(at + 12) - 1];
    const isFunction = bytes.u16(at + 14) === FUNCTION_TYPE && (storage === CLASS_EXTERNAL || storage === CLASS_STATIC);
    if (isFunction && section !== undefined) {
      const name = bytes.u32(at) === 0 ? textAt(bytes, strings + bytes.u32(at + 4)) : shortName(bytes, at);
      found.set(name, section.addr + bytes.u32(at + 8));
    }
    i += bytes.u8(at + 17); // auxiliary records
  }
  return found;
}

/** Name -> address, relative to the image base. */
function readExports(bytes: ElfBytes, sections: readonly PeSection[], directory: number): Map<string, number> {
  const found = new Map<string, number>();
  const place = (address: number, size: number): number => {
    const at = fileOffset(sections, address);
    if (at === null) throw new ElfError("invalid", "the export table points outside the sections");
    bytes.require(at, size, "the export table");
    return at;
  };
  if (directory === 0) return found;
  const at = place(directory, 40);
  const count = bytes.u32(at + 24);
  const functions = place(bytes.u32(at + 28), 4 * bytes.u32(at + 20));
  const names = place(bytes.u32(at + 32), 4 * count);
  const ordinals = place(bytes.u32(at + 36), 2 * count);
  for (let i = 0; i < count; i++) {
    const ordinal = bytes.u16(ordinals + 2 * i);
    bytes.require(functions + 4 * ordinal, 4, "the export table");
    found.set(textAt(bytes, place(bytes.u32(names + 4 * i), 1)), bytes.u32(functions + 4 * ordinal));
  }
  return found;
}

function entryBytes(bytes: ElfBytes, sections: readonly PeSection[], address: number): Buffer | null {
  const at = fileOffset(sections, address);
  return at === null || at + 8 > bytes.length ? null : bytes.slice(at, 8, "an entry");
}

function fileOffset(sections: readonly PeSection[], address: number): number | null {
  const home = sections.find((one) => address >= one.addr && address < one.addr + Math.min(one.size, one.fileSize));
  return home === undefined ? null : home.offset + address - home.addr;
}

const shortName = (bytes: ElfBytes, at: number): string =>
  bytes.slice(at, 8, "a symbol's name").toString("latin1").replace(/\0.*$/s, "");

function count(bytes: Buffer, what: Buffer): number {
  let n = 0;
  for (let at = bytes.indexOf(what); at >= 0; at = bytes.indexOf(what, at + what.length)) n += 1;
  return n;
}
