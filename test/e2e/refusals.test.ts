/** Bad artifacts: refused with the reason, the old code runs on, and the next good build is taken. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

async function begin(t: ExecutionContext, args: string[] = []) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, [...args, "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  /** Puts bytes in the library's place as a build would: a new file under the old name. */
  const place = (bytes: Buffer | string) => {
    writeFileSync(shop.path("placed"), bytes);
    renameSync(shop.path("placed"), lib);
  };
  /** The host still runs its old code, then takes the next good build as generation 1. */
  const goesOn = async () => {
    await tool.prints("value 1", tool.output.all.length);
    await shop.library("libgame.so", library(3));
    const { from } = await tool.switched(1);
    t.is(from, 0);
    await tool.prints("value 3");
    t.is(await tool.end(), 0);
    t.deepEqual(shop.leftovers(), []);
  };
  return { shop, lib, tool, place, goesOn };
}

test("a half-written artifact is incomplete, and never loaded", async (t) => {
  const { shop, lib, tool, place, goesOn } = await begin(t);
  const whole = readFileSync(await shop.library("other.so", library(2)));
  place(whole.subarray(0, Math.floor(whole.length / 2)));
  const { reason, path } = await tool.next("artifact:incomplete");
  t.is(path, lib);
  t.regex(reason, /\d/);
  await goesOn();
});

test("a file of zeros is incomplete: a linker has made room and not written yet", async (t) => {
  const { tool, place, goesOn } = await begin(t);
  place(Buffer.alloc(20_000));
  await tool.next("artifact:incomplete");
  await goesOn();
});

test("an undefined symbol is refused in the loader's own words", async (t) => {
  const { shop, tool, goesOn } = await begin(t);
  await shop.library(
    "libgame.so",
    '#include "hotpatch.h"\nint nobody_has_this(int);\nHOTPATCH int value(int x) { return nobody_has_this(x); }',
  );
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "load-failed");
  t.regex(refused.detail, /undefined symbol: nobody_has_this/);
  t.is(refused.running, 0);
  t.deepEqual(
    refused.functions.map((f) => [f.name, f.status]),
    [["value", "refused"]],
  );
  await goesOn();
});

test("a missing dependency is refused in the loader's own words", async (t) => {
  const { shop, tool, goesOn } = await begin(t);
  await shop.library("libhelper.so", "int helper(void) { return 1; }");
  await shop.library(
    "libgame.so",
    '#include "hotpatch.h"\nint helper(void);\nHOTPATCH int value(int x) { return x * helper(); }',
    [`-L${shop.folder}`, "-lhelper"], // found by the linker, but by no loader
  );
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "load-failed");
  t.regex(refused.detail, /libhelper\.so/);
  await goesOn();
});

test("something that is no ELF file is refused", async (t) => {
  const { tool, place, goesOn } = await begin(t);
  place("this is a text, and long enough to be one\n".repeat(50));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "artifact-invalid");
  await goesOn();
});

test("a library of another architecture is refused", async (t) => {
  const { shop, tool, place, goesOn } = await begin(t);
  const other = readFileSync(await shop.library("other.so", library(2)));
  other.writeUInt16LE(183, 18); // e_machine: AArch64
  place(other);
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "wrong-architecture");
  t.regex(refused.detail, /183|AArch64/i);
  await goesOn();
});

test("a library without marks is refused", async (t) => {
  const { shop, tool, goesOn } = await begin(t);
  await shop.library("libgame.so", "int value(int x) { return x * 2; }");
  t.is((await tool.next("generation:refused")).code, "no-marks");
  await goesOn();
});

test("marks that are stripped of their names are refused, with the number of bytes", async (t) => {
  const { shop, tool, goesOn } = await begin(t);
  await shop.library(
    "libgame.so",
    '#include "hotpatch.h"\nHOTPATCH_STATIC static int value(int x) { return x * 2; }\nint use(int x) { return value(x); }',
    ["-s"],
  );
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "stripped-marks");
  t.regex(refused.message, /\d+ bytes/);
  await goesOn();
});

test("a constructor that does not return is given up, and the session goes on once it has", async (t) => {
  const { shop, tool } = await begin(t, ["--load-timeout", "2000"]);
  await shop.library(
    "libgame.so",
    `#include "hotpatch.h"
     #include <unistd.h>
     HOTPATCH int value(int x) { return x * 2; }
     __attribute__((constructor)) static void start(void) { if (hotpatch_is_patched()) sleep(3); }`,
  );
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "load-timeout");
  await tool.prints("value 1", tool.output.all.length);
  // The loader is busy until the constructor returns, a second from now: the next load waits for that within its limit.
  await shop.library("libgame.so", library(3));
  await tool.switched(1);
  await tool.prints("value 3");
  t.is(await tool.end(), 0);
});

test("two marked statics of one name are told apart by their files", async (t) => {
  const { shop, tool } = await begin(t);
  const twin = (n: number) =>
    shop.write(
      `twin${n}.c`,
      `#include "hotpatch.h"\nHOTPATCH_STATIC static int twin(int x) { return x + ${n}; }\nint use${n}(int x) { return twin(x); }`,
    );
  await shop.library(
    "libgame.so",
    '#include "hotpatch.h"\nint use5(int); int use6(int);\nHOTPATCH int value(int x) { return use5(x) * 10 + use6(x); }',
    [twin(5), twin(6)],
  );
  const { functions } = await tool.switched(1);
  t.deepEqual(functions.map((f) => `${f.name} ${f.status}`).sort(), [
    "twin [twin5.c] new",
    "twin [twin6.c] new",
    "value switched",
  ]);
  await tool.prints("value 67");
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  t.is(await tool.end(), 0);
});
