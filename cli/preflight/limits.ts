/**
 * Checks that the limits of a process leave room for Frida and the agent. If memory or threads run out half-way, Frida
 * kills the process, and it is too late to recover.
 */
import { dirname, join } from "node:path";
import { REGISTRY } from "../../schemas/abi.js";
import { unsupportedHost } from "../errors.js";
import { allPids, mappingsOf, readProc } from "../system/proc.js";
import { factsOf, type ProcessFacts } from "../system/process-facts.js";
import { type Finding, fine, problem } from "./finding.js";

const MIB = 2 ** 20;

/**
 * What attaching takes, measured with Frida 17.26.2 and glibc 2.36: 9 or 10 threads that stay, up to 5 that hold one
 * library each, and the agent. For each thread glibc reserves a stack and, if it allocates, 64 MiB of addresses. In
 * total 718 MB of addresses and 111 MB of data with 8 MiB stacks. Hosts with less room died: one with 200 MB, one with
 * room for two more threads. A second session in a host reuses most of it (155 MB and 56 MB).
 */
const NEEDED = {
  threads: 16,
  first: { stacks: 15, addresses: (10 * 64 + 32) * MIB, data: 24 * MIB },
  again: { stacks: 10, addresses: 120 * MIB, data: 24 * MIB },
} as const;
/** The largest memory file that the agent creates (the registry with its header); what Frida unpacks on our side. */
const FILE_BYTES = { target: 2 * MIB + 4096, ours: 32 * MIB } as const;
/** A thread's stack if there is no stack limit. Source: glibc, ARCH_STACK_DEFAULT_SIZE. */
const STACK_BYTES = 2 * MIB;
/** CAP_SYS_ADMIN, CAP_SYS_RESOURCE: exempt from the limit on processes. Source: linux/capability.h. */
const UNCOUNTED = (1n << 21n) | (1n << 24n);

/** A limit's name in /proc/PID/limits, and its option in prlimit(1). */
type Limit = readonly [name: string, option: string, what: string];
const ADDRESSES: Limit = ["Max address space", "--as", "its address space (RLIMIT_AS)"];
const DATA: Limit = ["Max data size", "--data", "its data (RLIMIT_DATA)"];
const FILES: Limit = ["Max file size", "--fsize", "the size of files (RLIMIT_FSIZE)"];
const THREADS: Limit = ["Max processes", "--nproc", "its user's processes and threads (RLIMIT_NPROC)"];

/** @param starting for a process about to be started by this one: limits are inherited, nothing is in use yet */
export function checkLimits(target: ProcessFacts, starting = false): Finding {
  const { pid } = target;
  const text = readProc(`/proc/${pid}/limits`);
  if (text === null) return fine("its limits cannot be read");
  const stack = limitIn(text, "Max stack size");
  const { stacks, addresses, data } = hasBeenEntered(pid) ? NEEDED.again : NEEDED.first;
  const forStacks = stacks * (Number.isFinite(stack) ? stack : STACK_BYTES);
  const inUse = (field: string): number => (starting ? 0 : statusBytes(pid, field));
  const whole = (
    [name, option, what]: Limit,
    needed: number,
    used: number,
    unit: string,
    per: number,
  ): Finding | null => {
    const most = limitIn(text, name);
    if (used + needed <= most) return null;
    const shown = (value: number) => `${Math.ceil(value / per)} ${unit}`;
    const detail = `its limit on ${what} is ${shown(most)}: ${shown(used)} are in use, and attaching needs up to ${shown(needed)} more`;
    const cure = starting
      ? `raise the limit before starting hotpatch (\`ulimit\`, or prlimit ${option}=unlimited --pid $$)`
      : `raise the limit${limitIn(text, name, "hard") < used + needed ? ", as root" : ""}: prlimit --pid ${pid} ${option}=unlimited`;
    return problem(unsupportedHost(starting ? null : pid, detail, cure));
  };
  const found =
    whole(ADDRESSES, addresses + forStacks, inUse("VmSize"), "MiB", MIB) ??
    whole(DATA, data + forStacks, inUse("VmData"), "MiB", MIB) ??
    whole(FILES, starting ? FILE_BYTES.ours : FILE_BYTES.target, 0, "KiB", 1024) ??
    (isCounted(target) && Number.isFinite(limitIn(text, THREADS[0]))
      ? whole(THREADS, NEEDED.threads, threadsOf(target.uid), "threads", 1)
      : null) ??
    checkGroup(pid, starting);
  return found ?? fine("sufficient");
}

/** For a host that will be started: it inherits ours. */
export function checkOwnLimits(): Finding {
  const us = factsOf(process.pid);
  return us === null ? fine("not checked: /proc is not mounted") : checkLimits(us, true);
}

/** How many threads and processes its control group may still have. */
function checkGroup(pid: number, starting: boolean): Finding | null {
  for (const folder of groupsOf(pid)) {
    const most = Number(readProc(join(folder, "pids.max")) ?? Number.NaN); // "max" becomes NaN
    const used = Number(readProc(join(folder, "pids.current")) ?? Number.NaN);
    if (!(used + NEEDED.threads > most)) continue;
    const detail = `its control group is limited to ${most} processes and threads (${folder}/pids.max): it has ${used}, and attaching needs up to ${NEEDED.threads} more`;
    const cure = "raise that limit; for a container, use `docker update --pids-limit`";
    return problem(unsupportedHost(starting ? null : pid, detail, cure));
  }
  return null;
}

/** Its control group's folder and the parents visible to us. Source: cgroups(7), /proc/PID/cgroup. */
function groupsOf(pid: number): string[] {
  const lines = (readProc(`/proc/${pid}/cgroup`) ?? "").split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  return lines.flatMap((fields) => {
    const [, kinds = "", path = "/"] = fields ?? [];
    if (fields === null || !(kinds === "" || kinds.split(",").includes("pids"))) return [];
    const root = kinds === "" ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    const folders: string[] = [];
    for (let at = join("/", path); ; at = dirname(at)) {
      folders.push(join(root, at));
      if (at === "/") return folders;
    }
  });
}

/** A limit; Infinity if there is none. Source: proc(5), /proc/PID/limits. */
function limitIn(text: string, name: string, kind: "soft" | "hard" = "soft"): number {
  const line = text.split("\n").find((one) => one.startsWith(name)) ?? "";
  const [soft, hard] = line.slice(name.length).trim().split(/\s+/);
  const value = Number((kind === "soft" ? soft : hard) || Number.NaN);
  return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
}

function statusBytes(pid: number, field: string): number {
  const text = readProc(`/proc/${pid}/status`) ?? "";
  return 1024 * Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(text)?.[1] ?? 0);
}

/** What an earlier session left is reused. */
const hasBeenEntered = (pid: number): boolean =>
  mappingsOf(pid).some(({ path }) => path.startsWith(`/memfd:${REGISTRY.name}`));

const isCounted = ({ uid, capabilities }: ProcessFacts): boolean => uid !== 0 && (capabilities & UNCOUNTED) === 0n;

/** All threads of a user, as the kernel counts them. */
function threadsOf(user: number): number {
  let count = 0;
  for (const pid of allPids()) {
    const status = readProc(`/proc/${pid}/status`) ?? "";
    if (Number(/^Uid:\s*(\d+)/m.exec(status)?.[1] ?? Number.NaN) !== user) continue;
    count += Number(/^Threads:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return count;
}
