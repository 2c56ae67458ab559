/**
 * What new code refers to: memory that older code left, thread-local and indirect symbols, functions of libc and of
 * libraries that no generation needed before, the host's own malloc (cr: basic_flow; libpulp: tls, revert*, access,
 * constructor, mprotect_patch; libcare: tls_*, ifunc, ref_glibc*,
 * shared_ref_glibc; jet-live: SeveralReloads, *Address, MacosFunctionOutOfScope).
 */

import { AskedHost } from "../../support/asked-host.js";
import test from "../../support/test.js";
import { Tool } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";

const LIBRARY = (n: number) => `
#include "hotpatch.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#define NUMBERS (1 << 20)
HOTPATCH_STATE(int *, block, 0);
HOTPATCH_STATE(int, calls, 0);
__thread int exported_tls;
static __thread int own_tls;
static int picked_one(void) { return ${n}; }
static int (*resolve(void))(void) { return picked_one; }
int picked(void) __attribute__((ifunc("resolve")));

HOTPATCH int generation(void) { return ${n}; }
HOTPATCH void *address(void) { HOTPATCH_GET(calls)++; return &HOTPATCH_GET(calls); }
HOTPATCH int calls(void) { return HOTPATCH_GET(calls); }
HOTPATCH int allocate(void) {
  int *block = HOTPATCH_GET(block) = malloc(NUMBERS * sizeof(int));
  for (int i = 0; i < NUMBERS; i++) block[i] = i * 3;
  return ${n};
}
HOTPATCH int wrong(void) {
  int wrong = HOTPATCH_GET(block) == NULL;
  for (int i = 0; !wrong && i < NUMBERS; i++) wrong += HOTPATCH_GET(block)[i] != i * 3;
  return wrong;
}
HOTPATCH int release(void) { free(HOTPATCH_GET(block)); HOTPATCH_GET(block) = NULL; return ${n}; }
HOTPATCH int allocates(void) { void *volatile p = malloc(10); free(p); return ${n}; }
HOTPATCH int tls(void) { return ++exported_tls * 100 + ++own_tls; }
HOTPATCH int indirect(void) { return picked(); }
HOTPATCH int elsewhere(void) {
  ${n === 2 ? 'char text[32]; fprintf(stderr, "%s", ""); snprintf(text, sizeof text, "%x", 4711); return (int)strtol(text, NULL, 16);' : ""}
  ${n === 3 ? "volatile double number = 27000; return (int)lround(cbrt(number));" : ""}
  return 0;
}
`;

const HOST = `
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
/* A host may bring its own malloc, and forbid itself what it likes. */
void *__libc_malloc(size_t size);
static _Thread_local int mallocs;
void *malloc(size_t size) { mallocs++; return __libc_malloc(size); }
static int armed;
int mprotect(void *at, size_t size, int rights) {
  if (armed) { errno = EPERM; return -1; }
  return syscall(SYS_mprotect, at, size, rights);
}
int allocates(void);
static int counted(void) { int before = mallocs; return allocates() * 10 + mallocs - before; }
void *address(void);
int generation(void), calls(void), allocate(void), wrong(void), release(void), tls(void), indirect(void), elsewhere(void);
int main(void) {
  struct { const char *name; int (*call)(void); } questions[] = {
    {"generation", generation}, {"calls", calls}, {"allocate", allocate}, {"wrong", wrong}, {"release", release},
    {"tls", tls}, {"indirect", indirect}, {"elsewhere", elsewhere}, {"counted", counted},
  };
  armed = 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    line[strcspn(line, "\\n")] = 0;
    if (!strcmp(line, "address")) printf("%p\\n", address());
    for (unsigned i = 0; i < sizeof questions / sizeof *questions; i++)
      if (!strcmp(line, questions[i].name)) printf("%d\\n", questions[i].call());
  }
  return 0;
}
`;

test("memory, thread-local and indirect symbols, libc and new libraries are what the sources say, in each generation", async (t) => {
  const shop = new Workshop(t);
  const build = (n: number) => shop.library("libgame.so", LIBRARY(n), n === 3 ? ["-lm"] : []);
  const lib = await build(1);
  const host = new AskedHost(shop, await shop.host("host", HOST, [lib, `-Wl,-rpath,${shop.folder}`]));
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  const ask = async (...questions: string[]) => {
    const answers: string[] = [];
    for (const question of questions) answers.push(await host.ask(question));
    return answers.join(" ");
  };
  t.is(await ask("generation", "allocate", "wrong", "tls", "indirect", "elsewhere", "counted"), "1 1 0 101 1 0 11");
  const address = await host.ask("address");

  await build(2);
  await tool.switched(1);
  // A static __thread variable is a new one, as any static is; an exported one is the host's, as any exported one is.
  t.is(await ask("generation", "wrong", "tls", "indirect", "elsewhere", "counted"), "2 0 201 2 4711 21");
  await build(3);
  await tool.switched(2);
  t.is(await ask("generation", "wrong", "release", "tls", "indirect", "elsewhere"), "3 0 3 301 3 30");

  for (let generation = 3; generation <= 8; generation++) {
    await build(generation + 1);
    await tool.switched(generation);
    t.is(await ask("generation", "address"), `${generation + 1} ${address}`);
  }
  t.is(await host.ask("calls"), "7");
  for (const generation of [0, 3, 1, 5, 2]) {
    const from = tool.events.length;
    tool.send({ command: "rollback", generation });
    await tool.switched(generation, from);
    t.is(await ask("generation", "address"), `${generation + 1} ${address}`);
  }
  // The very bytes of generation 0 again are a build like any other.
  await build(1);
  await tool.switched(9);
  t.is(await ask("generation", "indirect", "address"), `1 1 ${address}`);
  t.is(await tool.end(), 0);
  t.is(await ask("generation", "calls"), "1 13");
});
