/** Checks that Frida can work in a target whose root folder differs from ours. */
import { existsSync } from "node:fs";
import { sandboxedHost } from "../errors.js";
import { fileViewOf } from "../system/mount-namespace.js";
import type { ProcessFacts } from "../system/process-facts.js";
import { type Finding, fine, problem } from "./finding.js";

/** Frida reads /proc/PID/auxv from inside to find the target's loader: measured, "auxv-not-found" without it. */
export function checkRootFolder({ pid, pids }: ProcessFacts): Finding {
  const view = fileViewOf(pid);
  if (view.same) return fine("it sees the same files as hotpatch");
  if (pids.some((one) => existsSync(view.here(`/proc/${one}/auxv`))))
    return fine("it has its own mount namespace or root folder, with /proc in it");
  return problem(
    sandboxedHost(
      pid,
      "it has its own root folder without /proc, which Frida needs to find its loader",
      `mount /proc in it (mount -t proc proc /proc/${pid}/root/proc), then attach again`,
    ),
  );
}
