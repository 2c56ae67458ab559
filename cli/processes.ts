/** Which process is meant, and what kind it is, before anything touches it. Reads /proc only. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { hostKind } from "./binary/host.js";
import {
  ambiguousProcess,
  attachBusy,
  attachDenied,
  HotpatchError,
  muslHost,
  noSuchProcess,
  staticHost,
  UNTOUCHED,
  wrongArchitecture,
} from "./errors.js";

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null; // the process is gone or not ours to look at: the caller decides
  }
};

/** The parents of this process and itself: never a target that a name could mean. */
export function ownProcesses(): Set<number> {
  const own = new Set<number>();
  for (let pid = process.pid; pid > 1 && !own.has(pid); ) {
    own.add(pid);
    const stat = read(`/proc/${pid}/stat`);
    pid = stat === null ? 0 : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  }
  return own;
}

/** The exact names a process answers to: its executable's file name and its comm. */
export function namesOf(pid: number): string[] {
  const names: string[] = [];
  try {
    names.push(basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, ""));
  } catch {
    // a kernel thread or another user's process has no readable exe; its comm still counts
  }
  const comm = read(`/proc/${pid}/comm`);
  if (comm !== null) names.push(comm.trimEnd());
  return names;
}

const alive = (pid: number): boolean => {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== null && !"ZX".includes(stat.charAt(stat.lastIndexOf(")") + 2));
};

/**
 * The pid that `wanted` (a number or an exact name) means. Throws no-such-process or ambiguous-process.
 */
export function findProcess(wanted: string): number {
  if (/^\d+$/.test(wanted)) {
    const pid = Number(wanted);
    if (pid > 0 && alive(pid)) return pid;
    throw new HotpatchError(noSuchProcess(`pid ${wanted}`, `/proc has no live process ${wanted}`));
  }
  const own = ownProcesses();
  const pids = readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => !own.has(pid) && alive(pid) && namesOf(pid).includes(wanted))
    .sort((a, b) => a - b);
  const [pid] = pids;
  if (pid === undefined)
    throw new HotpatchError(noSuchProcess(`"${wanted}"`, "no process has this name (names are compared whole)"));
  if (pids.length > 1) throw new HotpatchError(ambiguousProcess(wanted, pids));
  return pid;
}

/** Throws what would make the attach fail, or kill the host. */
export function checkAttachable(pid: number): void {
  const status = read(`/proc/${pid}/status`);
  if (status === null) throw new HotpatchError(noSuchProcess(`pid ${pid}`, `/proc/${pid} cannot be read`));
  const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  const tracer = Number(field("TracerPid"));
  if (tracer > 0)
    throw new HotpatchError(attachBusy(pid, `it is traced by pid ${tracer} (${namesOf(tracer)[0] ?? "unknown"})`));
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0 && Number(field("Uid").split(/\s+/)[0]) !== uid)
    throw new HotpatchError(
      attachDenied(pid, `it belongs to user ${field("Uid").split(/\s+/)[0]}, hotpatch runs as ${uid}`),
    );
  checkExecutable(`/proc/${pid}/exe`, pid);
}

/** Throws static-host, musl-host or wrong-architecture for an executable Frida must not touch. */
export function checkExecutable(path: string, pid: number | null): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return; // unreadable: Frida's own refusal is the better message
  }
  const name = pid === null ? path : readlinkSync(path);
  const kind = hostKind(bytes);
  if (kind.kind === "static") throw new HotpatchError(staticHost(pid, name));
  if (kind.kind === "musl") throw new HotpatchError(muslHost(pid, name, kind.detail));
  if (kind.kind === "architecture") throw new HotpatchError(wrongArchitecture(name, kind.detail, UNTOUCHED));
}
