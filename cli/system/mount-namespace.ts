/**
 * Translates between a target's file system and ours: a process in another mount namespace or under another root has
 * different files under the same names. Reads only.
 */
import { readlinkSync, statSync } from "node:fs";

export interface FileView {
  /** False: the target's paths mean something else than ours. */
  readonly same: boolean;
  /** Our absolute path of the file that is `path` in the target. */
  here(path: string): string;
}

/** Our view, shared by every process in our mount namespace under our root. */
const OURS: FileView = { same: true, here: (path) => path };

/**
 * Through /proc/PID/root, which follows the target's own mounts. Only for paths as the kernel reports them (maps):
 * an absolute symbolic link in the middle would resolve against our root.
 * Source: proc(5), /proc/PID/root.
 */
export function fileViewOf(pid: number): FileView {
  const root = `/proc/${pid}/root`;
  try {
    const [ours, theirs] = [statSync("/", { bigint: true }), statSync(`${root}/`, { bigint: true })];
    const one = readlinkSync("/proc/self/ns/mnt") === readlinkSync(`/proc/${pid}/ns/mnt`);
    if (one && ours.ino === theirs.ino && ours.dev === theirs.dev) return OURS;
    return { same: false, here: (path) => root + path };
  } catch {
    return OURS; // exited, or unreadable: later steps report that
  }
}
