/**
 * Owns the private folder for a target's copies: creating and removing it, removing what dead sessions left, and
 * checking that the target sees its contents. Must not follow symbolic links.
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

/** Six characters from node, eight with underscores from temp_folder.py. */
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
  // Through its descriptor: the parent's owner could replace what was just created by a link to anything.
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await folder.chmod(0o700); // mkdtemp's mode, minus whatever an unusual umask removed
    if (uid !== null && process.getuid?.() === 0 && uid !== 0) await folder.chown(uid, -1);
  } finally {
    await folder.close();
  }
  return path;
}

/**
 * Whether the target finds under this path the very bytes that were written: nobody has changed them, and it has no
 * root directory or mounts of its own. If we may not look through its root, the loader decides.
 */
export function isSeenBy(pid: number, path: string, bytes: Buffer): boolean {
  let file: number;
  try {
    // Non-blocking: somebody could have put a pipe there.
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
    return []; // one of several candidates, missing on this machine
  }
};

/** Marks the folders of a process that died unexpectedly; its timestamp says when. */
const DIED = "target-died";
/** ms that such a folder is kept for a debugger. */
const KEPT_MS = 24 * 60 * 60 * 1000;

/**
 * Keeps all folders of a process that died, because its core dump refers to their contents, until a sweep finds them
 * old.
 * @returns those that are not empty
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
      return false; // gone, a symbolic link, or on a full disk: removed with the others
    }
  });
}

/** Whether a debugger may still want it. A timestamp in the future does not count. */
function isLeftForDebugger(path: string, now: number): boolean {
  try {
    return Math.abs(now - lstatSync(join(path, DIED)).mtimeMs) < KEPT_MS;
  } catch {
    return false; // no such marker, or unreadable
  }
}

const foldersOf = (parents: readonly string[], pid: number, startTime: number | null): string[] =>
  parents.flatMap((parent) =>
    entriesOf(parent)
      .filter((name) => name.startsWith(`hotpatch-${pid}-${startTime ?? 0}-`) && NAME.test(name))
      .map((name) => join(parent, name)),
  );

/** Removes all folders of a process, also those of sessions that were killed. Only its current session may do that. */
export function removeFoldersOf(parents: readonly string[], pid: number, startTime: number | null): void {
  for (const path of foldersOf(parents, pid, startTime)) removeFolder(path);
}

/**
 * Removes folders of processes that are gone, after a day if a debugger may want them. Only our user's, or as root
 * anyone's (the folders root creates belong to the targets' users).
 * @returns the removed paths
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
 * Removes a private folder and its contents. A copy that a kept target still maps lives on until it is unmapped.
 * @returns whether the folder is gone; false if it is a symbolic link or another user's
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
 * Uses descriptors: as root in another user's directory, a path could become a link to anywhere between two calls.
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
