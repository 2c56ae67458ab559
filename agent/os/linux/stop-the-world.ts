/**
 * Writes code while every other thread is stopped, and never where a thread is: needed for an entry that is more than one
 * aligned instruction. Owns the stopping; knows nothing of functions, thunks or tables.
 *
 * A process cannot trace its own threads, so a child does, which shares its memory and nothing else
 * (CLONE_VM | CLONE_VFORK, no exit signal: the host's wait() does not see it). Between stop and release it makes system
 * calls only: a stopped thread may hold any of the C library's locks. (Process.enumerateThreads() is avoided even before
 * that: Gum traces threads for it in a way that hung the agent, docs/decisions/0010.)
 */
import { LINUX } from "../../arch/index.js";
import { type Address, pointerTo } from "../../target/address.js";
import { exported, nativeAt } from "../../target/native.js";
import { define } from "./c.js";
import SOURCE from "./stop-the-world.c.js";

export interface CodeWrite {
  readonly address: Address;
  /** At most 8. */
  readonly bytes: readonly number[];
}

/** Per write: done; or "busy": a thread would resume in the middle of it; or why nothing could be stopped. */
export type Written = "written" | "busy" | { readonly failed: string };

/** Attempts at writes that a thread is in the way of, and the seconds between them. */
const ATTEMPTS = 40;
const PAUSE_S = 0.002;
/** Sizes of the buffers the script lends the C side, and its time limit. */
const LIMITS = {
  MOST_THREADS: 4096,
  DIRECTORY_SIZE: 32 * 1024,
  /** Bytes of each thread's stack to search: a signal handler's frame, with its return address, is in there. */
  STACK_SIZE: 16 * 1024,
  CHILD_STACK_SIZE: 64 * 1024,
  /** How long all threads together may take to stop before they are released, in ms. */
  STOP_MS: 500,
} as const;

/** Outcome of a write. 0: not attempted. */
const STATES = { WRITTEN: 1, BUSY: 2 } as const;
/** Why the stop failed. 0: it succeeded. */
const ERRORS = { NOT_LISTED: 1, REFUSED: 2, TOO_MANY: 3, NOT_IN_TIME: 4 } as const;
const REASONS: Readonly<Record<number, string>> = {
  [ERRORS.NOT_LISTED]: "its threads cannot be listed",
  [ERRORS.REFUSED]: "ptrace refused one of its threads",
  [ERRORS.TOO_MANY]: "it has too many threads",
  [ERRORS.NOT_IN_TIME]: `not all of its threads stopped within ${LIMITS.STOP_MS} ms`,
};

/** Layout of a write, in bytes: the C side's `struct write`. */
const WRITE = { address: 0, size: 8, state: 12, bytes: 16, total: 24 } as const;
/** Layout of a job, in bytes: the C side's `struct job`. */
const JOB = {
  writes: 0,
  count: 8,
  self: 16,
  process: 24,
  error: 32,
  errno: 40,
  allow: 48,
  size: 56,
} as const;

const CALLS = Object.fromEntries(Object.entries(LINUX.calls).map(([name, number]) => [`SYS_${name}`, number]));
const { O_DIRECTORY, registers } = LINUX;
const DEFINES = define({ ...LIMITS, ...STATES, ...ERRORS, ...CALLS, ...registers, O_DIRECTORY });

const IMPORTS = {
  syscall: exported("syscall"),
  clone: exported("clone"),
  __errno_location: exported("__errno_location"),
};

const runnable = (code: NativePointer) => nativeAt(code, "long", ["pointer"]);

interface Machinery {
  readonly module: CModule;
  readonly run: ReturnType<typeof runnable>;
  /** Lent to the C side; kept here so that it is not garbage-collected. */
  readonly lent: readonly NativePointer[];
}
let machinery: Machinery | null = null;

