/** Leaving: what the agent, the host and the link are told at the end. Every wait is bounded: a target may be stopped. */
import type { Outcome, Target } from "../frida/target.js";

/** ms a spawned host has between SIGTERM and SIGKILL, and after that until it is given up. */
const TERM_GRACE_MS = 3000;
/** ms the agent has to put the host's own code back, and the link to let go. */
const ANSWER_MS = 5000;
/** ms that a launcher has to finish by itself after its host. */
const LAUNCHER_MS = 2000;

/** The promise's value, or undefined when it took longer or failed. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } catch {
    return undefined; // what is being left has gone by itself
  } finally {
    clearTimeout(timer);
  }
}

/** What of the two has happened; neither, where nobody answered. */
export interface Released {
  readonly restored: boolean;
  readonly kept: boolean;
}

/** Puts the host's own code back, or leaves what runs in place. */
export async function release(target: Target, keep: boolean): Promise<Released> {
  const answer = await within(ANSWER_MS, target.call("end", { keep }));
  const done = answer?.ok === true;
  return { restored: done && answer.value.restored, kept: done && keep };
}

/** Lets go: unloads the agent. */
export async function letGo(target: Target): Promise<void> {
  await within(ANSWER_MS, target.detach());
}

/** Ends a host that was started for the session. `gone`: resolves when it has ended. */
export async function stopHost(target: Target, gone: Promise<Outcome | null>): Promise<Outcome> {
  signal(target.pid, "SIGTERM");
  const kill = setTimeout(() => signal(target.pid, "SIGKILL"), TERM_GRACE_MS);
  const outcome = await within(2 * TERM_GRACE_MS, gone);
  clearTimeout(kill);
  return outcome ?? {};
}

/** A launcher waits for its host as a rule, and ends with it; one that stays is ended as the host would be. */
export async function endLauncher(target: Target, gone: Promise<Outcome | null>): Promise<void> {
  if ((await within(LAUNCHER_MS, gone)) === undefined) await stopHost(target, gone);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has just ended: what was wanted
  }
}
