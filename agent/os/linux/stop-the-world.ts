/**
 * Writes code while every other thread stands still, and never where a thread is: what an entry needs that is more than
 * one aligned instruction. Owns the stopping; knows no functions, thunks or tables.
 *
 * A process cannot trace its own threads, so a child does it that shares the memory and nothing else
 * (CLONE_VM | CLONE_VFORK, no exit signal: the host's wait() does not see it). Between the stop and the release it makes
 * system calls only: any lock of the C library may be held by a thread that stands. (Process.enumerateThreads() is avoided
 * before it too: Gum traces threads for that in a way that hung the agent, docs/decisions/0010.)
 */
import { type Address, pointerTo } from "../../target/address.js";
import { exported, nativeAt } from "../../target/native.js";

export interface CodeWrite {
  readonly address: Address;
  /** At most 8. */
  readonly bytes: readonly number[];
}

/** Per write: done; or "busy", a thread would go on in the middle of it; or why nothing could be stopped. */
export type Written = "written" | "busy" | { readonly failed: string };

/** Attempts for writes that find a thread in their way, and the seconds between them. */
const ATTEMPTS = 40;
const PAUSE_S = 0.002;
/** ms that all threads may take to stop; then they are let go again. */
const STOP_MS = 500;
const THREADS = 4096;
const DIRECTORY = 32 * 1024;
/** Bytes of each thread's stack that are searched: a signal handler's frame, with the place it returns to, is there. */
const STACK = 16 * 1024;
const CHILD_STACK = 64 * 1024;

/** Layout of a write, in bytes: address u64, size u32, state u32, bytes 8. */
const WRITE = { address: 0, size: 8, state: 12, bytes: 16, total: 24 } as const;
const STATES = ["untouched", "written", "busy"] as const;
/** Layout of a job, in bytes; the C side's `struct job`. */
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
const ERRORS: readonly string[] = [
  "",
  "its threads cannot be listed",
  "ptrace refused one of its threads",
  "it has too many threads",
  `not all of its threads stopped within ${STOP_MS} ms`,
];
const REFUSED = 2;

