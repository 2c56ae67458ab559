/** What an architecture provides: addresses in, bytes out. Knows nothing of libraries or generations. */
import type { Address, Word } from "../target/address.js";

export interface CodeWriter {
  /** Bytes from one thunk to the next. */
  readonly thunkSize: number;
  /** Bytes of the jump at the start of a function without a mark. */
  readonly jumpSize: number;
  /** The most bytes that `displace` writes. */
  readonly displacedSize: number;
  /** How far from a module its thunks may lie, in bytes: an entry's jump has to reach them across the module itself. */
  readonly near: number;
  /** gcc's entry as a Memory.scan() pattern. */
  readonly gccEntry: string;
  /** Whether a jump at `from` can reach `to`, allowing for the instruction itself. */
  inReach(from: Address, to: Address): boolean;
  /** Why this word at this address cannot be a patchable entry; null if it can. */
  entryProblem(entry: Address, word: Word): string | null;
  /** The word that turns an entry into a jump to `thunk`. */
  entryJump(entry: Address, thunk: Address): Word;
  /** The thunk an adopted entry jumps to; null if the entry is not a jump. */
  thunkOf(entry: Address, word: Word): Address | null;
  /** The jump at the start of a function without a mark. */
  functionJump(at: Address, thunk: Address): number[];
  /**
   * Writes the jump through the running table into `code`, at `offset`.
   * @param at where the thunk will run
   * @param epoch address of the pointer to the running table
   * @param index the function's place in every table
   */
  writeThunk(code: DataView, offset: number, at: Address, epoch: Address, index: number): void;
  /**
   * Relocates the instructions that a jump at `at` will overwrite to `body`, followed by a jump back to the rest.
   * @returns why that is impossible, else null
   */
  displace(at: NativePointer, body: NativePointer): string | null;
}
