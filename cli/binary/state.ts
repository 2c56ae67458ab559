/**
 * Owns the records of persistent variables in section hp_state. Pure: reads a file's bytes, changes nothing.
 * Source: docs/marks.md, "hp_state, byte by byte".
 */
import { type Elf, ElfError, type ElfRelocation } from "./elf.js";
import type { ElfBytes } from "./elf-bytes.js";

const SECTION = "hp_state";
const MAGIC = "HPSTATE";
const VERSION = "1";
/** In bytes. */
const RECORD = 64;
const ALIGN = 8;
const LONGEST_TEXT = 4096;
const AT = { bytes: 8, size: 16, align: 24, owner: 32, storage: 40, name: 48, type: 56 } as const;

/** A variable that lives through all generations. */
export interface StateRecord {
  readonly name: string;
  /** The author's text. */
  readonly type: string;
  /** In bytes. */
  readonly size: number;
  readonly align: number;
  /** Address of its own storage, relative to the load base. */
  readonly storage: number;
  /** Offset in the file of the 8-byte pointer to the first owner's storage: 0 in what a build wrote. */
  readonly pointerOffset: number;
}

/**
 * The records of a file, in their order.
 * @throws ElfError when a record is of another version, does not fit its section or points outside the file
 */
export function readState(elf: Elf): StateRecord[] {
  const sections = elf.sections.filter((one) => one.name === SECTION && one.size > 0);
  if (sections.length === 0) return [];
  const relocations = new Map(elf.relocations().map((one) => [one.offset, one]));
  return sections.flatMap((section) =>
    stateRecordsIn(elf.contentsOf(section), section.offset, {
      pointed: (at, inFile) => pointedTo(elf, relocations.get(section.addr + at), inFile),
      text: (address) => {
        const start = elf.fileOffsetOf(address);
        return start === null ? null : textAt(elf.bytes, start);
      },
    }),
  );
}

/** How a file's format resolves what stands in a record. */
interface Pointers {
  /** Address, relative to the load base, that the pointer at byte `at` of the section leads to. */
  pointed(at: number, inFile: bigint): number;
  /** Null when the address is not in the file. */
  text(address: number): string | null;
}

/** @param offset where the section's bytes lie in the file */
export function stateRecordsIn(bytes: Buffer, offset: number, pointers: Pointers): StateRecord[] {
  const records: StateRecord[] = [];
  for (let at = 0; at + ALIGN <= bytes.length; ) {
    if (bytes.readBigUInt64LE(at) === 0n) {
      at += ALIGN; // padding between records
      continue;
    }
    checkHead(bytes, at);
    const pointed = (field: number) => pointers.pointed(at + field, bytes.readBigUInt64LE(at + field));
    const [name, type] = [AT.name, AT.type].map((field) => pointers.text(pointed(field)));
    if (name == null || type == null) throw new ElfError("invalid", `a record of ${SECTION} has no name or type text`);
    records.push({
      name,
      type,
      size: Number(bytes.readBigUInt64LE(at + AT.size)),
      align: Number(bytes.readBigUInt64LE(at + AT.align)),
      storage: pointed(AT.storage),
      pointerOffset: offset + at + AT.owner,
    });
    at += RECORD;
  }
  return records;
}

function checkHead(bytes: Buffer, at: number): void {
  const magic = bytes.toString("latin1", at, at + MAGIC.length + 1);
  if (!magic.startsWith(MAGIC)) throw new ElfError("invalid", `there is no record at ${at} of ${SECTION}`);
  const version = magic.slice(MAGIC.length);
  if (version !== VERSION)
    throw new ElfError(
      "invalid",
      `a record of ${SECTION} has version ${version}; this hotpatch reads version ${VERSION}`,
    );
  if (at + RECORD > bytes.length || bytes.readUInt32LE(at + AT.bytes) !== RECORD)
    throw new ElfError("invalid", `the record at ${at} of ${SECTION} does not have ${RECORD} bytes`);
}

/** What a pointer leads to: its relocation says so, or where relocations are packed (RELR) the file itself. */
function pointedTo(elf: Elf, relocation: ElfRelocation | undefined, inFile: bigint): number {
  if (relocation === undefined) return Number(inFile);
  const symbol = relocation.symbol === 0 ? undefined : elf.dynamicSymbols()[relocation.symbol];
  return (symbol?.value ?? 0) + relocation.addend;
}

/** The NUL-terminated text at a place in the file. @throws ElfError when it is too long or not terminated */
export const textAt = (bytes: ElfBytes, start: number): string =>
  bytes.text(start, Math.min(LONGEST_TEXT, bytes.length - start), 0, `a record of ${SECTION}`);
