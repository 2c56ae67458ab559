/**
 * The records of persistent variables in section hp_state. Pure: reads a file's bytes, changes nothing.
 * Source: docs/marks.md, "hp_state, byte by byte".
 */
import { STATE_RECORD } from "../../schemas/abi.js";
import type { Elf } from "./elf.js";
import { type Pointers, type RecordBytes, recordsIn, recordsOf } from "./record-section.js";

const AT = STATE_RECORD.at;

/** A variable that lives through all generations. */
export interface StateRecord {
  readonly name: string;
  /** As written in the source. */
  readonly type: string;
  /** In bytes. */
  readonly size: number;
  readonly align: number;
  /** Address of its own storage, relative to the load base. */
  readonly storage: number;
  /** File offset of the 8-byte pointer to the first owner's storage; the pointer is 0 in what a build wrote. */
  readonly pointerOffset: number;
}

/**
 * The records of a file, in order.
 * @throws ElfError if a record has another version, does not fit its section or points outside the file
 */
export const readState = (elf: Elf): StateRecord[] =>
  [...recordsOf(elf, STATE_RECORD)].map(({ record, section }) => stateRecord(record, section.offset));

/** @param offset where the section's bytes lie in the file */
export const stateRecordsIn = (bytes: Buffer, offset: number, pointers: Pointers): StateRecord[] =>
  [...recordsIn(STATE_RECORD, bytes, pointers)].map((record) => stateRecord(record, offset));

function stateRecord(record: RecordBytes, offset: number): StateRecord {
  return {
    name: record.text(AT.name, "name"),
    type: record.text(AT.type, "type text"),
    size: record.number(AT.size),
    align: record.number(AT.align),
    storage: record.pointer(AT.storage),
    pointerOffset: offset + record.at + AT.owner,
  };
}
