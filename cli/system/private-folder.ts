/**
 * Owns the private folder of a target's copies: its making, its removal, the sweeping of what dead sessions left, and
 * whether the target sees what is in it.
 * Must not follow symbolic links.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";
import { mkdtemp, open } from "node:fs/promises";
import { join } from "node:path";
import { startTimeOf } from "./proc.js";

/** Six characters from node, eight with underscores from bridge.py. */
const NAME = /^hotpatch-(\d+)-(\d+)-\w{6,8}$/;

/**
 * Makes the private folder (mode 0700) for a target's copies.
 * @param parent folder to make it in, as we call it
 * @param startTime what {@link startTimeOf} says of `pid`; null is written as 0, which fits no process
 * @param uid the target's user, who must be able to open the copies; null: the one we run as. Heeded as root only.
 * @returns its path
 * @throws the file system's own error
 */
export async function makeFolder(
  parent: string,
  pid: number,
  startTime: number | null,
  uid: number | null,
): Promise<string> {
  const path = await mkdtemp(join(parent, `hotpatch-${pid}-${startTime ?? 0}-`));
  // By its descriptor: whoever owns the parent could put a link to anything in the place of what was just made.
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await folder.chmod(0o700); // mkdtemp's mode, less whatever an odd umask took from it
    if (uid !== null && process.getuid?.() === 0 && uid !== 0) await folder.chown(uid, -1);
  } finally {
    await folder.close();
  }
  return path;
}

/**
 * Whether the target finds under this path the very bytes that were written: nothing has changed them, and it has no root
 * directory or mounts of its own. Where we may not look through its eyes the loader has the word.
 */
export function isSeenBy(pid: number, path: string, bytes: Buffer): boolean {
  let file: number;
  try {
    // Not blocking: it could be a pipe that somebody has put there.
    file = openSync(`/proc/${pid}/root${path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM" || !existsSync(`/proc/${pid}`);
  }
  try {
    return holds(file, bytes);
  } finally {
    closeSync(file);
  }
}

/** Bytes compared at a time. */
const PIECE = 1 << 20;

function holds(file: number, bytes: Buffer): boolean {
  const stat = fstatSync(file);
  if (!stat.isFile() || stat.size !== bytes.length) return false;
  const piece = Buffer.allocUnsafe(Math.min(PIECE, bytes.length));
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(file, piece, 0, piece.length, at);
    if (read === 0 || piece.compare(bytes, at, at + read, 0, read) !== 0) return false;
    at += read;
  }
  return true;
}
const entriesOf = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return []; // one of several places, and not there on this machine
  }
};

/** Lies in the folders of a process that died unexpectedly: its time is when. */
const DIED = "target-died";
/** ms that such a folder is left for a debugger. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/**
 * Leaves all folders of a process that died where its core dump looks for what is in them, until a sweep finds them old.
 * @returns those that hold anything
 */
export function leaveForDebugger(parents: readonly string[], pid: number, startTime: number | null): string[] {
  return foldersOf(parents, pid, startTime).filter((path) => {
    if (entriesOf(path).length === 0) return false;
    try {
      const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      try {
        closeSync(openSync(`/proc/self/fd/${folder}/${DIED}`, "wx", 0o600));
      } finally {
        closeSync(folder);
      }
      return true;
    } catch {
      return false; // gone, a symbolic link, or its disk is full: it goes with the others
    }
  });
}

/** Whether a debugger may still want it. A time from the future counts as none. */
function isLeftForDebugger(path: string, now: number): boolean {
  try {
    return Math.abs(now - lstatSync(join(path, DIED)).mtimeMs) < KEPT_MS;
  } catch {
    return false; // no such mark, or not ours to look at
  }
}

const foldersOf = (parents: readonly string[], pid: number, startTime: number | null): string[] =>
  parents.flatMap((parent) =>
    entriesOf(parent)
      .filter((name) => name.startsWith(`hotpatch-${pid}-${startTime ?? 0}-`) && NAME.test(name))
      .map((name) => join(parent, name)),
  );

/** Removes all folders of a process, also those of sessions that were killed. Only its one session may do that. */
export function removeFoldersOf(parents: readonly string[], pid: number, startTime: number | null): void {
  for (const path of foldersOf(parents, pid, startTime)) removeFolder(path);
}

/**
 * Removes folders of processes that are gone, a day later where a debugger may want them. Only those of our user, or
 * anyone's as root (the folders root makes belong to the targets' users).
 * @returns the paths that were removed
 */
export function sweepFolders(parents: readonly string[], now = Date.now()): string[] {
  const removed: string[] = [];
  for (const parent of parents)
    for (const name of entriesOf(parent)) {
      const [, pid, startTime] = NAME.exec(name) ?? [];
      if (pid === undefined || startTime === undefined) continue;
      if (startTimeOf(Number(pid)) === Number(startTime)) continue;
      const path = join(parent, name);
      if (!isLeftForDebugger(path, now) && removeFolder(path)) removed.push(path);
    }
  return removed;
}

/**
 * Removes a private folder with all that is in it. A copy that a kept target still maps lives on until it is unmapped.
 * @returns whether the folder is gone; false when it is a symbolic link or another user's
 */
export function removeFolder(path: string): boolean {
  try {
    emptyFolder(path);
    rmdirSync(path);
    return true;
  } catch {
    return false; // gone, a symbolic link, or not ours
  }
}

/**
 * Through descriptors: as root in a directory of another user, a path could become a link to anywhere between two calls.
 * unlink and rmdir do not follow links themselves.
 */
function emptyFolder(path: string): void {
  const folder = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const us = process.getuid?.() ?? 0;
    if (us !== 0 && fstatSync(folder).uid !== us) throw new Error("it is another user's");
    const inside = `/proc/self/fd/${folder}`;
    for (const entry of readdirSync(inside, { withFileTypes: true })) {
      if (entry.isDirectory()) {
        emptyFolder(`${inside}/${entry.name}`);
        rmdirSync(`${inside}/${entry.name}`);
      } else unlinkSync(`${inside}/${entry.name}`);
    }
  } finally {
    closeSync(folder);
  }
}
