/** Which files and folders are sources, by their names and first bytes. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";

/** Results of builds and what editors leave beside a file while they save it. */
export const NOT_SOURCES = /(\.(o|so|a|d|tmp|new|swp|swx)|~|\.so\..+)$|^(4913|\.#.*|#.*#)$/;
const NOT_FOLDERS = new Set(["node_modules", ".git", "target", "build", "dist"]);

/** How results of builds begin that no name gives away: programs and libraries (ELF), archives. */
const RESULT_MAGICS = [Buffer.from("\x7fELF"), Buffer.from("!<arch>\n")];
/** How such a file begins while the linker has yet to write its header. */
const UNWRITTEN = Buffer.alloc(4);

/** What a file's first bytes say of it; "empty" when there are none, also when it cannot be read. */
export function kindOf(path: string): "result" | "empty" | "other" {
  const head = Buffer.alloc(8);
  let length = 0;
  try {
    if (!statSync(path).isFile()) return "other"; // to open a pipe would wait for its writer
    const file = openSync(path, "r");
    try {
      length = readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch {
    return "empty";
  }
  if (length === 0) return "empty";
  return [...RESULT_MAGICS, UNWRITTEN].some((magic) => head.subarray(0, magic.length).equals(magic))
    ? "result"
    : "other";
}

export const isSourceFolder = (path: string): boolean =>
  !NOT_FOLDERS.has(basename(path)) && !basename(path).startsWith(".");
