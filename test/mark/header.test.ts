/** hotpatch.h under every language level, and what the compilers make of it. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import test from "ava";
import { validateLibrary } from "../../cli/binary/elf.js";
import { switchHooks } from "../../cli/binary/exports.js";
import { readMarks } from "../../cli/binary/marks.js";
import { readState } from "../../cli/binary/state.js";
import { Workshop } from "../support/workshop.js";

const run = promisify(execFile);

const STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-Wmissing-prototypes"];
const C = `
#include "hotpatch.h"
HOTPATCH int declared(int x);
int use(void);
HOTPATCH int declared(int x) { return x + 1; }
HOTPATCH void tiny(void);
HOTPATCH void tiny(void) {}
HOTPATCH_STATE_DECLARE(int, score);
HOTPATCH_STATE(int, score, 100);
struct pair { int a, b; };
HOTPATCH_STATE(struct pair, best, {1, 2});
HOTPATCH_BEFORE_SWITCH(from, to) { HOTPATCH_GET(score) += from + to; }
HOTPATCH_AFTER_SWITCH(from, to) { HOTPATCH_GET(best).a += from + to; }
int use(void) { return declared(2) + hotpatch_is_patched() + HOTPATCH_GET(score); }
`;
const CPP = `
#include "hotpatch.h"
struct shape {
  int sides;
  HOTPATCH_INLINE int inside(int x) { return sides + x; }
  HOTPATCH int outside(int x);
  HOTPATCH static int of_class(int x);
  HOTPATCH virtual int area(int x);
  virtual ~shape() {}
};
HOTPATCH int shape::outside(int x) { return inside(x) * 2; }
HOTPATCH int shape::of_class(int x) { return x; }
HOTPATCH int shape::area(int x) { return x * 3; }
HOTPATCH_INLINE inline int inlined(int x) { return x * 7; }
namespace outer { HOTPATCH int overloaded(double d) { return int(d); } HOTPATCH int overloaded(int i) { return inlined(i); } }
struct made { int sides; made(int n) : sides(n) {} };
HOTPATCH_STATE_DECLARE(made, best);
HOTPATCH_STATE(made, best, made(3));
HOTPATCH_STATE(int, score, 100);
HOTPATCH_BEFORE_SWITCH(from, to) { HOTPATCH_GET(score) += from + to; }
HOTPATCH_AFTER_SWITCH(from, to) { HOTPATCH_GET(best).sides += from + to; }
extern "C" HOTPATCH int plain() { return hotpatch_is_patched() + HOTPATCH_GET(score); }
HOTPATCH shape operator+(const shape &a, const shape &b) { shape s; s.sides = a.sides + b.sides; return s; }
`;
/** Optimisation levels with what each is known to break: inlining, clones, folding, hiding. */
const BUILDS = [
  "-O0",
  "-O2",
  "-Os",
  "-O3 -flto -fvisibility=hidden -ffunction-sections -Wl,--gc-sections",
  "-O2 -fcf-protection=full",
];

const matrix = [
  { compiler: "gcc", source: C, levels: ["c89", "c99", "c11", "c17", "c2x", "gnu89", "gnu17"], functions: 2 },
  { compiler: "clang", source: C, levels: ["c89", "c99", "c11", "c17", "c2x", "gnu89", "gnu17"], functions: 2 },
  { compiler: "g++", source: CPP, levels: ["c++11", "c++14", "c++17", "c++20", "c++2b"], functions: 9 },
  { compiler: "clang++", source: CPP, levels: ["c++11", "c++14", "c++17", "c++20", "c++2b"], functions: 9 },
];

for (const { compiler, source, levels, functions } of matrix) {
  test(`${compiler}: clean under -Wall -Wextra -pedantic at every level, every function with its entry, also stripped`, async (t) => {
    const shop = new Workshop(t);
    const cpp = compiler.includes("++");
    const file = shop.write(cpp ? "a.cpp" : "a.c", source);
    const strict = cpp ? STRICT.slice(0, 4) : STRICT;
    for (const level of levels)
      for (const build of BUILDS) {
        const lld = compiler.startsWith("clang") ? ["-fuse-ld=lld", "-Wl,--icf=all"] : [];
        const args = [`-std=${level}`, ...build.split(" "), ...strict, ...lld, "-shared", "-fPIC", "-s", file];
        const elf = validateLibrary(readFileSync(await shop.compile("a.so", args, compiler)));
        const marks = readMarks(elf);
        const at = `${level} ${build}`;
        t.is(marks.functions.length, functions, at);
        t.deepEqual(
          marks.functions.filter((f) => f.entry === null || f.value % 16 !== 0),
          [],
          at,
        );
        t.is(marks.unnamedBytes, 0, at);
        t.deepEqual(
          readState(elf)
            .map(({ name, size, align }) => [name, size, align])
            .sort(),
          [
            ["best", cpp ? 4 : 8, 4],
            ["score", 4, 4],
          ],
          at,
        );
        const { before, after } = switchHooks(elf);
        t.true(before !== null && after !== null, at);
      }
  });
}

test("HOTPATCH_DISABLE leaves nothing in the library, and code that asks still compiles", async (t) => {
  const shop = new Workshop(t);
  for (const [compiler, file, text] of [
    ["gcc", "a.c", C],
    ["g++", "a.cpp", CPP],
  ] as const) {
    const path = await shop.compile(
      "a.so",
      ["-DHOTPATCH_DISABLE", "-shared", "-fPIC", shop.write(file, text)],
      compiler,
    );
    const marks = readMarks(validateLibrary(readFileSync(path)));
    t.is(marks.codeBytes, 0);
    t.deepEqual(marks.flags, []);
  }
});

test("a static function is marked by gcc, and refused by clang with a sentence", async (t) => {
  const shop = new Workshop(t);
  const file = shop.write(
    "a.c",
    '#include "hotpatch.h"\nHOTPATCH_STATIC static int hidden(int x) { return x; }\nint use(int x);\nint use(int x) { return hidden(x); }\n',
  );
  const path = await shop.compile("a.so", [...STRICT, "-shared", "-fPIC", file], "gcc");
  t.deepEqual(
    readMarks(validateLibrary(readFileSync(path))).functions.map((f) => f.name),
    ["hidden"],
  );
  const error = await t.throwsAsync(shop.compile("b.so", ["-shared", "-fPIC", file], "clang"));
  t.regex(error?.message ?? "", /weak declaration cannot have internal linkage/);
});

test("other architectures are one #error with a way out", async (t) => {
  const shop = new Workshop(t);
  const file = shop.write("a.c", C);
  const error = await t.throwsAsync(shop.compile("a.o", ["-m32", "-c", "-ffreestanding", file], "gcc"));
  t.regex(error?.message ?? "", /only x86_64 can be patched so far; define HOTPATCH_DISABLE/);
});

test("callers never use what they could see in a marked body", async (t) => {
  const shop = new Workshop(t);
  const file = shop.write(
    "a.c",
    '#include "hotpatch.h"\nHOTPATCH int seven(void) { return 7; }\nint use(void) { return seven() * 6; }\n',
  );
  for (const compiler of ["gcc", "clang"]) {
    const path = await shop.compile("a.so", ["-O3", "-shared", "-fPIC", file], compiler);
    const { stdout } = await run("objdump", ["-d", "--no-show-raw-insn", path]);
    const use = /<use>:\n([\s\S]*?)\n\n/.exec(stdout)?.[1] ?? "";
    t.regex(use, /call.*<seven/, compiler);
    t.notRegex(use, /0x2a\b/, compiler);
  }
});
