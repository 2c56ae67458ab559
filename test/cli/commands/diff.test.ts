/** `hotpatch diff` on libraries of real compilers, as an outside program runs it. */
import { spawnSync } from "node:child_process";
import test, { type ExecutionContext } from "ava";
import { DiffReport } from "../../../schemas/diff-report.js";
import { CLI } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";

const run = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, "diff", ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};

async function both(
  t: ExecutionContext,
  before: string,
  after: string,
  args: readonly string[] = [],
  compiler?: string,
) {
  const shop = new Workshop(t);
  const paths = [
    await shop.library("old.so", `#include "hotpatch.h"\n${before}`, args, compiler),
    await shop.library("new.so", `#include "hotpatch.h"\n${after}`, args, compiler),
  ];
  const json = run("--json", ...paths);
  t.is(json.stderr, "");
  return { paths, status: json.status, report: DiffReport.parse(JSON.parse(json.stdout)), text: run(...paths).stdout };
}

const struct = (fields: string) =>
  `struct inner { ${fields} };\nHOTPATCH int damage(struct inner *p) { return p->hp; }`;

test("a changed struct is refused with exit code 6, and every function is told", async (t) => {
  const { status, report, text } = await both(
    t,
    `${struct("int id, hp;")}\nHOTPATCH int same(int x) { return x; }\nHOTPATCH int edited(int x) { return x; }\nHOTPATCH int gone(int x) { return x; }`,
    `${struct("long id; int hp;")}\nHOTPATCH int same(int x) { return x; }\nHOTPATCH int edited(int x) { return x * 2; }\nHOTPATCH int added(int x) { return x; }`,
  );
  t.is(status, 6);
  t.is(report.refused?.code, "layout-changed");
  t.regex(
    report.refused?.detail ?? "",
    /^damage: struct inner: size 8 -> 16; field id: int at 0 -> long int at 0; field hp: int at 4 -> int at 8$/,
  );
  const told = report.functions.map(({ name, status, check }) => `${name} ${status} ${check}`).sort();
  t.deepEqual(told, [
    "added new unchecked",
    "damage refused dwarf",
    "edited switched dwarf",
    "gone missing unchecked",
    "same unchanged dwarf",
  ]);
  t.regex(text, /REFUSED \[layout-changed\]/);
  t.regex(
    text,
    / {2}refused {4}damage {2}\(dwarf\)\n {13}struct inner: size 8 -> 16\n {13}field id: int at 0 -> long int at 0\n/,
  );
});

test("an edited body is switched with exit code 0", async (t) => {
  const body = (n: number) => `HOTPATCH int damage(int x) { return x * ${n}; }`;
  const { status, report, text } = await both(t, body(2), body(3));
  t.is(status, 0);
  t.is(report.refused, null);
  t.regex(text, /: can be switched\n/);
});

test("a changed signature is told as such, and C++ names as people write them", async (t) => {
  const cpp = (type: string) => `namespace game { struct Foe { ${type} hp; HOTPATCH int hit(int n); }; }
    int game::Foe::hit(int n) { return (int)hp - n; }
    extern "C" HOTPATCH ${type} plain(int x) { return x; }`;
  const { status, report } = await both(t, cpp("int"), cpp("float"), [], "g++");
  t.is(status, 6);
  t.is(report.refused?.code, "signature-changed");
  const hit = report.functions.find(({ demangled }) => demangled === "game::Foe::hit(int)");
  t.is(hit?.reason, "struct game::Foe: field hp: int at 0 -> float at 0");
});

test("changed state is refused, and so is what it leads to", async (t) => {
  const state = (type: string) => `struct node { ${type} v; }; HOTPATCH_STATE(struct node *, first, 0);
    HOTPATCH_STATE(${type}, score, 1); HOTPATCH int f(int x) { return x; }`;
  const { status, report } = await both(t, state("int"), state("long"));
  t.is(status, 6);
  t.is(report.refused?.code, "layout-changed");
  const [first, score] = ["first", "score"].map((name) => report.state.find((one) => one.name === name));
  t.deepEqual(first, {
    name: "first",
    status: "changed",
    changes: ["state first: struct node: size 4 -> 8; field v: int at 0 -> long int at 0"],
  });
  t.is(score?.status, "changed");
  t.regex(score?.changes.join("\n") ?? "", /type int -> long, size 4 -> 8/);
});

test("libraries without debug information are unchecked, and C++ ones by their names", async (t) => {
  const code = (n: number) => `HOTPATCH int damage(int x) { return x * ${n}; }`;
  const { status, report } = await both(t, code(1), code(2), ["-s"], "g++");
  t.is(status, 0);
  t.deepEqual(
    report.functions.map(({ check, reason }) => [check, reason]),
    [["mangled", "the running build: it has no debug information: build with -g"]],
  );
});

test("an exported variable of another size is a note: it depends on the host", async (t) => {
  const code = (n: number) => `int arr[${n}]; HOTPATCH int f(int x) { return arr[x]; }`;
  const { status, report } = await both(t, code(4), code(8));
  t.is(status, 0);
  t.regex(report.notes.join("\n"), /exported variable arr: size 16 -> 32: refused if the host links/);
});

test("a file that is not there, or is no library, is exit code 3", async (t) => {
  const shop = new Workshop(t);
  const good = await shop.library("good.so", '#include "hotpatch.h"\nHOTPATCH int f(int x) { return x; }');
  const missing = run(good, shop.path("nothing.so"));
  t.is(missing.status, 3);
  t.regex(missing.stderr, /\[library-not-found\]/);
  const text = run(shop.write("text.so", "this is no library\n".repeat(40)), good);
  t.is(text.status, 3);
  t.regex(text.stderr, /\[artifact-invalid\]/);
  t.is(run(good).status, 2);
});
