/** Every event in words, as --plain prints it. */
import test from "ava";
import { changes, count, eventLines, outcomeText, report, seconds } from "../../../cli/view/event-text.js";
import { SessionEvent } from "../../../schemas/event.js";
import { failed, found, preview, ready, refused, result, started, status, switched } from "../../support/events.js";

type Told = Parameters<typeof eventLines>[0];
const library = "libgame.so";
const problem = {
  code: "load-failed",
  message: "the loader refused it",
  detail: "undefined symbol: x\nin libgame.so",
  hint: "define x",
  running: "generation 1 of libgame.so",
} as const;
const PROBLEM = [
  "the loader refused it [load-failed]",
  "  why: undefined symbol: x",
  "       in libgame.so",
  "  runs now: generation 1 of libgame.so",
  "  to do: define x",
];
const told = (first: string): string[] => [`${first}: ${PROBLEM[0]}`, ...PROBLEM.slice(1)];

const EVENTS: readonly (readonly [SessionEvent, readonly string[]])[] = [
  [started(), ["hotpatch 0.1.0: game (pid 4711), backend python, frida 17.26.2"]],
  [{ type: "target:followed", at: 1, pid: 8, host: "game", from: 7 }, ["following game (pid 8), which pid 7 started"]],
  [{ type: "target:followed", at: 1, pid: 7, host: "game", from: 7 }, ["following game (pid 7), which pid 7 became"]],
  [found(), ["libgame.so: 3 marked functions, from /project/build/libgame.so"]],
  [found(library, 1), ["libgame.so: 1 marked function, from /project/build/libgame.so"]],
  [
    { type: "library:found", at: 1, library, path: "/l", generation: 2, functions: 0, state: 0, buildId: null },
    ["libgame.so: 0 marked functions, from /l, running generation 2"],
  ],
  [ready(), ["ready: edits from now on take effect"]],
  [{ type: "build:started", at: 1, command: "make" }, ["build: make"]],
  [{ type: "build:finished", at: 1, command: "make", ms: 840 }, ["build finished in 840 ms"]],
  ...failed(1, "a.c:1: error: no\na.c:2: error: nor this\n\n")
    .slice(1)
    .map(
      (event) =>
        [
          event,
          [
            "build FAILED with exit code 2 after 310 ms; the target keeps running what it ran",
            "a.c:1: error: no",
            "a.c:2: error: nor this",
          ],
        ] as const,
    ),
  [
    { type: "build:failed", at: 1, command: "make", ms: 1500, exitCode: null, output: "killed" },
    ["build FAILED after 1.50 s; the target keeps running what it ran", "killed"],
  ],
  [
    { type: "artifact:changed", at: 1, library, path: "/l", reason: "changed on disk" },
    ["libgame.so: changed on disk"],
  ],
  [
    { type: "artifact:incomplete", at: 1, library, path: "/l", reason: "cut short" },
    ["libgame.so: incomplete: cut short"],
  ],
  [
    { type: "artifact:unchanged", at: 1, library, path: "/l", reason: "the same bytes" },
    ["libgame.so: unchanged: the same bytes"],
  ],
  [
    { type: "generation:loaded", at: 1, library, generation: 1, path: "/copies/libgame.g1.so", ms: 3.4 },
    ["libgame.so: copy loaded in 3 ms: /copies/libgame.g1.so"],
  ],
  [
    switched(1, [result("a", "switched"), result("b", "unchanged")], 1),
    ["libgame.so: generation 1 runs (was 0; artifact) after 9 ms: 1 switched (a), 1 unchanged"],
  ],
  [
    switched(2, [result("a", "switched", "b is now called c")], 1, { override: "force", why: "rollback" }),
    [
      "libgame.so: generation 2 runs (was 1; rollback, with --force) after 9 ms: 1 switched (a)",
      "  a: b is now called c",
    ],
  ],
  [
    refused([result("a", "refused")], 1),
    [
      "libgame.so: REFUSED: the new build of libgame.so changes the layout of live data [layout-changed]",
      "  why: struct player: health moved from 8 to 16",
      "  runs now: generation 1",
      "  to do: restart the host for this change, or undo it",
    ],
  ],
  [{ type: "target:exited", at: 1, exitCode: 0 }, ["target ended: exit code 0"]],
  [
    { type: "session:ended", at: 1, restored: true, reason: "asked for" },
    ["session ended: asked for; the host's own code was restored"],
  ],
  [
    { type: "session:ended", at: 1, restored: false, reason: "the target ended" },
    ["session ended: the target ended; nothing was restored"],
  ],
  [
    status(["a", "b"], { generation: 1, generations: [0, 1], oldThreads: 2 }),
    [
      "libgame.so: generation 1 of 0, 1",
      "  a: generation 1, 2 threads in an old body",
      "  b: generation 1, 2 threads in an old body",
    ],
  ],
  [status(["a"]), ["libgame.so: generation 0 of 0", "  a: generation 0"]],
  [
    preview(1, [result("a", "switched", "older"), result("b", "missing", "not in it")]),
    ["libgame.so: generation 1 would change: 1 switched (a), 1 missing (b)", "  a: older"],
  ],
  [{ type: "warning", at: 1, ...problem }, told("warning")],
  [{ type: "error", at: 1, library, ...problem }, told("error")],
];

