/** Four threads call without a pause while a session attaches, switches 200 times and ends: every result is checked. */
import test from "ava";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

/** f calls g: with n in both, f gives n * 1000 + n. One generation must answer whole: the epoch is read once per call. */
const source = (n: number) => `
#include "hotpatch.h"
HOTPATCH long leaf(long x) { return x + ${n}; }
HOTPATCH long deep(long x) { return x == 0 ? 0 : 1 + deep(x - 1); }
HOTPATCH double mix(long a, double b) { return a * b + ${n}; }
HOTPATCH long generation(void) { return ${n}; }
`;

/** Prints, per line: calls so far, wrong results, lowest and highest generation seen since the last line. */
const HOST = `
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
static long (*leaf)(long), (*deep)(long), (*generation)(void);
static double (*mix)(long, double);
static atomic_long calls, wrong, low, high;
static void *hammer(void *p) {
  for (;;) {
    for (int i = 0; i < 1000; i++) {
      long n = leaf(100) - 100, m = generation();
      if (n < 0 || n > 3 || m < 0 || m > 3) wrong++;
      if (deep(20) != 20) wrong++;
      double d = mix(3, 0.5) - 1.5;
      if (d < 0 || d > 3 || d != (long)d) wrong++;
    }
    calls += 4000;
  }
  return p;
}
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  leaf = (long (*)(long))dlsym(library, "leaf");
  deep = (long (*)(long))dlsym(library, "deep");
  mix = (double (*)(long, double))dlsym(library, "mix");
  generation = (long (*)(void))dlsym(library, "generation");
  pthread_t thread;
  for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, hammer, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 6000; i++) { printf("calls %ld wrong %ld runs %ld\\n", calls, wrong, generation()); usleep(20000); }
  return argc - 2;
}
`;

test("4 threads hammer through attach, 200 switches, end and a second session: no crash and no wrong result", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(0));
  const host = shop.start(await shop.host("host", HOST), [lib]);
  const output = new Lines(host.stdout);
  const line = (runs: number) => output.next((l) => l.endsWith(`runs ${runs}`), `runs ${runs}`, output.all.length + 1);
  await line(0);
  for (const session of [0, 1]) {
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    if (session === 1) {
      // What the first session had built is there, and is the first change.
      await tool.switched(4);
      await line(3);
    } else
      for (const n of [1, 2, 3]) {
        await shop.library("libgame.so", source(n));
        await tool.switched(n);
        await line(n);
      }
    for (let i = 0; i < 100; i++) {
      const from = tool.events.length;
      const generation = (i * 7 + session) % 4;
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, from);
      if (i % 20 === 0) await line(generation);
    }
    t.is(await tool.end(), 0);
    await line(0);
  }
  const [, calls, wrong] = /calls (\d+) wrong (\d+)/.exec(output.all.at(-1) ?? "") ?? [];
  t.is(wrong, "0");
  t.true(Number(calls) > 100_000, `${calls} calls`);
  t.is(host.exitCode, null);
  t.is(host.signalCode, null);
  t.log(`${calls} calls`);
});
