/** Checks that the kernel lets us into a process. Asks the kernel itself, and only then explains. */
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { attachDenied, noSuchProcess } from "../errors.js";
import { readProc } from "../system/proc.js";
import { factsOf, type ProcessFacts } from "../system/process-facts.js";
import { type Finding, type Fine, fine, type Lack, lacking, problem } from "./finding.js";

/** Source: linux/capability.h, bit 19. */
const CAP_SYS_PTRACE = 1n << 19n;

/** What decides whether the kernel lets us in. */
interface Asking {
  readonly uid: number;
  readonly capabilities: bigint;
  /** /proc/sys/kernel/yama/ptrace_scope; null: a kernel without Yama. */
  readonly yama: number | null;
}

/** What this process may do. */
function asking(): Asking {
  const { uid, capabilities } = factsOf(process.pid) ?? { uid: process.geteuid?.() ?? 0, capabilities: 0n };
  const scope = readProc("/proc/sys/kernel/yama/ptrace_scope");
  return { uid, capabilities, yama: scope === null ? null : Number(scope) };
}

const mayTraceAll = ({ capabilities }: Asking): boolean => (capabilities & CAP_SYS_PTRACE) !== 0n;

const inContainer = (): boolean =>
  existsSync("/.dockerenv") || existsSync("/run/.containerenv") || process.env.container !== undefined;

/** Which processes the kernel would let us into, before a target is known. */
export function checkTracing(us = asking()): Fine | Lack {
  const who = `user ${us.uid}${inContainer() ? " in a container" : ""}`;
  if (us.yama === 3)
    return lacking("kernel.yama.ptrace_scope is 3: nobody may trace", "only a reboot can undo this", true);
  if (mayTraceAll(us)) return fine(`${who} may trace every process (CAP_SYS_PTRACE)`);
  if (us.yama === 2)
    return lacking(
      `kernel.yama.ptrace_scope is 2: only root may trace, not ${who}`,
      "run hotpatch as root, or sysctl -w kernel.yama.ptrace_scope=0",
      true,
    );
  if (us.yama === 1)
    return lacking(
      `kernel.yama.ptrace_scope is 1: ${who} may trace only its own children: spawn works, attach does not`,
      "attach as root, or sysctl -w kernel.yama.ptrace_scope=0",
      false,
    );
  return fine(`${who} may trace its own processes${us.uid === 0 ? " only: CAP_SYS_PTRACE is missing" : ""}`);
}

/**
 * Opening /proc/PID/mem asks the kernel what an attach would ask it (PTRACE_MODE_ATTACH: users, capabilities, dumpable,
 * Yama and other security modules), without touching the process. Source: fs/proc/base.c, mem_open.
 */
export function checkPermission(target: ProcessFacts): Finding {
  const { pid } = target;
  try {
    closeSync(openSync(`/proc/${pid}/mem`, "r"));
    return fine("the kernel permits tracing it");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return problem(noSuchProcess(`pid ${pid}`, "it has just exited"));
    const why = whyDenied(target, asking(), shownOwner(pid));
    return problem(attachDenied(pid, why === null ? message : `${why} (${message})`));
  }
}

/**
 * Null if none of the known reasons applies.
 * @param shownAs owner of the files in /proc/PID: not the process's own user if it is not dumpable
 * Source: ptrace(2), "Ptrace access mode checking"; kernel Documentation/admin-guide/LSM/Yama.rst.
 */
export function whyDenied(target: ProcessFacts, us: Asking, shownAs: number | null): string | null {
  const { uid, capabilities } = target;
  if (us.uid !== uid && us.uid !== 0) return `it belongs to user ${uid}, hotpatch runs as user ${us.uid}`;
  if (us.uid === 0 && !mayTraceAll(us))
    return "hotpatch runs as root without the capability CAP_SYS_PTRACE, as in a container (docker run --cap-add SYS_PTRACE)";
  if ((capabilities & ~us.capabilities) !== 0n) return "it has capabilities that hotpatch lacks";
  if (shownAs !== null && shownAs !== uid)
    return "it has made itself untraceable (not dumpable: a setuid program, or PR_SET_DUMPABLE)";
  switch (us.yama) {
    case 1:
      return "kernel.yama.ptrace_scope is 1: only its ancestors may attach to a process";
    case 2:
      return "kernel.yama.ptrace_scope is 2: only root may attach";
    case 3:
      return "kernel.yama.ptrace_scope is 3: nobody may attach until the next reboot";
    default:
      return null;
  }
}

/** Root instead of its user if the process is not dumpable. Source: proc(5). */
function shownOwner(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}/status`).uid;
  } catch {
    return null; // exited meanwhile
  }
}
