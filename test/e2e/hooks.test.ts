/** What a library wants to be called around a switch: once each, in time, and what happens when it is not. */

import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const source = (n: number, before = "", after = "") => `
  #include "hotpatch.h"
  #include <stdio.h>
  #include <unistd.h>
  HOTPATCH int value(int x) { return x * 0 + ${n}; }
  HOTPATCH_BEFORE_SWITCH(from, to) { printf("g${n} before %d %d\\n", from, to); fflush(stdout); ${before} }
  HOTPATCH_AFTER_SWITCH(from, to) { printf("g${n} after %d %d\\n", from, to); fflush(stdout); ${after} }
`;

for (const compiler of ["gcc", "g++"])
  test(`the generation that is switched to has its hooks called once each, rollback and restore included (${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const library = (text: string) =>
      shop.library(
        "libgame.so",
        text.replace("HOTPATCH int", compiler === "g++" ? 'extern "C" HOTPATCH int' : "HOTPATCH int"),
        ["-fvisibility=hidden"],
        compiler,
      );
    const lib = await library(source(0));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 0");
    await library(source(1));
    await tool.prints("g1 after 0 1");
    await library(source(2));
    await tool.prints("g2 after 1 2");
    await tool.prints("value 2");
    tool.send({ command: "rollback", generation: 1 });
    await tool.prints("g1 after 2 1");
    t.is(await tool.end(), 0);
    const hooks = tool.output.all.filter((line) => line.startsWith("g"));
    t.deepEqual(hooks, [
      "g1 before 0 1",
      "g1 after 0 1",
      "g2 before 1 2",
      "g2 after 1 2",
      "g1 before 2 1",
      "g1 after 2 1",
      "g0 before 1 0",
      "g0 after 1 0",
    ]);
    t.is(tool.events.findLast((e) => e.type === "generation:switched")?.why, "restore");
  });

test("a before-hook that does not return refuses the switch, and the session goes on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(0));
  const tool = Tool.spawn(shop, ["--hook-timeout", "200", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 0");
  await shop.library("libgame.so", source(1, "pause();"));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "hook-timeout");
  t.is(refused.running, 0);
  t.regex(refused.detail, /hotpatch_before_switch\(0, 1\) took longer than 200 ms/);
  await tool.prints("value 0", tool.output.all.length);
  await shop.library("libgame.so", source(2));
  await tool.switched(2);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

test("an after-hook that does not return is a warning: the switch is done", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(0));
  const tool = Tool.spawn(shop, ["--hook-timeout", "200", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 0");
  await shop.library("libgame.so", source(1, "", "pause();"));
  t.is((await tool.next("warning", (e) => e.code === "hook-timeout")).running, "generation 1 of libgame.so");
  await tool.prints("value 1");
  t.is(await tool.end(), 0);
});

test("a hook that crashes takes the host with it, and the session says what killed it", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(0));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 0");
  await shop.library("libgame.so", source(1, "*(volatile int *)0 = 1;"));
  t.is((await tool.ended).code, 128 + 11);
  t.is((await tool.next("target:exited")).signal, "SIGSEGV");
});
