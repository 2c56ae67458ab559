/**
 * A library's marks, from its file: marked functions, their entries and flags.
 * Must not decide whether a mark may be patched, must not do I/O and must not change the bytes.
 */
import { ENTRY_SIZE, FLAG_MAGIC, SECTIONS } from "../../schemas/abi.js";
import { SHF_EXECINSTR, SHT_NOBITS, SHT_NULL, STT_FUNC } from "../../schemas/elf.js";
import { cleanName, isFragment, UNALIGNED } from "../../schemas/names.js";
import type { Arch } from "./arch/index.js";
import { type Elf, ElfError, type ElfSection, type ElfSymbol } from "./elf.js";
import { type FunctionRecord, type Records, readRecords } from "./records.js";
import { firstAbove } from "./sorted.js";

/** Sections with marked code. */
export const CODE_SECTIONS: ReadonlySet<string> = new Set([SECTIONS.functions, SECTIONS.inline]);
/** Precedes the flag byte. */
export const FLAG = Buffer.from(FLAG_MAGIC, "latin1");

/**
 * A function whose entry lies in a marked section, or a template instance; named by a record, otherwise by a symbol.
 */
interface MarkedFunction {
  /** Without compiler suffixes; marks are matched by it. Two functions of one file may share it. */
  readonly name: string;
  /** As in the symbol table; the same as the name if only a record has it. */
  readonly symbol: string;
  /** Address relative to the load base. */
  readonly value: number;
  /** Bytes of its code; 0 if unknown, or if it is merely a jump to a body elsewhere. */
  readonly size: number;
  /** Source file of a static function (STT_FILE), to distinguish statics of one name; otherwise null. */
  readonly file: string | null;
  /** "file:line" of the source, if a record says. */
  readonly place: string | null;
  /** Which compiler's 8-byte entry it starts with; null without one, with the reason. */
  readonly entry: "gcc" | "clang" | null;
  readonly reason: string | null;
  /**
   * Inline or from a template: every module that includes its header may have a copy, identical by the language's
   * rules.
   */
  readonly inline: boolean;
}

export type Entry = Pick<MarkedFunction, "entry" | "reason">;

/** Everything a file says about its marks. */
export interface Marks {
  readonly functions: readonly MarkedFunction[];
  readonly sections: readonly ElfSection[];
  /** Bytes of the marked sections. 0: nothing is marked. */
  readonly codeBytes: number;
  /** Marked code that no symbol covers, padding not counted. Above 0 the library is stripped. */
  readonly unnamedBytes: number;
  /** File offset of each flag's first byte; the flag itself is byte 15. */
  readonly flags: readonly number[];
  readonly records: Records;
}

/**
 * Reads the marks of a library.
 * @throws ElfError when a section, a symbol or a record cannot be read
 */
export function readMarks(elf: Elf): Marks {
  const named = (name: (one: string) => boolean) =>
    elf.sections.filter((one) => one.type !== SHT_NULL && one.type !== SHT_NOBITS && name(one.name));
  const sections = named((name) => CODE_SECTIONS.has(name));
  const flagSections = named((name) => name === SECTIONS.flag);
  checkTotal(elf, [...sections, ...flagSections]);
  const instances = sections.length + flagSections.length === 0 ? new Map<ElfSection, Set<number>>() : templates(elf);
  const inside = symbolsBySection(elf, [...sections, ...instances.keys()]);
  const records = readRecords(elf);
  const recorded = recordsBySection(records.functions, sections);
  const contents = sections.map((section) => {
    const { index } = section;
    return { section, symbols: inside.get(index) ?? [], own: recorded.get(index) ?? [] };
  });
  return {
    functions: [
      ...contents.flatMap(({ section, symbols, own }) => functionsIn(elf, section, symbols, own)),
      ...[...instances].flatMap(([section, entries]) =>
        functionsIn(
          elf,
          section,
          (inside.get(section.index) ?? []).filter((one) => entries.has(one.value)),
        ),
      ),
    ],
    sections,
    codeBytes: total(sections),
    unnamedBytes: contents.reduce((sum, { section, symbols, own }) => sum + unnamedIn(elf, section, symbols, own), 0),
    flags: flagSections.flatMap((section) => flagsIn(elf, section)),
    records,
  };
}

const total = (sections: readonly ElfSection[]): number => sections.reduce((sum, one) => sum + one.size, 0);

/** Sections of a linked file do not overlap; a crafted pile of them would be searched repeatedly. */
function checkTotal(elf: Elf, sections: readonly ElfSection[]): void {
  for (const section of sections) elf.contentsOf(section);
  if (total(sections) > elf.bytes.length) throw new ElfError("invalid", "its marked sections overlap");
}

/** Addresses of template instances that gcc marked, by their section. */
function templates(elf: Elf): Map<ElfSection, Set<number>> {
  const code = elf.sections.filter(
    (one) => (one.flags & SHF_EXECINSTR) !== 0 && one.type !== SHT_NOBITS && !CODE_SECTIONS.has(one.name),
  );
  checkTotal(elf, code);
  const found = new Map<ElfSection, Set<number>>();
  for (const section of code) {
    const bytes = elf.contentsOf(section);
    const entries = new Set<number>();
    for (let at = bytes.indexOf(elf.arch.templateEntry); at >= 0; at = bytes.indexOf(elf.arch.templateEntry, at + 1))
      entries.add(section.addr + at);
    if (entries.size > 0) found.set(section, entries);
  }
  return found;
}

