/** Hosts that are not plain: marks of their own, sanitizers, plugins that they reload themselves, several of one name. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { promisify } from "node:util";
import { has } from "../cli/binary/fixtures.js";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

const run = promisify(execFile);

test("marks in the executable itself are a warning, its libraries are patched all the same", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const source = DLOPEN_HOST.replace("int main", "HOTPATCH int own(int x) { return x; }\nint main").replace(
    'printf("value %d\\n", value(1))',
    'printf("value %d own %d\\n", value(1), own(7))',
  );
  const host = await shop.host("host", `#include "hotpatch.h"\n${source}`);
  const tool = Tool.spawn(shop, ["--", host, lib]);
  const { code, message, hint } = await tool.next("warning");
  t.is(code, "marks-in-executable");
  t.regex(message, /1 marked functions? .*host itself/);
  t.regex(hint, /into a shared library/);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2 own 7");
  t.is(await tool.end(), 0);
});

for (const [compiler, flags] of [
  ["gcc", ["-fsanitize=address,undefined"]],
  ["clang", ["-fsanitize=address,undefined", "-shared-libasan"]],
] as const)
  (has(compiler) ? test : test.skip)(
    `a host and a library under ${compiler} ${flags.join(" ")} are patched, and the sanitizer still works in new bodies`,
    async (t) => {
      const shop = new Workshop(t);
      const source = (n: number) => `
        #include "hotpatch.h"
        #include <limits.h>
        static volatile int table[4] = {1, 2, 3, 4};
        HOTPATCH int value(int x) { int heap = table[x & 3]; return ${n === 3 ? "INT_MAX + heap" : `x * ${n} + heap - 2`}; }`;
      const build = (n: number) => shop.library("libgame.so", source(n), [...flags], compiler);
      const lib = await build(1);
      const file = shop.write("host.c", DLOPEN_HOST);
      const host = await shop.compile("host", [file, ...flags, "-ldl", "-lpthread"], compiler);
      const plain = await run(host, ["/no/such/library"]).catch((error: { stderr: string }) => error);
      if (!/no\/such/.test(plain.stderr)) {
        t.pass(`a sanitized host does not run here: ${plain.stderr.slice(0, 200)}`);
        return;
      }
      const tool = Tool.spawn(shop, ["--", host, lib], {
        ASAN_OPTIONS: "detect_leaks=0:color=never",
        UBSAN_OPTIONS: "color=never",
      });
      await tool.next("library:found");
      await tool.prints("value 1");
      await build(2);
      await tool.switched(1);
      await tool.prints("value 2");
      await build(3);
      await tool.switched(2);
      await tool.prints(/runtime error: signed integer overflow/);
      t.is(await tool.end(), 0);
    },
  );

for (const compiler of ["gcc", "clang"])
  test(`a host built with ThreadSanitizer by ${compiler} is refused, and lives on`, async (t) => {
    if (!has(compiler)) {
      t.pass(`${compiler} is not here`);
      return;
    }
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const flags = ["-fsanitize=thread", "-ldl", "-lpthread"];
    const host = await shop.compile("host", [shop.write("host.c", DLOPEN_HOST), ...flags], compiler);
    const spawned = Tool.spawn(shop, ["--", host, lib]);
    t.is((await spawned.next("error")).code, "sanitized-host");
    t.is((await spawned.ended).code, 3);
    const child = shop.start(host, [lib]);
    const output = new Lines(child.stdout);
    const first = await Promise.race([output.next((l) => l === "value 1", "value 1"), once(child, "exit")]);
    if (first !== "value 1") return; // ThreadSanitizer itself does not run on every kernel
    const attached = Tool.attach(shop, [String(child.pid)]);
    t.is((await attached.next("error")).code, "sanitized-host");
    t.is((await attached.ended).code, 3);
    await output.next((l) => l === "value 1", "value 1", output.all.length);
  });

/** Opens, calls and closes argv[1] again and again; with argv[2] under a new name each time. */
const RELOADER = (flags: string, copy: boolean) => `
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <unistd.h>
  int main(int argc, char **argv) {
    char path[4096], command[9000];
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 30000; i++) {
      snprintf(path, sizeof path, "%s", argv[1]);
      if (${copy ? 1 : 0} && i % 20 == 0 && i < 100) {
        snprintf(path, sizeof path, "%s.%d.so", argv[1], i);
        snprintf(command, sizeof command, "cp '%s' '%s'", argv[1], path);
        if (system(command) != 0) return 1;
      } else if (${copy ? 1 : 0}) snprintf(path, sizeof path, "%s.%d.so", argv[1], i < 100 ? i / 20 * 20 : 80);
      void *library = dlopen(path, ${flags});
      if (library == NULL) { printf("%s\\n", dlerror()); return 1; }
      printf("value %d\\n", ((int (*)(int))dlsym(library, "value"))(1));
      usleep(20000);
      dlclose(library);
    }
    return argc - 2;
  }`;

