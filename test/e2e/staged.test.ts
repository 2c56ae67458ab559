/** Builds that write into the file the host has mapped: what is staged lives on, what cannot be is warned of. */
import { execFile } from "node:child_process";
import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { has } from "../cli/binary/fixtures.js";
import { DLOPEN_HOST, LINKED_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

const run = promisify(execFile);

/** value(1) is `n` times what the constructor of generation 0 left in the library's data. */
const withData = (n: number) => `
  #include "hotpatch.h"
  static int data = 1, bss;
  static int *pointer = &data;
  __attribute__((constructor)) static void start(void) { data = 5; bss = 5; }
  HOTPATCH int value(int x) { return *pointer == bss ? x * bss * ${n} : -1; }
`;

const HOSTS = [
  ["opens", DLOPEN_HOST],
  ["links", LINKED_HOST],
] as const;

for (const [how, source] of HOSTS) {
  const begin = async (shop: Workshop, flags: string[]) => {
    const lib = await shop.library("libgame.so", withData(1));
    const linked = how === "links" ? [lib, `-Wl,-rpath,${shop.folder}`] : [];
    const host = await shop.host("host", source, linked);
    const tool = Tool.spawn(shop, [...flags, "--", host, ...(how === "opens" ? [lib] : [])]);
    await tool.next("library:found");
    await tool.prints("value 5");
    return { lib, tool };
  };

  test(`a host that ${how} its library lives on while cp, or a writer that cuts it off, works on the file`, async (t) => {
    const shop = new Workshop(t);
    const { lib, tool } = await begin(shop, []);
    const inode = statSync(lib).ino;
    truncateSync(lib, 0);
    await tool.prints("value 5", tool.output.all.length + 2); // its code was read again, by a call made after the cut
    await run("cp", [await shop.library("new.so", withData(2)), lib]);
    t.is(statSync(lib).ino, inode);
    await tool.switched(1);
    await tool.prints("value 10");
    writeFileSync(lib, Buffer.alloc(statSync(lib).size, 0xcc)); // every byte of it, breakpoints in all code
    tool.send({ command: "rollback", generation: 0 });
    await tool.switched(0);
    await tool.prints("value 5", tool.output.all.length + 2);
    t.false(tool.events.some((e) => e.type === "warning"));
    t.is(await tool.end(), 0);
    t.deepEqual(shop.leftovers(), []);
  });

  test(`--no-stage: a host that ${how} its library is warned about, and dies when the file is cut off`, async (t) => {
    const shop = new Workshop(t);
    const { lib, tool } = await begin(shop, ["--no-stage"]);
    const { code, library: name, detail } = await tool.next("warning");
    t.is(code, "mapped-artifact");
    t.is(name, "libgame.so");
    t.true(detail.includes(lib));
    truncateSync(lib, 0);
    t.is((await tool.next("target:exited")).signal, "SIGBUS");
    t.is((await tool.ended).code, 135);
  });
}

test("under attach there is one warning per library that is mapped from the build's file, and none otherwise", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "value 1", "value 1");
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  t.deepEqual(
    tool.events.flatMap((e) => (e.type === "warning" ? [e.code] : [])),
    ["mapped-artifact"],
  );
  t.is(await tool.end(), 0);
  await shop.library("libgame.so", library(2)); // replaced by rename: a writer reaches nothing that is mapped
  const again = Tool.attach(shop, [String(host.pid)]);
  await again.switched(1);
  t.false(again.events.some((e) => e.type === "warning"));
  t.is(await again.end(), 0);
});

test("a linked library that has threads of its own before the host stands still is not staged, and the warning says why", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library(
    "libgame.so",
    `#include "hotpatch.h"
     #include <pthread.h>
     #include <unistd.h>
     static void *spin(void *none) { for (;;) usleep(1000); return none; }
     __attribute__((constructor)) static void start(void) { pthread_t id; pthread_create(&id, 0, spin, 0); }
     HOTPATCH int value(int x) { return x; }`,
    ["-lpthread"],
  );
  const tool = Tool.spawn(shop, ["--", await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`])]);
  const { code, detail } = await tool.next("warning");
  t.is(code, "mapped-artifact");
  t.regex(detail, /not staged: .*threads/);
  await tool.prints("value 1");
  t.is(await tool.end(), 0);
});

test("a library that appears after attach is staged as well", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const waiting = DLOPEN_HOST.replace(
    "void *library",
    'printf("waiting\\n"); fflush(stdout); getchar(); void *library',
  );
  const host = shop.start(await shop.host("host", waiting), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "waiting", "waiting");
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  host.stdin?.write("\n");
  await tool.next("library:found");
  await output.next((l) => l === "value 1", "value 1");
  await run("cp", [await shop.library("new.so", library(2)), lib]);
  await tool.switched(1);
  await output.next((l) => l === "value 2", "value 2");
  t.false(tool.events.some((e) => e.type === "warning"));
  t.is(await tool.end(), 0);
});

test("what was staged and kept is known to a later session, whose numbers go on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--keep", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await run("cp", [await shop.library("new.so", library(2)), lib]);
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  const again = Tool.attach(shop, ["--library", lib, String(tool.pid)]);
  const found = await again.next("library:found");
  t.is(found.path, lib);
  t.is(found.generation, 1);
  await again.ready();
  t.false(again.events.some((e) => e.type === "warning" || e.type === "artifact:changed"));
  await run("cp", [await shop.library("new.so", library(3)), lib]);
  t.is((await again.switched(2)).from, 1);
  again.send({ command: "rollback", generation: 0 });
  await again.switched(0);
  t.is(await again.end(), 0);
});

test("/proc/PID/maps names the staged file, and its bytes are those of the library that was loaded", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  const maps = readFileSync(`/proc/${tool.pid}/maps`, "utf8");
  const [staged] = /\/\S*libgame\.g0\.so/.exec(maps) ?? [];
  t.truthy(staged);
  t.deepEqual(readFileSync(staged ?? ""), readFileSync(lib));
  // One page, which nobody can touch, holds the inode.
  t.deepEqual(
    maps.match(/^.*\/libgame\.so$/gm)?.map((line) => line.split(" ")[1]),
    ["---p"],
  );
  t.is(await tool.end(), 0);
});

test("the inode of a staged library is not given out again when a build replaces the file: the loader knows libraries by it", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const { ino } = statSync(lib);
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  for (let i = 0; i < 50; i++) t.not(statSync(shop.write(`file${i}`, "")).ino, ino);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

const LINKERS = ["bfd", "gold", "lld", "mold"].map(
  (linker) => [linker, has(linker === "bfd" ? "ld" : `ld.${linker}`)] as const,
);

for (const [linker, there] of LINKERS)
  (there ? test : test.skip)(
    `a library linked by ${linker} straight onto the loaded file is taken, and the host lives`,
    async (t) => {
      const shop = new Workshop(t);
      const link = async (n: number) => {
        const file = shop.write("game.c", library(n));
        return shop.compile("libgame.so", ["-fPIC", "-shared", `-fuse-ld=${linker}`, file]);
      };
      const lib = await link(1);
      const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
      await tool.next("library:found");
      await tool.prints("value 1");
      for (const n of [2, 3]) {
        await link(n);
        await tool.switched(n - 1);
        await tool.prints(`value ${n}`);
      }
      t.is(await tool.end(), 0);
    },
  );
