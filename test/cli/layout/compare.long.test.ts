/** Every row of docs/layout.md, by every compiler and in every form that debug information takes. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Comparison } from "../../../cli/layout/compare.js";
import { build, has, MARK, run, workFolder } from "../binary/fixtures.js";
import { checkKinds, layoutsOf, sourceOf } from "./builds.js";
import { C_KINDS, CPP_KINDS, type Kind } from "./kinds.js";

interface Form {
  readonly name: string;
  readonly compiler: string;
  readonly flags: readonly string[];
}

const form = (compiler: string, ...flags: string[]): Form => ({
  name: [compiler, ...flags].join(" "),
  compiler,
  flags: ["-g", ...flags],
});
const FORMS: readonly Form[] = [
  form("gcc", "-gdwarf-5"),
  form("gcc", "-gdwarf-4"),
  form("gcc", "-gdwarf-3", "-gstrict-dwarf"),
  form("gcc", "-gdwarf64"),
  form("gcc", "-gz=zlib"),
  form("gcc", "-gz=zlib-gnu", "-gdwarf-4"),
  form("gcc", "-fdebug-types-section"),
  form("gcc", "-fdebug-types-section", "-gdwarf-4"),
  form("gcc", "-flto", "-O2"),
  form("gcc", "-O0"),
  form("clang", "-gdwarf-5"),
  form("clang", "-gdwarf-4"),
  form("clang", "-gdwarf-5", "-gdwarf64"),
  form("clang", "-fdebug-types-section"),
  form("clang", "-gz=zlib"),
  form("clang", "-flto", "-fuse-ld=lld"),
  form("clang", "-flto=thin", "-fuse-ld=lld", "-O2"),
];

async function both(t: ExecutionContext, kinds: readonly Kind[], { compiler, flags }: Form) {
  const folder = await workFolder(t);
  const [before, after] = await Promise.all(
    (["before", "after"] as const).map((side) =>
      build(folder, `${side}.so`, sourceOf(kinds, side, MARK), flags, compiler),
    ),
  );
  return { folder, before: before ?? "", after: after ?? "" };
}

/** What a form of debug information can tell. */
const told = (kinds: readonly Kind[], flags: readonly string[]): readonly Kind[] => {
  const version = Number(flags.map((flag) => /^-gdwarf-(\d)$/.exec(flag)?.[1]).find((one) => one !== undefined) ?? 5);
  return kinds.filter(({ since }) => (since ?? 0) <= version);
};

for (const one of FORMS)
  (has(one.compiler) ? test : test.skip)(`each kind of change in C is told as documented (${one.name})`, async (t) => {
    const kinds = told(C_KINDS, one.flags);
    const { before, after } = await both(t, kinds, one);
    checkKinds(t, kinds, layoutsOf(before, /^f\d+$/), layoutsOf(after, /^f\d+$/));
  });

const cpp = ({ name, compiler, flags }: Form): Form => ({
  name: name.replace(/^gcc/, "g++").replace(/^clang/, "clang++"),
  compiler: compiler === "gcc" ? "g++" : "clang++",
  flags,
});

for (const one of FORMS.map(cpp))
  (has(one.compiler) ? test : test.skip)(
    `each kind of change in C++ is told as documented (${one.name})`,
    async (t) => {
      const { before, after } = await both(t, CPP_KINDS, { ...one, flags: [...one.flags, "-std=c++17"] });
      checkKinds(t, CPP_KINDS, layoutsOf(before, /^f\d+$/), layoutsOf(after, /^f\d+$/));
    },
  );

test("the old build compared with itself is the same, whichever compiler made the new one", async (t) => {
  if (!has("clang")) return void t.pass();
  const kinds = C_KINDS.map((kind) => ({ what: kind.what, before: kind.before, after: kind.before }));
  const [gcc, clang] = [await both(t, kinds, form("gcc")), await both(t, kinds, form("clang"))];
  const same = [gcc.before, clang.before].map((path) => layoutsOf(path, /^f\d+$/));
  for (const layouts of same) checkKinds(t, kinds, layouts, layouts);
});

test("debug information in a file of its own is read from there", async (t) => {
  const { folder, before, after } = await both(t, C_KINDS, form("gcc"));
  const debug = [before, after].map((path) => {
    run("objcopy", ["--only-keep-debug", path, `${path}.debug`]);
    run("strip", [path]);
    return layoutsOf(path, /^f\d+$/, `${path}.debug`);
  });
  t.true(folder.length > 0);
  const [was, is] = debug;
  if (was !== undefined && is !== undefined) checkKinds(t, C_KINDS, was, is);
});

for (const flags of [
  ["-gdwarf-5"],
  ["-gdwarf-4"],
  ["-gdwarf-5", "-fdebug-types-section"],
  ["-gdwarf-4", "-fdebug-types-section"],
])
  for (const compiler of ["gcc", "clang"])
    (has(compiler) ? test : test.skip)(
      `split debug information is read, and that of another build is not (${compiler} ${flags.join(" ")})`,
      async (t) => {
        const folder = await workFolder(t);
        const kinds = told(C_KINDS, flags);
        const make = async (side: "before" | "after"): Promise<string> => {
          const source = sourceOf(kinds, side, MARK);
          const object = await build(folder, `${side}.o`, source, ["-g", ...flags, "-gsplit-dwarf", "-c"], compiler);
          run(compiler, ["-shared", "-o", join(folder, `${side}.so`), object]);
          return join(folder, `${side}.so`);
        };
        const before = await make("before");
        const after = await make("after");
        checkKinds(t, kinds, layoutsOf(before, /^f\d+$/), layoutsOf(after, /^f\d+$/));
        renameSync(join(folder, "after.dwo"), join(folder, "before.dwo"));
        const [other] = [...layoutsOf(before, /^f0$/).functions.values()];
        t.true(other?.known === false && /another build/.test(other.reason), JSON.stringify(other));
        const [gone] = [...layoutsOf(after, /^f0$/).functions.values()];
        t.true(gone?.known === false && /missing/.test(gone.reason), JSON.stringify(gone));
      },
    );

for (const [what, code, option, told] of [
  [
    "calls by another convention",
    `${MARK} HP int f(int a); HP int f(int a) { return a; }`,
    "-mabi=ms",
    ["the function: the platform's calls -> -mabi=ms"],
  ],
  [
    "vectors in other registers",
    `${MARK} typedef double v __attribute__((vector_size(32))); HP double f(v a); HP double f(v a) { return a[0]; }`,
    "-mavx",
    ["the function: the platform's calls -> -mavx"],
  ],
  [
    "vectors that fit the registers of both",
    `${MARK} typedef float v __attribute__((vector_size(16))); HP float f(v a); HP float f(v a) { return a[0]; }`,
    "-mavx",
    null,
  ],
] as const)
  test(`an option that changes how functions are called counts: ${what} (gcc ${option})`, async (t) => {
    const folder = await workFolder(t);
    const [before, after] = [
      layoutsOf(await build(folder, "before.so", code, ["-g"]), /^f$/),
      layoutsOf(await build(folder, "after.so", code, ["-g", option]), /^f$/),
    ];
    const verdict = new Comparison(before, after).function("f");
    if (told === null) t.is(verdict.kind, "same");
    else t.deepEqual(verdict.kind === "changed" && verdict.changes, told);
  });
