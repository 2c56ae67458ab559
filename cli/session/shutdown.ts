/** Leaving: the requests to agent, host and bridge at the end. Every wait is bounded: a target may be stopped. */
import type { Outcome, Target } from "../frida/target.js";

/** ms a spawned host has between SIGTERM and SIGKILL, and again until we give up on it. */
const TERM_GRACE_MS = 3000;
/** ms the agent has to restore the host's own code, and the bridge to let go. */
const ANSWER_MS = 5000;
/** ms that a launcher has to exit by itself after its host. */
const LAUNCHER_MS = 2000;

/** The promise's value, or undefined if it took longer or failed. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } catch {
    return undefined; // what is being left has already gone
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

/** A launcher usually waits for its host and exits with it; one that stays is ended like a host. */
export async function endLauncher(target: Target, gone: Promise<Outcome | null>): Promise<void> {
  if ((await within(LAUNCHER_MS, gone)) === undefined) await stopHost(target, gone);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has just exited, as intended
  }
}
