/**
 * Owns where a target's copies go: a folder that both sides see, that we may write, that the target may read, where
 * nobody else can exchange them, and from which code may be mapped. Every one of these is tried, not read from a table of mounts.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, lstatSync, mkdtempSync, realpathSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { HotpatchError, noPlace } from "../errors.js";
import { trustedOwners } from "../owners.js";
import { settleTemp, weaknessOn } from "../temp.js";
import { type View, viewOf } from "../view.js";
import { type Finding, fine, problem } from "./finding.js";
import { factsOf, type ProcessFacts } from "./process.js";

/** Bytes that must be free: room for a few copies of a middling library. */
const FREE_BYTES = 16 * 1024 * 1024;
/** CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: folder permissions do not hold its owner. Source: linux/capability.h. */
const CAP_DAC = 0b110n;

/** A folder under its two names. */
export interface Place {
  /** What we call it. */
  readonly here: string;
  /** What the target calls it. */
  readonly there: string;
}

/** In the order of preference, without links. Not beside the library: that folder is watched, and often under version control. */
export function candidates(): string[] {
  const { XDG_RUNTIME_DIR: runtime } = process.env;
  const all = [tmpdir(), "/var/tmp", "/tmp", ...(runtime ? [runtime] : []), "/dev/shm"];
  return [...new Set(all.map(realPath))];
}

function realPath(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder; // not there: its own reason says so
  }
}

/** The first candidate that serves, or why none does. `passed`: one line for each that was passed over. */
export function findPlace(target: ProcessFacts): { place: Place | null; passed: string[] } {
  const view = viewOf(target.pid);
  const passed: string[] = [];
  for (const there of candidates()) {
    const why = unfit(there, target, view);
    if (why === null) return { place: { here: view.here(there), there }, passed };
    passed.push(`${there}: ${why}`);
  }
  return { place: null, passed };
}

export function checkPlace(target: ProcessFacts): Finding {
  const { place, passed } = findPlace(target);
  if (place === null) return problem(noPlace(target.pid, passed.join("\n")));
  return fine(`go to ${place.there}${passed.length === 0 ? "" : ` (${passed.join("; ")})`}`);
}

/** The temporary folder is settled by it, as a session does at its start. */
export function checkTemp(): Finding {
  try {
    settleTemp();
    return fine(`${tmpdir()}, where nobody else can exchange what hotpatch puts`);
  } catch (error) {
    if (!(error instanceof HotpatchError)) throw error;
    return problem(error.report);
  }
}

/** For a host that will be started: it sees what we see. */
export function checkOwnPlace(): Finding {
  const us = factsOf(process.pid);
  return us === null ? fine("not looked at: /proc is not mounted") : checkPlace(us);
}

/** Why copies cannot be put there, or null. */
function unfit(there: string, target: ProcessFacts, view: View): string | null {
  const closed = unreachable(there, target, view) ?? exchangeable(there, target, view);
  if (closed !== null) return closed;
  const folder = view.here(there);
  let probe: string | null = null;
  try {
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < FREE_BYTES) return `only ${Math.floor((bavail * bsize) / 1024)} KiB are free`;
    probe = mkdtempSync(join(folder, "hotpatch-probe-"));
    return notExecutable(probe);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (probe !== null) rmSync(probe, { recursive: true, force: true });
  }
}

/**
 * Whether code can be mapped from here: the kernel refuses to execute a file, with EACCES, where it refuses to map one as
 * code. The file names an interpreter that does not exist, so nothing ever runs: ENOENT is the good answer.
 * Source: fs/exec.c and mm/mmap.c, path_noexec.
 */
function notExecutable(folder: string): string | null {
  const file = join(folder, "probe");
  writeFileSync(file, `#!${join(folder, "nothing")}\n`);
  chmodSync(file, 0o700);
  const { error } = spawnSync(file);
  return (error as NodeJS.ErrnoException | undefined)?.code === "EACCES"
    ? "no code may be mapped from it (noexec)"
    : null;
}

/** Why the target could not open a file below, or null. */
function unreachable(there: string, target: ProcessFacts, view: View): string | null {
  const free = (target.capabilities & CAP_DAC) !== 0n;
  const parts = there.split(sep).filter(Boolean);
  for (let depth = 0; depth <= parts.length; depth++) {
    const path = `/${parts.slice(0, depth).join("/")}`;
    try {
      const found = lstatSync(view.here(path));
      if (found.isSymbolicLink() && !view.same) return `${path} is a symbolic link in the target's root`;
      if (!free && !passable(statSync(view.here(path)), target))
        return `user ${target.uid}, whose process it is, may not enter ${path}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return null;
}

/** How others could exchange a copy, or null. Whoever the target belongs to decides over it anyway. */
const exchangeable = (there: string, target: ProcessFacts, view: View): string | null =>
  weaknessOn(there, new Set([...trustedOwners(), target.uid]), view.here);

/** The execute bit of owner, group or others, as the kernel chooses it; access lists are not looked at. */
function passable(folder: { mode: number; uid: number; gid: number }, { uid, gid, groups }: ProcessFacts): boolean {
  if (folder.uid === uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === gid || groups.includes(folder.gid)) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}