function symbolsBySection(elf: Elf, sections: readonly ElfSection[]): Map<number, ElfSymbol[]> {
  const map = new Map<number, ElfSymbol[]>(sections.map((one) => [one.index, []]));
  if (sections.length === 0) return map;
  // .symtab first: it has the source files. .dynsym survives strip.
  for (const table of [elf.symbols(), elf.dynamicSymbols()]) {
    for (const symbol of table) map.get(symbol.sectionIndex)?.push(symbol);
  }
  return map;
}

/** @throws ElfError for a record whose entry lies in no marked section */
function recordsBySection(
  records: readonly FunctionRecord[],
  sections: readonly ElfSection[],
): Map<number, FunctionRecord[]> {
  const map = new Map<number, FunctionRecord[]>(sections.map((one) => [one.index, []]));
  for (const record of records) {
    const home = sections.find(({ addr, size }) => record.entry >= addr && record.entry < addr + size);
    if (home === undefined)
      throw new ElfError(
        "invalid",
        `the record of ${record.name} points to 0x${record.entry.toString(16)}, where there is no marked code`,
      );
    map.get(home.index)?.push(record);
  }
  return map;
}

function functionsIn(
  elf: Elf,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  records: readonly FunctionRecord[] = [],
): MarkedFunction[] {
  const found = new Map<string, MarkedFunction>();
  const whole = new Set(symbols.map((one) => one.name));
  const sizes = new Map(symbols.filter((one) => one.type === STT_FUNC).map((one) => [one.value, one]));
  const recorded = new Set(records.map((one) => one.entry));
  const named = records.map(({ name, entry: value, place }) => {
    const symbol = sizes.get(value);
    const size = leadsElsewhere(elf, section, value) ? 0 : (symbol?.size ?? 0);
    const entry = entryOf(elf, section, value);
    return { name, symbol: symbol?.name ?? name, value, size, file: null, place, inline: false, ...entry };
  });
  for (const symbol of symbols) {
    if (symbol.type !== STT_FUNC || symbol.name === "" || recorded.has(symbol.value)) continue;
    const name = cleanName(symbol.name);
    // A part split off a function in this list is not a function in its own right: it is reached only from there.
    if (isFragment(symbol.name) && whole.has(name)) continue;
    const key = `${symbol.value} ${name}`;
    if (found.has(key)) continue;
    const { value, size, file } = symbol;
    const inline = section.name !== SECTIONS.functions;
    found.set(key, {
      name,
      symbol: symbol.name,
      value,
      size,
      file,
      place: null,
      inline,
      ...entryOf(elf, section, value),
    });
  }
  return [...named, ...found.values()].sort((a, b) => a.value - b.value);
}

/** Whether a jump follows the entry, as in Rust's marks: then the bytes here say nothing about the body. */
function leadsElsewhere(elf: Elf, { addr, size, offset }: ElfSection, value: number): boolean {
  const at = value + ENTRY_SIZE - addr;
  return at < size && elf.arch.jumpTarget(elf.bytes.buffer.subarray(offset, offset + size), at) !== null;
}

function entryOf(elf: Elf, section: ElfSection, value: number): Entry {
  const at = value - section.addr;
  const inside = at >= 0 && at + 8 <= section.size;
  return entryAt(elf.arch, value, inside ? elf.bytes.slice(section.offset + at, 8, "an entry") : null);
}

/** @param bytes the 8 at `address`; null if the marked section ends before */
export function entryAt(arch: Arch, address: number, bytes: Buffer | null): Entry {
  const none = (reason: string) => ({ entry: null, reason });
  if (bytes === null) return none("its first 8 bytes are outside the marked section");
  if (address % ENTRY_SIZE !== 0) return none(UNALIGNED);
  const known = arch.markedEntries.find((one) => one.bytes.equals(bytes));
  if (known !== undefined) return { entry: known.kind, reason: null };
  if (arch.landingPad(bytes) > 0) return none("it starts with endbr64: with clang, it must be nocf_check");
  return none(`it starts with ${(bytes.toString("hex").match(/../g) ?? []).join(" ")}, not with a patchable entry`);
}

function unnamedIn(
  elf: Elf,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  records: readonly FunctionRecord[],
): number {
  const code = elf.contentsOf(section);
  // A record has no size: a function extends to the next named one.
  const starts = [...records.map((one) => one.entry), ...symbols.map((one) => one.value)].sort((a, b) => a - b);
  const recorded = records.map(({ entry }) => ({
    value: entry,
    size: (starts[firstAbove(starts, entry)] ?? section.addr + section.size) - entry,
  }));
  const sized = [...recorded, ...symbols.filter((one) => one.size > 0)].sort((a, b) => a.value - b.value);
  let unnamed = 0;
  let covered = 0;
  for (const symbol of sized) {
    const start = Math.min(Math.max(symbol.value - section.addr, 0), code.length);
    if (start > covered) unnamed += elf.arch.codeIn(code.subarray(covered, start));
    covered = Math.max(covered, Math.min(start + symbol.size, code.length));
  }
  return unnamed + elf.arch.codeIn(code.subarray(covered));
}

function flagsIn(elf: Elf, section: ElfSection): number[] {
  const bytes = elf.contentsOf(section);
  const places: number[] = [];
  // Found by their text: weak duplicates may be kept, and the linker's alignment is not guaranteed.
  for (let at = bytes.indexOf(FLAG); at >= 0; at = bytes.indexOf(FLAG, at + FLAG.length)) {
    if (at + FLAG.length < bytes.length) places.push(section.offset + at);
  }
  return places;
}