// Source: x86_64 system call numbers of Linux; ptrace(2) on PTRACE_SEIZE, PTRACE_INTERRUPT and signal-delivery-stops.
const SOURCE = `
#include <stdint.h>
enum { READ = 0, OPEN = 2, CLOSE = 3, YIELD = 24, EXIT = 60, WAIT4 = 61, PTRACE = 101, PRCTL = 157, GETDENTS64 = 217,
       CLOCK_GETTIME = 228, PROCESS_VM_READV = 310 };
enum { DETACH = 17, GETREGS = 12, SEIZE = 0x4206, INTERRUPT = 0x4207, EVENT_STOP = 128 };
enum { ALL_CHILDREN = 0x40000000, NO_HANG = 1, ESRCH = 3, SET_PTRACER = 0x59616d61, DIRECTORY = 0x10000 };
enum { CLONE_VM = 0x100, CLONE_VFORK = 0x4000, RIP = 16, RSP = 19, RED_ZONE = 128 };
enum { NOT_LISTED = 1, REFUSED = 2, TOO_MANY = 3, NOT_IN_TIME = 4 };
enum { WRITTEN = 1, BUSY = 2 };

struct write { uint64_t address; uint32_t size, state; uint8_t bytes[8]; };
struct job { struct write *writes; uint64_t count; int64_t self, process, error, error_number, allow; };
struct thread { int32_t id, status; };

extern long syscall(long number, ...);
extern int *__errno_location(void);
extern int clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
/* A CModule's own variables are read-only: these are lent by the script. */
extern struct thread threads[];
extern char directory[], task_folder[], child_stack[];
extern uint64_t stack_words[];

static int64_t now_ms(void) {
  int64_t t[2];
  syscall(CLOCK_GETTIME, 1L, t);
  return t[0] * 1000 + t[1] / 1000000;
}

static int known(struct job *job, long count, int id) {
  long i;
  if (id == job->self) return 1;
  for (i = 0; i < count; i++) if (threads[i].id == id) return 1;
  return 0;
}

/* Marks the write that a thread would go on inside of. Writes are sorted by address. */
static void look(struct job *job, uint64_t pc) {
  long low = 0, high = (long)job->count - 1;
  while (low <= high) {
    long middle = (low + high) / 2;
    struct write *w = &job->writes[middle];
    if (pc <= w->address) high = middle - 1;
    else if (pc >= w->address + w->size) low = middle + 1;
    else { w->state = BUSY; return; }
  }
}

/* The file of a thread in /proc, as text; its length, 0 when the thread has ended. */
static long read_file(const char *thread, const char *name, char *text, long size) {
  char path[96];
  long k = 0, fd, got;
  const char *c;
  for (c = task_folder; *c; c++) path[k++] = *c;
  path[k++] = '/';
  for (c = thread; *c && k < 80; c++) path[k++] = *c;
  path[k++] = '/';
  for (c = name; *c && k < 95; c++) path[k++] = *c;
  path[k] = 0;
  fd = syscall(OPEN, path, 0L, 0L);
  if (fd < 0) return 0;
  got = syscall(READ, fd, text, size - 1);
  syscall(CLOSE, fd);
  text[got > 0 ? got : 0] = 0;
  return got > 0 ? got : 0;
}

/* Whether another tracer has stopped this thread; where it stands is looked at then. It need not be seized: Frida's own
   helper holds the first thread of a spawned host until it is resumed. */
static int held_by_another(struct job *job, const char *thread) {
  char text[512];
  long got = read_file(thread, "stat", text, sizeof text), i, end = 0;
  uint64_t pc = 0;
  for (i = 0; i < got; i++) if (text[i] == ')') end = i;
  if (got == 0 || text[end + 2] != 't') return 0;
  got = read_file(thread, "syscall", text, sizeof text);
  for (i = 0; i < got; i++) if (text[i] == ' ') end = i;
  if (got == 0 || text[end + 1] != '0' || text[end + 2] != 'x') return 0;
  for (i = end + 3; i < got && text[i] != 10; i++) pc = pc * 16 + (text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
  look(job, pc);
  return 1;
}

/* Takes hold of every thread, those included that are being started meanwhile: until a whole look finds no new one. */
static long seize_all(struct job *job) {
  long count = 0, got, at, fd;
  int found;
  do {
    found = 0;
    fd = syscall(OPEN, task_folder, (long)DIRECTORY, 0L);
    if (fd < 0) { job->error = NOT_LISTED; return count; }
    while ((got = syscall(GETDENTS64, fd, directory, ${DIRECTORY}L)) > 0)
      for (at = 0; at < got; at += *(uint16_t *)(directory + at + 16)) {
        char *name = directory + at + 19, *c = name;
        int id = 0;
        while (*c >= '0' && *c <= '9') id = id * 10 + *c++ - '0';
        if (id == 0 || known(job, count, id)) continue;
        if (count == ${THREADS}) { job->error = TOO_MANY; break; }
        if (syscall(PTRACE, (long)SEIZE, (long)id, 0L, 0L) != 0) {
          int why = *__errno_location();
          if (why == ESRCH || held_by_another(job, name)) continue; /* it has ended, or stands already */
          job->error = REFUSED;
          job->error_number = why;
          break;
        }
        syscall(PTRACE, (long)INTERRUPT, (long)id, 0L, 0L);
        threads[count].id = id;
        threads[count++].status = 0;
        found = 1;
      }
    syscall(CLOSE, fd);
  } while (found && job->error == 0);
  return count;
}

static void wait_all(struct job *job, long count) {
  int64_t end = now_ms() + ${STOP_MS};
  long i;
  for (i = 0; i < count; i++)
    for (;;) {
      int status = 0;
      long got = syscall(WAIT4, (long)threads[i].id, &status, (long)(ALL_CHILDREN | NO_HANG), 0L);
      if (got < 0 || (got > 0 && (status & 0xff) != 0x7f)) { threads[i].id = 0; break; } /* it has ended */
      if (got > 0) { threads[i].status = status; break; }
      if (now_ms() > end) { job->error = NOT_IN_TIME; return; }
      syscall(YIELD);
    }
}

static void look_at(struct job *job, int id) {
  uint64_t registers[27], first, end;
  uint64_t from[2], to[2];
  long got, i;
  if (syscall(PTRACE, (long)GETREGS, (long)id, 0L, registers) != 0) return;
  look(job, registers[RIP]);
  from[0] = registers[RSP] - RED_ZONE; from[1] = ${STACK};
  to[0] = (uint64_t)stack_words; to[1] = ${STACK};
  got = syscall(PROCESS_VM_READV, job->process, to, 1L, from, 1L, 0L);
  first = job->writes[0].address;
  end = job->writes[job->count - 1].address + 8;
  for (i = 0; i < got / 8; i++) if (stack_words[i] > first && stack_words[i] < end) look(job, stack_words[i]);
}

static int child(void *argument) {
  struct job *job = argument;
  long count = seize_all(job), i;
  if (job->error == 0) wait_all(job, count);
  if (job->error == 0) {
    for (i = 0; i < count; i++) if (threads[i].id != 0) look_at(job, threads[i].id);
    for (i = 0; i < (long)job->count; i++) {
      struct write *w = &job->writes[i];
      uint32_t k;
      if (w->state == BUSY) continue;
      for (k = 0; k < w->size; k++) ((volatile uint8_t *)w->address)[k] = w->bytes[k];
      w->state = WRITTEN;
    }
  }
  /* A thread that stopped to be given a signal is given it now. Whatever is not let go here is at our exit. */
  for (i = 0; i < count; i++) {
    int status = threads[i].status;
    long signal = status >> 16 == EVENT_STOP ? 0 : (status >> 8) & 0xff;
    if (threads[i].id != 0) syscall(PTRACE, (long)DETACH, (long)threads[i].id, 0L, signal);
  }
  syscall(EXIT, 0L);
  return 0;
}

long write_stopped(struct job *job) {
  int status;
  long id;
  if (job->allow) syscall(PRCTL, (long)SET_PTRACER, -1L, 0L, 0L, 0L);
  id = clone(child, child_stack + ${CHILD_STACK}, CLONE_VM | CLONE_VFORK, job);
  if (id > 0) syscall(WAIT4, id, &status, (long)ALL_CHILDREN, 0L);
  if (job->allow) syscall(PRCTL, (long)SET_PTRACER, 0L, 0L, 0L, 0L);
  return id;
}
`;

