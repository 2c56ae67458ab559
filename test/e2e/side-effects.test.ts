/** What a host may notice of a session beside its new code: nothing. Its registers, waits, signals, files and threads. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

/** Its main thread fills every register that a session could spoil, spins for a millisecond, and looks at them again. */
const SPINNING_HOST = `
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
long spin(long turns, double *rounding); /* bits: what has changed */
__asm__(
  ".globl spin\\nspin:\\n"
  "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\\n"
  "  pxor %xmm15, %xmm15; cvtsi2sd %rdi, %xmm15\\n"
  ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14\\n  movaps %xmm15, %xmm\\\\n\\n .endr\\n"
  ".irp r, rax,rbx,rcx,rdx,rbp,r8,r9,r10,r11,r12,r13,r14,r15\\n  mov $0x1234567812345678, %\\\\r\\n .endr\\n"
  ".irp at, 8,16,32,64,96,120,128\\n  mov %rbx, -\\\\at(%rsp)\\n .endr\\n"
  "1: dec %rdi; jnz 1b\\n"
  ".irp r, rcx,rdx,rbp,r8,r9,r10,r11,r12,r13,r14,r15\\n  sub %rax, %\\\\r; or %\\\\r, %rdi\\n .endr\\n"
  "  sub %rax, %rbx; or %rbx, %rdi; neg %rdi; sbb %rdi, %rdi; and $1, %edi\\n"
  ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14\\n"
  "  pcmpeqb %xmm15, %xmm\\\\n; pmovmskb %xmm\\\\n, %ecx; cmp $0xffff, %ecx; je 2f; or $2, %edi\\n2:\\n.endr\\n"
  ".irp at, 8,16,32,64,96,120,128\\n  cmp %rax, -\\\\at(%rsp); je 2f; or $4, %edi\\n2:\\n.endr\\n"
  "  mov %rdi, %rax\\n"
  "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\\n");
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  sigset_t mask;
  setvbuf(stdout, NULL, _IOLBF, 0);
  long changed = 0, turns = 0;
  for (int runs = 0; turns < 100000; turns++) {
    unsigned control = 0x7f80 /* round to zero */, after;
    __asm__ volatile("ldmxcsr %0" : : "m"(control));
    errno = 77;
    changed |= spin(1000000, NULL);
    if (errno != 77) changed |= 8;
    __asm__ volatile("stmxcsr %0" : "=m"(after));
    if ((after & 0xffc0) != control) changed |= 16;
    control = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(control));
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int i = 1; i < 65; i++) if (sigismember(&mask, i) == 1) changed |= 32;
    if (value(1) != runs || turns % 200 == 0) printf("value %d changed %ld\\n", runs = value(1), changed);
  }
  return argc - 2;
}
`;

test("registers, red zone, errno and signal mask of a running main thread stay as they were", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", SPINNING_HOST), [lib]);
  const output = new Lines(host.stdout);
  const runs = (n: number) =>
    output.next((l) => l.startsWith(`value ${n} `), `value ${n}`, output.all.length).then((line) => line.split(" ")[3]);
  t.is(await runs(1), "0");
  for (const n of [2, 3, 4]) {
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    await shop.library("libgame.so", library(n));
    await tool.next("generation:switched", (e) => e.why === "artifact" && e.functions.length === 1, 0);
    t.is(await runs(n), "0");
    t.is(await tool.end(), 0);
    t.is(await runs(1), "0");
  }
});

/** Waits in the way that argv[2] says, and says how the wait ended. */
const WAITING_HOST = `
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv) {
  dlopen(argv[1], RTLD_NOW);
  struct epoll_event event = {.events = EPOLLIN};
  int poller = epoll_create1(0), group = semget(IPC_PRIVATE, 1, 0600);
  epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
  struct timespec long_time = {60, 0};
  struct sembuf down = {0, -1, 0};
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  char byte;
  int got = -2;
  printf("waiting\\n"), fflush(stdout);
  if (strcmp(argv[2], "read") == 0) got = read(0, &byte, 1);
  if (strcmp(argv[2], "epoll_wait") == 0) got = epoll_wait(poller, &event, 1, 60000);
  if (strcmp(argv[2], "sigtimedwait") == 0) got = sigtimedwait(&wanted, NULL, &long_time);
  if (strcmp(argv[2], "semop") == 0) got = semop(group, &down, 1);
  if (strcmp(argv[2], "poll") == 0) got = poll(&(struct pollfd){.fd = 0, .events = POLLIN}, 1, 60000);
  if (strcmp(argv[2], "nanosleep") == 0) {
    struct timespec nap = {0, 20000000}, before, after;
    for (got = 0; got == 0 && poll(&(struct pollfd){.fd = 0, .events = POLLIN}, 1, 0) == 0;) {
      clock_gettime(CLOCK_MONOTONIC, &before);
      if (nanosleep(&nap, NULL) != 0) got = -1;
      clock_gettime(CLOCK_MONOTONIC, &after);
      if (after.tv_sec - before.tv_sec > 3) got = after.tv_sec - before.tv_sec; /* 20 ms, which took seconds */
    }
  }
  printf("%s gave %d %s\\n", argv[2], got, got < 0 ? strerror(errno) : "");
  semctl(group, 0, IPC_RMID);
  return argc - 3;
}
`;

