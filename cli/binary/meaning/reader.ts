/**
 * Reads what functions mean: their instructions with every reference replaced by what it refers to. A marked function is
 * its name, because calls go through the table; another one of the library, and constants, are their contents; variables and
 * what other libraries have are names.
 */
import { cleanName } from "../../../schemas/names.js";
import { newInstruction } from "../arch/index.js";
import { type Elf, ElfError, type ElfRelocation } from "../elf.js";
import { BodyReader, extentOf } from "./body.js";
import { complete, type Draft, draft, type Meaning } from "./meaning.js";
import { Places } from "./places.js";
import type { Reference, References } from "./reference.js";
import { Stream } from "./stream.js";

/** Constants that an instruction loads are as long as it says, if it says less than this. */
const CERTAIN = 8;
const POINTER = 8;
/** Instructions of a PLT's stub. */
const STUB = 4;
/** How often a byte is read, on average. */
const READINGS = 8;
/** Text that is no accident. */
const TEXT = 4;

export class MeaningReader implements References {
  readonly places: Places;
  readonly elf: Elf;
  readonly stream = new Stream();
  readonly #marked: ReadonlyMap<number, string>;
  readonly #references = new Map<number, Reference>();
  readonly #functions = new Map<number, Draft>();
  readonly #constants = new Map<string, Draft>();
  readonly #unread: (() => void)[] = [];
  readonly #body: BodyReader;
  /** Nothing of a linked file is read more often than this; a crafted one could have each symbol contain all others. */
  #budget: number;
  /** Rust's texts have a length instead of an end. */
  readonly #texts: boolean;

  /** @param marked entries of functions that are called through the table, with their names */
  constructor(elf: Elf, marked: ReadonlyMap<number, string>) {
    this.elf = elf;
    this.places = new Places(elf);
    this.#marked = marked;
    this.#budget = READINGS * elf.bytes.length;
    this.#body = new BodyReader(this);
    const comment = elf.sections.find((one) => one.name === ".comment");
    this.#texts = comment === undefined || !elf.contentsOf(comment).includes("rustc");
  }

  /**
   * @param functions entries and sizes; the results are in the same order
   * @throws ElfError invalid
   */
  read(functions: readonly { readonly address: number; readonly size: number }[]): Meaning[] {
    const roots = functions.map(({ address, size }) => this.#function(address, address + size));
    for (let read = this.#unread.pop(); read !== undefined; read = this.#unread.pop()) read();
    complete(roots);
    return roots;
  }

  #function(start: number, end: number): Draft {
    let known = this.#functions.get(start);
    if (known === undefined) {
      const symbol = this.places.spanAt(start)?.name ?? "";
      const made = draft(cleanName(symbol));
      known = made;
      this.#functions.set(start, known);
      this.#unread.push(() => this.#body.read(made, symbol, start, end));
    }
    return known;
  }

  /** @throws ElfError invalid when functions and constants are larger than the file */
  claim(bytes: number): void {
    this.#budget -= bytes;
    if (this.#budget < 0) throw new ElfError("invalid", "its functions and constants overlap");
  }

  at(address: number): Reference {
    let known = this.#references.get(address);
    if (known === undefined) {
      known = this.#lookUp(address);
      this.#references.set(address, known);
    }
    return known;
  }

  #lookUp(address: number): Reference {
    const { places } = this;
    if (this.elf.segmentAt(address) === null) return named("outside");
    if (places.isCode(address)) return this.#code(address);
    if (places.isVariable(address)) return named(`variable ${places.variable(address)}`);
    const span = places.spanAt(address);
    if (span === null) return { text: "constant", to: this.#unnamed(address) };
    return { text: `constant+${address - span.start}`, to: this.#constant(span.start, span.end) };
  }

  #code(address: number): Reference {
    const { places } = this;
    const section = places.sectionAt(address);
    if (section?.name.startsWith(".plt") === true) return this.#stub(address);
    const span = places.spanAt(address);
    const start = span?.start ?? address;
    const marked = this.#marked.get(start);
    if (marked !== undefined) return named(`marked ${marked}+${address - start}`);
    const to = this.#function(start, span?.end ?? extentOf(this.elf.arch, places, address));
    return { text: `function ${to.name}+${address - start}`, to };
  }

  /** A stub that jumps to where a slot of the GOT says. */
  #stub(address: number): Reference {
    const code = this.places.bytes(address, address + 2 * POINTER);
    const instruction = newInstruction();
    for (let at = 0, left = STUB; left > 0 && this.elf.arch.decode(code, at, instruction); left--) {
      if (instruction.kind === "memory") return this.loaded(address + instruction.target, POINTER);
      at += instruction.size;
    }
    return named("stub");
  }

  loaded(address: number, width: number): Reference {
    const { places } = this;
    const relocation = places.relocationAt(address);
    if (relocation !== undefined && (this.#isSlot(relocation) || !places.isVariable(address)) && width <= POINTER)
      return this.#pointer(relocation);
    if (this.elf.segmentAt(address) === null || places.isVariable(address) || places.isCode(address))
      return this.at(address);
    const end = address + (width <= CERTAIN ? width : Math.min(width, places.boundAfter(address) - address));
    return { text: `constant of ${width}`, to: this.#constant(address, end) };
  }

  #isSlot({ type }: ElfRelocation): boolean {
    const { symbol, threadModule, threadPlaces } = this.elf.arch.relocations;
    return symbol.includes(type) || type === threadModule || threadPlaces.includes(type);
  }

  #pointer(relocation: ElfRelocation): Reference {
    const { offset, type, symbol, addend } = relocation;
    const { relative, indirect, absolute, threadModule, threadPlaces } = this.elf.arch.relocations;
    if (type === relative) return this.at(addend);
    if (type === indirect) {
      const { text, to } = this.at(addend);
      return { text: `chosen by ${text}`, to };
    }
    const found = symbol === 0 ? undefined : this.elf.dynamicSymbols()[symbol];
    const extra = type === absolute ? addend : 0;
    const isThread = type === threadModule || threadPlaces.includes(type);
    if (found === undefined) {
      if (!isThread) return named(`relocation ${type} ${addend}`);
      const place = type === threadModule ? this.#wordAt(offset + POINTER) : addend;
      return named(`thread variable ${this.places.threadVariable(place)}`);
    }
    // The copy is bound to itself: docs/decisions/0003-binding-the-copy.md.
    if (found.sectionIndex !== 0 && !isThread && !this.places.isVariable(found.value))
      return this.at(found.value + extra);
    return named(`symbol ${found.name}+${extra}`);
  }

  #wordAt(address: number): number {
    const bytes = this.places.bytes(address, address + POINTER);
    return bytes.length < POINTER ? 0 : bytes.readUInt32LE(0);
  }

  /** Constant data without a symbol: a text, or everything up to what else is referred to. */
  #unnamed(address: number): Draft {
    const text = this.#texts ? this.#textAt(address) : 0;
    return this.#constant(address, text > 0 ? address + text : this.places.boundAfter(address), true);
  }

