/** The processes to offer for attaching, those with marked libraries first. Reads /proc and the libraries' tables. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { libraryName, pathAsItWas } from "../../schemas/names.js";
import { CODE_SECTIONS } from "../binary/marks.js";
import { sectionNames } from "../binary/section-names.js";
import { allPids, mappingsOf, type ProcMapping, readProc } from "./proc.js";
import { namesOf, ownProcesses } from "./process-facts.js";

export interface Candidate {
  readonly pid: number;
  readonly name: string;
  /** As it was started, with arguments. */
  readonly commandLine: string;
  /** File names of the loaded libraries that have marks. */
  readonly marked: readonly string[];
}

/** All processes whose memory map is readable, except hotpatch itself and its ancestors. */
export function attachable(): Candidate[] {
  const own = ownProcesses();
  const marks = new Map<string, boolean>();
  const isMarked = ({ file, path, range }: ProcMapping, pid: number): boolean => {
    const known = marks.get(file) ?? readable(pid, path, range).some(hasMarks);
    marks.set(file, known);
    return known;
  };
  return allPids()
    .filter((pid) => !own.has(pid))
    .map((pid) => candidate(pid, isMarked))
    .filter((found) => found !== null)
    .sort((a, b) => Number(b.marked.length > 0) - Number(a.marked.length > 0) || b.pid - a.pid);
}

function candidate(pid: number, isMarked: (mapped: ProcMapping, pid: number) => boolean): Candidate | null {
  const mapped = mappingsOf(pid).filter(({ executable }) => executable);
  const commandLine = readProc(`/proc/${pid}/cmdline`)?.split("\0").join(" ").trim();
  if (mapped.length === 0 || commandLine === undefined) return null; // a kernel thread, a zombie, or not ours to look at
  const names = mapped.flatMap((one) => {
    const { name, generation } = libraryName(pathAsItWas(one.path));
    // Copies of an earlier session belong to the library they were made of, and what it has staged is that library.
    if (generation !== null) return generation === 0 ? [name] : [];
    return isMarked(one, pid) ? [name] : [];
  });
  return { pid, name: namesOf(pid)[0] ?? String(pid), commandLine, marked: [...new Set(names)] };
}

/**
 * Where the file can be read: after a rebuild its path ends in " (deleted)" and refers to what was built since, if to
 * anything; reading the mapping itself needs privileges.
 */
function readable(pid: number, path: string, range: string): string[] {
  const was = pathAsItWas(path);
  return was === path ? [path] : [`/proc/${pid}/map_files/${range}`, was];
}

function hasMarks(path: string): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    const file = openSync(path, "r");
    try {
      const names = sectionNames((offset, length) => {
        const buffer = Buffer.alloc(length);
        return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
      });
      return names.some((name) => CODE_SECTIONS.has(name));
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // deleted or unreadable: the attach itself will look in memory
  }
}
