/** Which processes one may want to attach to: those with marked libraries first. Reads /proc and the libraries' tables. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { CODE_SECTIONS } from "./binary/marks.js";
import { sectionNames } from "./binary/section-names.js";
import { namesOf, ownProcesses } from "./preflight/process.js";

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
  const isMarked = (path: string): boolean => {
    const known = marks.get(path) ?? hasMarks(path);
    marks.set(path, known);
    return known;
  };
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && !own.has(Number(entry)))
    .map((entry) => candidate(Number(entry), isMarked))
    .filter((found) => found !== null)
    .sort((a, b) => Number(b.marked.length > 0) - Number(a.marked.length > 0) || b.pid - a.pid);
}

function candidate(pid: number, isMarked: (path: string) => boolean): Candidate | null {
  try {
    const mapped = mappedFiles(readFileSync(`/proc/${pid}/maps`, "latin1"));
    if (mapped.size === 0) return null; // a kernel thread or a zombie
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
    const marked = [...mapped].filter((path) => isMarked(path)).map((path) => basename(path));
    return { pid, name: namesOf(pid)[0] ?? String(pid), commandLine, marked };
  } catch {
    return null; // it has ended, or is not ours to look at
  }
}

/** Copies of an earlier session belong to the library they were made of. */
const COPY = /\/hotpatch-\d+-[^/]*\/[^/]*$/;

/** Files that a process runs code of. */
function mappedFiles(maps: string): Set<string> {
  const paths = [...maps.matchAll(/^\S+ ..x\S* \S+ \S+ \d+ +(\/.*)$/gm)].map(([, path]) => path ?? "");
  return new Set(paths.filter((path) => !COPY.test(path)));
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
    return false; // replaced or deleted since it was loaded: the attach itself will look in memory
  }
}
