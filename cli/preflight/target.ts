/**
 * The checks of a process before anything touches it, in order. Attach throws the first problem; `hotpatch doctor`
 * shows them all. Only reading a seccomp filter of its own touches the process: it is stopped for a moment.
 */
import { attachBusy, HotpatchError, headlessHost, noSuchProcess, stoppedProcess } from "../errors.js";
import { factsOf, isHeadless, namesOf, type ProcessFacts } from "../system/process-facts.js";
import { checkDescriptors } from "./descriptors.js";
import { checkExecutable } from "./executable.js";
import { type Finding, fine, problem } from "./finding.js";
import { checkLimits } from "./limits.js";
import { checkPermission } from "./permission.js";
import { checkPlace } from "./place.js";
import { checkRootFolder } from "./root-folder.js";
import { checkSeccomp } from "./seccomp.js";
import { checkSession } from "./sessions.js";

export interface TargetCheck {
  /** What is checked, in a word or two. */
  readonly about: string;
  look(target: ProcessFacts): Finding | Promise<Finding>;
}

export const targetChecks: readonly TargetCheck[] = [
  { about: "session", look: checkSession },
  { about: "tracer", look: checkTracer },
  { about: "state", look: checkState },
  { about: "permission", look: checkPermission },
  { about: "executable", look: ({ pid }) => checkExecutable(`/proc/${pid}/exe`, pid) },
  { about: "descriptors", look: checkDescriptors },
  { about: "limits", look: (target) => checkLimits(target) },
  { about: "seccomp", look: checkSeccomp },
  { about: "file system", look: checkRootFolder },
  { about: "copies", look: checkPlace },
];

/** Rejects with whatever would make the attach fail or harm the process. */
export async function refuseUnfit(pid: number): Promise<void> {
  const target = factsOf(pid);
  if (target === null) throw new HotpatchError(noSuchProcess(`pid ${pid}`, "it has just exited"));
  for (const { look } of targetChecks) refuseProblem(await look(target));
}

export function refuseProblem(finding: Finding): void {
  if (!finding.ok) throw new HotpatchError(finding.problem);
}

/** Frida waits ten seconds for a process that another tracer holds. */
function checkTracer({ pid, tracer }: ProcessFacts): Finding {
  if (tracer === 0) return fine("not traced");
  return problem(attachBusy(pid, `it is traced by pid ${tracer} (${namesOf(tracer)[0] ?? "unknown"})`));
}

/** A session would resume a stopped process, against the will of whoever stopped it. */
function checkState({ pid, state }: ProcessFacts): Finding {
  if (isHeadless(pid)) return problem(headlessHost(pid));
  return state === "T" ? problem(stoppedProcess(pid)) : fine("it runs");
}
