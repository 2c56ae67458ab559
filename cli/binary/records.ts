/**
 * Owns the records by which a library says what its marked functions are called and what their callers rely on: sections
 * hp_marks and hp_types. Pure: reads a file's bytes, changes nothing.
 * Source: docs/marks.md, "The contract, byte by byte".
 */
import { MARK_RECORD, TYPE_RECORD } from "../../schemas/abi.js";
import type { Elf } from "./elf.js";
import { type RecordBytes, recordsOf } from "./record-section.js";

const FUNCTION = MARK_RECORD.at;
const TYPE = TYPE_RECORD.at;
/** The offset of what has none: a variant of an enum. */
const NO_OFFSET = 0xffffffffffffffffn;

/** Of an argument or a result. */
export interface Layout {
  /** In bytes. */
  readonly size: number;
  readonly align: number;
  /** Equal for equal layouts; 0n: no more is known than size and alignment. */
  readonly hash: bigint;
}

/** What is known of a marked function. */
export interface FunctionRecord {
  readonly name: string;
  /** Address relative to the load base. */
  readonly entry: number;
  /** As the author wrote it; null where nobody says. */
  readonly signature: string | null;
  /** "file:line"; null where nobody says. */
  readonly place: string | null;
  /** Arguments in their order, the result last; empty where nobody says. */
  readonly layouts: readonly Layout[];
}

/** A field of a type, or a variant. */
export interface TypePart {
  readonly name: string;
  /** The field's type, or what stands behind the variant's name. */
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
  /** "rustc version 1.95.0 (...)"; null for other languages, and where the file does not say. */
  readonly compiler: string | null;
}

/** Compilers leave their names in this section; strip lets them be. */
const COMMENT = ".comment";

/**
 * All records of a file.
 * @throws ElfError when one is of another version, does not fit its section or points outside the file
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
