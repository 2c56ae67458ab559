/** Which processes one may want to attach to: those with marked libraries first. Reads /proc and the libraries' tables. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { libraryName, pathAsItWas } from "../../schemas/names.js";
import { CODE_SECTIONS } from "../binary/marks.js";
import { sectionNames } from "../binary/section-names.js";
import { namesOf, ownProcesses } from "./process-facts.js";

export interface Candidate {
  readonly pid: number;
  readonly name: string;
  /** As it was started, its arguments with it. */
  readonly commandLine: string;
  /** File names of the loaded libraries that have marks. */
  readonly marked: readonly string[];
}

/** All processes whose memory map may be read, hotpatch itself and its parents left out. */
export function candidates(): Candidate[] {
  const own = ownProcesses();
  const marks = new Map<string, boolean>();
  const isMarked = ({ file, path, range }: Mapped, pid: number): boolean => {
    const known = marks.get(file) ?? readable(pid, path, range).some(hasMarks);
    marks.set(file, known);
    return known;
  };
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && !own.has(Number(entry)))
    .map((entry) => candidate(Number(entry), isMarked))
    .filter((found) => found !== null)
    .sort((a, b) => Number(b.marked.length > 0) - Number(a.marked.length > 0) || b.pid - a.pid);
}

function candidate(pid: number, isMarked: (mapped: Mapped, pid: number) => boolean): Candidate | null {
  try {
    const mapped = mappedFiles(readFileSync(`/proc/${pid}/maps`, "latin1"));
    if (mapped.length === 0) return null; // a kernel thread or a zombie
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
    const names = mapped.flatMap((one) => {
      const path = pathAsItWas(one.path);
      const { name, generation } = libraryName(path);
      // Copies of an earlier session belong to the library they were made of, and what it has staged is that library.
      if (generation !== null) return generation === 0 ? [name] : [];
      return isMarked(one, pid) ? [name] : [];
    });
    return { pid, name: namesOf(pid)[0] ?? String(pid), commandLine, marked: [...new Set(names)] };
  } catch {
    return null; // it has ended, or is not ours to look at
  }
}

/** A file that a process runs code of. */
interface Mapped {
  readonly path: string;
  /** Device and inode: the file itself, whatever lies under its path by now. */
  readonly file: string;
  readonly range: string;
}

/** Source: proc(5), /proc/PID/maps. */
function mappedFiles(maps: string): Mapped[] {
  const lines = maps.matchAll(/^(\S+) ..x\S* \S+ (\S+ \d+) +(\/.*)$/gm);
  return [...lines].map(([, range = "", file = "", path = ""]) => ({ range, file, path }));
}

/**
 * Where the file can be read: once it was rebuilt its path ends in " (deleted)" and leads to what was built since, if
 * anywhere; the mapping itself is for the privileged.
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
    return false; // deleted, or not ours to read: the attach itself will look in memory
  }
}
