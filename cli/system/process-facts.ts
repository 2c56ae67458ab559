/**
 * Finds the process that is meant, and reads what /proc says about it. Reads /proc only, and judges nothing.
 */
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { pathAsItWas } from "../../schemas/names.js";
import { ambiguousProcess, HotpatchError, noSuchProcess } from "../errors.js";
import { allPids, exeOf, readProc } from "./proc.js";

/** Source: proc(5), /proc/PID/status. */
export interface ProcessFacts {
  readonly pid: number;
  /** "R", "S", "T" (stopped), "t" (stopped by its tracer), "Z" (zombie), ... */
  readonly state: string;
  readonly parent: number;
  /** Pid of its tracer; 0 if there is none. */
  readonly tracer: number;
  /** Effective user, group, and supplementary groups. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Effective capabilities, one bit each. */
  readonly capabilities: bigint;
  /** 0: none, 1: strict, 2: filters. */
  readonly seccompMode: number;
  /** Number of seccomp filters; null on kernels before 5.9. */
  readonly seccompFilters: number | null;
  /** Its pid in each pid namespace it is in, ours first. */
  readonly pids: readonly number[];
}

/** Null when there is no such process. */
export function factsOf(pid: number): ProcessFacts | null {
  const status = readProc(`/proc/${pid}/status`);
  if (status === null) return null;
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1]?.trim() ?? "";
  const numbers = (name: string): number[] => field(name).split(/\s+/).filter(Boolean).map(Number);
  const filters = field("Seccomp_filters");
  return {
    pid,
    state: field("State").charAt(0),
    parent: Number(field("PPid")),
    tracer: Number(field("TracerPid")),
    uid: numbers("Uid")[1] ?? 0,
    gid: numbers("Gid")[1] ?? 0,
    groups: numbers("Groups"),
    capabilities: BigInt(`0x${field("CapEff") || "0"}`),
    seccompMode: Number(field("Seccomp")),
    seccompFilters: filters === "" ? null : Number(filters),
    pids: numbers("NSpid"),
  };
}

/** Whether its main thread has exited before the others (pthread_exit in main): /proc then hides its memory. */
export const isHeadless = (pid: number): boolean => factsOf(pid)?.state === "Z" && hasLivingThread(pid);

function hasLivingThread(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((tid) => !"ZX".includes(factsOf(Number(tid))?.state ?? "X"));
  } catch {
    return false; // exited
  }
}

/** The exact names a process answers to: its executable's file name and its comm. */
export function namesOf(pid: number): string[] {
  const exe = exeOf(pid); // a kernel thread or another user's process shows none; its comm still counts
  const names = exe === "" ? [] : [basename(pathAsItWas(exe))];
  const comm = readProc(`/proc/${pid}/comm`);
  if (comm !== null) names.push(comm.trimEnd());
  return names;
}

/** This process and its ancestors: a name never refers to them. */
export function ownProcesses(): Set<number> {
  const own = new Set<number>();
  for (let pid = process.pid; pid > 1 && !own.has(pid); pid = factsOf(pid)?.parent ?? 0) own.add(pid);
  return own;
}

const hasEnded = ({ pid, state }: ProcessFacts): boolean => "ZX".includes(state) && !hasLivingThread(pid);

/**
 * The pid that `wanted` (a number or an exact name) refers to. Throws no-such-process or ambiguous-process.
 */
export function findProcess(wanted: string): number {
  if (/^\d+$/.test(wanted)) {
    const pid = Number(wanted);
    const facts = pid > 0 ? factsOf(pid) : null;
    if (facts !== null && !hasEnded(facts)) return pid;
    const why =
      facts === null
        ? `/proc has no process ${wanted}`
        : `it has exited, and is a zombie until its parent ${facts.parent} (${namesOf(facts.parent)[0] ?? "unknown"}) collects its exit status`;
    throw new HotpatchError(noSuchProcess(`pid ${wanted}`, why));
  }
  const own = ownProcesses();
  const pids = allPids()
    .filter((pid) => !own.has(pid) && namesOf(pid).includes(wanted))
    .filter((pid) => {
      const facts = factsOf(pid);
      return facts !== null && !hasEnded(facts);
    })
    .sort((a, b) => a - b);
  const [pid] = pids;
  if (pid === undefined)
    throw new HotpatchError(noSuchProcess(`"${wanted}"`, "no process has this name (names must match exactly)"));
  if (pids.length > 1) throw new HotpatchError(ambiguousProcess(wanted, pids));
  return pid;
}
