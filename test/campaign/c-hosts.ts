/**
 * The campaign's hosts in C. Each opens the library that is its first argument, prints what `value` gives a hundred times a
 * second, and does something besides that an agent may trip over. What it finds wrong it says in a line that begins with
 * FAULT; a child that it waits for more than 3 s for is such a thing.
 */

export interface CHost {
  readonly name: string;
  /** What makes it a case of its own: declarations, before the loop, and in the loop after each line. */
  readonly before?: string;
  readonly setup?: string;
  readonly loop?: string;
  readonly flags?: readonly string[];
  readonly compiler?: string;
  /** What it is run by, in front of itself. */
  readonly through?: readonly string[];
  /** The library without a copy of libgcc of its own would not be the case. */
  readonly libraryFlags?: readonly string[];
  /** Needs rights that only root has. */
  readonly root?: boolean;
  /** The error code that attaching must give; the host goes on all the same. */
  readonly refused?: string;
  /** The host cuts the agent off: the session may end with bridge-died or fail to begin. */
  readonly cuts?: boolean;
}

export const sourceOf = ({ before = "", setup = "", loop = "" }: CHost): string => `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
static int (*value)(int);
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static void start(void *(*run)(void *)) { pthread_t t; if (pthread_create(&t, NULL, run, NULL) != 0) puts("FAULT no thread"); }
/* A child of ours ends within 3 s, with this code. */
static inline void await(pid_t child, int code) {
  double since = now(); int status;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (now() - since > 3) { printf("FAULT child %d hangs\\n", child); usleep(300000); kill(child, SIGKILL); waitpid(child, &status, 0); return; }
    usleep(500);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != code) printf("FAULT child ended with %x\\n", status);
}
${before}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  void *library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) { puts(dlerror()); return 9; }
  value = (int (*)(int))dlsym(library, "value");
  (void)argc, (void)now, (void)start;
  for (long beat = 0, until = time(NULL) + 300; time(NULL) < until; beat++) {
    if (beat == 0) { ${setup} }
    printf("value %d\\n", value(1));
    ${loop}
    usleep(10000);
  }
  return 0;
}
`;

const IDLE = "static void *idle(void *a) { for (;;) pause(); return a; }";
const FORKS = `
static void forks(int code, void (*in_child)(void)) {
  for (int i = 0; i < 3; i++) { pid_t child = fork(); if (child == 0) { in_child(); _exit(code); } await(child, code); }
}`;
const LAZY = `
static char *lazy; enum { LAZY = 1 << 20 };
static void on_segv(int s, siginfo_t *info, void *context) {
  char *at = info->si_addr; (void)s, (void)context;
  if (at >= lazy && at < lazy + LAZY) mprotect((void *)((long)at & ~4095), 4096, PROT_READ | PROT_WRITE);
  else signal(SIGSEGV, SIG_DFL);
}
static void *touch(void *a) {
  for (;;) { for (long i = 0; i < LAZY; i += 4096) { lazy[i] = 1; PAUSE; } mprotect(lazy, LAZY, PROT_NONE); }
  return a;
}`;
const lazySetup = `
lazy = mmap(NULL, LAZY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
struct sigaction sa = {0}; sa.sa_sigaction = on_segv; sa.sa_flags = SA_SIGINFO; sigaction(SIGSEGV, &sa, NULL); start(touch);`;

