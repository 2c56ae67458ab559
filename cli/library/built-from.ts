/** The sources that a library was built from, from its line tables. */
import { resolve } from "node:path";
import { DwarfError } from "../binary/dwarf/cursor.js";
import { DebugInfo } from "../binary/dwarf/debug-info.js";
import { filesOf } from "../binary/dwarf/line-files.js";
import { ElfError, readElf } from "../binary/elf.js";
import { readWhole } from "../system/file-identity.js";

/** Absolute paths, headers included; null where the file does not say: it cannot be read, or was built without -g. */
export function builtFrom(path: string): ReadonlySet<string> | null {
  try {
    const { units } = new DebugInfo(readElf(readWhole(path)), path, () => null);
    const files = units.flatMap((unit) => filesOf(unit).filter((file) => file !== null));
    return files.length === 0 ? null : new Set(files.map((file) => resolve("/", file)));
  } catch (error) {
    const foreseen = error instanceof ElfError || error instanceof DwarfError || (error as NodeJS.ErrnoException).code;
    if (foreseen) return null;
    throw error;
  }
}