for (const [event, lines] of EVENTS)
  test(`${event.type}: ${lines[0]}`, (t) => {
    t.deepEqual(eventLines(event as Told), [...lines]);
  });

test("every event but the target's output is in the table above", (t) => {
  const types = SessionEvent.options.map((one) => one.shape.type.value).filter((type) => type !== "target:output");
  t.deepEqual(new Set(EVENTS.map(([event]) => event.type)), new Set(types));
});

test("more than four functions of one status are counted, and unchanged ones always", (t) => {
  const all = (names: string, status: Parameters<typeof result>[1]) => [...names].map((name) => result(name, status));
  t.is(changes(all("abcd", "switched")), "4 switched (a, b, c, d)");
  t.is(changes([...all("abcde", "switched"), ...all("x", "unchanged")]), "5 switched, 1 unchanged");
  t.is(
    changes([...all("r", "refused"), ...all("m", "missing"), ...all("n", "new")]),
    "1 new (n), 1 missing (m), 1 refused (r)",
    "in one order, whatever theirs is",
  );
  t.is(changes([]), "");
});

test("a reason that functions share is told once, with unchecked before what rests on nothing", (t) => {
  const loose = (name: string, status: "switched" | "refused") =>
    ({ ...result(name, status, "no debug information"), check: "unchecked" }) as const;
  const lines = eventLines(
    switched(1, [loose("a", "switched"), loose("b", "switched"), loose("c", "refused")], 1) as Told,
  );
  t.deepEqual(lines.slice(1), ["  a, b: unchecked: no debug information", "  c: no debug information"]);
  const many = eventLines(
    switched(
      1,
      [..."abcde"].map((name) => result(name, "switched", "why")),
      1,
    ) as Told,
  );
  t.deepEqual(many.slice(1), ["  5 functions: why"]);
});

test("a target's end is told by its exit code, else its signal, else its reason", (t) => {
  t.is(outcomeText({ exitCode: 3, signal: "SIGTERM" }), "exit code 3");
  t.is(outcomeText({ signal: "SIGSEGV", reason: "crashed" }), "signal SIGSEGV");
  t.is(outcomeText({ reason: "left" }), "left");
  t.is(outcomeText({}), "unknown");
});

test("a report counts generations where it is given a number", (t) => {
  t.is(report({ ...problem, running: 4 })[3], "  runs now: generation 4");
});

test("times and counts", (t) => {
  t.deepEqual([0.4, 999.4, 1000, 61_234].map(seconds), ["0 ms", "999 ms", "1.00 s", "61.23 s"]);
  t.deepEqual(
    [0, 1, 2].map((n) => count(n, "thread")),
    ["0 threads", "1 thread", "2 threads"],
  );
});
