/** `hotpatch inspect`: what it says of libraries of each kind, by the program itself. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import test from "ava";
import { LibraryReport } from "../../../schemas/library-report.js";
import { library } from "../../support/programs.js";
import { CLI } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";
import { has, recorded } from "../binary/fixtures.js";

const run = promisify(execFile);

async function inspect(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, [CLI, "inspect", ...args])) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}
const report = async (path: string): Promise<LibraryReport> =>
  LibraryReport.parse(JSON.parse((await inspect("--json", path)).stdout));

const CPP = `
  #include "hotpatch.h"
  static int file_static; int shared; thread_local int per_thread;
  struct shape { virtual int area(int); virtual ~shape() {} };
  int shape::area(int x) { return x; }
  namespace game { HOTPATCH int damage(int x) { static int inner; return x + ++file_static + ++inner + per_thread + shape().area(2); } }
  HOTPATCH_STATE(int, score, 1);
  HOTPATCH_AFTER_SWITCH(a, b) { HOTPATCH_GET(score) += a + b; }
`;

for (const compiler of ["g++", "clang++"])
  test(`tells a C++ library's marks, state and hooks, and what will not follow an edit (${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const path = await shop.library(
      "libgame.so",
      CPP,
      ["-Wl,-soname,libgame.so.2", "-ftls-model=initial-exec"],
      compiler,
    );
    const found = await report(path);
    t.is(found.format, "ELF");
    t.is(found.soname, "libgame.so.2");
    t.true(found.debugInfo);
    t.true(found.flag);
    t.deepEqual(found.functions, [
      { name: "_ZN4game6damageEi", demangled: "game::damage(int)", patchable: true, reason: null },
    ]);
    t.deepEqual(found.state, [{ name: "score", type: "int", size: 4, align: 4 }]);
    t.deepEqual(found.hooks, { before: false, after: true });
    const said = found.notes.map((note) => note.what);
    t.regex(said.find((what) => what.startsWith("statics")) ?? "", /file_static/);
    t.regex(said.find((what) => what.startsWith("statics")) ?? "", /game::damage\(int\)::inner/);
    t.notRegex(said.join(), /hotpatch_/);
    t.regex(said.find((what) => what.startsWith("exported")) ?? "", /: shared$/);
    t.regex(said.find((what) => what.startsWith("objects")) ?? "", /: shape$/);
    t.true(said.some((what) => what.startsWith("thread-local")));
    t.true(found.notes.every((note) => note.cure.length > 10));
  });

test("people read the same, and raw names with -v", async (t) => {
  const shop = new Workshop(t);
  const path = await shop.library("libgame.so", CPP, [], "g++");
  const { stdout, code } = await inspect(path);
  t.is(code, 0);
  t.regex(stdout, /1 of 1 marked functions can be patched/);
  t.regex(stdout, /ok {2}game::damage\(int\)/);
  t.notRegex(stdout, /_ZN4game/);
  t.regex((await inspect("-v", path)).stdout, /_ZN4game6damageEi/);
});

test("a stripped library and one without -g are told what they miss, with the cure", async (t) => {
  const shop = new Workshop(t);
  const source =
    '#include "hotpatch.h"\nHOTPATCH_STATIC static int inner(int x) { return x; }\nHOTPATCH int f(int x) { return inner(x); }';
  const notes = (await report(await shop.library("libgame.so", source, ["-s"]))).notes;
  t.regex(notes[0]?.what ?? "", /\d+ bytes of marked code have no symbol: the library is stripped/);
  t.true(notes.some((note) => note.what.startsWith("no debug information") && note.cure.includes("-g")));
});

test("a stripped library's marks are known by their records", async (t) => {
  const shop = new Workshop(t);
  const found = await report(await shop.library("libgame.so", recorded("x"), ["-s"]));
  t.deepEqual(found.functions, [{ name: "game::value", demangled: "game::value", patchable: true, reason: null }]);
  t.false(found.notes.some((note) => /no name/.test(note.what)));
});

test("an entry that cannot be patched says why", async (t) => {
  const shop = new Workshop(t);
  const source = '__attribute__((section("hotpatch"), noinline)) int f(int x) { return x * x * x * x; }';
  const { code, stdout } = await inspect(await shop.library("libgame.so", source));
  t.is(code, 1);
  t.regex(stdout, /-- {2}f: it starts with .*, not with a patchable entry/);
});

test("exit codes: 1 for a library without marks, 3 for no file and for no library", async (t) => {
  const shop = new Workshop(t);
  t.is((await inspect(await shop.library("libplain.so", "int f(void) { return 1; }"))).code, 1);
  t.is((await inspect(shop.path("nothing.so"))).code, 3);
  const { code, stderr } = await inspect(shop.write("text.so", "not a library\n".repeat(20)));
  t.is(code, 3);
  t.regex(stderr, /artifact-invalid[\s\S]*runs now: no process was touched/);
});

for (const flags of [["-pie", "-fPIE"], ["-no-pie"]])
  test(`an executable (${flags[0]}) is called one, with its marks where it has some`, async (t) => {
    const shop = new Workshop(t);
    const main = shop.write("main.c", "int main(void) { return 0; }");
    const plain = await inspect(await shop.compile("plain", [main, ...flags]));
    t.is(plain.code, 3);
    t.regex(plain.stderr, /plain is an executable, not a shared library \[artifact-invalid\]/);
    const own = shop.write("own.c", '#include "hotpatch.h"\nHOTPATCH int own(int x) { return x; }');
    const marked = await inspect(await shop.compile("marked", [main, own, ...flags]));
    t.is(marked.code, 3);
    t.regex(marked.stderr, /1 marked function is in the executable .*marked itself \[marks-in-executable\]/);
    t.regex(marked.stderr, /runs now: no process was touched/);
  });

const mingw = "x86_64-w64-mingw32-gcc";
(has(mingw) ? test : test.skip)(
  `a .dll of mingw-w64 is read: marks, state, flag and hooks${has(mingw) ? "" : ` (${mingw} is missing)`}`,
  async (t) => {
    const shop = new Workshop(t);
    const source = `
    #include "hotpatch.h"
    HOTPATCH_STATE(int, score, 100);
    HOTPATCH int damage(int x) { return x + HOTPATCH_GET(score) + hotpatch_is_patched(); }
    HOTPATCH_BEFORE_SWITCH(a, b) { HOTPATCH_GET(score) += a + b; }
  `;
    for (const flags of [["-Wall", "-Wextra", "-Werror"], ["-s"]]) {
      const found = await report(await shop.library("game.dll", source, flags, mingw));
      t.is(found.format, "PE");
      t.deepEqual(
        found.functions.map((one) => [one.name, one.patchable]),
        [["damage", true]],
      );
      t.deepEqual(found.state, [{ name: "score", type: "int", size: 4, align: 4 }]);
      t.true(found.flag);
      t.deepEqual(found.hooks, { before: true, after: false });
      t.regex(found.notes[0]?.what ?? "", /Windows can be inspected only/);
    }
  },
);

(has(mingw) ? test : test.skip)("a damaged .dll is an error, never a crash", async (t) => {
  const { readPe } = await import("../../../cli/binary/pe.js");
  const { ElfError } = await import("../../../cli/binary/elf.js");
  const shop = new Workshop(t);
  const path = await shop.library(
    "game.dll",
    '#include "hotpatch.h"\nHOTPATCH int f(int x) { return x; }',
    ["-s"],
    mingw,
  );
  const whole = execFileSync("cat", [path]);
  let [errors, results] = [0, 0];
  for (let i = 0; i < 4000; i++) {
    const bytes = Buffer.from(whole.subarray(0, i % 5 === 0 ? (i * 7919) % whole.length : whole.length));
    for (let flip = 0; flip < 1 + (i % 4) && bytes.length > 0; flip++)
      bytes[(i * 31 + flip * 977) % Math.min(bytes.length, 2048)] = (i * 131 + flip * 17) & 0xff;
    try {
      readPe(bytes);
      results += 1;
    } catch (error) {
      t.true(error instanceof ElfError, `case ${i}: ${error}`);
      errors += 1;
    }
  }
  t.true(errors > 500 && results > 500, `${errors} errors, ${results} results`);
});

test("calls a half-written file artifact-incomplete, and touches nothing", async (t) => {
  const shop = new Workshop(t);
  const whole = readFileSync(await shop.library("libgame.so", library(1)));
  writeFileSync(shop.path("half.so"), whole.subarray(0, Math.floor(whole.length / 2)));
  const { code, stderr } = await inspect(shop.path("half.so"));
  t.is(code, 3);
  t.regex(stderr, /\[artifact-incomplete\]/);
  t.regex(stderr, /runs now: no process was touched/);
});

test("--functions shows which functions without a mark could be patched, and what stands against the others", async (t) => {
  const shop = new Workshop(t);
  const source = `
    int open(int x) { return x * 300 + 7; }
    void tiny(void) {}
    static __attribute__((noinline)) int hidden(int x) { return x * 5; }
    int last(int x) { return hidden(x) + 1; }`;
  const path = await shop.library("libgame.so", source, ["-falign-functions=1"]);
  const { stdout, code } = await inspect("-f", "*", path);
  t.is(code, 0);
  t.regex(stdout, /2 of 4 functions can be patched/);
  t.regex(stdout, /ok {2}open\n/);
  t.regex(stdout, /-- {2}tiny: it has 1 bytes including the padding after it, and the jump takes 5/);
  t.regex(stdout, /-- {2}hidden: it was compiled with gcc -O2.* \(cure: build with -O0, or with gcc/);
  t.is((await inspect(path)).code, 1); // without marks there is nothing to patch
});

for (const compiler of ["g++", "clang++"])
  (has(compiler) ? test : test.skip)(`a marked constexpr function is named in a note (${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const said = async (keyword: string) => {
      const source = `#include "hotpatch.h"
        HOTPATCH_INLINE ${keyword} int scale(int x) { return x * 3; }
        HOTPATCH int value(int x) { return scale(5) + x; }`;
      const path = await shop.compile("libgame.so", ["-fPIC", "-shared", shop.write("game.cpp", source)], compiler);
      return (await report(path)).notes.map(({ what }) => what).join("; ");
    };
    t.regex(
      await said("constexpr"),
      /constexpr: what the compiler has evaluated does not follow an edit: scale\(int\)/,
    );
    t.notRegex(await said("inline"), /constexpr/);
  });

test("names of one entry are chosen together, which a note says", async (t) => {
  const shop = new Workshop(t);
  const source = 'int scale(int x) { return x * 3; }\nint quick(int x) __attribute__((alias("scale")));';
  const { stdout } = await inspect("--functions", "scale", await shop.library("libgame.so", source, ["-O0"]));
  t.regex(stdout, /chosen together, because they are names of one entry: quick with scale/);
});
