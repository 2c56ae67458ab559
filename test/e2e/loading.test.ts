/**
 * Faults between a build and its switch: the old code runs on, the reason is said, and the next good build is taken.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, LINKED_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const run = promisify(execFile);

async function begin(t: ExecutionContext, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, [...args, "--", await shop.host("host", DLOPEN_HOST), lib], env);
  await tool.next("library:found");
  await tool.prints("value 1");
  /** The host still runs its old code, then takes the next good build. */
  const goesOn = async (generation = 1) => {
    await tool.prints("value 1", tool.output.all.length);
    await shop.library("libgame.so", library(3));
    await tool.switched(generation);
    await tool.prints("value 3");
    t.is(await tool.end(), 0);
  };
  return { shop, lib, tool, goesOn };
}

test("initial-exec TLS that is used up is refused in the loader's own words, and the session goes on", async (t) => {
  const shop = new Workshop(t);
  const source = (n: number) => `
    #include "hotpatch.h"
    __attribute__((tls_model("initial-exec"))) static __thread char big[256];
    HOTPATCH int value(int x) { big[x]++; return x * ${n}; }`;
  const lib = await shop.library("libgame.so", source(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  let refused: string | null = null;
  let n = 2;
  for (; refused === null && n < 40; n++) {
    const from = tool.events.length;
    await shop.library("libgame.so", source(n));
    const either = (type: string) => ["generation:switched", "generation:refused"].includes(type);
    while (!tool.events.slice(from).some((e) => either(e.type)))
      await tool.next("target:output", () => true, tool.events.length);
    const end = tool.events.slice(from).find((e) => either(e.type));
    if (end?.type === "generation:refused") {
      t.is(end.code, "load-failed");
      t.is(end.running, n - 2);
      refused = end.detail;
    }
  }
  t.regex(refused ?? "", /cannot allocate memory in static TLS block/);
  await tool.prints(`value ${n - 2}`, tool.output.all.length);
  await shop.library("libgame.so", library(77)); // without the variable
  await tool.switched(n - 2);
  await tool.prints("value 77");
  t.is(await tool.end(), 0);
});

for (const [place, runPath, tags] of [
  [".", "$ORIGIN", "--enable-new-dtags"],
  ["deps", `\${ORIGIN}/deps:/nowhere`, "--enable-new-dtags"],
  ["deps", "/nowhere:$ORIGIN/./deps", "--disable-new-dtags"],
] as const)
  test(`a dependency that a build brings along is found beside the library (${runPath}, ${tags})`, async (t) => {
    const { shop, tool } = await begin(t);
    mkdirSync(shop.path("deps"), { recursive: true });
    const helper = (n: number) => `static int count; int helper${n}(void) { return ${n} + 0 * count++; }`;
    const using = (n: number) =>
      `#include "hotpatch.h"\nint helper${n}(void);\nHOTPATCH int value(int x) { return x * helper${n}(); }`;
    const flags = [`-L${shop.path(place)}`, `-Wl,-rpath,${runPath}`, `-Wl,${tags}`];
    for (const n of [2, 3]) {
      await shop.library(`${place}/libhelper${n}.so`, helper(n));
      await shop.library("libgame.so", using(n), [...flags, `-lhelper${n}`]);
      await tool.switched(n - 1);
      await tool.prints(`value ${n}`);
    }
    tool.send({ command: "rollback", generation: 1 });
    await tool.switched(1);
    await tool.prints("value 2", tool.output.all.length);
    t.is(await tool.end(), 0);
  });

test("two libraries that call each other: the one that does not name the other is refused with the cure, which is one", async (t) => {
  const shop = new Workshop(t);
  const game = (n: number) =>
    `#include "hotpatch.h"\nint b(int);\nHOTPATCH int value(int x) { return ${n} * x + b(x); }\nHOTPATCH int back(int x) { return ${n} * x; }`;
  const other = (n: number) =>
    `#include "hotpatch.h"\nint back(int);\nHOTPATCH int b(int x) { return ${n} * x + back(x); }`;
  const beside = [`-L${shop.folder}`, "-Wl,-rpath,$ORIGIN"];
  const buildGame = (n: number) => shop.library("libgame.so", game(n), [...beside, "-lb"]);
  const buildOther = (n: number, more: string[] = []) =>
    shop.library("libb.so", other(n), ["-Wl,-soname,libb.so", ...more]);
  await buildOther(100);
  const lib = await buildGame(1);
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  for (const name of ["libgame.so", "libb.so"]) await tool.next("library:found", (e) => e.library === name);
  await tool.prints("value 102");
  await buildGame(2);
  await tool.next("generation:switched", (e) => e.library === "libgame.so");
  await tool.prints("value 104");
  await buildOther(200);
  const { code, library: refused, detail, hint } = await tool.next("generation:refused");
  t.is(code, "load-failed");
  t.is(refused, "libb.so");
  t.regex(detail, /undefined symbol: back\nlibgame\.so defines it, but libb\.so does not list that/);
  t.regex(hint, /link libb\.so against libgame\.so/);
  await tool.prints("value 104", tool.output.all.length);
  await buildOther(300, [...beside, "-lgame"]);
  await tool.next("generation:switched", (e) => e.library === "libb.so");
  await tool.prints("value 304");
  await buildGame(3);
  await tool.next("generation:switched", (e) => e.library === "libgame.so" && e.generation === 2);
  await tool.prints("value 306");
  t.is(await tool.end(), 0);
});

test("a host that dies while a copy is loading: the error names the generation and the copy", async (t) => {
  const { shop, tool } = await begin(t);
  await shop.library(
    "libgame.so",
    `${library(2)}\n__attribute__((constructor)) static void start(void) { if (hotpatch_is_patched()) *(volatile int *)0 = 1; }`,
  );
  t.is((await tool.next("target:exited")).signal, "SIGSEGV");
  const { code, detail } = await tool.next("error");
  t.is(code, "target-died");
  t.regex(detail, /generation 1 of libgame\.so was being loaded/);
  t.regex(detail, /constructor/);
  t.is((await tool.ended).code, 139);
  t.is(shop.leftovers().length, 1); // for the core dump
});

test("a host that dies in a hook: the error names the hook's switch", async (t) => {
  const { shop, tool } = await begin(t);
  await shop.library("libgame.so", `${library(2)}\nHOTPATCH_BEFORE_SWITCH(from, to) { *(volatile int *)0 = 1; }`);
  t.is((await tool.next("target:exited")).signal, "SIGSEGV");
  t.regex((await tool.next("error")).detail, /switch of libgame\.so from generation 0 to 1 was under way/);
  t.is((await tool.ended).code, 139);
});

test("an artifact that is deleted, written as another, or replaced at any moment: only whole builds run, the last one at the end", async (t) => {
  const { shop, lib, tool } = await begin(t, ["--settle", "1"]);
  const builds = await Promise.all([2, 3, 4].map((n) => shop.library(`build${n}.so`, library(n))));
  const bytes = builds.map((path) => readFileSync(path));
  // Every kind of writer, at moments that wander through the flow of the one before.
  for (let i = 0; i < 40; i++) {
    const next = bytes[i % 3] ?? Buffer.alloc(0);
    const kind = i % 4;
    if (kind === 0) rmSync(lib, { force: true });
    if (kind === 1) writeFileSync(lib, next);
    if (kind === 2) {
      writeFileSync(lib, next.subarray(0, next.length >> 1));
      writeFileSync(lib, next);
    }
    if (kind === 3) {
      writeFileSync(shop.path("placed"), next);
      renameSync(shop.path("placed"), lib);
    }
    const until = performance.now() + ((i * 7) % 60);
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
  }
  writeFileSync(shop.path("placed"), readFileSync(await shop.library("last.so", library(9))));
  renameSync(shop.path("placed"), lib);
  await tool.prints("value 9");
  t.true(
    tool.output.all.filter((line) => line !== "").every((line) => /^value [12349]\r?$/.test(line)),
    tool.output.all.join("|"),
  );
  t.false(
    tool.events.some((e) => e.type === "error"),
    JSON.stringify(tool.events.filter((e) => e.type === "error")),
  );
  t.is(await tool.end(), 0);
  t.deepEqual(shop.leftovers(), []);
});

test("a build folder that is deleted and made anew is followed", async (t) => {
  const shop = new Workshop(t);
  mkdirSync(shop.path("build"));
  const lib = await shop.library("build/libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  for (const n of [2, 3]) {
    rmSync(shop.path("build"), { recursive: true });
    mkdirSync(shop.path("build"));
    await shop.library("build/libgame.so", library(n));
    await tool.switched(n - 1);
    await tool.prints(`value ${n}`);
  }
  t.is(await tool.end(), 0);
});

for (const [what, folder] of [
  ["spaces", "a folder  with spaces"],
  ["letters of other alphabets", "Ordner-ü-вид-字"],
  ["a line end", "two\nlines"],
  ["quotes and signs of the shell", `q'"$(x)\`;&`],
] as const)
  test(`a path with ${what} works from end to end, also as TMPDIR`, async (t) => {
    const shop = new Workshop(t);
    mkdirSync(shop.path(folder));
    const temp = shop.path(`${folder}/tmp`);
    mkdirSync(temp);
    const lib = await shop.library(`${folder}/libgame.so`, library(1));
    const host = await shop.host(`${folder}/host`, DLOPEN_HOST);
    const tool = Tool.spawn(shop, ["--", host, lib], { TMPDIR: temp });
    t.is((await tool.next("library:found")).path, lib);
    await tool.prints("value 1");
    await shop.library(`${folder}/libgame.so`, library(2));
    await tool.switched(1);
    await tool.prints("value 2");
    t.is(await tool.end(), 0);
  });

test("an artifact that is a symbolic link: switching the link to another file is a change", async (t) => {
  const shop = new Workshop(t);
  const real = (n: number) => shop.library(`libgame.so.${n}`, library(n));
  symlinkSync(basename(await real(1)), shop.path("libgame.so"));
  const tool = Tool.spawn(shop, [
    ...["--library", shop.path("libgame.so"), "--"],
    ...[await shop.host("host", DLOPEN_HOST), shop.path("libgame.so")],
  ]);
  t.is((await tool.next("library:found")).path, shop.path("libgame.so.1"));
  await tool.prints("value 1");
  symlinkSync(basename(await real(2)), shop.path("link.tmp"));
  renameSync(shop.path("link.tmp"), shop.path("libgame.so"));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

test("a file that is written anew behind a link from another folder is a change", async (t) => {
  const shop = new Workshop(t);
  mkdirSync(shop.path("out"));
  symlinkSync(await shop.library("out/libgame.so", library(1)), shop.path("libplugin.so"));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), shop.path("libplugin.so")]);
  await tool.next("library:found");
  await tool.prints("value 1");
  await shop.library("out/libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  mkdirSync(shop.path("other"));
  symlinkSync(await shop.library("other/libgame.so", library(3)), shop.path("link.tmp"));
  renameSync(shop.path("link.tmp"), shop.path("libplugin.so"));
  await tool.switched(2);
  await shop.library("other/libgame.so", library(4));
  await tool.switched(3);
  await tool.prints("value 4");
  t.is(await tool.end(), 0);
});

test("a linked library behind a SONAME link is found by its artifact's name", async (t) => {
  const shop = new Workshop(t);
  await shop.library("libgame.so.1.0", library(1), ["-Wl,-soname,libgame.so.1"]);
  symlinkSync("libgame.so.1.0", shop.path("libgame.so.1"));
  symlinkSync("libgame.so.1", shop.path("libgame.so"));
  const host = await shop.host("host", LINKED_HOST, [`-L${shop.folder}`, "-lgame", `-Wl,-rpath,${shop.folder}`]);
  const tool = Tool.spawn(shop, ["--library", shop.path("libgame.so"), "--", host]);
  await tool.next("library:found");
  await tool.prints("value 1");
  await shop.library("libgame.so.1.0", library(2), ["-Wl,-soname,libgame.so.1"]);
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

/** A small file system of its own; null where we may not mount. */
async function mounted(t: ExecutionContext, shop: Workshop, options: string): Promise<string | null> {
  const folder = shop.path("mounted");
  mkdirSync(folder);
  try {
    await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  } catch {
    return null;
  }
  t.teardown(() => run("umount", ["-l", folder]));
  return folder;
}

test("a full disk is copy-failed with the system's own words, and when there is room again the build is taken", async (t) => {
  const shop = new Workshop(t);
  const temp = await mounted(t, shop, "size=64m,mode=1777");
  if (temp === null) {
    t.pass("not allowed to mount here");
    return;
  }
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib], { TMPDIR: temp });
  await tool.next("library:found");
  await tool.prints("value 1");
  await run("dd", ["if=/dev/zero", `of=${join(temp, "filler")}`, "bs=4k"]).catch(() => {}); // until it is full
  await shop.library("libgame.so", library(2));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "copy-failed");
  t.regex(refused.detail, /ENOSPC/);
  t.is(refused.running, 0);
  await tool.prints("value 1", tool.output.all.length);
  unlinkSync(join(temp, "filler"));
  tool.send({ command: "reload" });
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

test("a private folder that was taken away is copy-failed, and the host goes on", async (t) => {
  const { shop, tool } = await begin(t);
  for (const name of shop.leftovers().filter((one) => one.startsWith(`hotpatch-${tool.pid}-`)))
    rmSync(join(shop.temp, name), { recursive: true });
  await shop.library("libgame.so", library(2));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "copy-failed");
  t.regex(refused.detail, /ENOENT/);
  await tool.prints("value 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});

test("an artifact that has become a folder is incomplete until it is a file again", async (t) => {
  const { lib, tool, goesOn } = await begin(t);
  unlinkSync(lib);
  mkdirSync(lib);
  tool.send({ command: "reload" });
  t.regex((await tool.next("artifact:incomplete")).reason, /there is no file/);
  rmSync(lib, { recursive: true });
  await goesOn();
});
