/** Which words of the catalogue a refusal of the agent, or of an artifact's own bytes, comes to. */
import test from "ava";
import type { Change } from "../../../cli/evidence/verdict.js";
import { FollowedLibrary } from "../../../cli/library/library.js";
import {
  agentError,
  changeError,
  lateHook,
  refusedFunctions,
  refusedMark,
  stateError,
  uncalledHook,
} from "../../../cli/session/refusals.js";
import type { AgentFailure, RefusedMark } from "../../../schemas/agent.js";
import type { ErrorCode } from "../../../schemas/error.js";

const library = new FollowedLibrary(
  {
    library: "libgame.so",
    path: "/opt/game/libgame.so",
    openedAs: null,
    base: "0x7f0000000000",
    size: 4096,
    staged: null,
    unstaged: null,
    running: 2,
    generations: [0, 1, 2].map((generation) => ({ generation, path: "", buildId: null, hash: null, functions: 1 })),
    functions: [{ name: "damage", generation: 2 }],
    unmarked: [],
    refused: [],
  },
  "/project/libgame.so",
);

const AGENT: readonly (readonly [AgentFailure["code"], detail: string, ErrorCode, message: RegExp])[] = [
  ["load-failed", "undefined symbol: helper", "load-failed", /loader refused generation 3 of libgame\.so/],
  ["load-failed", "cannot map zero-fill pages", "load-failed", /no room for generation 3/],
  ["load-failed", "failed to map segment from shared object", "load-failed", /no room for generation 3/],
  ["load-failed", "cannot create shared object descriptor: Cannot allocate memory", "load-failed", /no room/],
  ["load-failed", "cannot allocate memory in static TLS block", "load-failed", /loader refused/],
  ["no-room", "no thread could be started", "load-failed", /no room for generation 3/],
  ["load-timeout", "10 s", "load-timeout", /loading generation 3 of libgame\.so timed out/],
  ["hook-timeout", "2 s", "hook-timeout", /hotpatch_before_switch of libgame\.so timed out/],
  ["no-marks", "", "no-marks", /libgame\.so has no marked functions/],
  ["ambiguous-name", "two entries", "ambiguous-name", /a function of libgame\.so/],
  ["entry-too-small", "4 bytes", "entry-too-small", /a function of libgame\.so cannot be patched/],
  ["internal", "it broke", "internal", /generation 3 of libgame\.so could not be adopted/],
  ["no-such-generation", "7", "internal", /generation 3 of libgame\.so could not be adopted/],
];
for (const [code, detail, told, message] of AGENT)
  test(`the agent's ${code} (${detail}) is told as ${told}`, (t) => {
    const report = agentError({ code, detail }, library, 3);
    t.is(report.code, told);
    t.regex(report.message, message);
    t.is(report.running, library.runsText);
  });

const MARKS: readonly (readonly [RefusedMark["code"], ErrorCode, message: RegExp])[] = [
  ["entry-too-small", "entry-too-small", /^damage cannot be patched$/],
  ["entry-unsafe", "entry-unsafe", /^damage cannot be patched without a mark/],
  ["ambiguous-name", "ambiguous-name", /^damage is the name of several functions/],
  ["untrusted-build", "untrusted-build", /^damage cannot be patched as built/],
  ["unknown-version", "artifact-invalid", /^\/opt\/game\/libgame\.so cannot be loaded/],
];
for (const [code, told, message] of MARKS)
  test(`a mark that is refused for ${code} is told as ${told}`, (t) => {
    const report = refusedMark({ name: "damage", code, reason: "why", cure: "build with -O0" }, library);
    t.is(report.code, told);
    t.regex(report.message, message);
    t.is(report.detail, "why");
    if (code === "untrusted-build") t.regex(report.hint, /^build with -O0; /);
  });

test("functions of one untrusted way of building share a report, all others have one each", (t) => {
  const one = (name: string, code: RefusedMark["code"], reason: string): RefusedMark => ({ name, code, reason });
  const reports = refusedFunctions(
    [
      one("a", "untrusted-build", "gcc -O2"),
      one("b", "entry-unsafe", "a loop"),
      one("c", "untrusted-build", "gcc -O2"),
      one("d", "entry-unsafe", "a loop"),
      one("e", "untrusted-build", "Rust"),
    ],
    library,
  );
  t.deepEqual(
    reports.map(({ code, message }) => `${code}: ${message.split(" cannot")[0]}`),
    ["untrusted-build: a, c", "entry-unsafe: b", "entry-unsafe: d", "untrusted-build: e"],
  );
  t.deepEqual(refusedFunctions([], library), []);
});

test("a report names six functions, and counts the others", (t) => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const [report] = refusedFunctions(
    names.map((name) => ({ name, code: "untrusted-build", reason: "gcc -O2" })),
    library,
  );
  t.regex(report?.message ?? "", /^a, b, c, d, e, f and 2 more functions cannot/);
});

test("changes are told once for all functions that share them, and one signature makes it the signatures'", (t) => {
  const layout: Change = { code: "layout-changed", reasons: ["struct s: size 4 -> 8", "struct p: size 8 -> 16"] };
  const signature: Change = { code: "signature-changed", reasons: ["signature: int () -> long ()"] };
  const told = (changes: Record<string, Change>) => changeError(new Map(Object.entries(changes)), library);
  const laidOut = told({ a: layout, b: layout });
  t.is(laidOut.code, "layout-changed");
  t.is(laidOut.detail, "a, b: struct s: size 4 -> 8\n  struct p: size 8 -> 16");
  const both = told({ a: layout, b: signature });
  t.is(both.code, "signature-changed");
  t.is(both.detail.split("\n").at(-1), "b: signature: int () -> long ()");
});

test("live data: two variables of one name, or another layout", (t) => {
  const twice = stateError({ kind: "ambiguous", name: "score" }, [], library);
  t.is(twice.code, "ambiguous-name");
  t.regex(twice.detail, /two variables of libgame\.so/);
  const differences = ["state score: size 4 -> 8", "state lives: type int -> long"];
  const changed = stateError({ kind: "changed", differences }, differences, library);
  t.is(changed.code, "layout-changed");
  t.is(changed.detail, differences.join("\n"));
});

test("an after-hook that is late or was not called leaves the switch done", (t) => {
  const [late, uncalled] = [lateHook(library, 1, 2000), uncalledHook(library, "no thread could be started")];
  t.is(late.code, "hook-timeout");
  t.is(late.detail, "hotpatch_after_switch(1, 2) took longer than 2000 ms; the switch itself is complete");
  t.is(uncalled.detail, "no thread could be started; the switch itself is complete");
  t.regex(uncalled.message, /hotpatch_after_switch of libgame\.so was not called/);
});
