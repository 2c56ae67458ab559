/**
 * What is where in a library: the function, variable or constant at an address, and the relocation that is applied there.
 * Names and extents come from symbols, as far as there are any.
 */
import {
  PF_X,
  SHF_EXECINSTR,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHT_NOBITS,
  STB_GLOBAL,
  STT_FUNC,
  STT_GNU_IFUNC,
  STT_NOTYPE,
  STT_OBJECT,
  STT_TLS,
} from "../../../schemas/elf.js";
import { cleanName } from "../../../schemas/names.js";
import { newInstruction } from "../arch/index.js";
import type { Elf, ElfRelocation, ElfSection, ElfSymbol } from "../elf.js";
import { firstAbove, firstFrom } from "../sorted.js";

/** What a symbol names. */
export interface Span {
  /** As in the symbol table. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Bytes of a distance in a table. */
export const DISTANCE = 4;
/** Symbols that may begin at or before an address and reach beyond it, with others in between. */
const NESTED = 4;

export class Places {
  readonly #elf: Elf;
  readonly #spans = new Map<number, Span>();
  readonly #starts: Float64Array;
  readonly #sections: readonly ElfSection[];
  readonly #threads = new Map<number, string>();
  readonly #relocations = new Map<number, ElfRelocation>();
  readonly #relocated: Float64Array;
  #bounds: Float64Array | undefined;
  #lastSection: ElfSection | undefined;

  constructor(elf: Elf) {
    this.#elf = elf;
    this.#sections = elf.sections.filter(({ addr, size }) => addr > 0 && size > 0);
    for (const symbol of [...elf.symbols(), ...elf.dynamicSymbols()]) this.#add(symbol);
    this.#starts = Float64Array.from(this.#spans.keys()).sort();
    for (const one of elf.relocations()) this.#relocations.set(one.offset, one);
    this.#relocated = Float64Array.from(this.#relocations.keys()).sort();
  }

  #add({ name, value, size, type, bind, sectionIndex }: ElfSymbol): void {
    if (name === "" || sectionIndex === SHN_UNDEF || sectionIndex >= SHN_LORESERVE) return;
    if (type === STT_TLS) return void this.#threads.set(value, name);
    // Labels that are not typed: functions in assembly.
    const isFunction =
      type === STT_FUNC || type === STT_GNU_IFUNC || (type === STT_NOTYPE && bind === STB_GLOBAL && this.isCode(value));
    if (!isFunction && type !== STT_OBJECT) return;
    const known = this.#spans.get(value);
    const end = value + size;
    if (known === undefined || end > known.end || (end === known.end && name < known.name))
      this.#spans.set(value, { name, start: value, end });
  }

