/** The sources that a library was built from, from its line tables. */
import { resolve } from "node:path";
import { DwarfError } from "../binary/dwarf/cursor.js";
import { DebugInfo } from "../binary/dwarf/debug-info.js";
import { filesOf } from "../binary/dwarf/line-files.js";
import { ElfError, readElf } from "../binary/elf.js";
import { identityAt, readWhole } from "../system/file-identity.js";

/** Absolute paths, headers included; null where the file does not say: it cannot be read, or was built without -g. */
function builtFrom(path: string): ReadonlySet<string> | null {
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

/** The sources of libraries that are built again and again: each file is read once. */
export class KnownSources {
  readonly #read = new Map<string, { readonly identity: string; readonly sources: ReadonlySet<string> | null }>();

  /** Whether the line tables of one of the libraries name a file. */
  has(source: string, artifacts: readonly string[]): boolean {
    return artifacts.some((path) => this.of(path)?.has(source) === true);
  }

  /** Null where the file does not say. */
  of(path: string): ReadonlySet<string> | null {
    const identity = identityAt(path);
    const known = this.#read.get(path);
    if (known?.identity === identity) return known.sources;
    const sources = builtFrom(path);
    this.#read.set(path, { identity, sources });
    return sources;
  }
}
