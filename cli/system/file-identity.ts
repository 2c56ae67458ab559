/**
 * Identifies a state of a file, and reads its bytes. A writer may keep size and times (`cp -p`, `rsync -t`, builds with
 * fixed times), and a new file may get the inode of the one it replaces; but nobody can set the change time (ctime).
 */
import { type BigIntStats, readFileSync, statSync } from "node:fs";

/** Largest file in bytes: what node reads in one piece. Larger ones are sparse, or not libraries. */
const MOST_BYTES = 2 ** 31 - 1;

type Stats = Pick<BigIntStats, "dev" | "ino" | "size" | "mtimeNs" | "ctimeNs">;

/** Differs whenever a file was written to, replaced, or moved back; also if only its mode was changed. */
export const identityOf = ({ dev, ino, size, mtimeNs, ctimeNs }: Stats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(" ");

/** Differs if bytes were written; same if only the mode or the number of links changed, or after `cp -p` in place. */
export const writingOf = ({ dev, ino, size, mtimeNs }: Stats): string => [dev, ino, size, mtimeNs].join(" ");

/** The identity of the file at a path; "" if there is none. */
export function identityAt(path: string): string {
  try {
    return identityOf(statSync(path, { bigint: true }));
  } catch {
    return "";
  }
}

/** Whether two paths refer to one file. */
export function isSameFile(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one, { bigint: true }), statSync(other, { bigint: true })];
    return a.ino === b.ino && a.dev === b.dev;
  } catch {
    return false; // one of the two does not exist
  }
}

/** Why a file must not be read at all; null if it may. */
export function whyTooLarge({ size, blocks }: { readonly size: bigint; readonly blocks: bigint }): string | null {
  if (size <= MOST_BYTES) return null;
  const held = blocks * 512n;
  const sparse = held < size / 2n ? `, of which ${held} are written (a sparse file)` : "";
  return `it has ${size} bytes${sparse}; hotpatch reads files of up to ${MOST_BYTES}`;
}

/** Something that cannot be a library because of its size or kind: detected before a byte is read. */
export class NoLibraryFile extends Error {}

/** All bytes of a file. @throws NoLibraryFile, or the file system's own error */
export function readWhole(path: string): Buffer {
  const stats = statSync(path, { bigint: true });
  // Other kinds are endless, or block until somebody writes.
  if (!stats.isFile()) throw new NoLibraryFile("it is not a regular file");
  const why = whyTooLarge(stats);
  if (why !== null) throw new NoLibraryFile(why);
  return readFileSync(path);
}

/** The same, but also accepts the shell's pipes: `<(command)`. */
export const readGiven = (path: string): Buffer => (statSync(path).isFIFO() ? readFileSync(path) : readWhole(path));
