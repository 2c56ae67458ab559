/**
 * Reads the instructions of one function, with the parts that the compiler split off it. Places inside it are told by
 * counting instructions, and padding is left out, so that nothing depends on where it is.
 */
import { cleanName, isFragment } from "../../../schemas/names.js";
import { type Arch, type Instruction, newInstruction } from "../arch/index.js";
import type { Draft } from "./meaning.js";
import { DISTANCE, type Places } from "./places.js";
import type { Reference, References } from "./reference.js";

/** A part of the function. */
interface Range {
  readonly start: number;
  readonly end: number;
  /** Which instruction begins at each of its bytes, counted from 1. */
  readonly counts: Int32Array;
}

/** What precedes what in the stream. */
const INSIDE = 1;
const OUTSIDE = 2;
const UNREADABLE = 3;
const TABLE = 4;
/** Code without a symbol is not followed further than this. */
const LARGEST = 1 << 20;

export class BodyReader {
  readonly #all: References;
  readonly #instruction = newInstruction();
  readonly #ahead = newInstruction();
  #ranges: Range[] = [];
  #count = 0;
  /** Where the stream is to say which instruction is at an address. */
  #inside: { readonly at: number; readonly address: number }[] = [];
  #symbol = "";
  #into: Draft | null = null;

  constructor(all: References) {
    this.#all = all;
  }

  /** @param symbol its name in the symbol table */
  read(into: Draft, symbol: string, start: number, end: number): void {
    const { stream } = this.#all;
    stream.clear();
    this.#ranges = [];
    this.#inside = [];
    this.#count = 0;
    this.#symbol = cleanName(symbol);
    this.#into = into;
    this.#add(start, end);
    // Reading one part finds others.
    for (let i = 0; i < this.#ranges.length; i++) this.#range(this.#ranges[i]);
    for (const { at, address } of this.#inside) stream.set(at, this.#countAt(address));
    into.own = stream.hash();
  }

  #add(start: number, end: number): void {
    const size = this.#all.places.bytes(start, end).length;
    this.#all.claim(size);
    this.#ranges.push({ start, end: start + size, counts: new Int32Array(size) });
  }

  #range(range: Range | undefined): void {
    if (range === undefined) return;
    const { arch } = this.#all.elf;
    const { stream } = this.#all;
    const code = this.#all.places.bytes(range.start, range.end);
    for (let at = 0; at < code.length; ) {
      if (!arch.decode(code, at, this.#instruction)) {
        stream.byte(UNREADABLE);
        stream.bytes(code, at, code.length);
        return;
      }
      range.counts[at] = this.#count + 1;
      const { size, kind } = this.#instruction;
      if (kind !== "empty") {
        this.#count++;
        this.#write(code, at, range.start);
      }
      at += size;
    }
  }

  #write(code: Buffer, at: number, base: number): void {
    const { stream } = this.#all;
    const { kind, size, field, fieldSize, does, width, target, register } = this.#instruction;
    if (fieldSize === 0) return stream.bytes(code, at, at + size);
    if (kind === "branch") stream.byte(does);
    else {
      stream.bytes(code, at, at + field);
      stream.bytes(code, at + field + fieldSize, at + size);
    }
    const address = base + target;
    if (this.#isOwn(address)) this.#own(address);
    else if (kind === "memory") this.#outside(() => this.#all.loaded(address, width));
    else {
      const end = kind === "address" ? this.#tableEnd(address, code, at + size, register) : null;
      if (end !== null) this.#table(address, end);
      else this.#outside(() => this.#all.at(address));
    }
  }

  #own(address: number): void {
    const { stream } = this.#all;
    stream.byte(INSIDE);
    this.#inside.push({ at: stream.number(0), address });
  }

  #outside(reference: () => Reference): void {
    this.#all.stream.byte(OUTSIDE);
    if (this.#into !== null) this.#all.refer(this.#into, reference());
  }

  /** Whether an address is inside the function. A part of it that was not known yet is added. */
  #isOwn(address: number): boolean {
    if (this.#ranges.some(({ start, end }) => address >= start && address < end)) return true;
    const { places } = this.#all;
    const span = this.#symbol !== "" && places.isCode(address) ? places.spanAt(address) : null;
    if (span === null || !isFragment(span.name) || cleanName(span.name) !== this.#symbol) return false;
    this.#add(span.start, span.end);
    return true;
  }

  #countAt(address: number): number {
    const range = this.#ranges.find(({ start, end }) => address >= start && address < end);
    return range === undefined ? 0 : range.counts[address - range.start] || range.start - address;
  }

  /**
   * A table of distances from itself: to its own instructions, for a switch, or to constants. Some compilers name it, but
   * only those whose code leaves no doubt of what it is.
   * @returns its end; null where there is none
   */
  #tableEnd(address: number, code: Buffer, next: number, register: number): number | null {
    const { elf, places } = this.#all;
    if (!places.mayBeTable(address) || places.isCode(address) || places.isVariable(address)) return null;
    const span = places.spanAt(address);
    const end = span?.end ?? places.boundAfter(address);
    if (elf.arch.addsDistances(code, next, register, this.#ahead)) return end;
    const entry = places.bytes(address, address + DISTANCE);
    return span === null && entry.length === DISTANCE && this.#isOwn(address + entry.readInt32LE(0)) ? end : null;
  }

  #table(address: number, end: number): void {
    const targets = this.#all.places.distances(address, end);
    this.#all.claim(targets.length * DISTANCE);
    this.#all.stream.byte(TABLE);
    for (const target of targets)
      if (this.#isOwn(target)) this.#own(target);
      else this.#outside(() => this.#all.at(target));
    this.#outside(() => this.#all.rest(address + targets.length * DISTANCE, end));
  }
}

/** Where a function without a symbol ends: after what ends the flow, unless a branch leads further. */
export function extentOf(arch: Arch, places: Places, start: number): number {
  const section = places.sectionAt(start);
  const limit = Math.min(start + LARGEST, section === undefined ? start + LARGEST : section.addr + section.size);
  const code = places.bytes(start, limit);
  const instruction: Instruction = newInstruction();
  let furthest = 0;
  let at = 0;
  while (arch.decode(code, at, instruction)) {
    const { size, ends, kind, target, does } = instruction;
    at += size;
    if (kind === "branch" && !arch.isCall(does) && !ends && target > furthest) furthest = target;
    if (ends && at > furthest) return start + at;
  }
  return start + at;
}
