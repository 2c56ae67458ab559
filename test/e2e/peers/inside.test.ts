/**
 * Code that is being run while it is switched. Where production patchers wait for such functions to be left, or refuse
 * (libcare: fail_busy_*, fail_coro, fail_unpatch, frame_finish; libpulp: blocked, contract), hotpatch lets the old body
 * finish with its own helpers: copies are never unloaded, and every call of a marked function is a new one.
 */

import { AskedHost } from "../../support/asked-host.js";
import test from "../../support/test.js";
import { Tool } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";

const LIBRARY = (n: number, formula: string) => `
#include "hotpatch.h"
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) static int helper(void) { return ${n}; }
HOTPATCH int marked(void) { return ${n}; }
HOTPATCH void inside(int fd) {
  char order;
  while (read(fd, &order, 1) == 1 && order != 'q') printf("inside %d helper %d marked %d\\n", ${n}, helper(), marked());
}
HOTPATCH int coroutine(void (*yield)(void)) { int before = ${n}; yield(); return before * 10 + helper(); }
HOTPATCH long number(int n, void (*meanwhile)(void)) {
  if (meanwhile) meanwhile();
  return n < 2 ? ${formula} : number(n - 1, 0) + number(n - 2, 0);
}
`;

const HOST = `
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
static int (*marked)(void), (*coroutine)(void (*)(void));
static void (*inside)(int);
static long (*number)(int, void (*)(void));
static int orders[2];
static ucontext_t main_context, other_context;
static char stack[262144];
static int suspended, result;
static void yield(void) { printf("yielded\\n"); swapcontext(&other_context, &main_context); }
static void other(void) { result = coroutine(yield); }
static void resume(void) {
  if (!suspended) {
    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = sizeof stack;
    other_context.uc_link = &main_context;
    makecontext(&other_context, other, 0);
  }
  suspended = !suspended;
  swapcontext(&main_context, &other_context);
  if (!suspended) printf("coroutine %d\\n", result);
}
static void wait_for_line(void) { char line[64]; printf("in the middle\\n"); fgets(line, sizeof line, stdin); }
static void *thread(void *p) { for (;;) inside(orders[0]); return p; }
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  marked = (int (*)(void))dlsym(library, "marked");
  coroutine = (int (*)(void (*)(void)))dlsym(library, "coroutine");
  inside = (void (*)(int))dlsym(library, "inside");
  number = (long (*)(int, void (*)(void)))dlsym(library, "number");
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_t id;
  if (pipe(orders) != 0 || pthread_create(&id, NULL, thread, NULL) != 0) return 1;
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    if (!strncmp(line, "thread", 6)) write(orders[1], "t", 1);
    if (!strncmp(line, "leave", 5)) { write(orders[1], "q", 1); printf("told\\n"); }
    if (!strncmp(line, "marked", 6)) printf("marked %d\\n", marked());
    if (!strncmp(line, "resume", 6)) resume();
    if (!strncmp(line, "number", 6)) printf("number %ld\\n", number(10, wait_for_line));
  }
  return argc - 2;
}
`;
const FIBONACCI = "n";
const LUCAS = "2 - n";

test("a thread, a coroutine and a recursion inside an old body finish it, and call what is new", async (t) => {
  const shop = new Workshop(t);
  // -O0: at -O2 gcc makes the second call of a recursion a loop inside the body.
  const build = (n: number, formula: string) => shop.library("libgame.so", LIBRARY(n, formula), ["-O0"]);
  const lib = await build(1, FIBONACCI);
  const host = new AskedHost(shop, await shop.host("host", HOST), [lib]);
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  t.is(await host.ask("thread"), "inside 1 helper 1 marked 1");
  t.is(await host.ask("resume"), "yielded");
  t.is(await host.ask("number"), "in the middle");

  await build(2, LUCAS);
  await tool.switched(1);
  // The outermost frame is Fibonacci's; what it calls is Lucas's: L(9) + L(8) = 123, where F(10) = 55.
  t.is(await host.ask("go on"), "number 123");
  t.is(await host.ask("thread"), "inside 1 helper 1 marked 2");
  t.is(await host.ask("resume"), "coroutine 11");
  t.is(await host.ask("resume"), "yielded");
  t.is(await host.ask("resume"), "coroutine 22");
  t.is(await host.ask("leave"), "told");
  t.is(await host.ask("thread"), "inside 2 helper 2 marked 2");

  // Back again with the thread inside the copy, and then the session's end with a thread and a coroutine inside it.
  t.is(await host.ask("resume"), "yielded");
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  t.is(await host.ask("thread"), "inside 2 helper 2 marked 1");
  t.is(await tool.end(), 0);
  t.is(await host.ask("thread"), "inside 2 helper 2 marked 1");
  t.is(await host.ask("resume"), "coroutine 22");
  t.is(await host.ask("leave"), "told");
  t.is(await host.ask("thread"), "inside 1 helper 1 marked 1");
  t.is(await host.ask("number"), "in the middle");
  t.is(await host.ask("go on"), "number 55");
});
