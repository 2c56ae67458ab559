/**
 * Debug information that is not all there, or not where it is expected: read where it is sound, else left with the
 * reason.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { Comparison, type LayoutVerdict } from "../../../../cli/layout/compare.js";
import { layoutsOf } from "../../layout/builds.js";
import { build, has, MARK, run, workFolder } from "../fixtures.js";

const source = (type: string) => `${MARK}
struct s { ${type} a; };
HP int f(struct s *p);
HP int f(struct s *p) { return p->a; }
HP void nothing(void);
HP void nothing(void) {}
`;
const reasonOf = (path: string, name = "f"): string => {
  const found = layoutsOf(path, new RegExp(`^${name}$`)).functions.get(name);
  return found === undefined ? "not there" : found.known ? "known" : found.reason;
};

for (const compiler of ["gcc", "clang"])
  (has(compiler) ? test : test.skip)(
    `-g1 and no -g leave functions unchecked, with the cure (${compiler})`,
    async (t) => {
      const folder = await workFolder(t);
      for (const flags of [["-g1"], []]) {
        const path = await build(folder, `lib${flags}.so`, source("int"), flags, compiler);
        for (const name of ["f", "nothing"]) t.regex(reasonOf(path, name), /build with -g/);
      }
      t.is(reasonOf(await build(folder, "full.so", source("int"), ["-g"], compiler)), "known");
    },
  );

test("a type that one unit declares and another defines is followed to its definition", async (t) => {
  const folder = await workFolder(t);
  const make = async (side: string, type: string) => {
    const define = join(folder, `define-${side}.c`);
    writeFileSync(define, `struct far { ${type} a; }; int look(struct far *p) { return p->a; }`);
    return build(
      folder,
      `${side}.so`,
      `${MARK} struct far; HP int f(struct far *p); HP int f(struct far *p) { return p != 0; }`,
      ["-g", define],
    );
  };
  const [before, after] = [
    layoutsOf(await make("before", "int"), /^f$/),
    layoutsOf(await make("after", "long"), /^f$/),
  ];
  t.deepEqual(new Comparison(before, before).function("f"), { kind: "same", remarks: [], unseen: [], blind: [] });
  const verdict = new Comparison(before, after).function("f");
  t.deepEqual(verdict.kind === "changed" && verdict.changes, [
    "struct far: size 4 -> 8; field a: int at 0 -> long int at 0",
  ]);
});

/** What was not seen, in one text. */
const unseenIn = (verdict: LayoutVerdict): string =>
  verdict.kind === "same" ? verdict.unseen.join("; ") : `${verdict.kind}, which is no such verdict`;

test("a type that has two different definitions is not guessed", async (t) => {
  const folder = await workFolder(t);
  for (const [name, type] of [
    ["one", "int"],
    ["two", "\nlong"],
  ])
    writeFileSync(join(folder, `${name}.c`), `struct far { ${type} a; }; int ${name}(struct far *p) { return p->a; }`);
  const files = ["one.c", "two.c"].map((name) => join(folder, name));
  const path = await build(
    folder,
    "lib.so",
    `${MARK} struct far; HP int f(struct far *p); HP int f(struct far *p) { return p != 0; }`,
    ["-g", ...files],
  );
  const layouts = layoutsOf(path, /^f$/);
  const verdict = new Comparison(layouts, layouts).function("f");
  t.regex(unseenIn(verdict), /far has 2 different definitions/);
});

test("a type that only one of the builds defines cannot be compared", async (t) => {
  const folder = await workFolder(t);
  const marked = `HP int f(struct far *p); HP int f(struct far *p) { return p != 0; }`;
  const before = layoutsOf(await build(folder, "before.so", `${MARK} struct far; ${marked}`, ["-g"]), /^f$/);
  const after = layoutsOf(await build(folder, "after.so", `${MARK} struct far { int a; }; ${marked}`, ["-g"]), /^f$/);
  const verdict = new Comparison(before, after).function("f");
  t.regex(unseenIn(verdict), /far is only declared in the running build/);
});

(has("clang") ? test : test.skip)(
  "a class that clang leaves to another library is not seen, with the cure",
  async (t) => {
    const folder = await workFolder(t);
    const code = `${MARK} struct far { far(); int a; }; extern "C" HP int f(far *p); extern "C" HP int f(far *p) { return p->a; }`;
    const layouts = layoutsOf(await build(folder, "lib.so", code, ["-g"], "clang++"), /^f$/);
    const verdict = new Comparison(layouts, layouts).function("f");
    t.regex(unseenIn(verdict), /-fstandalone-debug/);
    const whole = layoutsOf(await build(folder, "whole.so", code, ["-g", "-fstandalone-debug"], "clang++"), /^f$/);
    t.is(new Comparison(whole, whole).function("f").kind, "same");
  },
);

for (const version of ["-gdwarf-4", "-gdwarf-5"])
  (has("clang") && has("llvm-dwp") ? test : test.skip)(`a .dwp beside the library is read (${version})`, async (t) => {
    const folder = await workFolder(t);
    const object = await build(
      folder,
      "lib.o",
      source("int"),
      ["-g", version, "-gsplit-dwarf", "-c", "-fdebug-types-section"],
      "clang",
    );
    const path = join(folder, "lib.so");
    run("clang", ["-shared", "-o", path, object]);
    run("llvm-dwp", [join(folder, "lib.dwo"), "-o", `${path}.dwp`]);
    run("rm", [join(folder, "lib.dwo")]);
    const layouts = layoutsOf(path, /^f$/);
    t.true(layouts.functions.get("f")?.known);
    t.true(layouts.types.some((type) => type.kind === "record" && type.name === "s" && type.fields.length === 1));
    run("rm", [`${path}.dwp`]);
    t.regex(reasonOf(path), /missing/);
  });

test("sections compressed with zstd are read where node can, and named where it cannot", async (t) => {
  const folder = await workFolder(t);
  const path = await build(folder, "lib.so", source("int"), ["-g"]);
  try {
    run("objcopy", ["--compress-debug-sections=zstd", path]);
  } catch {
    return void t.pass("this objcopy has no zstd");
  }
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const can = major > 23 || (major === 23 && minor >= 8) || (major === 22 && minor >= 15);
  if (can) t.is(reasonOf(path), "known");
  else t.regex(reasonOf(path), /zstd, which node \d+/);
});

test("functions that were folded into one are known by their own name only", async (t) => {
  const folder = await workFolder(t);
  const code = `${MARK}
    struct s { int a; }; HP int f(struct s *p); HP int f(struct s *p) { return p->a; }
    extern int g(struct s *p) __attribute__((alias("f")));`;
  const path = await build(folder, "lib.so", code, ["-g"]);
  const { functions } = layoutsOf(path, /^[fg]$/);
  t.true(functions.get("f")?.known);
  const folded = functions.get("g");
  t.regex(folded?.known === false ? folded.reason : "known", /shares its code/);
});
