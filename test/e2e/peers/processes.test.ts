/**
 * What else goes on in a process, and around it, while it is patched (libpulp: syscall_restart, terminal, deadlock,
 * asunsafe_conversion, memory_protection, redzone, manyprocesses, stress, chroot; libcare: fail_threading, both).
 */
import { readFileSync } from "node:fs";
import { AskedHost } from "../../support/asked-host.js";
import { DLOPEN_HOST, library } from "../../support/programs.js";
import test from "../../support/test.js";
import { Tool } from "../../support/tool.js";
import { Lines, Workshop } from "../../support/workshop.js";

const root = process.getuid?.() === 0 ? test : test.skip;

/** A parent that is told of every stop of its child, which is the host: busy in the loader, in malloc and in signals. */
const BUSY = `
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
static const char *other_path;
static int (*value)(int);
static atomic_long handled, opened, threads, wrong;
static void *load(void *p) {
  for (;; opened++) {
    void *other = dlopen(other_path, RTLD_NOW);
    free(malloc(1 + opened % 9000));
    if (other) dlclose(other);
  }
  return p;
}
static void check(void) { int n = value(1); if (n < 1 || n > 3) wrong++; }
static void *one(void *p) { check(); return p; }
static void *many(void *p) {
  for (;; threads++) { pthread_t id; if (!pthread_create(&id, NULL, one, NULL)) pthread_join(id, NULL); }
  return p;
}
static void on_alarm(int number) { (void)number; check(); handled++; }
static void *alarms(void *p) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  for (;;) check();
  return p;
}
static int host(const char *path) {
  void *library = dlopen(path, RTLD_NOW);
  value = (int (*)(int))dlsym(library, "value");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &set, NULL); /* only the thread of alarms takes them */
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval often = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &often, NULL);
  pthread_t id;
  pthread_create(&id, NULL, load, NULL);
  pthread_create(&id, NULL, many, NULL);
  pthread_create(&id, NULL, alarms, NULL);
  printf("host %d\\n", getpid());
  for (;;) {
    char line[64];
    long bytes = read(0, line, sizeof line);
    if (bytes < 0) printf("read failed: %s\\n", strerror(errno));
    if (bytes <= 0) return 3;
    if (!memcmp(line, "entry", 5)) for (int i = 0; i < 16; i++) printf(i < 15 ? "%02x " : "%02x\\n", ((unsigned char *)value)[i]);
    else printf("value %d handled %ld opened %ld threads %ld wrong %ld\\n", value(1), handled, opened, threads, wrong);
  }
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  other_path = argv[2];
  pid_t child = fork();
  if (child == 0) return host(argv[1]);
  for (int status; waitpid(child, &status, WUNTRACED | WCONTINUED) == child;) printf("parent saw %x\\n", status);
  return argc - 3;
}
`;

/** The rights of the mapped parts of a library, in order; its file may have been replaced. */
const rightsOf = (pid: number, path: string): string[] =>
  readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .filter((line) => line.replace(/ \(deleted\)$/, "").endsWith(` ${path}`))
    .map((line) => line.split(" ")[1] ?? "");

test("a host that is busy in the loader, in malloc, in signals and with new threads is patched without a trace", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const other = await shop.library("libother.so", "int other;");
  const host = new AskedHost(shop, await shop.host("host", BUSY), [lib, other]);
  const pid = Number((await host.greeting()).slice("host ".length));
  shop.owns(pid);
  const counts = async () => (await host.ask("counts")).match(/\d+/g)?.map(Number) ?? [];
  const before = { entry: await host.ask("entry"), rights: rightsOf(pid, lib) };
  t.true(before.rights.includes("r-xp"));

  const tool = Tool.attach(shop, [String(pid)]);
  await tool.ready();
  for (const n of [2, 3]) {
    await shop.library("libgame.so", library(n));
    await tool.switched(n - 1);
  }
  for (let i = 0; i < 40; i++) {
    const from = tool.events.length;
    tool.send({ command: "rollback", generation: i % 3 });
    await tool.switched(i % 3, from);
  }
  t.is((await counts())[0], 1 + (39 % 3));
  t.deepEqual([...new Set(rightsOf(pid, lib))], [...new Set(before.rights)], "no page of code is writable meanwhile");
  t.is(await tool.end(), 0);

  const [value, ...after] = await counts();
  t.is(value, 1);
  const [handled = 0, opened = 0, threads = 0, wrong] = after;
  t.true(handled > 10 && opened > 10 && threads > 10, String(after));
  t.is(wrong, 0);
  t.is(await host.ask("entry"), before.entry);
  t.deepEqual(
    host.said.filter((line) => /parent saw|read failed/.test(line)),
    [],
    "no stop was told to the parent, no read was interrupted",
  );
});

test("a host that opens and closes libraries all the time lives through session after session", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const other = await shop.library("libother.so", "int other;");
  const host = new AskedHost(shop, await shop.host("host", BUSY), [lib, other]);
  const pid = Number((await host.greeting()).slice("host ".length));
  shop.owns(pid);
  for (let session = 0; session < 6; session++) {
    const tool = Tool.attach(shop, [String(pid)]);
    await tool.ready();
    t.is(await tool.end(), 0);
    t.regex(await host.ask("counts"), /^value 1 .* wrong 0$/);
  }
});

