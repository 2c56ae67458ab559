/** What becomes of errors that a file's bytes are to blame for. Everything else is thrown on. */
import { ElfError } from "../elf.js";
import { DwarfError } from "./cursor.js";

/** Why the debug information is unusable. */
export function reasonOf(error: unknown): string {
  if (error instanceof DwarfError || error instanceof ElfError) return error.message;
  throw error;
}

/** What `read` finds; nothing where the bytes are bad. */
export function orNothing<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    reasonOf(error);
    return [];
  }
}
