/**
 * Owns what a library's own file says of its functions without marks: where they are, what room they have for a jump, and
 * what in the file leads into that room. Must not choose among them and must not judge how they were compiled.
 */
import { R_X86_64 } from "../../schemas/abi.js";
import { cleanName, isFragment } from "../../schemas/names.js";
import type { Elf, ElfSection, ElfSymbol } from "./elf.js";
import { SHF_EXECINSTR, SHN_UNDEF, SHT_NOBITS, STB_GLOBAL, STT_FUNC, STV_DEFAULT } from "./elf-constants.js";
import { CODE_SECTIONS } from "./marks.js";
import { paddingAt } from "./padding.js";

/** Bytes of `jmp rel32`. */
export const JUMP_SIZE = 5;
/** Bytes at a function's start that are compared with memory before it is touched. */
const HEAD = 16;
const ENDBR64 = Buffer.from("f30f1efa", "hex");
/** Entries of a jump table that are looked at. */
const LONGEST_TABLE = 4096;

/** A function without a mark. Addresses are relative to the load base. */
export interface PlainFunction {
  /** Without the suffixes compilers add. */
  readonly name: string;
  readonly symbol: string;
  readonly value: number;
  readonly size: number;
  /** Source file of a static function; otherwise null. */
  readonly file: string | null;
  /** Others may define it instead: the compiler of a shared library may not look into it from its callers. */
  readonly replaceable: boolean;
  /** Where a jump may stand: `value`, or behind its endbr64. */
  readonly jump: number;
  /** Bytes from `value` on that are its own: its code, and the padding behind it. */
  readonly room: number;
  /** Its first bytes as hex. */
  readonly head: string;
  /** A clone whose arguments are the compiler's own (.constprop, .isra): the same name means another thing next time. */
  readonly clone: boolean;
}

/** What leads into the place of a function's jump. */
export interface IncomingBranches {
  /** Bytes that read like a branch there: they are one if an instruction of the function at `start` begins at `at`. */
  readonly suspects: readonly { readonly start: number; readonly at: number }[];
  /** A way that is certain, in words; null: none. */
  readonly certain: string | null;
}

/** What every library of gcc and clang has from crtstuff.c and crti.o, and what hotpatch itself calls by its place. */
const NOT_THE_AUTHORS =
  /^(?:_init|_fini|frame_dummy|(?:de)?register_tm_clones|__do_global_dtors_aux|hotpatch_(?:before|after)_switch|hotpatch_is_patched)$/;
const CLONE = /\.(?:constprop|isra)\.\d+/;

/** The functions of a library that have no mark, in the order of their addresses. */
export function plainFunctions(elf: Elf, marked: ReadonlySet<number>): PlainFunction[] {
  const sections = codeSections(elf);
  const symbols = [...elf.symbols(), ...elf.dynamicSymbols()].filter((one) => sections.has(one.sectionIndex));
  const starts = [...new Set(symbols.map((one) => one.value))].sort((a, b) => a - b);
  const exported = new Set(
    elf
      .dynamicSymbols()
      .filter(isReplaceable)
      .map((one) => one.name),
  );
  const found = new Map<string, PlainFunction>();
  for (const symbol of symbols) {
    const { name: raw, value, size, file } = symbol;
    const section = sections.get(symbol.sectionIndex);
    if (symbol.type !== STT_FUNC || raw === "" || size === 0 || section === undefined || marked.has(value)) continue;
    const name = cleanName(raw);
    if (isFragment(raw) || NOT_THE_AUTHORS.test(name)) continue;
    const key = `${value} ${name}`;
    if (found.has(key)) continue;
    const code = bytesOf(elf, section, value);
    const jump = value + (code.subarray(0, 4).equals(ENDBR64) ? ENDBR64.length : 0);
    const room = roomOf(code, size, (starts[placeAfter(starts, value)] ?? section.addr + section.size) - value);
    found.set(key, {
      name,
      symbol: raw,
      value,
      size,
      file,
      replaceable: exported.has(raw),
      jump,
      room,
      head: code.subarray(0, Math.min(HEAD, room)).toString("hex"),
      clone: CLONE.test(raw),
    });
  }
  return [...found.values()].sort((a, b) => a.value - b.value);
}

/** Code that is neither marked nor the linker's own. */
function codeSections(elf: Elf): Map<number, ElfSection> {
  const wanted = elf.sections.filter(
    ({ flags, type, name }) =>
      (flags & SHF_EXECINSTR) !== 0 &&
      type !== SHT_NOBITS &&
      !CODE_SECTIONS.has(name) &&
      !/^\.(?:init|fini|plt(?:\..+)?)$/.test(name),
  );
  return new Map(wanted.map((section) => [section.index, section]));
}

/** Weak ones are not: what stands in a header is the same everywhere by the language's rule, and compilers use that. */
const isReplaceable = ({ bind, visibility, sectionIndex }: ElfSymbol): boolean =>
  bind === STB_GLOBAL && visibility === STV_DEFAULT && sectionIndex !== SHN_UNDEF;

const bytesOf = (elf: Elf, section: ElfSection, value: number): Buffer =>
  elf.contentsOf(section).subarray(Math.max(value - section.addr, 0));