const CLOSING = `
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
  void *libm = dlopen("libm.so.6", RTLD_NOW), *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (char line[64]; fgets(line, sizeof line, stdin);)
    if (!strncmp(line, "close", 5)) printf("closed %d\\n", dlclose(libm));
    else printf("value %d\\n", value(1));
  return argc - 2;
}
`;

test("the host may unload what Frida's agent is linked with", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = new AskedHost(shop, await shop.host("host", CLOSING), [lib]);
  t.is(await host.ask("value"), "value 1");
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  t.is(await host.ask("close"), "closed 0");
  for (const n of [2, 3]) {
    await shop.library("libgame.so", library(n));
    await tool.switched(n - 1);
    t.is(await host.ask("value"), `value ${n}`);
  }
  t.is(await tool.end(), 0);
  t.is(await host.ask("value"), "value 1");
});

/** Its main thread, by which Frida enters, keeps 128 bytes below its stack pointer, as the psABI lets a leaf do. */
const RED_ZONE = `
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
static int (*value)(int);
static atomic_long rounds, wrong;
__attribute__((noinline)) static long red_zone(void) {
  long changed;
  __asm__ volatile(
    "mov $16, %%rcx; 1: mov %%rcx, -136(%%rsp,%%rcx,8); dec %%rcx; jnz 1b;"
    "mov $20000, %%rcx; 2: dec %%rcx; jnz 2b;"
    "xor %0, %0; mov $16, %%rcx; 3: cmp %%rcx, -136(%%rsp,%%rcx,8); je 4f; inc %0; 4: dec %%rcx; jnz 3b"
    : "=&r"(changed) : : "rcx", "cc", "memory");
  return changed;
}
static void *answer(void *p) {
  for (char line[64]; fgets(line, sizeof line, stdin);) printf("value %d rounds %ld wrong %ld\\n", value(1), rounds, wrong);
  return p;
}
int main(int argc, char **argv) {
  value = (int (*)(int))dlsym(dlopen(argv[1], RTLD_NOW), "value");
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_t id;
  pthread_create(&id, NULL, answer, NULL);
  for (;; rounds++) wrong += red_zone();
  return argc - 2;
}
`;

test("what a thread keeps below its stack pointer is as it was, through attach, switches and the end", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = new AskedHost(shop, await shop.host("host", RED_ZONE), [lib]);
  await host.ask("value");
  for (const generation of [1, 2]) {
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    // The second session finds what the first one built, and takes it by itself.
    if (generation === 1) await shop.library("libgame.so", library(2));
    await tool.switched(generation);
    t.regex(await host.ask("value"), /^value 2 /);
    t.is(await tool.end(), 0);
  }
  const [value, rounds = 0, wrong] = (await host.ask("value")).match(/\d+/g)?.map(Number) ?? [];
  t.deepEqual({ value, wrong }, { value: 1, wrong: 0 });
  t.true(rounds > 1000, `${rounds} rounds`);
});

test("two hosts follow one build, each with copies of its own, and one's end is nothing to the other", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const program = await shop.host("host", DLOPEN_HOST);
  const hosts = [1, 2].map(() => {
    const child = shop.start(program, [lib]);
    const output = new Lines(child.stdout);
    const says = (n: number) => output.next((l) => l === `value ${n}`, `value ${n}`, output.all.length);
    return { says, tool: Tool.attach(shop, [String(child.pid)]) };
  });
  for (const { tool } of hosts) await tool.ready();
  await shop.library("libgame.so", library(2));
  for (const { tool, says } of hosts) {
    await tool.switched(1);
    await says(2);
  }
  const [first, second] = hosts;
  const paths = hosts.map(({ tool }) => tool.events.find((e) => e.type === "generation:loaded")?.path);
  t.is(new Set(paths).size, 2);
  t.is(await first?.tool.end(), 0);
  await first?.says(1);
  await shop.library("libgame.so", library(3));
  await second?.tool.switched(2);
  await second?.says(3);
  await first?.says(1);
  t.is(await second?.tool.end(), 0);
  t.deepEqual(shop.leftovers(), []);
});

test("marks in the executable are told to be out of reach, while its library is patched", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const own = '#include "hotpatch.h"\nHOTPATCH int own(int x) { return x; }\n';
  const host = await shop.host("host", `${own}${DLOPEN_HOST}`);
  const tool = Tool.spawn(shop, ["--", host, lib]);
  const warning = await tool.next("warning");
  t.is(warning.code, "marks-in-executable");
  t.regex(warning.message, /^1 marked function is in the executable .*host itself$/);
  t.is(warning.running, "the host's own code");
  t.regex(warning.hint, /shared library/);
  await tool.prints("value 1");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

root("a host in a chroot without /proc is refused, and lives on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const source = DLOPEN_HOST.replace("setvbuf", `if (chroot("${shop.temp}") != 0) return 7;\n  setvbuf`);
  const child = shop.start(await shop.host("host", source), [lib]);
  const output = new Lines(child.stdout);
  await output.next((l) => l === "value 1", "value 1");
  const tool = Tool.attach(shop, [String(child.pid)]);
  t.is((await tool.next("error")).code, "sandboxed-host");
  t.is((await tool.ended).code, 3);
  await output.next((l) => l === "value 1", "value 1", output.all.length);
});