  /** Bytes of a text with its end; 0: none. */
  #textAt(address: number): number {
    const bytes = this.places.bytes(address, Number.POSITIVE_INFINITY);
    let size = 0;
    while (isText(bytes[size] ?? 0)) size++;
    this.claim(size);
    return size >= TEXT && bytes[size] === 0 ? size + 1 : 0;
  }

  /** @param padded whether zeros at its end may be padding */
  #constant(start: number, end: number, padded = false): Draft {
    const key = `${start} ${end}`;
    let known = this.#constants.get(key);
    if (known === undefined) {
      const made = draft(null);
      known = made;
      this.#constants.set(key, known);
      this.#unread.push(() => this.#readConstant(made, start, end, padded));
    }
    return known;
  }

  #readConstant(into: Draft, start: number, end: number, padded: boolean): void {
    const { stream, places } = this;
    const bytes = places.bytes(start, end);
    let size = bytes.length;
    this.claim(size);
    const relocations = places.relocationsIn(start, end);
    const last = (relocations.at(-1)?.offset ?? start - POINTER) + POINTER - start;
    while (padded && size > last && bytes[size - 1] === 0) size--;
    stream.clear();
    let at = 0;
    for (const one of relocations) {
      stream.bytes(bytes, at, Math.max(at, Math.min(one.offset - start, size)));
      this.refer(into, this.#pointer(one));
      at = one.offset - start + POINTER;
    }
    if (at < size) stream.bytes(bytes, at, size);
    into.own = stream.hash();
  }

  refer(from: Draft, { text, to }: Reference): void {
    this.stream.text(text);
    if (to !== null) from.reaches.push(to);
  }

  rest(address: number, end: number): Reference {
    return { text: "rest", to: this.#constant(address, end, true) };
  }
}

const named = (text: string): Reference => ({ text, to: null });

/** Printable, white space, escape, or a part of what UTF-8 writes in several bytes. */
const isText = (byte: number): boolean =>
  (byte >= 0x20 && byte !== 0x7f) || (byte >= 0x09 && byte <= 0x0d) || byte === 0x1b;