function build(): Machinery {
  const lent = {
    threads: Memory.alloc(LIMITS.MOST_THREADS * 8),
    directory: Memory.alloc(LIMITS.DIRECTORY_SIZE),
    task_folder: Memory.allocUtf8String(`/proc/${Process.id}/task`),
    child_stack: Memory.alloc(LIMITS.CHILD_STACK_SIZE),
    stack_words: Memory.alloc(LIMITS.STACK_SIZE),
  };
  const module = new CModule(DEFINES + SOURCE, { ...lent, ...IMPORTS });
  const code = module.write_stopped as NativePointer;
  return { module, run: runnable(code), lent: Object.values(lent) };
}

/**
 * Makes the writes, each in full or not at all. The code must be writable. Synchronous: the host is stopped for a fraction
 * of a millisecond to a few milliseconds, at most LIMITS.STOP_MS. A write with a thread inside its bytes, or about to return
 * there from a signal handler, is retried; the others are not held up.
 */
export function writeStopped(writes: readonly CodeWrite[]): Written[] {
  const result: Written[] = writes.map(() => "busy");
  let left = writes.map((write, i) => ({ write, i })).sort((a, b) => a.write.address - b.write.address);
  let allow = false;
  for (let attempt = 0; attempt < ATTEMPTS && left.length > 0; attempt++) {
    if (attempt > 0) Thread.sleep(PAUSE_S);
    const outcome = once(
      left.map(({ write }) => write),
      allow,
    );
    if (outcome.kind === "refused" && !allow) {
      allow = true; // where yama lets only a process's parents trace it, the process itself may allow more
      continue;
    }
    if (outcome.kind !== "done") {
      for (const { i } of left) result[i] = { failed: outcome.why };
      return result;
    }
    left = left.filter(({ i }, k) => {
      const state = outcome.states[k];
      if (state === STATES.WRITTEN) result[i] = "written";
      return state !== STATES.WRITTEN;
    });
  }
  return result;
}

/** The threads are listed by another process, which needs a valid pid for this one. */
const seesItself = (): boolean => File.readAllText("/proc/self/stat").startsWith(`${Process.id} `);

type Outcome =
  | { readonly kind: "done"; readonly states: readonly number[] }
  | { readonly kind: "refused" | "failed"; readonly why: string };

function once(writes: readonly CodeWrite[], allow: boolean): Outcome {
  if (!seesItself())
    return { kind: "failed", why: "its threads cannot be listed: its /proc belongs to another PID namespace" };
  machinery ??= build();
  const list = Memory.alloc(writes.length * WRITE.total);
  writes.forEach(({ address, bytes }, i) => {
    const w = list.add(i * WRITE.total);
    w.add(WRITE.address).writePointer(pointerTo(address));
    w.add(WRITE.size).writeU32(bytes.length);
    w.add(WRITE.state).writeU32(0);
    w.add(WRITE.bytes).writeByteArray([...bytes]);
  });
  const job = Memory.alloc(JOB.size);
  job.writeByteArray(new Array<number>(JOB.size).fill(0));
  job.add(JOB.writes).writePointer(list);
  job.add(JOB.count).writeU64(writes.length);
  job.add(JOB.self).writeS64(Process.getCurrentThreadId());
  job.add(JOB.process).writeS64(Process.id);
  job.add(JOB.allow).writeS64(allow ? 1 : 0);
  if (Number(machinery.run(job)) < 0) return { kind: "failed", why: "the target's clone() failed" };
  const error = job.add(JOB.error).readS64().toNumber();
  if (error === 0)
    return {
      kind: "done",
      states: writes.map((_, i) => list.add(i * WRITE.total + WRITE.state).readU32()),
    };
  const errno = job.add(JOB.errno).readS64().toNumber();
  const why = `${REASONS[error] ?? `error ${error}`}${errno === 0 ? "" : ` (errno ${errno}; a debugger, or a rule of this system)`}`;
  return { kind: error === ERRORS.REFUSED ? "refused" : "failed", why };
}