for (const [wait, end] of [
  ["read", "read gave 1 "],
  ["epoll_wait", "epoll_wait gave 1 "],
  ["sigtimedwait", "sigtimedwait gave 10 "],
  ["poll", "poll gave 1 "],
  ["nanosleep", "nanosleep gave 0 "],
  ["semop", null],
] as const)
  test(`a main thread that waits in ${wait} sees no EINTR at attach, switch and end`, async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const host = shop.start(await shop.host("host", WAITING_HOST), [lib, wait]);
    const output = new Lines(host.stdout);
    await output.next((l) => l === "waiting", "waiting");
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    await shop.library("libgame.so", library(2));
    await tool.switched(1);
    t.is(await tool.end(), 0);
    // What it waits for ends the wait as if nobody had been there; of the others, silence is the answer.
    if (wait === "sigtimedwait") host.kill("SIGUSR1");
    else if (end !== null) host.stdin?.write("x");
    if (end !== null) t.is(await output.next((l) => l.includes("gave"), wait), end);
    else {
      t.deepEqual(output.all, ["waiting"]);
      t.regex(readFileSync(`/proc/${host.pid}/syscall`, "utf8"), /^(65|220) /); // semop, or the semtimedop it is made of
    }
    t.is(host.signalCode, null);
  });

/** Says, at each line of stdin, what the process looks like from inside. Its own handler for SIGSEGV mends a fault. */
const LOOKING_HOST = `
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static sigjmp_buf back;
static void mend(int signal) { siglongjmp(back, signal); }
static void own(int signal) { (void)signal; }
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  signal(SIGUSR1, own);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGSEGV, mend);
  char line[8], name[16];
  struct sigaction action;
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("ready\\n");
  while (fgets(line, sizeof line, stdin)) {
    printf("value %d;", value(1));
    for (int i = 1; i < 65; i++) {
      if (sigaction(i, NULL, &action) != 0 || action.sa_handler == SIG_DFL) continue;
      printf(" %d:%s", i, action.sa_handler == SIG_IGN ? "ignored" : action.sa_handler == own ? "own" : action.sa_handler == mend ? "mend" : "foreign");
    }
    stack_t stack;
    sigaltstack(NULL, &stack);
    pthread_getname_np(pthread_self(), name, sizeof name);
    printf(" altstack %d name %s", stack.ss_flags, name);
    int variables = 0;
    for (char **e = environ; *e; e++) variables++;
    printf(" variables %d", variables);
    if (sigsetjmp(back, 1) == 0) *(volatile int *)8 = 1;
    else printf(" mended");
    printf("\\n");
  }
  return argc - 2;
}
`;

test("signal handlers, environment, threads, files and names are the same before, during and after a session", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", LOOKING_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "ready", "ready");
  const inside = async () => {
    const from = output.all.length;
    host.stdin?.write("?\n");
    return (await output.next((l) => l.startsWith("value"), "a look", from)).split("; ");
  };
  const proc = (file: string) => readFileSync(`/proc/${host.pid}/${file}`, "utf8");
  const outside = () => {
    const status = proc("status");
    const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1];
    const files = readdirSync(`/proc/${host.pid}/fd`).map((fd) => readlinkSync(`/proc/${host.pid}/fd/${fd}`));
    return {
      threads: field("Threads"),
      blocked: field("SigBlk"),
      ignored: field("SigIgn"),
      // Signal 33 is the C library's own: it catches it from the first thread on that a process makes.
      caught: (BigInt(`0x${field("SigCgt")}`) & ~(1n << 32n)).toString(16),
      limits: proc("limits"),
      environ: proc("environ"),
      files,
    };
  };
  const [first, before] = [await inside(), outside()];
  t.is(first[0], "value 1");
  t.regex(first[1] ?? "", /10:own 11:mend 13:ignored .* mended$/);
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  t.deepEqual(await inside(), first);
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  t.deepEqual(await inside(), ["value 2", first[1]]);
  t.is(await tool.end(), 0);
  t.deepEqual(await inside(), first);
  t.deepEqual(outside(), before);
});
