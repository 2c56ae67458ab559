/** What /proc says, read and taken apart. A process that has ended, or is not ours to look at, says nothing. Source: proc(5). */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from "node:fs";

/** The file's text; null when it is gone or not ours to read. */
export function readProc(path: string, encoding: "utf8" | "latin1" = "utf8"): string | null {
  try {
    return readFileSync(path, encoding);
  } catch {
    return null;
  }
}

export const allPids = (): number[] =>
  readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? [Number(entry)] : []));

/** Of /proc/PID/stat. */
export interface ProcStat {
  /** "Z" and "X": it has ended. */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
  /** When it started, in clock ticks since boot: with it a pid means one process. */
  readonly startTime: number;
  /** As of wait(2), while its zombie is there. */
  readonly exitStatus: number;
}

export function statOf(pid: number): ProcStat | null {
  const stat = readProc(`/proc/${pid}/stat`, "latin1");
  if (stat === null) return null;
  // The name before may hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent, , session] = fields;
  const [startTime, exitStatus] = [Number(fields[19]), Number(fields[49])];
  return { state, parent: Number(parent), session: Number(session), startTime, exitStatus };
}

/** Whether it has ended, and only its zombie is left. */
export const isZombie = ({ state }: Pick<ProcStat, "state">): boolean => "ZX".includes(state);

/** Null when there is no such process. */
export function startTimeOf(pid: number): number | null {
  const ticks = statOf(pid)?.startTime;
  return ticks !== undefined && Number.isSafeInteger(ticks) ? ticks : null;
}

/** The executable; "" where it cannot be told. */
export function exeOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
}

/** What a process has mapped of one file, or under a name of its own. */
export interface ProcMapping {
  /** As /proc/PID/map_files calls it. */
  readonly range: string;
  readonly start: bigint;
  readonly executable: boolean;
  /** Device and inode: the file itself, whatever lies under its path by now. */
  readonly file: string;
  readonly inode: bigint;
  readonly path: string;
}

/** Those with a path, in the order of their addresses. */
export function mappingsOf(pid: number): ProcMapping[] {
  const lines = (readProc(`/proc/${pid}/maps`) ?? "").matchAll(/^((\S+)-\S+) (\S+) \S+ (\S+ (\d+)) +(\/.*)$/gm);
  return [...lines].map(([, range = "", start = "", flags = "", file = "", inode = "", path = ""]) => ({
    range,
    start: BigInt(`0x${start}`),
    executable: flags.includes("x"),
    file,
    inode: BigInt(inode),
    path,
  }));
}

/** Bytes of a process's memory; null where they cannot be read. */
export function memoryOf(pid: number, address: bigint, length: number): Buffer | null {
  const bytes = Buffer.alloc(length);
  try {
    const memory = openSync(`/proc/${pid}/mem`, "r");
    try {
      return readSync(memory, bytes, 0, length, address) === length ? bytes : null;
    } finally {
      closeSync(memory);
    }
  } catch {
    return null;
  }
}