export const C_HOSTS: readonly CHost[] = [
  { name: "plain" },
  {
    name: "setuid and idle threads",
    before: `${IDLE}`,
    setup: "for (int i = 0; i < 8; i++) start(idle);",
    loop: 'double since = now(); if (seteuid(geteuid()) != 0 || now() - since > 2) puts("FAULT seteuid");',
  },
  {
    name: "seteuid at full speed",
    before: `${IDLE}
static volatile long changed;
static void *change(void *a) { for (;;) { if (seteuid(geteuid()) != 0) puts("FAULT seteuid"); changed++; } return a; }`,
    setup: "for (int i = 0; i < 4; i++) start(idle); start(change);",
    loop: 'static long last; if (beat % 200 == 199) { if (changed == last) puts("FAULT stands still"); last = changed; }',
  },
  { name: "SIGSEGV: lazy paging at full speed", before: LAZY.replace("PAUSE", ""), setup: lazySetup },
  { name: "SIGSEGV: lazy paging, unhurried", before: LAZY.replace("PAUSE", "usleep(50)"), setup: lazySetup },
  {
    name: "SIGSEGV: traps by siglongjmp on an alternate stack",
    before: `
static __thread sigjmp_buf back; static volatile long traps;
static void on_trap(int s) { (void)s; siglongjmp(back, 1); }
static void *trap(void *a) {
  stack_t alternate = {.ss_sp = malloc(65536), .ss_size = 65536}; sigaltstack(&alternate, NULL);
  for (;;) if (sigsetjmp(back, 1) == 0) *(volatile int *)8 = 1; else traps++;
  return a;
}`,
    setup: `struct sigaction sa = {0}; sa.sa_handler = on_trap; sa.sa_flags = SA_ONSTACK; sigaction(SIGSEGV, &sa, NULL);
      start(trap); start(trap);`,
    loop: 'static long last; if (beat % 100 == 99) { if (traps == last) puts("FAULT no traps"); last = traps; }',
  },
  {
    name: "SIGFPE, SIGILL and SIGTRAP handled",
    before: `static volatile int got; static void on(int s, siginfo_t *i, void *c) { (void)i; got = s; ((ucontext_t *)c)->uc_mcontext.gregs[REG_RIP] += s == SIGTRAP ? 0 : 2; }`,
    setup: `struct sigaction sa = {0}; sa.sa_sigaction = on; sa.sa_flags = SA_SIGINFO; sigaction(SIGILL, &sa, NULL); sigaction(SIGTRAP, &sa, NULL);`,
    loop: `got = 0; __asm__ volatile("ud2"); if (got != SIGILL) puts("FAULT ud2"); got = 0; __asm__ volatile("int3"); if (got != SIGTRAP) puts("FAULT int3");`,
  },
  {
    name: "malloc in the only thread, without a pause",
    before: `static void churn(double seconds) { static void *p[512]; static unsigned x = 1; for (double end = now() + seconds; now() < end;)
  for (int n = 0; n < 2000; n++) { x = x * 1103515245 + 12345; int i = (x >> 8) & 511; free(p[i]); p[i] = malloc(1500 + (x >> 17) % 9000); memset(p[i], (int)x, 64); } }
#define usleep(us) churn((us) * 1e-6)`,
  },
  {
    name: "malloc in four threads",
    before: `static void *churn(void *a) { void *p[256] = {0}; unsigned x = 7; for (;;) { x = x * 1103515245 + 12345; int i = (x >> 8) & 255; free(p[i]); p[i] = malloc(100 + (x >> 17) % 9000); memset(p[i], 1, 64); } return a; }`,
    setup: "for (int i = 0; i < 4; i++) start(churn);",
  },
  {
    name: "threads that come and go, 8 times 40 a second",
    before: `static void *brief(void *a) { volatile int x = value(1); (void)x; usleep(2000); return a; }
static void *maker(void *a) { for (;;) { pthread_t t; if (pthread_create(&t, NULL, brief, NULL) == 0) pthread_join(t, NULL); usleep(20000); } return a; }`,
    setup: "for (int i = 0; i < 8; i++) start(maker);",
  },
  {
    name: "250 forks a second",
    before: `${FORKS} static void nothing(void) {}`,
    loop: "forks(7, nothing);",
  },
  {
    name: "forked children that open libraries and exit()",
    before: `${FORKS} static void opens(void) { void *h = dlopen("libresolv.so.2", RTLD_NOW); if (h == NULL) _exit(3); dlclose(h); value(1); free(malloc(5000)); exit(7); }`,
    loop: "forks(7, opens);",
  },
  {
    name: "forks beside threads in malloc and the loader",
    before: `${FORKS}
static void *churn(void *a) { for (;;) free(malloc(3000)); return a; }
static void *loads(void *a) { for (;;) { void *h = dlopen("libresolv.so.2", RTLD_NOW); if (h) dlclose(h); usleep(500); } return a; }
static void works(void) { free(malloc(3000)); value(1); _exit(7); }`,
    setup: "start(churn); start(loads);",
    loop: "forks(7, works);",
  },
  {
    name: "forks in threads, posix_spawn and vfork",
    before: `extern char **environ;
static void *forker(void *a) { for (;;) { pid_t c = fork(); if (c == 0) _exit(7); await(c, 7); usleep(5000); } return a; }
static void spawn(void) { pid_t c; char *args[] = {"true", NULL}; if (posix_spawn(&c, "/bin/true", NULL, NULL, args, environ) != 0) puts("FAULT posix_spawn"); else await(c, 0); }`,
    setup: "start(forker);",
    loop: "if (beat % 10 == 0) { spawn(); pid_t c = vfork(); if (c == 0) _exit(7); await(c, 7); }",
  },
  {
    name: "dlopen and dlclose in two threads",
    before: `static void *loads(void *name) { for (;;) { void *h = dlopen("libresolv.so.2", RTLD_NOW); if (h == NULL) puts("FAULT dlopen"); else dlclose(h); } return name; }`,
    setup: "start(loads); start(loads);",
  },
  {
    name: "SIGPROF a thousand times a second",
    before: "static void on_prof(int s) { (void)s; value(1); }",
    setup: `struct sigaction sa = {0}; sa.sa_handler = on_prof; sa.sa_flags = SA_RESTART; sigaction(SIGPROF, &sa, NULL); struct itimerval it = {{0, 1000}, {0, 1000}}; setitimer(ITIMER_PROF, &it, NULL);`,
    loop: "for (volatile int i = 0; i < 3000000; i++);",
  },
  {
    name: "all signals blocked and ignored",
    setup:
      "sigset_t s; sigfillset(&s); sigprocmask(SIG_BLOCK, &s, NULL); for (int i = 1; i < 65; i++) signal(i, SIG_IGN);",
  },
  {
    name: "epoll_wait in the main thread",
    before: "static int set;",
    setup: "set = epoll_create1(0);",
    loop: 'struct epoll_event e; if (epoll_wait(set, &e, 1, 10) < 0) puts("FAULT epoll_wait");',
  },
  {
    name: "sigtimedwait in the main thread",
    loop: 'sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR2); struct timespec t = {0, 10000000}; if (sigtimedwait(&s, NULL, &t) < 0 && errno != EAGAIN) puts("FAULT sigtimedwait");',
  },
  {
    name: "coroutines on small stacks",
    before: `static ucontext_t back, other; static char stack[32768]; static volatile int quit;
static void coroutine(void) { for (;;) { volatile int x = value(1); (void)x; for (volatile int i = 0; i < 200000; i++); swapcontext(&other, &back); } }`,
    setup:
      "getcontext(&other); other.uc_stack.ss_sp = stack; other.uc_stack.ss_size = sizeof stack; makecontext(&other, coroutine, 0);",
    loop: "for (int i = 0; i < 20; i++) swapcontext(&back, &other);",
  },
  {
    name: "threads with small stacks",
    before: "static void *small(void *a) { for (;;) { volatile int x = value(1); (void)x; usleep(1000); } return a; }",
    setup:
      "pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setstacksize(&a, 16384); for (int i = 0; i < 4; i++) { pthread_t t; pthread_create(&t, &a, small, NULL); }",
  },
  {
    name: "vector registers and red zone of a computing main thread",
    before: `static int kept(void) { int ok; __asm__ volatile("vpcmpeqd %%ymm5,%%ymm5,%%ymm5\\n movq $0x1234567,-64(%%rsp)\\n mov $3000000,%%rcx\\n 1: dec %%rcx\\n jnz 1b\\n vpmovmskb %%ymm5,%%eax\\n cmp $-1,%%eax\\n sete %%al\\n cmpq $0x1234567,-64(%%rsp)\\n sete %%cl\\n and %%cl,%%al\\n movzbl %%al,%0" : "=r"(ok) : : "rax", "rcx", "xmm5", "memory"); return ok; }`,
    flags: ["-mavx2"],
    loop: 'for (int i = 0; i < 10; i++) if (!kept()) puts("FAULT registers");',
  },
  {
    name: "pthread_cancel",
    before: "static void *victim(void *a) { for (;;) usleep(1000); return a; }",
    loop: "pthread_t t; pthread_create(&t, NULL, victim, NULL); pthread_cancel(t); pthread_join(t, NULL);",
  },
  { name: "300 threads that wait", before: IDLE, setup: "for (int i = 0; i < 300; i++) start(idle);" },
  {
    name: "mmap and munmap without a pause",
    before:
      "static void *maps(void *a) { for (;;) { char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); p[0] = 1; munmap(p, 1 << 20); } return a; }",
    setup: "start(maps);",
  },
  {
    name: "timers that make threads",
    before: "static volatile int fired; static void on_time(union sigval v) { (void)v; fired++; value(1); }",
    setup:
      "struct sigevent e = {0}; e.sigev_notify = SIGEV_THREAD; e.sigev_notify_function = on_time; timer_t t; timer_create(CLOCK_MONOTONIC, &e, &t); struct itimerspec every = {{0, 3000000}, {0, 3000000}}; timer_settime(t, 0, &every, NULL);",
  },
  {
    name: "locks under contention",
    before:
      "static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; static long sum; static void *adds(void *a) { for (;;) { pthread_mutex_lock(&lock); sum += value(1); pthread_mutex_unlock(&lock); } return a; }",
    setup: "for (int i = 0; i < 4; i++) start(adds);",
  },
  {
    name: "condition variables only",
    before:
      "static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t never = PTHREAD_COND_INITIALIZER; static void doze(int us) { struct timespec t; clock_gettime(CLOCK_REALTIME, &t); t.tv_nsec += us * 1000L; if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000; pthread_mutex_lock(&lock); pthread_cond_timedwait(&never, &lock, &t); pthread_mutex_unlock(&lock); }\n#define usleep doze",
  },
  {
    name: "stdio in four threads",
    before:
      'static void *prints(void *a) { FILE *f = fopen("/dev/null", "w"); for (;;) { fprintf(f, "%d\\n", value(1)); fflush(f); } return a; }',
    setup: "for (int i = 0; i < 4; i++) start(prints);",
  },
  {
    name: "alarms without SA_RESTART",
    before: "static void on_alarm(int s) { (void)s; }",
    setup:
      "struct sigaction sa = {0}; sa.sa_handler = on_alarm; sigaction(SIGALRM, &sa, NULL); struct itimerval it = {{0, 7000}, {0, 7000}}; setitimer(ITIMER_REAL, &it, NULL);",
  },
  {
    name: "a working folder that is gone, umask 0777",
    setup: 'char d[] = "/tmp/hotpatch-gone-XXXXXX"; if (mkdtemp(d) && chdir(d) == 0) rmdir(d); umask(0777);',
  },
  {
    name: "a low stack limit",
    setup: "struct rlimit r = {1 << 20, 1 << 20}; setrlimit(RLIMIT_STACK, &r);",
  },
  {
    name: "real-time signals queued",
    before: "static volatile int got; static void on_rt(int s) { (void)s; got++; }",
    setup: "struct sigaction sa = {0}; sa.sa_handler = on_rt; sigaction(SIGRTMIN + 3, &sa, NULL);",
    loop: "union sigval v = {0}; for (int i = 0; i < 5; i++) sigqueue(getpid(), SIGRTMIN + 3, v);",
  },
  {
    name: "C++ exceptions with a static libgcc",
    compiler: "g++",
    flags: ["-static-libgcc", "-x", "c++", "-fpermissive", "-w"],
    libraryFlags: ["-static-libgcc"],
    before: "static void *throws(void *a) { for (;;) { try { throw value(1); } catch (int) { } } return a; }",
    setup: "start(throws); start(throws);",
  },
  {
    name: "its descriptors closed all the time",
    loop: "if (beat % 50 == 0) syscall(436, 3u, ~0u, 0u);",
    cuts: true,
  },
  {
    name: "no descriptor left",
    setup: 'struct rlimit r = {256, 256}; setrlimit(RLIMIT_NOFILE, &r); while (open("/dev/null", O_RDONLY) >= 0);',
    refused: "too-few-descriptors",
  },
  {
    name: "an allocator of its own, without a pause",
    before: `static char pool[1 << 27]; static size_t used;
void *malloc(size_t n) { size_t at = used; used = (used + n + 31) & ~15ul; if (used > sizeof pool) abort(); *(size_t *)(pool + at) = n; return pool + at + 16; }
void free(void *p) { (void)p; }
void *calloc(size_t n, size_t m) { return malloc(n * m); }
void *realloc(void *p, size_t n) { void *q = malloc(n); if (p) memcpy(q, p, n < ((size_t *)p)[-2] ? n : ((size_t *)p)[-2]); return q; }
static void spin(int us) { for (double end = now() + us * 1e-6; now() < end;); }
#define usleep spin`,
    flags: ["-rdynamic"],
    refused: "unsupported-host",
  },
  {
    name: "a main() that has left",
    before: 'static void *goes_on(void *a) { for (;;) { printf("value %d\\n", value(1)); usleep(10000); } return a; }',
    setup: "start(goes_on); pthread_exit(NULL);",
    refused: "unsupported-host",
  },
  {
    name: "a daemon that becomes nobody",
    before: "#include <grp.h>",
    setup: 'if (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0) puts("FAULT setuid");',
    root: true,
  },
  { name: "a network namespace of its own", through: ["unshare", "--net"], root: true },
  { name: "a PID namespace of its own", through: ["unshare", "--pid", "--fork", "--kill-child"], root: true },
  {
    name: "a PID namespace without /proc",
    through: [
      "unshare",
      "--pid",
      "--mount",
      "--fork",
      "--kill-child",
      "sh",
      "-c",
      'mount -t tmpfs none /proc; exec "$@"',
      "sh",
    ],
    root: true,
    refused: "sandboxed-host",
  },
];
