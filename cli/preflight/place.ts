/**
 * Finds the folder for a target's copies: both sides see it, we may write and the target may read it, nobody else can
 * replace files in it, it has room, and code can be mapped from it. Walks from the root folder down through descriptors
 * and follows no link: a hostile target could point one at our own files at any time. Must execute nothing there.
 */
import { closeSync, constants, fstatSync, mkdtempSync, openSync, realpathSync, rmdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { HotpatchError, noPlace } from "../errors.js";
import { type FileView, fileViewOf } from "../system/mount-namespace.js";
import { readProc } from "../system/proc.js";
import { factsOf, type ProcessFacts } from "../system/process-facts.js";
import { settleTemp, weaknessOf } from "../system/temp-folder.js";
import { trustedOwners } from "../system/trusted-owners.js";
import { type Finding, fine, problem } from "./finding.js";

/** Bytes that must be free: a few copies of a medium-sized library. */
const FREE_BYTES = 16 * 1024 * 1024;
/** Opens with search permission only, without read permission. Source: asm-generic/fcntl.h; node does not define it. */
const O_PATH = 0o10000000;
/** CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: exempt from folder permissions. Source: linux/capability.h. */
const CAP_DAC = 0b110n;

export interface Place {
  /** Its path in the target. */
  readonly path: string;
  /** The open folder, which stays reachable after the target and its /proc/PID/root are gone. The caller closes it. */
  readonly folder: number;
}

/**
 * In order of preference, links resolved. Not next to the library: that is watched, and often under version control.
 */
export function placesForCopies(): string[] {
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  const all = [tmpdir(), "/var/tmp", "/tmp", ...(runtime ? [runtime] : []), "/dev/shm"];
  return [...new Set(all.map(realPath))];
}

function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder; // missing: reported when it is examined
  }
}

/** The first suitable candidate, or null. `passed`: one line for each that was passed over. */
export function findPlace(target: ProcessFacts): { place: Place | null; passed: string[] } {
  const view = fileViewOf(target.pid);
  const passed: string[] = [];
  for (const path of placesForCopies()) {
    const found = look(path, target, view);
    if (typeof found === "number") return { place: { path, folder: found }, passed };
    passed.push(`${path}: ${found}`);
  }
  return { place: null, passed };
}

export function checkPlace(target: ProcessFacts): Finding {
  const { place, passed } = findPlace(target);
  if (place === null) return problem(noPlace(target.pid, passed.join("\n")));
  closeSync(place.folder);
  return fine(`${place.path}${passed.length === 0 ? "" : ` (${passed.join("; ")})`}`);
}

/** Settles the temporary folder, as a session does at its start. */
export function checkTemp(): Finding {
  try {
    settleTemp();
    return fine(`${tmpdir()}, where nobody else can replace what hotpatch writes`);
  } catch (error) {
    if (!(error instanceof HotpatchError)) throw error;
    return problem(error.report);
  }
}

/** For a host that will be started: it sees what we see. */
export function checkOwnPlace(): Finding {
  const us = factsOf(process.pid);
  return us === null ? fine("not checked: /proc is not mounted") : checkPlace(us);
}

/** The folder's descriptor, or why copies cannot go there. */
function look(there: string, target: ProcessFacts, view: FileView): string | number {
  // The target's owner controls what it loads anyway.
  const trusted = new Set([...trustedOwners(), target.uid]);
  const free = (target.capabilities & CAP_DAC) !== 0n;
  let folder = openSync(view.here("/"), O_PATH | constants.O_DIRECTORY);
  let path = "/";
  let fit = false;
  try {
    for (const name of ["", ...there.split(sep).filter(Boolean)]) {
      if (name !== "") {
        const next = openSync(inside(folder, name), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
        closeSync(folder);
        folder = next;
        path = join(path, name);
      }
      const stat = fstatSync(folder);
      if (!free && !passable(stat, target)) return `user ${target.uid}, who owns the process, may not enter ${path}`;
      const weakness = weaknessOf(path, stat, trusted);
      if (weakness !== null) return weakness;
    }
    const why = useless(folder, target.pid);
    fit = why === null;
    return why ?? folder;
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return "a component of the path is a link or not a folder";
    return message.split(", ")[0] ?? message; // without the path that we used
  } finally {
    if (!fit) closeSync(folder);
  }
}

const inside = (folder: number, name: string): string => `/proc/self/fd/${folder}/${name}`;

/** Why a safe folder is unsuitable, or null. */
function useless(folder: number, target: number): string | null {
  const { bavail, bsize } = statfsSync(inside(folder, "."));
  if (bavail * bsize < FREE_BYTES) return `only ${Math.floor((bavail * bsize) / 1024)} KiB are free`;
  if (isNoexec(folder, target)) return "code cannot be mapped from it (noexec)";
  rmdirSync(mkdtempSync(inside(folder, "hotpatch-probe-")));
  return null;
}

/**
 * From the options of the descriptor's mount, as the target sees them. Executing a file would also tell, but in a
 * hostile target's folder that file may be the target's by then, and we may be root.
 * Source: proc(5), mnt_id in /proc/PID/fdinfo, options in the sixth field of /proc/PID/mountinfo.
 */
function isNoexec(folder: number, target: number): boolean {
  const mount = /^mnt_id:\s*(\d+)$/m.exec(readProc(`/proc/self/fdinfo/${folder}`) ?? "")?.[1];
  const line = readProc(`/proc/${target}/mountinfo`)
    ?.split("\n")
    .find((one) => one.startsWith(`${mount} `));
  return line?.split(" ")[5]?.split(",").includes("noexec") ?? false;
}

/** The execute bit of owner, group or others, as the kernel selects it; ACLs are ignored. */
function passable(folder: { mode: number; uid: number; gid: number }, { uid, gid, groups }: ProcessFacts): boolean {
  if (folder.uid === uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === gid || groups.includes(folder.gid)) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}
