/** Calls a library's hook before or after a switch, on a thread of its own with a time limit. */
import { HOOK_JOB } from "../arch/index.js";
import { codeOf, mapAnywhere, startThread, unmap, untilSet } from "../os/index.js";

/** Whether `hook(from, to)` returned in time. @throws NoRoom if it was not called */
export async function callHook(hook: NativePointer, from: number, to: number, timeoutMs: number): Promise<boolean> {
  const job = mapAnywhere(HOOK_JOB.size);
  job.add(HOOK_JOB.function).writePointer(hook);
  job.add(HOOK_JOB.from).writeS32(from);
  job.add(HOOK_JOB.to).writeS32(to);
  try {
    startThread(codeOf("hook"), job);
  } catch (error) {
    unmap(job, HOOK_JOB.size);
    throw error;
  }
  const returned = (await untilSet(job.add(HOOK_JOB.done), timeoutMs)) !== null;
  if (returned) unmap(job, HOOK_JOB.size); // the thread has written its last word there
  return returned;
}