/** The place in sorted `starts` of the lowest above `value`. */
function placeAfter(starts: readonly number[], value: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @param space bytes to the next symbol, or to the section's end */
function roomOf(code: Buffer, size: number, space: number): number {
  let room = Math.min(size, space, code.length);
  if (room < size) return room; // another name stands inside it
  for (let more = 1; more > 0 && room < space && room < size + HEAD; room += more) more = paddingAt(code, room);
  return Math.min(room, space);
}

/** One pass over all code: branches, jump tables and addresses that lead into these functions' jumps. */
export function incomingBranches(elf: Elf, functions: readonly PlainFunction[]): Map<PlainFunction, IncomingBranches> {
  const search = new Search(elf, functions);
  for (const section of codeSections(elf).values()) search.branches(section);
  for (const relocation of elf.relocations())
    if (relocation.type === R_X86_64.RELATIVE) search.address(relocation.addend);
  return search.found;
}

const LEA = 0x8d;

/** Bytes of a jmp, jcc, loop or `lea reg, [rip + disp32]`, which end in a distance; 0 for anything else. */
function sizeOfRelative(code: Buffer, at: number): 0 | 2 | 5 | 6 {
  const [byte, next] = [code[at] ?? 0, code[at + 1] ?? 0];
  if ((byte & 0xf0) === 0x70 || byte === 0xeb || (byte & 0xfc) === 0xe0) return 2;
  if (byte === 0xe9) return 5;
  if (byte === 0x0f && (next & 0xf0) === 0x80) return 6;
  return byte === LEA && at > 0 && (next & 0xc7) === 0x05 ? 6 : 0;
}

class Search {
  readonly found = new Map<PlainFunction, { suspects: { start: number; at: number }[]; certain: string | null }>();
  readonly #elf: Elf;
  /** Every address where a jump's bytes will be, and the functions' starts, with the function. */
  readonly #places = new Map<number, PlainFunction>();
  /** All symbols, to tell what a byte belongs to: where they start, and where they end. */
  readonly #starts: readonly number[];
  readonly #ends = new Map<number, number>();

  constructor(elf: Elf, functions: readonly PlainFunction[]) {
    this.#elf = elf;
    for (const one of functions) {
      this.found.set(one, { suspects: [], certain: null });
      for (let at = one.value; at < one.jump + JUMP_SIZE; at++) if (!this.#places.has(at)) this.#places.set(at, one);
    }
    for (const { type, value, size, sectionIndex } of [...elf.symbols(), ...elf.dynamicSymbols()])
      if (type <= STT_FUNC && sectionIndex !== SHN_UNDEF)
        this.#ends.set(value, Math.max(value + size, this.#ends.get(value) ?? 0));
    this.#starts = [...this.#ends.keys()].sort((a, b) => a - b);
  }

  /** What an address belongs to: `start` is the last symbol before it, `end` where that ends by its own account. */
  #around(at: number): { readonly start: number; readonly end: number } | null {
    const start = this.#starts[placeAfter(this.#starts, at) - 1];
    const end = start === undefined ? undefined : this.#ends.get(start);
    return start === undefined || end === undefined ? null : { start, end };
  }

  /** Bytes that read like a branch to a place, or like a table's address, at every byte: none that is one is missed. */
  branches(section: ElfSection): void {
    const code = this.#elf.contentsOf(section);
    for (let i = 0; i < code.length - 1; i++) {
      const size = sizeOfRelative(code, i);
      const end = i + size;
      if (size === 0 || end > code.length) continue;
      const target = section.addr + end + (size === 2 ? code.readInt8(end - 1) : code.readInt32LE(end - 4));
      if (code[i] === LEA) this.#table(section.addr + i, target);
      else this.#branch(section.addr + i, target);
    }
  }

  #branch(at: number, target: number): void {
    const to = this.#places.get(target);
    if (to === undefined) return;
    const from = this.#around(at);
    // Another function's jump to the start is a call in the last place.
    if (target === to.value && from?.start !== to.value) return;
    const incoming = this.found.get(to);
    if (incoming === undefined) return;
    if (from === null) incoming.certain ??= `code without a name at 0x${at.toString(16)} may jump into its first bytes`;
    else incoming.suspects.push({ start: from.start, at });
  }

  /** A jump table of this function: 32-bit distances from the table to its code. */
  #table(at: number, table: number): void {
    const around = this.#around(at);
    const offset = this.#elf.fileOffsetOf(table);
    if (around === null || offset === null || table % 4 !== 0) return;
    const bytes = this.#elf.bytes.buffer;
    for (let i = 0; i < LONGEST_TABLE && offset + 4 * i + 4 <= bytes.length; i++) {
      const target = table + bytes.readInt32LE(offset + 4 * i);
      if (target < around.start || target >= around.end) return;
      const to = this.#places.get(target);
      const incoming = to?.value === around.start ? this.found.get(to) : undefined;
      if (incoming !== undefined) incoming.certain ??= "a jump table leads back into its first bytes";
    }
  }

  /** An address that the library's data hold. The start itself is a function pointer: a jump there is a call. */
  address(target: number): void {
    const to = this.#places.get(target);
    const incoming = to === undefined || target === to.value ? undefined : this.found.get(to);
    if (incoming !== undefined) incoming.certain ??= "the library's data hold an address inside its first bytes";
  }
}