for (const flags of ["RTLD_NOW", "RTLD_NOW | RTLD_GLOBAL"])
  test(`a host that closes and opens its plugin again by itself (${flags}) gets the patched one`, async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", RELOADER(flags, false)), lib]);
    await tool.next("library:found");
    await tool.prints("value 1");
    for (const n of [2, 3]) {
      await shop.library("libgame.so", library(n));
      await tool.switched(n - 1);
      await tool.prints(`value ${n}`);
    }
    await tool.prints("value 3", tool.output.all.length + 5);
    t.is(tool.events.filter((e) => e.type === "library:found").length, 1);
    t.is(await tool.end(), 0);
  });

/** Opens its plugin, calls it and closes it at once, `rounds` times; the last time it keeps it. */
const SCANNER = (rounds: string) => `
  #include <dlfcn.h>
  #include <stdio.h>
  #include <unistd.h>

  int main(int argc, char **argv) {
    setlinebuf(stdout);
    for (long i = 0; argc == 2; i++) {
      void *library = dlopen(argv[1], RTLD_NOW);
      if (library == NULL) { printf("%s\\n", dlerror()); return 1; }
      int value = ((int (*)(int))dlsym(library, "value"))(1);
      if (i % 50 == 0) printf("value %d\\n", value);
      if (i < ${rounds}) dlclose(library);
      usleep(1000);
    }
  }`;

test("a host that closes its plugin at once is told so, lives, and is patched when it keeps the plugin", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", SCANNER("400")), lib]);
  await tool.next("library:found");
  for (const event of tool.events)
    if (event.type === "warning" && event.code === "library-not-loaded")
      t.is(event.message, "libgame.so is not patched: the host closes it as soon as it has opened it");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

test("a session ends at any moment of a host that opens and closes its plugin all the time", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", SCANNER("1000000000")), [lib]);
  const output = new Lines(host.stdout);
  const calls = () => output.next((line) => line === "value 1", "another call", output.all.length);
  for (let round = 0; round < 6; round++) {
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.next("session:ready");
    if (round % 2 === 0) await calls();
    t.is(await tool.end(), 0);
    await calls();
  }
});

test("a host that copies its plugin to a new name each time: each copy is a library of its own", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", RELOADER("RTLD_NOW", true)), lib]);
  await tool.next("library:found", (e) => e.library === "libgame.so.80.so");
  t.deepEqual(
    tool.events.flatMap((e) => (e.type === "library:found" ? [e.library] : [])),
    [0, 20, 40, 60, 80].map((i) => `libgame.so.${i}.so`),
  );
  // The one that it uses is patched by its own path.
  await shop.library("libgame.so.80.so", library(5));
  t.is((await tool.switched(1)).library, "libgame.so.80.so");
  await tool.prints("value 5");
  t.is(await tool.end(), 0);
});

test("two libraries of one file name are patched apart, the second under its whole path", async (t) => {
  const shop = new Workshop(t);
  for (const folder of ["a", "b"]) mkdirSync(shop.path(folder));
  const [a, b] = [await shop.library("a/libgame.so", library(1)), await shop.library("b/libgame.so", library(10))];
  const host = await shop.host(
    "host",
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      int (*f[2])(int);
      for (int i = 0; i < 2; i++) f[i] = (int (*)(int))dlsym(dlopen(argv[i + 1], RTLD_NOW), "value");
      setvbuf(stdout, NULL, _IOLBF, 0);
      for (int i = 0; i < 30000; i++) { printf("%d and %d\\n", f[0](1), f[1](1)); usleep(20000); }
      return argc - 3;
    }`,
  );
  const tool = Tool.spawn(shop, ["--", host, a, b]);
  await tool.next("library:found", (e) => e.library === b);
  await tool.prints("1 and 10");
  t.deepEqual(
    tool.events.flatMap((e) => (e.type === "library:found" ? [e.library] : [])),
    ["libgame.so", b],
  );
  await shop.library("b/libgame.so", library(20));
  t.is((await tool.next("generation:switched")).library, b);
  await tool.prints("1 and 20");
  await shop.library("a/libgame.so", library(2));
  await tool.next("generation:switched", (e) => e.library === "libgame.so");
  await tool.prints("2 and 20");
  t.is(await tool.end(), 0);
});

test("a library in a namespace of its own (dlmopen) is not seen: the warning stands, and the host goes on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host(
    "host",
    `#define _GNU_SOURCE\n${DLOPEN_HOST.replace("dlopen(argv[1]", "dlmopen(LM_ID_NEWLM, argv[1]")}`,
  );
  const tool = Tool.spawn(shop, ["--library", lib, "--", host, lib]);
  await tool.prints("value 1");
  t.is((await tool.next("warning")).code, "library-not-loaded");
  await shop.library("libgame.so", library(2));
  await tool.prints("value 1", tool.output.all.length + 5);
  t.is(await tool.end(), 0);
});
