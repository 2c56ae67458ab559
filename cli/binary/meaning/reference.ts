/** What is asked of a library while one of its functions is read. */
import type { Elf } from "../elf.js";
import type { Draft } from "./meaning.js";
import type { Places } from "./places.js";
import type { Stream } from "./stream.js";

/** What a reference leads to: words that stay the same where things move, and what has a meaning of its own. */
export interface Reference {
  readonly text: string;
  readonly to: Draft | null;
}

export interface References {
  readonly elf: Elf;
  readonly places: Places;
  /** What is being read is written here. */
  readonly stream: Stream;
  /** What a branch or an address leads to. */
  at(address: number): Reference;
  /** What an instruction reads or writes. @param width bytes, at most */
  loaded(address: number, width: number): Reference;
  /** What follows a table in data without a name. */
  rest(address: number, end: number): Reference;
  /** Counts bytes before they are read. @throws ElfError invalid */
  claim(bytes: number): void;
  /** Writes a reference. */
  refer(from: Draft, reference: Reference): void;
}
