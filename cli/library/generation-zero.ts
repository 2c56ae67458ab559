/** The files of what a target has already loaded, as far as they can still be read. */
import { statSync } from "node:fs";
import type { FoundLibrary } from "../../schemas/agent.js";
import { type Choose, type Inspected, inspect } from "../steps/inspect.js";
import { readWhole } from "../system/file-identity.js";
import type { FileView } from "../system/mount-namespace.js";
import { mappingsOf, type ProcMapping } from "../system/proc.js";

/**
 * The file that the target has mapped: by its path while that is still the same file, otherwise through
 * /proc/PID/map_files (which needs privileges). Null if neither works or it is not readable as a library.
 */
export function generationZero(
  pid: number,
  found: FoundLibrary,
  view: FileView,
  choose: Choose | null = null,
): Inspected | null {
  try {
    const source = found.staged === null ? mappedFile(pid, found, view) : view.here(found.staged);
    const inspection = inspect(found.path, found.library, readWhole(source), "", choose);
    return inspection.kind === "fit" ? inspection.artifact : null;
  } catch {
    return null; // replaced and out of reach: the session continues without it
  }
}

/** Reads the copy of an earlier session; null if its file is gone. */
export function keptCopy(
  found: FoundLibrary,
  generation: number,
  view: FileView,
  choose: Choose | null = null,
): Inspected | null {
  const path = found.generations.find((one) => one.generation === generation)?.path ?? "";
  try {
    const inspection = inspect(path, found.library, readWhole(view.here(path)), "", choose);
    return inspection.kind === "fit" ? inspection.artifact : null;
  } catch {
    return null; // its folder was removed by hand
  }
}

/** Whether writing `artifact` in place would change the target's memory. */
export function mapsArtifact(pid: number, found: FoundLibrary, artifact: string): boolean {
  if (found.staged !== null) return false;
  try {
    return statSync(artifact, { bigint: true }).ino === mapping(pid, found).inode;
  } catch {
    return false; // the target or the file is gone
  }
}

function mappedFile(pid: number, found: FoundLibrary, view: FileView): string {
  const { range, inode } = mapping(pid, found);
  try {
    const path = view.here(found.path);
    if (statSync(path, { bigint: true }).ino === inode) return path;
  } catch {
    // the path no longer exists: the mapping itself may still be readable
  }
  return `/proc/${pid}/map_files/${range}`;
}

/** The mapping at the library's base. Source: proc(5), /proc/PID/maps. */
function mapping(pid: number, { base }: FoundLibrary): ProcMapping {
  const found = mappingsOf(pid).find(({ start }) => start === BigInt(base));
  if (found === undefined) throw new Error(`nothing is mapped at ${base}`);
  return found;
}
