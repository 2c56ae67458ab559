/** What a switch would do to each function, and whether it may: a table of builds and what comes of them. */
import test from "ava";
import type { Verdict } from "../../../cli/evidence/verdict.js";
import { type Code, type Comparing, compare, withPlain } from "../../../cli/steps/compare.js";
import type { RefusedMark } from "../../../schemas/agent.js";

/** Functions with the hash of their code: `a:1 b:1`. */
const code = (text: string): Code =>
  new Map(text.split(" ").map((one): [string, string] => [one.split(":")[0] ?? "", one.split(":")[1] ?? ""]));

const tooSmall = (name: string): RefusedMark => ({ name, code: "entry-too-small", reason: "no entry" });
const same: Verdict = { check: "dwarf", change: null };
const grown: Verdict = {
  check: "dwarf",
  change: { code: "layout-changed", reasons: ["struct s: size 4 -> 8", "more"] },
};
const verdicts = (all: Readonly<Record<string, Verdict>>) => new Map(Object.entries(all));
const PARTIAL = { partial: true, force: false };
const FORCE = { partial: false, force: true };
const BOTH = { partial: true, force: true };

interface Row {
  readonly what: string;
  readonly build: Comparing;
  /** Each function's status, in the order in which they are told. */
  readonly functions: string;
  /** Whether it fits, and by which override. */
  readonly fits: boolean | "partial" | "force";
  readonly lost?: readonly string[];
}

const base = { known: ["a", "b"], before: code("a:1 b:1"), after: code("a:2 b:1") };

const ROWS: readonly Row[] = [
  {
    what: "other code is switched, the same code is unchanged",
    build: base,
    functions: "a switched, b unchanged",
    fits: true,
  },
  {
    what: "where the running file is gone every function counts as switched",
    build: { ...base, before: null },
    functions: "a switched, b switched",
    fits: true,
  },
  {
    what: "a function that no generation had is new, one that is not in the build is missing",
    build: { ...base, after: code("a:1 c:1") },
    functions: "a unchanged, c new, b missing",
    fits: true,
  },
  {
    what: "a build of nothing fits: all keep their bodies",
    build: { ...base, after: new Map() },
    functions: "a missing, b missing",
    fits: true,
  },
  {
    what: "a known function that cannot be patched is lost, and stands against the build",
    build: { ...base, after: code("b:2"), refused: [tooSmall("a")] },
    functions: "b switched, a refused",
    fits: false,
    lost: ["a"],
  },
  {
    what: "one that cannot be patched and was never known stands against nothing",
    build: { ...base, after: code("a:1 b:1"), refused: [tooSmall("c")] },
    functions: "a unchanged, b unchanged, c refused",
    fits: true,
  },
  {
    what: "a refused mark counts as refused although the build has code of it",
    build: { ...base, refused: [tooSmall("a")] },
    functions: "b unchanged, a refused",
    fits: false,
    lost: ["a"],
  },
  {
    what: "lost functions stay behind with --partial",
    build: { ...base, refused: [tooSmall("a")], leniency: PARTIAL },
    functions: "b unchanged, a refused",
    fits: "partial",
    lost: ["a"],
  },
  {
    what: "--force does not help with lost functions",
    build: { ...base, refused: [tooSmall("a")], leniency: FORCE },
    functions: "b unchanged, a refused",
    fits: false,
    lost: ["a"],
  },
  {
    what: "a verdict without a change refuses nothing",
    build: { ...base, verdicts: verdicts({ a: same, b: same }) },
    functions: "a switched, b unchanged",
    fits: true,
  },
  {
    what: "a change refuses its function, and the build, even where the code is the same",
    build: { ...base, verdicts: verdicts({ b: grown }) },
    functions: "a switched, b refused",
    fits: false,
  },
  {
    what: "with --partial the others are switched",
    build: { ...base, verdicts: verdicts({ b: grown }), leniency: PARTIAL },
    functions: "a switched, b refused",
    fits: "partial",
  },
  {
    what: "--partial fits nothing where no function would go",
    build: { ...base, verdicts: verdicts({ a: grown, b: grown }), leniency: PARTIAL },
    functions: "a refused, b refused",
    fits: false,
  },
  {
    what: "with --force what has changed is switched too",
    build: { ...base, verdicts: verdicts({ a: grown }), leniency: FORCE },
    functions: "a switched, b unchanged",
    fits: "force",
  },
  {
    what: "--force comes before --partial",
    build: { ...base, verdicts: verdicts({ a: grown }), leniency: BOTH },
    functions: "a switched, b unchanged",
    fits: "force",
  },
  {
    what: "with both, lost functions stay and what has changed goes",
    build: { ...base, after: code("a:2"), refused: [tooSmall("b")], verdicts: verdicts({ a: grown }), leniency: BOTH },
    functions: "a switched, b refused",
    fits: "partial",
    lost: ["b"],
  },
  {
    what: "leniency that nothing needs is no override",
    build: { ...base, leniency: BOTH },
    functions: "a switched, b unchanged",
    fits: true,
  },
];

