/** Functions without a mark whose callers would go on with the old body, by real compilers' and linkers' files. */
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { readElf } from "../../../cli/binary/elf.js";
import { readMarks } from "../../../cli/binary/marks.js";
import { Chooser } from "../../../cli/library/unmarked.js";
import { Workshop } from "../../support/workshop.js";
import { has } from "../binary/fixtures.js";

/** What is said of each function that a glob means, "" where it can be patched. */
async function chosen(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
  flags: readonly string[],
  compiler: string,
  globs: readonly string[] = ["*"],
) {
  const shop = new Workshop(t);
  const paths = Object.entries(files).map(([name, text]) => shop.write(name, text));
  const path = await shop.compile("libgame.so", ["-fPIC", "-shared", ...flags, ...paths], compiler);
  const elf = readElf(readFileSync(path));
  const { functions, refused, drawnIn } = new Chooser(globs).choose(elf, readMarks(elf), new Set());
  const said = new Map(functions.map(({ name }) => [name, ""]));
  for (const { name, code, reason, cure } of refused) {
    t.is(code, "untrusted-build", reason);
    t.truthy(cure);
    said.set(name, reason);
  }
  return { said, drawnIn: [...drawnIn] };
}

const INTERPOSABLE = ["-O2", "-fsemantic-interposition", "-frecord-command-line"];
const ICF = ["-ffunction-sections", "-Wl,--icf=all"];

const C99 = `inline int scale(int x) { return x * 3; }
extern inline int scale(int x);
int value(int x) {
  return scale(x) + 1;
}`;
const ALIAS = `int scale(int x) { return x * 3; }
static int quick(int x) __attribute__((alias("scale")));
int value(int x) { return quick(x) + 1; }`;
const QUIET = ALIAS.replace("int scale", "__attribute__((noinline)) int scale");
const PLAIN = `int scale(int x) { return x * 3; }
int value(int x) { return scale(x) + 1; }`;
const ALWAYS = `static inline __attribute__((always_inline)) int scale(int x) { return x * 3; }
int (*volatile taken)(int) = scale;
int value(int x) { return scale(x) + 1; }`;
const CONSTEXPR = `constexpr int scale(int x) { return x * 3; }
int (*volatile taken)(int) = scale;
int table[scale(2)];
extern "C" int value(int x) { return x + sizeof(table); }`;
const TWINS = `static __attribute__((noinline)) int scale(int x) { return x * 3; }
static __attribute__((noinline)) int other(int x) { return x * 3; }
int value(int x) { return scale(x) + 2 * other(x); }`;
const SHARED = `int scale(int x) { return x * 3; }
int other(int x) { return x * 3; }
int value(int x) { return scale(x) + 2 * other(x); }`;

const INLINED = /^it is inlined into value \(game\.c:\d\): the old body stays there$/;
const FOLDED = /^the linker folded other and scale into one: their callers cannot be told apart$/;

/** What the function scale is, how it is built, and what is said of it. */
const STALE: readonly (readonly [
  what: string,
  compiler: string,
  flags: readonly string[],
  source: string,
  said: RegExp,
])[] = [
  ["C99 inline", "gcc", ["-O2"], C99, /^it is inlined into value \(game\.c:4\)/],
  ["C99 inline", "gcc", ["-O2", "-gdwarf-4"], C99, INLINED],
  ["C99 inline", "gcc", ["-O2", "-gdwarf-3", "-gstrict-dwarf"], C99, INLINED],
  ["C99 inline", "gcc", ["-O2", "-gz"], C99, INLINED],
  ["C99 inline", "gcc", ["-O2", "-g1"], C99, /^the compiler inlined it, and its debug information does not say where$/],
  ["C99 inline", "gcc", ["-O2", "-flto"], C99, INLINED],
  ["inlined through a local alias", "gcc", ["-O2"], ALIAS, INLINED],
  ["called through a local alias", "gcc", ["-O2"], QUIET, /^quick is the same function: .*not exported/],
  ["-fPIE", "gcc", ["-O2", "-fPIE"], PLAIN, /not with -fPIC, as for an executable/],
  ["-fPIE", "clang", [...INTERPOSABLE, "-fPIE"], PLAIN, /without -fsemantic-interposition -fPIC/],
  ["always_inline", "gcc", ["-O0"], ALWAYS, INLINED],
  ["always_inline", "clang", ["-O0"], ALWAYS, INLINED],
  ["always_inline", "clang", ["-O0", "-gdwarf-4"], ALWAYS, INLINED],
  ["constexpr", "g++", ["-O0"], CONSTEXPR, /^game\.cpp declares it constexpr/],
  ["constexpr", "clang++", ["-O0"], CONSTEXPR, /^game\.cpp declares it constexpr/],
  ["constexpr", "clang++", ["-O0", "-gdwarf-4"], CONSTEXPR, /^game\.cpp declares it constexpr/],
  ["folded by gold", "gcc", ["-O0", "-fuse-ld=gold", ...ICF], TWINS, FOLDED],
  ["folded by gold", "clang", ["-O0", "-fuse-ld=gold", ...ICF], SHARED, FOLDED],
  ["folded by lld", "gcc", ["-O0", "-fuse-ld=lld", ...ICF], TWINS, FOLDED],
  ["folded by lld", "clang", ["-O0", "-fuse-ld=lld", ...ICF], SHARED, FOLDED],
];

const linkerOf = (flags: readonly string[]) =>
  flags.flatMap((flag) => (flag.startsWith("-fuse-ld=") ? [`ld.${flag.slice(9)}`] : []));

