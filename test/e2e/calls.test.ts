/** Calls of every kind reach the right body: what a switch must not break. The host's own output is the witness. */

import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** A library of `source(n)`, spawned under a host; `to(n)` builds generation n's source and waits for the switch. */
async function begin(shop: Workshop, host: string, source: (n: number) => string) {
  const lib = await shop.library("libgame.so", source(0));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", host), lib]);
  await tool.next("library:found");
  const to = async (n: number) => {
    await shop.library("libgame.so", source(n));
    await tool.switched(n);
  };
  return { tool, to };
}

test("two marked functions that call each other reach each other's newest bodies", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    DLOPEN_HOST,
    (n) => `
    #include "hotpatch.h"
    int pong(int x);
    HOTPATCH int ping(int x) { return x == 0 ? ${n} : pong(x - 1) * 10 + ${n}; }
    HOTPATCH int pong(int x) { return x == 0 ? ${n} : ping(x - 1) * 10 + ${n}; }
    HOTPATCH int value(int x) { return ping(x + 2); }
  `,
  );
  for (const n of [1, 2, 3]) {
    await to(n);
    await tool.prints(`value ${String(n).repeat(4)}`);
  }
  t.is(await tool.end(), 0);
});

test("an endless loop inside generation 1 that calls generation 1's own copy reaches generation 3", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      void *library = dlopen(argv[1], RTLD_NOW);
      void (*loop)(void) = (void (*)(void))dlsym(library, "loop");
      setvbuf(stdout, NULL, _IOLBF, 0);
      for (int i = 0; i < 30000; i++) loop();
      return argc - 2;
    }`,
    (n) => `
    #include "hotpatch.h"
    #include <stdio.h>
    #include <unistd.h>
    HOTPATCH int value(void) { return ${n}; }
    HOTPATCH void loop(void) {
      if (${n} != 1) { printf("value %d\\n", value()); usleep(20000); return; }
      for (int i = 0; i < 30000; i++) { printf("looping in 1: value %d\\n", value()); usleep(20000); }
    }
  `,
  );
  await tool.prints("value 0");
  await to(1);
  await tool.prints("looping in 1: value 1");
  await to(2);
  await tool.prints("looping in 1: value 2");
  await to(3);
  await tool.prints("looping in 1: value 3");
  t.is(await tool.end(), 0);
});

test("a function pointer taken before the patch reaches the newest body", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    DLOPEN_HOST,
    (n) => `
    #include "hotpatch.h"
    HOTPATCH int inner(int x) { return x + ${n}; }
    static int (*taken)(int);
    HOTPATCH int take(int x) { taken = inner; return x; }
    HOTPATCH int value(int x) { if (!taken) take(x); return taken(40); }
  `,
  );
  await tool.prints("value 40");
  await to(1);
  await tool.prints("value 41");
  // From here the pointer of generation 1 is used by generation 2's body only if statics were kept: they start anew.
  await to(2);
  await tool.prints("value 42");
  t.is(await tool.end(), 0);
});

test("a pointer held by the host itself follows every switch", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    DLOPEN_HOST, // dlsym once, called for ever
    (n) => `#include "hotpatch.h"\nHOTPATCH int value(int x) { return x * ${n + 7}; }`,
  );
  await tool.prints("value 7");
  await to(1);
  await tool.prints("value 8");
  t.is(await tool.end(), 0);
});

test("ten integer and ten floating-point arguments, structs by value and recursion pass through unharmed", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    DLOPEN_HOST,
    (n) => `
    #include "hotpatch.h"
    struct small { int a; double b; };
    struct large { long v[9]; };
    HOTPATCH double many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j,
                         double k, double l, double m, double n, double o, double p, double q, double r, double s, double u) {
      return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 10*j +
             k + 2*l + 3*m + 4*n + 5*o + 6*p + 7*q + 8*r + 9*s + 10*u + ${n};
    }
    HOTPATCH struct small small(struct small s, int by) { s.a += by + ${n}; s.b *= 2; return s; }
    HOTPATCH struct large large(struct large s) { for (int i = 0; i < 9; i++) s.v[i] += ${n}; return s; }
    HOTPATCH long factorial(int x) { return x < 2 ? 1 + ${n} : x * factorial(x - 1); }
    HOTPATCH int value(int x) {
      struct small s = small((struct small){ x, 1.5 }, 2);
      struct large l = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };
      l = large(l);
      long sum = 0;
      for (int i = 0; i < 9; i++) sum += l.v[i];
      double m = many(1,1,1,1,1,1,1,1,1,1, 0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5);
      return (int)(m * 2) + s.a * 1000 + (int)s.b * 10000 + (int)sum * 100000 + (int)factorial(5) * 10;
    }
  `,
  );
  // What C itself computes, by the same formula.
  const expected = (n: number) => {
    const m = 55 + 27.5 + n;
    return Math.trunc(m * 2) + (3 + n) * 1000 + 3 * 10000 + (45 + 9 * n) * 100000 + 120 * (1 + n) * 10;
  };
  await tool.prints(`value ${expected(0)}`);
  for (const n of [1, 2]) {
    await to(n);
    await tool.prints(`value ${expected(n)}`);
  }
  t.is(await tool.end(), 0);
});

