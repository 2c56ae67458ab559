/**
 * Checks whether a target's seccomp would kill it for what an agent does. Strict mode always would. A filter of the
 * target's own is read and evaluated for each of the agent's system calls; an unreadable one counts as one that kills.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { sandboxedHost } from "../errors.js";
import { factsOf, type ProcessFacts } from "../system/process-facts.js";
import { type Finding, fine, problem } from "./finding.js";
import { AGENT_CALLS, NEEDED_CALLS } from "./seccomp/agent-calls.js";
import { answer } from "./seccomp/bpf.js";

const STRICT = 1;
/** ms: a loaded machine takes seconds to start Python. */
const READ_MS = 20_000;
const SCRIPT = fileURLToPath(new URL("seccomp/seccomp.py", import.meta.url));

const START_WITHOUT = "start the host without it during development";

export function checkSeccomp(target: ProcessFacts): Finding {
  const { pid, seccompMode: mode, seccompFilters: count } = target;
  if (mode === 0) return fine("none");
  if (mode === STRICT)
    return problem(
      sandboxedHost(
        pid,
        "strict seccomp (mode 1): the kernel kills it at the agent's first system call",
        START_WITHOUT,
      ),
    );
  const ours = factsOf(process.pid);
  // In a container all processes have the container's filters, and hotpatch itself survives them.
  if (ours !== null && mode === ours.seccompMode && count === ours.seccompFilters)
    return fine(`the same ${count ?? "unknown"} filters as hotpatch itself`);
  const filters = readFilters(pid);
  if (typeof filters === "string")
    return problem(
      sandboxedHost(
        pid,
        `it has seccomp filters of its own, which could kill it, and they cannot be read: ${filters}`,
        `run hotpatch as root, so that it can read them and attach if they allow it; or ${START_WITHOUT}`,
      ),
    );
  const against = objection(filters);
  return against === null
    ? fine(`${filters.length} filters, which allow what the agent does`)
    : problem(sandboxedHost(pid, against, START_WITHOUT));
}

/** The first of the agent's calls that the filters do not allow, in words; null if they allow all. */
function objection(filters: readonly Buffer[]): string | null {
  for (const [name, call] of AGENT_CALLS) {
    const said = answer(filters, call);
    if (said === "kill") return `its seccomp filter would kill it for ${name}, which the agent needs`;
    if (said === "error" && NEEDED_CALLS.has(name)) return `its seccomp filter forbids ${name}, which the agent needs`;
  }
  return null;
}

/** The filters of a process, or why they cannot be read. Stops it for about a millisecond. */
function readFilters(pid: number): Buffer[] | string {
  const { HOTPATCH_PYTHON: python = "python3" } = process.env;
  const { status, stdout, stderr, error } = spawnSync(python, ["-I", "-B", SCRIPT, String(pid)], {
    encoding: "utf8",
    timeout: READ_MS,
  });
  if (error !== undefined) return `${python}: ${error.message}`;
  if (status !== 0) return stderr.trim();
  return z
    .array(z.string())
    .parse(JSON.parse(stdout))
    .map((filter) => Buffer.from(filter, "base64"));
}
