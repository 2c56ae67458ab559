/*
 * The C side of stop-the-world.ts: a child that shares this process's memory stops its threads, checks where they are, and
 * writes. Compiled inside the target; the script #defines the names in capitals that are not declared here.
 */
#include <stdint.h>
/* Source: ptrace(2) on PTRACE_SEIZE, PTRACE_INTERRUPT and signal-delivery-stops. */
enum { DETACH = 17, SEIZE = 0x4206, INTERRUPT = 0x4207, EVENT_STOP = 128 };
enum { ALL_CHILDREN = 0x40000000, NO_HANG = 1, ESRCH = 3, SET_PTRACER = 0x59616d61 };
enum { CLONE_VM = 0x100, CLONE_VFORK = 0x4000 };

struct write { uint64_t address; uint32_t size, state; uint8_t bytes[8]; };
struct job { struct write *writes; uint64_t count; int64_t self, process, error, error_number, allow; };
struct thread { int32_t id, status; };

extern long syscall(long number, ...);
extern int *__errno_location(void);
extern int clone(int (*run)(void *), void *stack, int flags, void *argument, ...);
/* A CModule's own variables are read-only, so the script lends these. */
extern struct thread threads[];
extern char directory[], task_folder[], child_stack[];
extern uint64_t stack_words[];

static int64_t now_ms(void) {
  int64_t t[2];
  syscall(SYS_CLOCK_GETTIME, 1L, t);
  return t[0] * 1000 + t[1] / 1000000;
}

static int known(struct job *job, long count, int id) {
  long i;
  if (id == job->self) return 1;
  for (i = 0; i < count; i++) if (threads[i].id == id) return 1;
  return 0;
}

/* Marks as busy the write that a thread at pc would resume inside. Writes are sorted by address. */
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

/* Reads a thread's file in /proc as text. Returns its length; 0 if the thread has exited. */
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
  fd = syscall(SYS_OPEN, path, 0L, 0L);
  if (fd < 0) return 0;
  got = syscall(SYS_READ, fd, text, size - 1);
  syscall(SYS_CLOSE, fd);
  text[got > 0 ? got : 0] = 0;
  return got > 0 ? got : 0;
}

/* Whether another tracer has stopped this thread; if so, checks where. It need not be seized: Frida's own helper holds the
   first thread of a spawned host until it is resumed. */
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

/* Seizes every thread, including those started meanwhile: repeats until a whole pass finds no new one. */
static long seize_all(struct job *job) {
  long count = 0, got, at, fd;
  int found;
  do {
    found = 0;
    fd = syscall(SYS_OPEN, task_folder, (long)O_DIRECTORY, 0L);
    if (fd < 0) { job->error = NOT_LISTED; return count; }
    while ((got = syscall(SYS_GETDENTS64, fd, directory, (long)DIRECTORY_SIZE)) > 0)
      for (at = 0; at < got; at += *(uint16_t *)(directory + at + 16)) {
        char *name = directory + at + 19, *c = name;
        int id = 0;
        while (*c >= '0' && *c <= '9') id = id * 10 + *c++ - '0';
        if (id == 0 || known(job, count, id)) continue;
        if (count == MOST_THREADS) { job->error = TOO_MANY; break; }
        if (syscall(SYS_PTRACE, (long)SEIZE, (long)id, 0L, 0L) != 0) {
          int why = *__errno_location();
          if (why == ESRCH || held_by_another(job, name)) continue; /* it has ended, or stands already */
          job->error = REFUSED;
          job->error_number = why;
          break;
        }
        syscall(SYS_PTRACE, (long)INTERRUPT, (long)id, 0L, 0L);
        threads[count].id = id;
        threads[count++].status = 0;
        found = 1;
      }
    syscall(SYS_CLOSE, fd);
  } while (found && job->error == 0);
  return count;
}

static void wait_all(struct job *job, long count) {
  int64_t end = now_ms() + STOP_MS;
  long i;
  for (i = 0; i < count; i++)
    for (;;) {
      int status = 0;
      long got = syscall(SYS_WAIT4, (long)threads[i].id, &status, (long)(ALL_CHILDREN | NO_HANG), 0L);
      if (got < 0 || (got > 0 && (status & 0xff) != 0x7f)) { threads[i].id = 0; break; } /* it has ended */
      if (got > 0) { threads[i].status = status; break; }
      if (now_ms() > end) { job->error = NOT_IN_TIME; return; }
      syscall(SYS_YIELD);
    }
}

static void look_at(struct job *job, int id) {
  uint64_t registers[REGISTERS], first, end;
  uint64_t from[2], to[2];
  long got, i;
  if (syscall(SYS_PTRACE, (long)GETREGS, (long)id, 0L, registers) != 0) return;
  look(job, registers[PROGRAM_COUNTER]);
  from[0] = registers[STACK_POINTER] - RED_ZONE; from[1] = STACK_SIZE;
  to[0] = (uint64_t)stack_words; to[1] = STACK_SIZE;
  got = syscall(SYS_PROCESS_VM_READV, job->process, to, 1L, from, 1L, 0L);
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
  /* A thread that stopped for a signal's delivery gets it now. What is not released here is when we exit. */
  for (i = 0; i < count; i++) {
    int status = threads[i].status;
    long signal = status >> 16 == EVENT_STOP ? 0 : (status >> 8) & 0xff;
    if (threads[i].id != 0) syscall(SYS_PTRACE, (long)DETACH, (long)threads[i].id, 0L, signal);
  }
  syscall(SYS_EXIT, 0L);
  return 0;
}

long write_stopped(struct job *job) {
  int status;
  long id;
  if (job->allow) syscall(SYS_PRCTL, (long)SET_PTRACER, -1L, 0L, 0L, 0L);
  id = clone(child, child_stack + CHILD_STACK_SIZE, CLONE_VM | CLONE_VFORK, job);
  if (id > 0) syscall(SYS_WAIT4, id, &status, (long)ALL_CHILDREN, 0L);
  if (job->allow) syscall(SYS_PRCTL, (long)SET_PTRACER, 0L, 0L, 0L, 0L);
  return id;
}