const IMPORTS = {
  syscall: exported("syscall"),
  clone: exported("clone"),
  __errno_location: exported("__errno_location"),
};

const runnable = (code: NativePointer) => nativeAt(code, "long", ["pointer"]);

interface Machinery {
  readonly module: CModule;
  readonly run: ReturnType<typeof runnable>;
  /** Lent to the C side: collected otherwise. */
  readonly lent: readonly NativePointer[];
}
let machinery: Machinery | null = null;

function build(): Machinery {
  const lent = {
    threads: Memory.alloc(THREADS * 8),
    directory: Memory.alloc(DIRECTORY),
    task_folder: Memory.allocUtf8String(`/proc/${Process.id}/task`),
    child_stack: Memory.alloc(CHILD_STACK),
    stack_words: Memory.alloc(STACK),
  };
  const module = new CModule(SOURCE, { ...lent, ...IMPORTS });
  const code = module.write_stopped as NativePointer;
  return { module, run: runnable(code), lent: Object.values(lent) };
}

/**
 * Makes the writes, each whole or not at all. The code must be writable. Synchronous: the host stands for parts of a
 * millisecond to some milliseconds, at most STOP_MS. A write that finds a thread inside its bytes, or about to return
 * there from a signal handler, is tried again while the others are done.
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
      if (state === "written") result[i] = "written";
      return state !== "written";
    });
  }
  return result;
}

/** The threads are listed by another process, which has to name this one. */
const seesItself = (): boolean => File.readAllText("/proc/self/stat").startsWith(`${Process.id} `);

type Outcome =
  | { readonly kind: "done"; readonly states: readonly ((typeof STATES)[number] | undefined)[] }
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
      states: writes.map((_, i) => STATES[list.add(i * WRITE.total + WRITE.state).readU32()]),
    };
  const errno = job.add(JOB.errno).readS64().toNumber();
  const why = `${ERRORS[error] ?? `error ${error}`}${errno === 0 ? "" : ` (errno ${errno}; a debugger, or a system policy)`}`;
  return { kind: error === REFUSED ? "refused" : "failed", why };
}
