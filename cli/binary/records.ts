/**
 * The records in which a library names its marked functions and what their callers rely on: sections hp_marks and
 * hp_types. Pure: reads a file's bytes, changes nothing.
 * Source: docs/marks.md, "The contract, byte by byte".
 */
import { MARK_RECORD, TYPE_RECORD } from "../../schemas/abi.js";
import type { Elf } from "./elf.js";
import { type RecordBytes, recordsOf } from "./record-section.js";

const FUNCTION = MARK_RECORD.at;
const TYPE = TYPE_RECORD.at;
/** The offset of an enum variant, which has none. */
const NO_OFFSET = 0xffffffffffffffffn;

/** The layout of an argument or a result. */
export interface Layout {
  /** In bytes. */
  readonly size: number;
  readonly align: number;
  /** Equal for equal layouts; 0n: only size and alignment are known. */
  readonly hash: bigint;
}

/** A marked function's record. */
export interface FunctionRecord {
  readonly name: string;
  /** Address relative to the load base. */
  readonly entry: number;
  /** As written in the source; null if unknown. */
  readonly signature: string | null;
  /** "file:line"; null if unknown. */
  readonly place: string | null;
  /** Arguments in order, the result last; empty if unknown. */
  readonly layouts: readonly Layout[];
}

/** A field of a type, or a variant. */
export interface TypePart {
  readonly name: string;
  /** The field's type, or what follows the variant's name. */
  readonly text: string;
  /** In bytes; null for a variant. */
  readonly offset: number | null;
  readonly size: number;
}

export interface TypeRecord {
  readonly name: string;
  readonly size: number;
  readonly align: number;
  readonly parts: readonly TypePart[];
}

export interface Records {
  readonly functions: readonly FunctionRecord[];
  /** By their names. */
  readonly types: ReadonlyMap<string, TypeRecord>;
  /** "rustc version 1.95.0 (...)"; null for other languages, and if the file does not say. */
  readonly compiler: string | null;
}

/** Compilers record their names in this section; it survives strip. */
const COMMENT = ".comment";

/**
 * All records of a file.
 * @throws ElfError if one has another version, does not fit its section or points outside the file
 */
export function readRecords(elf: Elf): Records {
  return {
    functions: [...recordsOf(elf, MARK_RECORD)].map(({ record }) => functionRecord(record)),
    types: new Map(
      [...recordsOf(elf, TYPE_RECORD)].map(({ record }) => [record.text(TYPE.name, "name"), typeRecord(record)]),
    ),
    compiler: compilerOf(elf),
  };
}

function compilerOf(elf: Elf): string | null {
  const comment = elf.sections.find((one) => one.name === COMMENT);
  if (comment === undefined) return null;
  const [found] = /rustc version [^\0]+/.exec(elf.contentsOf(comment).toString("latin1")) ?? [];
  return found ?? null;
}

const partsOf = <T>({ parts }: RecordBytes, start: number, size: number, read: (at: number) => T): T[] =>
  Array.from({ length: parts }, (_, i) => read(start + i * size));

function functionRecord(record: RecordBytes): FunctionRecord {
  return {
    name: record.text(FUNCTION.name, "name"),
    entry: record.pointer(FUNCTION.entry),
    signature: record.optionalText(FUNCTION.signature),
    place: record.optionalText(FUNCTION.place),
    layouts: partsOf(record, FUNCTION.layouts, MARK_RECORD.part, (at) => ({
      size: record.number(at),
      align: record.number(at + 8),
      hash: record.bits(at + 16),
    })),
  };
}

function typeRecord(record: RecordBytes): TypeRecord {
  return {
    name: record.text(TYPE.name, "name"),
    size: record.number(TYPE.size),
    align: record.number(TYPE.align),
    parts: partsOf(record, TYPE.parts, TYPE_RECORD.part, (at) => ({
      offset: record.bits(at) === NO_OFFSET ? null : record.number(at),
      size: record.number(at + 8),
      name: record.text(at + 16, "name of a part"),
      text: record.optionalText(at + 24) ?? "",
    })),
  };
}
