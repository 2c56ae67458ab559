/** Which functions without a mark are chosen, by real compilers' files. */
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { readElf } from "../../../cli/binary/elf.js";
import { readMarks } from "../../../cli/binary/marks.js";
import { Chooser } from "../../../cli/library/unmarked.js";
import { Workshop } from "../../support/workshop.js";

const SOURCE = `
static __attribute__((noinline)) int inner(int x) { return x * 3; }
int outer(int x) { return inner(x) + 1; }
`;

async function choose(t: ExecutionContext, source: string, flags: readonly string[], compiler: string, globs = ["*"]) {
  const path = await new Workshop(t).library("libgame.so", source, flags, compiler);
  const elf = readElf(readFileSync(path));
  const { functions, refused } = new Chooser(globs).choose(elf, readMarks(elf), new Set());
  return {
    names: functions.map((one) => one.name).sort(),
    refused: new Map(refused.map((one) => [one.name, one])),
    functions,
  };
}

const LIVE = ["-fno-inline", "-flive-patching=inline-only-static"];
const BOTH = ["inner", "outer"];
for (const [compiler, flags, names] of [
  ["gcc", ["-O0"], BOTH],
  ["gcc", ["-O0", "-gdwarf-4"], BOTH],
  ["gcc", ["-O0", "-gdwarf-3", "-gstrict-dwarf"], BOTH],
  ["gcc", ["-O0", "-gz"], BOTH],
  ["gcc", ["-O2", "-O0"], BOTH],
  ["gcc", ["-O0", "-O2"], ["outer"]],
  ["gcc", ["-O2", ...LIVE], BOTH],
  ["gcc", ["-O2"], ["outer"]],
  ["gcc", ["-O2", "-flto"], ["outer"]],
  ["gcc", ["-O2", "-fvisibility=hidden"], []],
  ["gcc", ["-O2", "-fno-semantic-interposition"], []],
  ["gcc", ["-Ofast"], []],
  ["gcc", ["-O0", "-g0"], []],
  ["gcc", ["-O0", "-gsplit-dwarf"], []],
  ["clang", ["-O0"], BOTH],
  ["clang", ["-O0", "-gdwarf-4"], BOTH],
  ["clang", ["-O0", "-ffunction-sections"], BOTH],
  ["clang", ["-O0", "-gline-tables-only"], []],
  ["clang", ["-O1"], []],
  ["clang", ["-O2", "-gdwarf-4"], []],
  ["clang", ["-O2", "-gline-tables-only"], []],
  ["clang", ["-O2", "-fsemantic-interposition"], []],
  ["clang", ["-O2", "-fsemantic-interposition", "-frecord-command-line"], ["outer"]],
  ["clang", ["-O2", "-frecord-command-line"], []],
] as const)
  test(`${compiler} ${flags.join(" ")}: ${names.length === 0 ? "nothing" : names.join(" and ")} can be patched`, async (t) => {
    const found = await choose(t, SOURCE, flags, compiler);
    t.deepEqual(found.names, [...names]);
    for (const { code, reason, cure } of found.refused.values()) {
      t.is(code, "untrusted-build", reason);
      t.regex(cure ?? "", /-O0|-g/);
    }
  });

test("a glob must match the whole name: symbol, or demangled with or without parameters", async (t) => {
  const source = `namespace game { int hit(int x) { return x; } int hit(char x) { return x; } int hits(int x) { return x; } }`;
  const names = async (...globs: string[]) => (await choose(t, source, ["-O0"], "g++", globs)).names;
  t.deepEqual(await names("game::hit"), ["_ZN4game3hitEc", "_ZN4game3hitEi"]);
  t.deepEqual(await names("game::hit(int)"), ["_ZN4game3hitEi"]);
  t.deepEqual(await names("game::hit?"), ["_ZN4game4hitsEi"]);
  t.deepEqual(await names("_ZN4game3*"), ["_ZN4game3hitEc", "_ZN4game3hitEi"]);
  t.deepEqual(await names("*hit"), ["_ZN4game3hitEc", "_ZN4game3hitEi"]);
  t.deepEqual(await names("hit", "game"), []);
});

