/**
 * Walks a section of records: magic with version, record size, padding between records, and how a record's pointers are
 * resolved in a file. state.ts and records.ts know what records mean. Pure, bounds-checked.
 * Source: docs/marks.md, "The contract, byte by byte".
 */
import { RECORD, RECORD_VERSION, type RecordForm } from "../../schemas/abi.js";
import { SHT_NOBITS } from "../../schemas/elf.js";
import { type Elf, ElfError, type ElfRelocation, type ElfSection } from "./elf.js";
import type { ElfBytes } from "./elf-bytes.js";

/** Bytes. Records are aligned to this; between them there may be this much zero padding. */
const LONGEST_TEXT = 4096;

/** How a file format resolves a record's pointers. */
export interface Pointers {
  /** Address, relative to the load base, in the pointer at byte `at` of the section; 0 for a null pointer. */
  pointed(at: number, inFile: bigint): number;
  /** Null if the address is not in the file. */
  text(address: number): string | null;
}

/** One record, with its fields accessed by offset. */
export class RecordBytes {
  readonly #form: RecordForm;
  readonly #bytes: Buffer;
  readonly #at: number;
  readonly #pointers: Pointers;
  /** Parts after the head. */
  readonly parts: number;

  constructor(form: RecordForm, bytes: Buffer, at: number, pointers: Pointers) {
    this.#form = form;
    this.#bytes = bytes;
    this.#at = at;
    this.#pointers = pointers;
    this.parts = form.part === 0 ? 0 : bytes.readUInt32LE(at + RECORD.parts);
  }

  /** Offset in the section. */
  get at(): number {
    return this.#at;
  }

  get size(): number {
    return this.#form.head + this.parts * this.#form.part;
  }

  number(field: number): number {
    return Number(this.bits(field));
  }

  bits(field: number): bigint {
    return this.#bytes.readBigUInt64LE(this.#at + field);
  }

  pointer(field: number): number {
    return this.#pointers.pointed(this.#at + field, this.bits(field));
  }

  /** @throws ElfError if the pointer is null or points outside the file */
  text(field: number, what: string): string {
    const text = this.#pointers.text(this.pointer(field));
    if (text === null || text === "") throw new ElfError("invalid", `a record of ${this.#form.section} has no ${what}`);
    return text;
  }

  /** Null for a null pointer, and for an empty text. */
  optionalText(field: number): string | null {
    const address = this.pointer(field);
    return address === 0 ? null : this.#pointers.text(address) || null;
  }
}

/**
 * The records in a section's bytes, in order.
 * @throws ElfError if one has another version or does not fit the section
 */
export function* recordsIn(form: RecordForm, bytes: Buffer, pointers: Pointers): Generator<RecordBytes> {
  for (let at = 0; at + RECORD.align <= bytes.length; ) {
    if (bytes.readBigUInt64LE(at) === 0n) {
      at += RECORD.align;
      continue;
    }
    checkHead(form, bytes, at);
    const record = new RecordBytes(form, bytes, at, pointers);
    yield record;
    at += record.size;
  }
}

/** @throws ElfError like `recordsIn`, and if the sections overlap */
export function* recordsOf(elf: Elf, form: RecordForm): Generator<{ record: RecordBytes; section: ElfSection }> {
  const sections = elf.sections.filter((one) => one.name === form.section && one.type !== SHT_NOBITS && one.size > 0);
  if (sections.length === 0) return;
  if (sections.reduce((sum, one) => sum + one.size, 0) > elf.bytes.length)
    throw new ElfError("invalid", `its sections ${form.section} overlap`);
  const relocations = new Map(elf.relocations().map((one) => [one.offset, one]));
  for (const section of sections) {
    const pointers: Pointers = {
      pointed: (at, inFile) => pointedTo(elf, relocations.get(section.addr + at), inFile),
      text: (address) => {
        const start = elf.fileOffsetOf(address);
        return start === null ? null : textAt(elf.bytes, start);
      },
    };
    for (const record of recordsIn(form, elf.contentsOf(section), pointers)) yield { record, section };
  }
}

function checkHead({ section, magic, head, part }: RecordForm, bytes: Buffer, at: number): void {
  const found = bytes.toString("latin1", at, at + RECORD.align);
  if (found.length < RECORD.align || !found.startsWith(magic))
    throw new ElfError("invalid", `there is no record at ${at} of ${section}`);
  const version = found.slice(magic.length);
  if (version !== RECORD_VERSION)
    throw new ElfError(
      "invalid",
      `a record of ${section} has version ${version}; this hotpatch reads version ${RECORD_VERSION}`,
    );
  const left = bytes.length - at;
  const expected = left < head ? head : head + (part === 0 ? 0 : part * bytes.readUInt32LE(at + RECORD.parts));
  if (left < expected || bytes.readUInt32LE(at + RECORD.bytes) !== expected)
    throw new ElfError("invalid", `the record at ${at} of ${section} is not ${expected} bytes long`);
}

/** The target of a pointer: from its relocation, or from the file itself if relocations are packed (RELR). */
function pointedTo(elf: Elf, relocation: ElfRelocation | undefined, inFile: bigint): number {
  if (relocation === undefined) return Number(inFile);
  const symbol = relocation.symbol === 0 ? undefined : elf.dynamicSymbols()[relocation.symbol];
  return (symbol?.value ?? 0) + relocation.addend;
}

/** The NUL-terminated text at a file offset. @throws ElfError if it is too long or not terminated */
export const textAt = (bytes: ElfBytes, start: number): string =>
  bytes.text(start, Math.min(LONGEST_TEXT, bytes.length - start), 0, "a record");
