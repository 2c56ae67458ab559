/** The main job: edits arrive in a running host, whose own output is the witness. */

import { DLOPEN_HOST, LINKED_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

test("a spawned host calls v1, v2 and v3 of its library through one handle", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--library", lib, "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.ready();
  await tool.prints("value 1");
  for (const n of [2, 3]) {
    await shop.library("libgame.so", library(n));
    const { from, functions, why } = await tool.switched(n - 1);
    t.is(from, n - 2);
    t.is(why, "artifact");
    t.deepEqual(functions, [{ name: "value", status: "switched", check: "dwarf" }]);
    await tool.prints(`value ${n}`);
  }
  t.is(await tool.end(), 0);
  t.is(tool.events.at(-1)?.type, "session:ended");
  t.deepEqual(shop.leftovers(), []);
});

test("an attached host is patched, restored at the end, and goes on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout ?? process.stdin);
  await output.next((l) => l === "value 1", "value 1");
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await output.next((l) => l === "value 2", "value 2");
  t.is(await tool.end(), 0);
  t.is(host.exitCode, null);
  const seen = output.all.length;
  await output.next((l) => l === "value 1", "value 1 after the end", seen);
});

test("rollback 0, 3, 1, 2 runs exactly those bodies", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(10));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  for (const n of [1, 2, 3]) {
    await shop.library("libgame.so", library(10 + n));
    await tool.switched(n);
  }
  for (const n of [0, 3, 1, 2]) {
    const from = tool.events.length;
    tool.send({ command: "rollback", generation: n });
    const { why } = await tool.switched(n, from);
    t.is(why, n === 0 ? "restore" : "rollback");
    const seen = tool.output.all.length;
    // A call that began before the switch may still print the old value: once.
    await tool.prints(`value ${10 + n}`, seen);
    await tool.prints(`value ${10 + n}`, seen + 1);
  }
  const from = tool.events.length;
  await shop.library("libgame.so", library(20));
  await tool.switched(4, from);
  await tool.end();
});

test("an edited unmarked callee and constant table are live in a host that links the library", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    const int table[2] = { ${n}, 7 };
    int helper(int x) { return x + ${n}; }
    int (*const pointer)(int) = helper;
    HOTPATCH int value(int x) { return table[0] * 10000 + helper(0) * 100 + pointer(x - 1); }
  `;
  const lib = await shop.library("libgame.so", source(1));
  const host = await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`]);
  const tool = Tool.spawn(shop, ["--library", lib, "--", host]);
  await tool.ready();
  await tool.prints("value 10101");
  await shop.library("libgame.so", source(2));
  await tool.switched(1);
  await tool.prints("value 20202");
  t.is(await tool.end(), 0);
});

test("a host's override of a weak default stays the host's", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    __attribute__((weak)) int setting(void) { return 1; }
    HOTPATCH int value(int x) { return x * (setting() * 10 + ${n}); }
  `;
  const lib = await shop.library("libgame.so", source(1));
  const host = await shop.host("host", `int setting(void) { return 5; }${LINKED_HOST}`, [
    lib,
    "-rdynamic",
    `-Wl,-rpath,${shop.folder}`,
  ]);
  const tool = Tool.spawn(shop, ["--", host]);
  await tool.ready();
  await tool.prints("value 51");
  await shop.library("libgame.so", source(2));
  await tool.switched(1);
  await tool.prints("value 52");
  t.is(await tool.end(), 0);
});

test("--build rebuilds on a save, and a failing build keeps the old generation and shows the compiler's words", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  const build = `gcc -g -O2 -fPIC -shared -I'${process.cwd()}/mark/include' -o libgame.new src/game.c && mv libgame.new libgame.so`;
  await import("node:fs").then((fs) => fs.mkdirSync(shop.path("src")));
  shop.write("src/game.c", library(1));
  const tool = Tool.spawn(shop, [
    "--library",
    lib,
    "--watch",
    shop.path("src"),
    "--build",
    `cd '${shop.folder}' && ${build}`,
    "--",
    host,
    lib,
  ]);
  await tool.ready();
  shop.write("src/game.c", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  shop.write("src/game.c", library("2 +"));
  const failed = await tool.next("build:failed");
  t.regex(failed.output, /game\.c:3:.*error/);
  t.is(failed.exitCode, 1);
  await tool.prints("value 2", tool.output.all.length);
  shop.write("src/game.c", library(4));
  await tool.switched(2);
  await tool.prints("value 4");
  await tool.end();
});

test("the same bytes again are unchanged; after a rollback they are a new generation", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  tool.send({ command: "reload" });
  await tool.next("artifact:unchanged");
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  tool.send({ command: "reload" });
  await tool.switched(2);
  await tool.prints("value 2", tool.output.all.length);
  t.is(await tool.end(), 0);
});

test("--keep leaves the running generation in place, and a later session goes on from it", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout ?? process.stdin);
  await output.next((l) => l === "value 1", "value 1");
  const first = Tool.attach(shop, ["--keep", String(host.pid)]);
  await first.ready();
  await shop.library("libgame.so", library(2));
  await first.switched(1);
  t.is(await first.end(), 0);
  const seen = output.all.length;
  await output.next((l) => l === "value 2", "value 2 after the tool left", seen + 1);

  const second = Tool.attach(shop, [String(host.pid)]);
  await second.ready();
  t.is((await second.next("library:found")).generation, 1);
  await shop.library("libgame.so", library(3));
  await second.switched(2);
  await output.next((l) => l === "value 3", "value 3");
  second.send({ command: "rollback", generation: 1 });
  await second.switched(1);
  t.is(await second.end(false), 0);
  const last = output.all.length;
  await output.next((l) => l === "value 1", "value 1 at last", last);
});

test("status tells each library's generation, and each function's with its place in the source", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2), [`-I${shop.folder}`]); // compiled here: its source is to be found
  await tool.switched(1);
  tool.send({ command: "status" });
  const { libraries } = await tool.next("status");
  t.is(libraries.length, 1);
  t.is(libraries[0]?.generation, 1);
  t.deepEqual(
    libraries[0]?.generations.map((g) => g.generation),
    [0, 1],
  );
  const source = `${shop.path("libgame.so.c")}:3`;
  t.deepEqual(libraries[0]?.functions, [{ name: "value", generation: 1, check: "dwarf", oldThreads: 0, source }]);
  await tool.end();
});