for (const { what, build, functions, fits, lost = [] } of ROWS)
  test(what, (t) => {
    const compared = compare(build);
    t.is(compared.functions.map(({ name, status }) => `${name} ${status}`).join(", "), functions);
    t.is(compared.fits, fits !== false);
    t.is(compared.override, typeof fits === "string" ? fits : null);
    t.deepEqual(
      compared.lost.map(({ name }) => name),
      lost,
    );
    const changed = [...(build.verdicts ?? [])].filter(([, { change }]) => change !== null).map(([name]) => name);
    t.deepEqual([...compared.changes.keys()], changed);
  });

test("of what a build does not speak for nothing is said: it is untouched, not missing", (t) => {
  const build = { known: ["a", "b", "c"], before: null, after: new Map([["a", "1"]]) };
  const named = (scope: ReadonlySet<string> | null) => compare({ ...build, scope }).functions.map(({ name }) => name);
  t.deepEqual(named(new Set(["a", "b"])), ["a", "b"]);
  t.deepEqual(named(null), ["a", "b", "c"]);
});

test("a result says on what it rests, and the first of change, remarks and reason", (t) => {
  const { functions } = compare({
    known: ["changed", "remarked", "told", "_ZN1sEv", "gone", "_ZN4goneEv"],
    before: new Map(),
    after: code("changed:1 remarked:1 told:1 _ZN1sEv:1 fresh:1 small:1"),
    refused: [tooSmall("small")],
    verdicts: verdicts({
      changed: { ...grown, remarks: ["a remark"], reason: "a reason" },
      remarked: { ...same, remarks: ["x is now called y", "other"], reason: "a reason" },
      told: { check: "unchecked", change: null, remarks: [], reason: "no debug information" },
      fresh: { ...same, remarks: ["nobody relies on it yet"] },
    }),
  });
  const kept = "not in this build: it keeps its old body";
  t.deepEqual(functions, [
    { name: "changed", status: "refused", check: "dwarf", reason: "struct s: size 4 -> 8; more" },
    { name: "remarked", status: "switched", check: "dwarf", reason: "x is now called y; other" },
    { name: "told", status: "switched", check: "unchecked", reason: "no debug information" },
    { name: "_ZN1sEv", status: "switched", check: "mangled" },
    { name: "fresh", status: "new", check: "dwarf" },
    { name: "small", status: "refused", check: "unchecked", reason: "no entry" },
    { name: "gone", status: "missing", check: "unchecked", reason: kept },
    { name: "_ZN4goneEv", status: "missing", check: "mangled", reason: kept },
  ]);
});

test("functions at whose start no jump can stand say so, behind what is told of them already", (t) => {
  const results = compare({ ...base, verdicts: verdicts({ b: { ...same, remarks: ["a remark"] } }) }).functions;
  const plain: RefusedMark[] = ["a", "b"].map((name) => ({ name, code: "entry-unsafe", reason: "a loop leads there" }));
  const within = "a loop leads there; calls from within this generation stay in it";
  t.deepEqual(
    withPlain(results, plain).map(({ reason }) => reason),
    [within, `a remark; ${within}`],
  );
  t.deepEqual(withPlain(results, []), results);
});
