/**
 * Runs machine code on new threads of the target, so that what blocks there does not block the agent. The code lies in
 * host-owned memory: it may return long after the script has been unloaded.
 */
import { native, nativeThatWaits } from "../../target/native.js";
import { now } from "./clock.js";
import { NoRoom } from "./memory.js";

const pthreadCreate = nativeThatWaits("pthread_create", "int", ["pointer", "pointer", "pointer", "pointer"]);
const pthreadDetach = native("pthread_detach", "int", ["pointer"]);
const pthreadSigmask = native("pthread_sigmask", "int", ["int", "pointer", "pointer"]);

const SIG_SETMASK = 2;
/** Bytes of a sigset_t. */
const SIGNALS = 128;
/** Polling interval in ms for something slow. */
const LOOK_MS = 2;
/** Within this many ms most things finish: polled closely, so that a quick one is noticed at once. */
const QUICK_MS = 5;

const opendir = native("opendir", "pointer", ["pointer"]);
const readdir = native("readdir", "pointer", ["pointer"]);
const closedir = native("closedir", "int", ["pointer"]);
/** Offset of the name in glibc's struct dirent on 64-bit Linux. */
const D_NAME = 19;

/**
 * How many threads are the host's own. Not from Process.enumerateThreads(), which reads registers and took 15 s in 2 of 40
 * hosts stopped at their entry point.
 */
function hostThreads(): number {
  const folder = opendir(Memory.allocUtf8String("/proc/self/task"));
  if (folder.isNull()) return Number.POSITIVE_INFINITY;
  let count = 0;
  for (let entry = readdir(folder); !entry.isNull(); entry = readdir(folder)) {
    const id = Number(entry.add(D_NAME).readUtf8String());
    if (id > 0 && !Cloak.hasThread(id)) count++;
  }
  closedir(folder);
  return count;
}

/** Polling interval in seconds, and the number of attempts, for threads that Frida has started but not hidden yet. */
const HIDING = 0.01;
const HIDING_LOOKS = 30;

/** Whether the host has only one thread. */
export function isAlone(): boolean {
  for (let look = 0; look < HIDING_LOOKS; look++) {
    if (hostThreads() === 1) return true;
    Thread.sleep(HIDING);
  }
  return false;
}

/**
 * Signals our threads must not block although no host handler should run on them: those an instruction raises (ILL, TRAP,
 * ABRT, BUS, FPE, SEGV, SYS), for which the kernel kills the process if they are blocked, whatever its handlers; and 32
 * and 33, which glibc uses to cancel threads and to change their user.
 */
const NEVER_BLOCKED = [4, 5, 6, 7, 8, 11, 31, 32, 33];

/** Starts `code(job)` on a thread with all other signals blocked. @throws NoRoom */
export function startThread(code: NativePointer, job: NativePointer): void {
  const all = Memory.alloc(SIGNALS);
  all.writeByteArray(new Array<number>(SIGNALS).fill(0xff));
  all.writeU64(
    NEVER_BLOCKED.reduce(
      (mask, signal) =>
        mask.and(
          uint64(1)
            .shl(signal - 1)
            .not(),
        ),
      uint64("0xffffffffffffffff"),
    ),
  );
  const before = Memory.alloc(SIGNALS);
  const thread = Memory.alloc(Process.pointerSize);
  pthreadSigmask(SIG_SETMASK, all, before);
  const failed = pthreadCreate(thread, NULL, code, job);
  pthreadSigmask(SIG_SETMASK, before, NULL);
  if (failed !== 0)
    throw new NoRoom(
      `the target can have no more threads, or has no memory for one: pthread_create failed with error ${failed}`,
    );
  pthreadDetach(thread.readPointer());
}

/** ms until the 32-bit word at `done` was set; null if that takes longer than `timeoutMs`. */
export async function untilSet(done: NativePointer, timeoutMs: number): Promise<number | null> {
  const start = now();
  const elapsed = () => now() - start;
  const isSet = () => done.readU32() !== 0;
  while (!isSet() && elapsed() < QUICK_MS) Thread.sleep(0.0001);
  while (!isSet()) {
    if (elapsed() > timeoutMs) return null;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return elapsed();
}

/** Waits on the script's thread; other threads may enter the script meanwhile. Whether it came true within `ms`. */
export function blocking(isTrue: () => boolean, ms: number): boolean {
  const start = now();
  while (!isTrue()) {
    if (now() - start > ms) return false;
    Thread.sleep(0.0005);
  }
  return true;
}
