/** Why a file cannot be loaded as a library, as an error report. */
import type { ErrorReport } from "../../schemas/error.js";
import { ElfError, readElf } from "../binary/elf.js";
import { readMarks } from "../binary/marks.js";
import {
  artifactIncomplete,
  artifactInvalid,
  executableGiven,
  marksInExecutable,
  wrongArchitecture,
} from "../errors.js";

/** @param running what the target runs meanwhile */
export function unfitFile(path: string, bytes: Buffer, { kind, message }: ElfError, running: string): ErrorReport {
  switch (kind) {
    case "incomplete":
      return artifactIncomplete(path, message, running);
    case "architecture":
      return wrongArchitecture(path, message, running);
    case "invalid":
      return artifactInvalid(path, message, running);
    case "executable": {
      const marks = marksOf(bytes);
      return marks > 0 ? marksInExecutable(path, marks, running) : executableGiven(path, message, running);
    }
  }
}

/** Marked functions of an executable; those from headers end up in it whatever its author wants. */
function marksOf(bytes: Buffer): number {
  try {
    return readMarks(readElf(bytes)).functions.filter((one) => !one.inline).length;
  } catch (error) {
    if (error instanceof ElfError) return 0;
    throw error;
  }
}
