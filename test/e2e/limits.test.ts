/** What hotpatch does not do: the lines of docs/limits.md that no other file shows. */

import { DLOPEN_HOST, LINKED_HOST, library } from "../support/programs.js";
import { withoutWatches } from "../support/sandbox.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

test("file and function statics start anew in each generation", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    static int file;
    HOTPATCH int value(int x) { static int function; file += x; function += x; return ${n} * 100000 + (file == function ? file : 99999); }
  `;
  const lib = await shop.library("libgame.so", source(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 100005");
  await shop.library("libgame.so", source(2));
  await tool.switched(1);
  await tool.prints("value 200001");
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  // Generation 0's own statics are where they were.
  const line = await tool.prints(/^value 1\d+$/, tool.output.all.length);
  t.true(Number(line.slice(6)) > 100_005);
  t.is(await tool.end(), 0);
});

const EXPORTED = (n: number) => `
  #include "hotpatch.h"
  int counter;
  HOTPATCH int value(int x) { counter += x; return ${n} * 100000 + counter; }
`;

test("an exported variable is kept when the host links the library", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", EXPORTED(1));
  const host = await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`]);
  const tool = Tool.spawn(shop, ["--", host]);
  await tool.prints("value 100005");
  await shop.library("libgame.so", EXPORTED(2));
  await tool.switched(1);
  const line = await tool.prints(/^value 2\d+$/);
  t.true(Number(line.slice(6)) > 200_005, line);
  t.is(await tool.end(), 0);
});

test("an exported variable starts anew when the host opened the library RTLD_LOCAL", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", EXPORTED(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 100005");
  await shop.library("libgame.so", EXPORTED(2));
  await tool.switched(1);
  t.is(await tool.prints(/^value 2\d+$/), "value 200001");
  t.is(await tool.end(), 0);
});

test("an unmarked function through a pointer that the host holds stays old", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    int unmarked(int x) { return x * ${n}; }
    HOTPATCH int value(int x) { return unmarked(x) * 10; }
  `;
  const lib = await shop.library("libgame.so", source(1));
  const host = await shop.host(
    "host",
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      void *library = dlopen(argv[1], RTLD_NOW);
      int (*value)(int) = (int (*)(int))dlsym(library, "value");
      int (*unmarked)(int) = (int (*)(int))dlsym(library, "unmarked");
      setvbuf(stdout, NULL, _IOLBF, 0);
      for (int i = 0; i < 30000; i++) { printf("%d %d\\n", value(1), unmarked(1)); usleep(20000); }
      return argc - 2;
    }`,
  );
  const tool = Tool.spawn(shop, ["--", host, lib]);
  await tool.prints("10 1");
  await shop.library("libgame.so", source(2));
  await tool.switched(1);
  t.is(await tool.prints(/^20 /), "20 1");
  t.is(await tool.end(), 0);
});

test("under spawn, constructors of a library that the host links have run before it is adopted", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library(
    "libgame.so",
    `
    #include "hotpatch.h"
    static int redirected;
    HOTPATCH int value(int x) { return x + redirected; }
    __attribute__((constructor)) static void start(void) {
      redirected = *(volatile unsigned char *)(void *)value == 0xe9 ? 1000 : 0;
    }`,
  );
  const tool = Tool.spawn(shop, ["--", await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`])]);
  await tool.ready();
  t.is((await tool.next("library:found")).functions, 1);
  t.is(await tool.prints(/^value/), "value 1");
  t.is(await tool.end(), 0);
});

(withoutWatches === null ? test.skip : test)(
  "where inotify's limits are used up, a change is noticed within a second all the same",
  async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const host = await shop.host("host", DLOPEN_HOST);
    const tool = new Tool(shop, ["spawn", "--json", "--", host, lib], {}, withoutWatches ?? []);
    await tool.ready();
    await shop.library("libgame.so", library(2));
    await tool.switched(1);
    await tool.prints("value 2");
    t.is(await tool.end(), 0);
  },
);
