/** What a file's machine code says, for one architecture. Everything else that reads files is the same for all. */
import type { Instruction } from "./instruction.js";

/** An entry that can be patched: the no-op of a marked function. */
interface MarkedEntry {
  /** Which compiler writes it. */
  readonly kind: "gcc" | "clang";
  readonly bytes: Buffer;
}

/**
 * Told of bytes that end in a distance, all places from the code's own first byte.
 * @param kind what they would be: something that jumps there, or something that takes the address, as before a jump table
 */
export type OnRelative = (kind: "branch" | "address", at: number, target: number) => void;

/** By what they do. */
interface RelocationTypes {
  readonly none: number;
  /** Writes a symbol's address and an addend. */
  readonly absolute: number;
  /** Write a symbol's address. */
  readonly symbol: readonly number[];
  /** Writes the load base and an addend. */
  readonly relative: number;
  /** Writes what the function at the load base and an addend returns. */
  readonly indirect: number;
  /** The executable has the variable itself. */
  readonly copy: number;
  /** Write where a thread-local variable is: the module, followed by the place in it, or the place. */
  readonly threadModule: number;
  readonly threadPlaces: readonly number[];
}

export interface Arch {
  /** As in messages. */
  readonly name: string;
  /** e_machine, and the machine in a COFF header. */
  readonly elfMachine: number;
  readonly peMachine: number;
  readonly relocations: RelocationTypes;
  readonly markedEntries: readonly MarkedEntry[];
  /**
   * That of templates, by which they are found in libraries that have marks or the flag: gcc ignores a template's section
   * but keeps the rest (measured, gcc 12). No compiler writes this form of the instruction by itself.
   */
  readonly templateEntry: Buffer;
  /** Bytes of the jump that is written over a function's first ones. */
  readonly jumpSize: number;
  /** Bytes at the start of `code` that an indirect branch lands on and that must stay; 0: none. */
  landingPad(code: Buffer): number;
  /** Where an unconditional jump at `at` leads, from the code's own first byte; null if there is none. */
  jumpTarget(code: Buffer, at: number): number | null;
  /** Looks at every byte, so that no real one is missed. */
  eachRelative(code: Buffer, found: OnRelative): void;
  /** Whether a function's code may call another or name a variable. Looks at every byte: true more often than it need be. */
  reachesOut(code: Buffer): boolean;
  /** Reads the instruction at a place. @returns false where there is none, or only its beginning */
  decode(code: Buffer, at: number, into: Instruction): boolean;
  /**
   * Whether the code at a place, before which `register` took the address of a table, adds that address to what it reads
   * there: then the table holds distances. `into` is overwritten.
   */
  addsDistances(code: Buffer, at: number, register: number, into: Instruction): boolean;
  /** Whether a branch comes back, by what it `does`. */
  isCall(does: number): boolean;
  /** Bytes of padding at a place; 0 for code. */
  paddingAt(code: Buffer, at: number): number;
  /** Bytes of a gap between functions that are not padding. */
  codeIn(gap: Buffer): number;
}