  isCode(address: number): boolean {
    return ((this.#elf.segmentAt(address)?.flags ?? 0) & PF_X) !== 0 && this.#isExecutable(address);
  }

  /** Linkers before 2018 put constants into the segment of the code. */
  #isExecutable(address: number): boolean {
    const section = this.sectionAt(address);
    return section === undefined || (section.flags & SHF_EXECINSTR) !== 0;
  }

  sectionAt(address: number): ElfSection | undefined {
    const last = this.#lastSection;
    // What is asked for one after another lies close together.
    if (last !== undefined && address >= last.addr && address < last.addr + last.size) return last;
    this.#lastSection = this.#sections.find(({ addr, size }) => address >= addr && address < addr + size);
    return this.#lastSection;
  }

  /** What the innermost symbol that an address belongs to names. */
  spanAt(address: number): Span | null {
    const first = firstAbove(this.#starts, address) - 1;
    for (let i = first; i >= 0 && i > first - NESTED; i--) {
      const span = this.#spans.get(this.#starts[i] ?? 0);
      if (span === undefined) return null;
      const end = span.end > span.start || !this.isCode(span.start) ? span.end : this.#nextStart(span.start);
      if (address < end) return end === span.end ? span : { ...span, end };
    }
    return null;
  }

  /** Where the next symbol begins, or the section ends. */
  #nextStart(address: number): number {
    const section = this.sectionAt(address);
    const end = section === undefined ? Number.POSITIVE_INFINITY : section.addr + section.size;
    return Math.min(this.#starts[firstAbove(this.#starts, address)] ?? end, end);
  }

  /** The end of unnamed constant data: where the next thing begins that anything refers to. */
  boundAfter(address: number): number {
    this.#bounds ??= this.#readBounds();
    return this.#bounds[firstAbove(this.#bounds, address)] ?? address;
  }

  #readBounds(): Float64Array {
    const bounds: number[] = [];
    for (const { start, end } of this.#spans.values()) bounds.push(start, end);
    for (const { addr, size } of this.#sections) bounds.push(addr, addr + size);
    for (const { addr, fileSize } of this.#elf.segments) bounds.push(addr + fileSize);
    const { relative } = this.#elf.arch.relocations;
    for (const { type, addend } of this.#relocations.values()) if (type === relative) bounds.push(addend);
    const tables: number[] = [];
    for (const section of this.#sections)
      if ((section.flags & SHF_EXECINSTR) !== 0 && section.type !== SHT_NOBITS)
        this.#readTargets(section, bounds, tables);
    const sorted = Float64Array.from(bounds).sort();
    const listed = new Set(tables);
    for (const table of listed)
      for (const target of this.distances(table, sorted[firstAbove(sorted, table)] ?? table)) bounds.push(target);
    return listed.size === 0 ? sorted : Float64Array.from(bounds).sort();
  }

  /** What code refers to. Begins anew at each symbol, in case that data lies between. */
  #readTargets(section: ElfSection, bounds: number[], tables: number[]): void {
    const { arch } = this.#elf;
    const code = this.#elf.contentsOf(section);
    const [instruction, ahead] = [newInstruction(), newInstruction()];
    for (let at = 0; at < code.length; ) {
      const next = Math.min(this.#nextStart(section.addr + at) - section.addr, code.length);
      while (at < next && arch.decode(code, at, instruction)) {
        const target = section.addr + instruction.target;
        at += instruction.size;
        if (instruction.kind !== "memory" && instruction.kind !== "address") continue;
        bounds.push(target);
        const { kind, register } = instruction;
        if (kind === "address" && this.mayBeTable(target) && arch.addsDistances(code, at, register, ahead))
          tables.push(target);
      }
      at = Math.max(at, next);
    }
  }

  /** Whether a table of distances may begin there. Most addresses are none: spares a look at how they are used. */
  mayBeTable(address: number): boolean {
    const offset = address % DISTANCE === 0 ? this.#elf.fileOffsetOf(address) : null;
    const { buffer, length } = this.#elf.bytes;
    if (offset === null || offset + DISTANCE > length) return false;
    const distance = buffer.readInt32LE(offset);
    return distance !== 0 && this.#elf.segmentAt(address + distance) !== null;
  }

  /** Where a table of distances from itself leads, as far as it leads anywhere. */
  distances(table: number, end: number): number[] {
    if (table % DISTANCE !== 0) return [];
    const bytes = this.bytes(table, end);
    const targets: number[] = [];
    for (let at = 0; at + DISTANCE <= bytes.length; at += DISTANCE) {
      const target = table + bytes.readInt32LE(at);
      if (target === table || this.#elf.segmentAt(target) === null) break;
      targets.push(target);
    }
    return targets;
  }

  /** The bytes of a range, fewer where the file has no more. */
  bytes(start: number, end: number): Buffer {
    const { bytes } = this.#elf;
    const segment = this.#elf.segmentAt(start);
    if (segment === null) return bytes.buffer.subarray(0, 0);
    const last = Math.max(start, Math.min(end, segment.addr + segment.fileSize));
    const offset = segment.offset + (start - segment.addr);
    return bytes.buffer.subarray(offset, offset + (last - start));
  }

  /** Whether the code may change what is there. What the loader writes before it runs is constant. */
  isVariable(address: number): boolean {
    return this.#elf.writableAt(address);
  }

  relocationAt(address: number): ElfRelocation | undefined {
    return this.#relocations.get(address);
  }

  relocationsIn(start: number, end: number): ElfRelocation[] {
    const found: ElfRelocation[] = [];
    for (let i = firstFrom(this.#relocated, start); (this.#relocated[i] ?? end) < end; i++) {
      const one = this.#relocations.get(this.#relocated[i] ?? 0);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** A variable in words that stay the same where it moves. Numbers that compilers add to statics of functions do not. */
  variable(address: number): string {
    const span = this.spanAt(address);
    if (span !== null) return `${cleanName(span.name).replace(/\.\d+$/, "")}+${address - span.start}`;
    const section = this.sectionAt(address);
    return section === undefined ? `${address}` : `${section.name}+${address - section.addr}`;
  }

  /** A thread-local variable, by its place among them. */
  threadVariable(place: number): string {
    return this.#threads.get(place)?.replace(/\.\d+$/, "") ?? `${place}`;
  }
}
