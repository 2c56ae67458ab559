/** Proves that it works: starts a small host, has the agent enter and leave it, and ends it. */
import { AGENT_PROTOCOL } from "../../schemas/protocol.js";
import { attachFailed, reportOf, UNTOUCHED } from "../errors.js";
import type { Backend } from "../frida/target.js";
import { checkExecutable } from "../preflight/executable.js";
import { type Finding, fine, problem } from "../preflight/finding.js";
import { agentSource } from "../session/arrive.js";
import { letGo, stopHost } from "../session/shutdown.js";

/** Exists everywhere, and waits for input. */
const HOST = "/bin/sh";

/** Takes about half a second. */
export async function tryBackend(backend: Backend): Promise<Finding> {
  const fit = checkExecutable(HOST, null);
  if (!fit.ok) return fit;
  const began = performance.now();
  try {
    const target = await backend.spawn({ argv: [HOST], env: {}, cwd: "/", cols: 80, rows: 24 }, agentSource());
    const ended = new Promise<null>((resolve) => {
      target.listen((event) => {
        if (event.type === "exited" || event.type === "lost") resolve(null);
      });
    });
    try {
      const begun = await target.call("begin", {
        protocol: AGENT_PROTOCOL,
        owner: process.pid,
        libraries: [],
        unmarked: false,
        stage: null,
        stopped: false,
        carrier: target.carrier,
      });
      if (!begun.ok) return problem(attachFailed(target.pid, begun.error.detail));
      return fine(`${HOST} was started and entered in ${Math.round(performance.now() - began)} ms`);
    } finally {
      await letGo(target);
      await stopHost(target, ended);
    }
  } catch (error) {
    return problem(reportOf(error, `cannot start and enter ${HOST}`, UNTOUCHED));
  }
}