test("under spawn the library's own constructor already goes through the redirect, and knows what it is", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    #include <stdio.h>
    HOTPATCH int value(int x) { return x * ${n}; }
    __attribute__((constructor)) static void start(void) {
      int patched = hotpatch_is_patched();
      unsigned char first = *(volatile unsigned char *)(void *)value;
      printf("constructor %d patched %d entry %s\\n", ${n}, patched, first == 0xe9 ? "redirected" : "plain");
      fflush(stdout);
    }
  `;
  const { tool, to } = await begin(shop, DLOPEN_HOST, (n) => source(n + 1));
  await tool.prints("constructor 1 patched 0 entry redirected");
  await to(1);
  // A copy is adopted right after its load: its own constructor still sees the entry as it was built.
  await tool.prints("constructor 2 patched 1 entry plain");
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

test("a function that is missing in a build keeps its body, a new one is switched from then on", async (t) => {
  const shop = new Workshop(t);
  const { tool, to } = await begin(
    shop,
    DLOPEN_HOST,
    (n) => `
    #include "hotpatch.h"
    ${n === 1 ? "" : `HOTPATCH int gone(int x) { return x + ${n}; }`}
    ${n === 0 ? "" : `HOTPATCH int added(int x) { return x * ${n}; }`}
    HOTPATCH int value(int x) { return ${n === 0 ? "gone(x)" : `added(x) * 100 + ${n}`}; }
  `,
  );
  await tool.prints("value 1");
  await to(1);
  const first = await tool.switched(1);
  const status = (name: string) => first.functions.find((f) => f.name === name)?.status;
  t.is(status("gone"), "missing");
  t.is(status("added"), "new");
  t.is(status("value"), "switched");
  await tool.prints("value 101");
  tool.send({ command: "status" });
  const { libraries } = await tool.next("status");
  t.is(libraries[0]?.functions.find((f) => f.name === "gone")?.generation, 0);
  await to(2);
  await tool.prints("value 202");
  t.is(await tool.end(), 0);
});

test("several libraries in one target have generations of their own", async (t) => {
  const shop = new Workshop(t);
  const source = (name: string, n: number) => `#include "hotpatch.h"\nHOTPATCH int ${name}(void) { return ${n}; }`;
  const one = await shop.library("libone.so", source("one", 1));
  const two = await shop.library("libtwo.so", source("two", 2));
  const host = await shop.host(
    "host",
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      int (*one)(void) = (int (*)(void))dlsym(dlopen(argv[1], RTLD_NOW), "one");
      int (*two)(void) = (int (*)(void))dlsym(dlopen(argv[2], RTLD_NOW), "two");
      setvbuf(stdout, NULL, _IOLBF, 0);
      for (int i = 0; i < 30000; i++) { printf("%d %d\\n", one(), two()); usleep(20000); }
      return argc - 3;
    }`,
  );
  const tool = Tool.spawn(shop, ["--", host, one, two]);
  await tool.prints("1 2");
  await shop.library("libtwo.so", source("two", 20));
  await tool.next("generation:switched", (e) => e.library === "libtwo.so" && e.generation === 1);
  await tool.prints("1 20");
  await shop.library("libtwo.so", source("two", 30));
  await tool.next("generation:switched", (e) => e.library === "libtwo.so" && e.generation === 2);
  await shop.library("libone.so", source("one", 10));
  await tool.next("generation:switched", (e) => e.library === "libone.so" && e.generation === 1);
  await tool.prints("10 30");
  tool.send({ command: "rollback", generation: 1, library: "libtwo.so" });
  await tool.prints("10 20");
  t.is(await tool.end(), 0);
});
