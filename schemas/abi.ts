/**
 * The binary format of marks: what compilers leave in a library for the cli, which reads it in files, and for the
 * agent, which reads it in memory. No zod: the agent carries it into the target.
 * Source: docs/marks.md; mark/include/hotpatch.h and mark/rust write it.
 */

/** Bytes of a marked function's entry: one aligned instruction, replaced by one aligned store. */
export const ENTRY_SIZE = 8;

/** The no-ops found there, as hex in memory order. cli/binary/marks.ts says which compiler emits which. */
export const ENTRY_NOPS = {
  gcc: "488da42400000000",
  clang: "0f1f840000020000",
  assembler: "0f1f840000000000",
} as const;

export const SECTIONS = {
  /** Marked functions. */
  functions: "hotpatch",
  /** Inline ones, which gcc cannot put into the same section. */
  inline: "hotpatci",
  /** The flag of hotpatch_is_patched(). */
  flag: "hp_flag",
  marks: "hp_marks",
  types: "hp_types",
  state: "hp_state",
} as const;

/** Precedes the flag itself, with its NUL. */
export const FLAG_MAGIC = "HOTPATCH-FLAG1\0";

/** Every record begins with 8 characters, the last being this version; then its size and its number of parts. */
export const RECORD = { align: 8, version: 7, bytes: 8, parts: 12 } as const;

/** A kind of record. */
export interface RecordForm {
  readonly section: string;
  /** Without the version character. */
  readonly magic: string;
  /** In bytes. */
  readonly head: number;
  /** Bytes of each part after the head; 0 if there are none. */
  readonly part: number;
}

export const MARK_RECORD = {
  section: SECTIONS.marks,
  magic: "HPMARKS",
  head: 48,
  part: 24,
  at: { entry: 16, name: 24, signature: 32, place: 40, layouts: 48 },
} as const;

export const TYPE_RECORD = {
  section: SECTIONS.types,
  magic: "HPTYPES",
  head: 40,
  part: 32,
  at: { size: 16, align: 24, name: 32, parts: 40 },
} as const;

export const STATE_RECORD = {
  section: SECTIONS.state,
  magic: "HPSTATE",
  head: 64,
  part: 0,
  at: { size: 16, align: 24, owner: 32, storage: 40, name: 48, type: 56 },
} as const;

/** The record version that this hotpatch reads. */
export const RECORD_VERSION = "1";

/** Functions of a library that are called before and after a switch to it. */
export const HOOKS = { before: "hotpatch_before_switch", after: "hotpatch_after_switch" } as const;

/** Identifies a process in a session: the header of the agent's named page, with the offsets of its fields. */
export const REGISTRY = {
  name: "hotpatch-registry",
  magic: "HOTPATCH",
  at: { magic: 0, version: 8, owner: 12, offset: 16, length: 20, process: 24, notice: 32, stub: 40 },
} as const;

/**
 * Relocations. Source: x86-64 psABI 1.0 table 4.9. 64 writes S + A; GLOB_DAT and JUMP_SLOT write S; RELATIVE writes B +
 * A; IRELATIVE what the function at B + A returns; COPY: the executable contains the variable itself. DTPMOD64, DTPOFF64,
 * TPOFF64 and TLSDESC: where a thread-local variable is.
 */
export const R_X86_64 = {
  NONE: 0,
  ABS64: 1,
  COPY: 5,
  GLOB_DAT: 6,
  JUMP_SLOT: 7,
  RELATIVE: 8,
  DTPMOD64: 16,
  DTPOFF64: 17,
  TPOFF64: 18,
  TLSDESC: 36,
  IRELATIVE: 37,
} as const;