for (const [what, compiler, flags, source, words] of STALE)
  ([compiler, ...linkerOf(flags)].every(has) ? test : test.skip)(
    `${what}, ${compiler} ${flags.join(" ")}: scale is refused, its caller is not`,
    async (t) => {
      const { said } = await chosen(t, { [`game.${compiler.endsWith("+") ? "cpp" : "c"}`]: source }, flags, compiler);
      const name = compiler.endsWith("+") ? "_Z5scalei" : "scale";
      t.regex(said.get(name) ?? "", words);
      if (what !== "-fPIE") t.is(said.get("value"), "");
    },
  );

test("a function is inlined in a unit that knows it from a header, and is refused in the unit that has its entry", async (t) => {
  const header = "inline int scale(int x) { return x * 3; }\n";
  const { said } = await chosen(
    t,
    {
      "game.c": `${header}extern inline int scale(int x);`,
      "scene.c": `${header}int value(int x) { return scale(x) + 1; }\nint draw(int x) { return scale(x) + 2; }`,
    },
    ["-O2"],
    "gcc",
  );
  t.regex(said.get("scale") ?? "", /^it is inlined into (value \(scene\.c:2\)|draw \(scene\.c:3\)) and 1 more/);
});

test("the holder of a copy is told as C++ people write it", async (t) => {
  const source = `namespace game { struct Scene { int draw(int x); };
    __attribute__((always_inline)) inline int scale(int x) { return x * 3; }
    int Scene::draw(int x) { return scale(x); } }
    int (*volatile taken)(int) = game::scale;`;
  const { said } = await chosen(t, { "scene.cpp": source }, ["-O0"], "g++", ["game::scale"]);
  t.regex(said.get("_ZN4game5scaleEi") ?? "", /inlined into game::Scene::draw \(scene\.cpp:3\)/);
});

test("statics of one name: only the one that is inlined is refused", async (t) => {
  const other = "static int scale(int x) { return x * 5; }\nint other(int x) { return scale(x); }";
  const { said } = await chosen(t, { "game.c": ALWAYS, "other.c": other }, ["-O0"], "gcc");
  t.regex(said.get("scale [game.c]") ?? "", INLINED);
  t.is(said.get("scale [other.c]"), "");
});

for (const [what, compiler, flags, source] of [
  [
    "a function that is inlined into itself alone",
    "gcc",
    ["-O2", "-fno-semantic-interposition", "-fno-inline", "-flive-patching=inline-only-static"],
    "int scale(int x) { return x < 1 ? 3 : scale(x - 1) + scale(x - 2); }",
  ],
  [
    "a copy in a function that the linker dropped",
    "gcc",
    ["-O0", "-ffunction-sections", "-Wl,--gc-sections", "-fvisibility=hidden"],
    `${ALWAYS.replace("int (*volatile", 'extern int (*volatile taken)(int);\n__attribute__((visibility("default"))) int (*volatile')}`,
  ],
  ["C++ inline functions and templates that are called", "g++", ["-O0"], CALLED()],
  ["C++ inline functions and templates that are called", "clang++", ["-O0"], CALLED()],
] as const)
  (has(compiler) ? test : test.skip)(`${what} can be patched (${compiler})`, async (t) => {
    const { said } = await chosen(t, { [`game.${compiler.endsWith("+") ? "cpp" : "c"}`]: source }, flags, compiler);
    t.true(said.size > 0);
    for (const [name, why] of said) t.is(why, "", name);
  });

function CALLED(): string {
  return `struct P { int hp; P(int h) : hp(h) {} virtual ~P() {} int hit(int x) { return hp - x; } };
    struct Q : P { Q() : P(2) {} };
    template <class T> inline T twice(T x) { return x + x; }
    extern "C" int value(int x) { P p(x); Q q; auto more = [&](int y) { return y + q.hp; }; return p.hit(2) + twice(x) + more(3); }`;
}

for (const compiler of ["gcc", "clang"])
  (has(compiler) ? test : test.skip)(
    `one name of an entry chooses all of them, and says so (${compiler})`,
    async (t) => {
      const { said, drawnIn } = await chosen(t, { "game.c": ALIAS }, ["-O0"], compiler, ["scale"]);
      t.deepEqual([...said.keys()].sort(), ["quick", "scale"]);
      t.deepEqual(drawnIn, [["quick", "scale"]]);
      t.deepEqual((await chosen(t, { "game.c": ALIAS }, ["-O0"], compiler)).drawnIn, []);
    },
  );

test("where a unit that inlines cannot be read to its end, no function can be patched", async (t) => {
  const shop = new Workshop(t);
  const files = [
    shop.write("game.c", "int scale(int x) { return x * 3; }"),
    shop.write("other.c", ALWAYS.replaceAll("scale", "other")),
  ];
  const bytes = readFileSync(await shop.compile("libgame.so", ["-fPIC", "-shared", "-O0", ...files]));
  const { offset = 0, size = 0 } = readElf(bytes).sections.find(({ name }) => name === ".debug_info") ?? {};
  const saidOf = () => {
    const elf = readElf(bytes);
    const { refused } = new Chooser(["scale"]).choose(elf, readMarks(elf), new Set());
    return refused.map(({ reason }) => reason);
  };
  t.deepEqual(saidOf(), []);
  const whole = Buffer.from(bytes);
  bytes.fill(0x7f, offset + size - 16, offset + size);
  t.regex(saidOf().join(), /^where it is inlined cannot be seen: debug information ends in the middle/);
  // The first unit, behind its root: that of the function itself.
  whole.copy(bytes);
  bytes.fill(0x7f, offset + 0x60, offset + 0x68);
  t.regex(saidOf().join(), /^where it is inlined cannot be seen: |no debug information/);
});