test("an alias that gcc makes for its own calls is the same function, start-up code is nobody's", async (t) => {
  const { names } = await choose(t, "long deep(long x) { return x == 0 ? 0 : deep(x - 1) + 1; }", ["-O0"], "gcc");
  t.deepEqual(names, ["deep"]);
});

test("statics of one name are told apart by their files", async (t) => {
  const shop = new Workshop(t);
  const one = shop.write("one.c", "static int same(void) { return 1; }\nint one(void) { return same(); }");
  const { names } = await choose(
    t,
    `static int same(void) { return 2; }\nint two(void) { return same(); }`,
    ["-O0", one],
    "gcc",
  );
  t.deepEqual(names, ["one", "same [libgame.so.c]", "same [one.c]", "two"]);
});

test("bytes that may be a branch back to the start are told, for the target to decide", async (t) => {
  const loop = (first: string) => `
    int walk(const int *p) { int v; ${first} do { v = *p++; } while (v > 0); return v; }`;
  const flags = ["-O2", ...LIVE, "-falign-loops=1"];
  const atStart = await choose(t, loop(""), flags, "gcc");
  t.is(atStart.functions[0]?.suspects.length, 1);
  const behind = await choose(t, loop('__asm__ volatile ("nop;nop;nop;nop;nop;nop");'), flags, "gcc");
  t.deepEqual(behind.functions[0]?.suspects, []);
});

test("a label inside the first bytes whose address the library's data hold is refused", async (t) => {
  const source = (first: string) => `
    int run(const unsigned char *p) {
      static void *const go[] = { &&head, &&out };
      ${first}
      head: goto *go[*p++ & 1];
      out: return p[-1];
    }`;
  const flags = ["-O1", ...LIVE];
  const inside = await choose(t, source('__asm__ volatile ("nop");'), flags, "gcc");
  t.regex(inside.refused.get("run")?.reason ?? "", /data holds an address inside its first bytes/);
  const behind = await choose(t, source('__asm__ volatile ("nop;nop;nop;nop;nop;nop");'), flags, "gcc");
  t.deepEqual(behind.names, ["run"]);
});

test("a jump table that leads into the first bytes is refused", async (t) => {
  // What a compiler might do with a switch in a loop, by hand: 32-bit distances from the table.
  const source = (first: string) => `
    __asm__ (".section .rodata\\n.p2align 2\\n.Ldistances: .long .Lhead - .Ldistances, .Lout - .Ldistances\\n.text");
    int run(const unsigned char *p) {
      __asm__ volatile ("${first}\\n.Lhead:\\tlea .Ldistances(%%rip), %%rax\\n\\tmovslq (%%rax), %%rdx\\n\\tadd %%rax, %%rdx\\n\\tjmp *%%rdx\\n.Lout:" ::: "rax", "rdx");
      return *p;
    }`;
  const inside = await choose(t, source("nop"), ["-O1", ...LIVE], "gcc");
  t.regex(inside.refused.get("run")?.reason ?? "", /a jump table points back into its first bytes/);
  const behind = await choose(t, source("nop;nop;nop;nop;nop;nop"), ["-O1", ...LIVE], "gcc");
  t.deepEqual(behind.names, ["run"]);
});

test("room counts the padding behind a function, and ends at the next name", async (t) => {
  const source = "void tiny(void) {}\nint next(int x) { return x * 7; }";
  const padded = await choose(t, source, ["-O2", ...LIVE], "gcc");
  t.deepEqual(padded.names, ["next", "tiny"]);
  const packed = await choose(t, source, ["-O2", ...LIVE, "-falign-functions=1"], "gcc");
  t.deepEqual(packed.names, ["next"]);
  t.regex(
    packed.refused.get("tiny")?.reason ?? "",
    /it has 1 bytes including the padding after it, and the jump takes 5/,
  );
});
