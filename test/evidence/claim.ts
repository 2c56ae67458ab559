/** Work on a folder that several processes share: one does it, the others wait. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;

/** Calls `work` unless `isDone`, once among all processes that claim the same path. */
export async function claimed(path: string, isDone: () => boolean, work: () => Promise<void>): Promise<void> {
  const claim = `${path}.claim`;
  while (!isDone()) {
    if (!take(claim)) {
      await sleep(POLL_MS);
      continue;
    }
    try {
      // Another process may have finished between the question and the claim.
      if (!isDone()) await work();
    } finally {
      rmSync(claim, { force: true });
    }
  }
}

/** Whether the claim is ours now. One of a process that has ended is given up. */
function take(claim: string): boolean {
  try {
    writeFileSync(claim, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    if (!isHeld(claim)) rmSync(claim, { force: true });
    return false;
  }
}

function isHeld(claim: string): boolean {
  try {
    const holder = Number(readFileSync(claim, "utf8"));
    // Empty for a moment: its holder is writing it.
    if (holder > 0) process.kill(holder, 0);
    return true;
  } catch {
    return false;
  }
}
