/** State that survives: one live value for the host, every generation, and a copy's constructors. */

import { DLOPEN_HOST, LINKED_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const LANGUAGES = [
  { language: "C", compiler: "gcc", args: [] },
  { language: "C", compiler: "clang", args: ["-O3"] },
  { language: "C++", compiler: "g++", args: ["-fvisibility=hidden"] },
  { language: "C++", compiler: "clang++", args: ["-flto", "-fuse-ld=lld"] },
] as const;

const counter = (n: number, more = "") => `
  #include "hotpatch.h"
  ${more}
  HOTPATCH_STATE(int, score, 100);
  #ifdef __cplusplus
  extern "C"
  #endif
  HOTPATCH int value(int x) { HOTPATCH_GET(score) += x; return ${n} * 1000000 + HOTPATCH_GET(score); }
`;
const scoreOf = (line: string): number => Number(line.slice(6)) % 1_000_000;

for (const { language, compiler, args } of LANGUAGES)
  test(`state lives on through generations, a rollback and a restore (${language}, ${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", counter(1), args, compiler);
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    t.is((await tool.next("library:found")).state, 1);
    await tool.prints(/^value 1\d+$/);
    let last = 0;
    const goesOn = async (generation: number) => {
      const line = await tool.prints(new RegExp(`^value ${generation}\\d{6}$`), tool.output.all.length);
      t.true(scoreOf(line) > last, `${line} after ${last}`);
      last = scoreOf(line);
    };
    await goesOn(1);
    for (const generation of [1, 2]) {
      await shop.library("libgame.so", counter(generation + 1), args, compiler);
      await tool.switched(generation);
      await goesOn(generation + 1);
    }
    for (const generation of [1, 0, 2]) {
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, tool.events.length);
      await goesOn(generation + 1);
    }
    t.is(await tool.end(), 0);
  });

test("a copy's constructor sees the live value", async (t) => {
  const shop = new Workshop(t);
  const witness = `
    #include <stdio.h>
    HOTPATCH_STATE_DECLARE(int, score);
    __attribute__((constructor)) static void look(void) { printf("constructor sees %d\\n", HOTPATCH_GET(score)); fflush(stdout); }
  `;
  const lib = await shop.library("libgame.so", counter(1, witness));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("constructor sees 100");
  await tool.prints(/^value 1\d+$/);
  await shop.library("libgame.so", counter(2, witness));
  await tool.switched(1);
  const line = await tool.prints(/^constructor sees (?!100$)\d+$/);
  t.true(Number(line.split(" ")[2]) > 100);
  t.is(await tool.end(), 0);
});

const CHANGES = [
  { what: "type", state: "HOTPATCH_STATE(long, score, 100);", tells: /state score: type int -> long, size 4 -> 8/ },
  {
    what: "size",
    state:
      "struct pair { int a, b, c; }; HOTPATCH_STATE(struct pair, best, {1, 2, 3}); HOTPATCH_STATE(int, score, 100);",
    tells: /state best: size 8 -> 12/,
  },
] as const;

for (const { what, state, tells } of CHANGES)
  test(`state of another ${what} is refused, and the old code goes on`, async (t) => {
    const shop = new Workshop(t);
    const source = (declared: string, n: number) => `
      #include "hotpatch.h"
      ${declared}
      HOTPATCH int value(int x) { HOTPATCH_GET(score) += x; return ${n}; }
    `;
    const first =
      "struct pair { int a, b; }; HOTPATCH_STATE(struct pair, best, {1, 2}); HOTPATCH_STATE(int, score, 100);";
    const lib = await shop.library("libgame.so", source(first, 1));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 1");
    await shop.library("libgame.so", source(state, 2));
    const refused = await tool.next("generation:refused");
    t.is(refused.code, "layout-changed");
    t.regex(refused.detail, tells);
    t.is(refused.running, 0);
    await tool.prints("value 1", tool.output.all.length);
    t.is(await tool.end(), 0);
  });

test("a variable that a generation adds is its own, and later generations go on with it", async (t) => {
  const shop = new Workshop(t);
  const without = '#include "hotpatch.h"\nHOTPATCH int value(int x) { return x * 0 + 7; }';
  const lib = await shop.library("libgame.so", without);
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 7");
  await shop.library("libgame.so", counter(2));
  await tool.switched(1);
  const before = scoreOf(await tool.prints(/^value 2\d{6}$/));
  await shop.library("libgame.so", counter(3));
  await tool.switched(2);
  t.true(scoreOf(await tool.prints(/^value 3\d{6}$/)) > before);
  t.is(await tool.end(), 0);
});

test("state is found again by a later session, although the library's file was replaced", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", counter(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const first = Tool.attach(shop, ["--keep", String(host.pid)]);
  await first.ready();
  await shop.library("libgame.so", counter(2));
  await first.switched(1);
  await shop.library("libgame.so", counter(3));
  await first.switched(2);
  t.is(await first.end(), 0);
  const second = Tool.attach(shop, [String(host.pid)]);
  await second.ready();
  await shop.library("libgame.so", counter(4));
  await second.switched(3);
  let text = "";
  await new Promise<void>((done) => {
    host.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (/value 4\d{6}\n/.test(text)) done();
    });
  });
  const scores = [...text.matchAll(/^value \d(\d{6})$/gm)].map((match) => Number(match[1]));
  t.deepEqual(
    scores,
    [...scores].sort((a, b) => a - b),
    "it only ever grows",
  );
  t.true((scores.at(-1) ?? 0) > 105);
  t.is(await second.end(), 0);
});

test("an exported variable that has grown is refused when it would be shared, and only then", async (t) => {
  const source = (size: number, n: number) => `
    #include "hotpatch.h"
    int arr[${size}];
    HOTPATCH int value(int x) { for (int i = 0; i < ${size}; i++) arr[i] += x; return ${n}; }
  `;
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(4, 1));
  const linked = await shop.host("linked", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`]);
  const shares = Tool.spawn(shop, ["--", linked]);
  await shares.prints("value 1");
  const alone = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await alone.prints("value 1");
  await shop.library("libgame.so", source(4000, 2));
  const refused = await shares.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.regex(refused.detail, /exported variable arr: size 16 -> 16000/);
  await alone.switched(1);
  await alone.prints("value 2");
  await shares.prints("value 1", shares.output.all.length);
  t.is(await shares.end(), 0);
  t.is(await alone.end(), 0);
});
