/** Every state of the screen as a frame. */
import test from "ava";
import stringWidth from "string-width";
import { follow } from "../../../cli/ui/press.js";
import { themeOf } from "../../../cli/ui/theme.js";
import { FIRST_VIEW, type View } from "../../../cli/ui/view.js";
import { reduce, type SessionState, START } from "../../../cli/view/session-state.js";
import {
  built,
  eventful,
  failed,
  found,
  output,
  play,
  ready,
  refused,
  result,
  started,
  status,
  switched,
} from "../../support/events.js";
import { frame, SIZE, type } from "../../support/frames.js";

const begun = () => play([started(), found(), ready(), status(["damage", "spawn_wave", "old_helper"])]);
const text = (rows: readonly string[]) => rows.join("\n");

test("a session in which much has happened says what runs, whether the last save arrived, and what each build became", (t) => {
  t.deepEqual(frame(eventful()), [
    " hotpatch  game (pid 4711)  running 00:00:22                     generation 3 ●",
    " libgame.so   3 functions   for 2 s   build 840 ms   live 9 ms after the build",
    " ✓ the last save is live, 2 s ago: 9 ms after the build",
    "─ functions 3 ──────────────────────────────────────────────────────────────────",
    "  FUNCTION                                    GEN  STATUS     CHECK       SINCE",
    "› damage                                        3  switched   dwarf         2 s",
    "  old_helper                                    1  missing    dwarf        10 s",
    "  spawn_wave                                    3  unchanged  dwarf         2 s",
    " GENERATIONS  0 · 1 ✓ · ✗build · 2 ✓ · ✗layout-changed · [3 ✓]  ▄✗█▄▄ build time",
    "─ output ───────────────────────────────────────────────────────────────────────",
    " score 120",
    " score 121",
    ...Array<string>(11).fill(""),
    " ? help  q quit  b build  u rollback  r restore  / filter  ↵ details  o output",
  ]);
});

test("while the tool arrives the screen says at what, and for how long", (t) => {
  const rows = frame(START, {}, SIZE, { now: 1234, arrival: "attach", wanted: "game" });
  t.regex(rows[0] ?? "", /^ hotpatch {2}attaching to game/);
  t.regex(text(rows), /1\.23 s/);
});

test("before the first save it says what is watched", (t) => {
  t.regex(text(frame(begun())), /no save yet: watching src/);
  t.regex(text(frame(begun(), {}, SIZE, { build: null, watched: "libgame.so" })), /no save yet: following libgame\.so/);
  t.regex(text(frame(play([started(), ready()]))), /no marked library loaded yet/);
});

test("a build that runs shows for how long", (t) => {
  const building = reduce(begun(), { type: "build:started", at: 21_500, command: "make" });
  t.regex(text(frame(building)), /building, 1\.50 s: make/);
});

/** As the screen itself does: the view follows what the session says. */
const followed = (before: SessionState, state: SessionState): View => follow(FIRST_VIEW, before, state)[0];

test("a failed build shows the compiler's own lines, and the header what keeps running", (t) => {
  const before = play([...built(2000), switched(1, [result("damage", "switched")], 2010)], begun());
  const said =
    "game.c: In function 'damage':\ngame.c:12:14: \x1b[31merror:\x1b[0m expected expression\n   12 |   return +;\n";
  const state = play(failed(3000, said), before);
  const rows = frame(state, followed(before, state));
  t.regex(rows[0] ?? "", /generation 1 ●/);
  t.is(rows[2], " ✗ build failed; generation 1 keeps running: game.c:12:14: error: expected expr…");
  t.regex(rows[3] ?? "", /build failed: make \(exit code 2, 310 ms\)/);
  t.deepEqual(rows.slice(4, 7), [
    " game.c: In function 'damage':",
    " game.c:12:14: error: expected expression",
    "    12 |   return +;",
  ]);
  const rebuilt = play(built(5000), state);
  t.is(follow(followed(before, state), state, rebuilt)[0].panel, "functions", "until a build succeeds");
});

test("a refused build shows what was attempted, why for each function, what runs now, and what to do", (t) => {
  const before = play([...built(2000), switched(1, [result("damage", "switched")], 2010)], begun());
  const state = play(
    [...built(3000), refused([result("damage", "refused", "struct player: health moved")], 3010)],
    before,
  );
  const shown = text(frame(state, followed(before, state)));
  for (const part of [
    /changes the layout of live data \[layout-changed\]/,
    /why: struct player: health moved from 8 to 16/,
    /runs now: generation 1/,
    /to do: restart the host/,
    /damage\n\s+struct player: health moved/,
  ])
    t.regex(shown, part);
});

test("details of a function: names, source, history, reason and threads", (t) => {
  const names = new Map([["_ZN4game6damageEi", "game::damage(int)"]]);
  const symbol = "_ZN4game6damageEi";
  const base = play([started(), found(), ready(), status([symbol], { oldThreads: 2 })]);
  const state = play(
    [
      ...built(2000),
      switched(1, [result(symbol, "switched")], 2010),
      ...built(3000),
      refused([result(symbol, "refused", "parameter 1: int became long")], 3010),
      status([symbol], { generation: 1, generations: [0, 1], oldThreads: 2 }),
    ],
    base,
  );
  const rows = frame(state, { panel: "details", chosen: `libgame.so\n${symbol}` }, SIZE, { names });
  const shown = text(rows);
  for (const part of [
    /─ game::damage\(int\) ─/,
    /symbol +_ZN4game6damageEi/,
    /runs +1, refused/,
    /why +parameter 1: int became long/,
    /at most 2 threads still inside/,
    /refused \[layout-changed\]: parameter 1/,
    /1 {2}switched/,
    /0 {2}found/,
  ])
    t.regex(shown, part);
});

test("a source file and line is shown where it is known", (t) => {
  const event = status(["damage"]);
  if (event.type !== "status") return t.fail();
  const [library] = event.libraries;
  const functions = library?.functions.map((f) => ({ ...f, source: "game.c:12" })) ?? [];
  const state = play([
    started(),
    found(),
    { ...event, libraries: library === undefined ? [] : [{ ...library, functions }] },
  ]);
  t.regex(text(frame(state, { panel: "details", chosen: "libgame.so\ndamage" })), /source +game\.c:12/);
});

test("a rollback shows what it would change before it does", (t) => {
  const state = reduce(eventful(), {
    type: "preview",
    at: 1,
    library: "libgame.so",
    generation: 1,
    from: 3,
    functions: [result("damage", "switched"), result("spawn_wave", "unchanged"), result("old_helper", "new")],
  });
  const shown = text(frame(state, { rollback: { library: "libgame.so", generation: 1 } }));
  t.regex(shown, /roll libgame\.so back to 1/);
  t.regex(shown, /2 functions would change, 1 would run the same code/);
  t.regex(shown, /switched +damage\n/);
  t.regex(text(frame(state, { rollback: { library: "libgame.so", generation: 3 } })), /running now/);
});

test("after a rollback and a restore the screen says so", (t) => {
  const back = reduce(eventful(), switched(1, [result("damage", "switched")], 22_000, { why: "rollback", from: 3 }));
  t.regex(text(frame(back)), /rolled back to generation 1, 1 s ago/);
  t.regex(text(frame(back)), /0 · \[1 ✓\] · ✗build · 2 ✓/);
  const restored = reduce(back, switched(0, [result("damage", "switched")], 22_500, { why: "restore", from: 1 }));
  t.regex(text(frame(restored)), /restored just now: the host runs its own code/);
});

test("help lists the keys, and what the words in the table mean", (t) => {
  const shown = text(frame(begun(), { panel: "help" }, { columns: 100, rows: 40 }));
  for (const part of [/u +roll back/, /Ctrl-Z/, /missing +not in this build/]) t.regex(shown, part);
});

test("the log shows everything that was said, with its time", (t) => {
  const shown = text(frame(eventful(), { panel: "log", scroll: Number.MAX_SAFE_INTEGER }));
  t.regex(shown, /00:00:20 libgame\.so: generation 3 runs \(was 2; artifact\)/);
});

test("several libraries have a line each with its own generation, and those that do not fit are counted", (t) => {
  const state = play(
    ["libone.so", "libtwo.so", "libthree.so", "libfour.so"].flatMap((name) => [
      found(name),
      status(["f"], { library: name }),
    ]),
    play([started()]),
  );
  const rows = frame(state);
  t.regex(rows[1] ?? "", /libone\.so {3}generation 0/);
  t.regex(rows[3] ?? "", /and 2 more libraries/);
});

test("a warning or an error that is about no save stands where the keys are for a moment, then in the log", (t) => {
  const said = {
    code: "bad-command",
    message: "cannot execute the command",
    detail: "no --build",
    hint: "h",
    running: "r",
  } as const;
  const state = reduce(begun(), { type: "error", at: 22_000, ...said });
  t.is(frame(state).at(-1), " ✗ cannot execute the command: no --build");
  t.regex(frame(state, {}, SIZE, { now: 28_000 }).at(-1) ?? "", /\? help/);
  t.regex(text(frame(state, { panel: "log" })), /cannot execute the command \[bad-command\]/);
});

test("symbols in the log are shown as their authors wrote them", (t) => {
  const state = play([...built(2000), switched(1, [result("_Z3fooi", "switched")], 2010)], begun());
  t.regex(
    text(frame(state, { panel: "log" }, SIZE, { names: new Map([["_Z3fooi", "foo(int)"]]) })),
    /1\s+switched\s+\(foo\(int\)\)/,
  );
});

test("the filter shows how many of all functions are left", (t) => {
  t.regex(text(frame(eventful(), { filter: "da", filtering: true })), /functions 1 of 3 \/ da_/);
});

test("an attached host has its own terminal: the log's newest lines stand where output would", (t) => {
  const shown = text(frame(begun(), {}, SIZE, { arrival: "attach" }));
  t.regex(shown, /─ log ─/);
  t.notRegex(shown, /o output/);
});

test("the output wraps its newest lines and cuts what is looked back at", (t) => {
  const state = reduce(begun(), output(`${"x".repeat(100)}\n`));
  const rows = frame(state);
  t.true(rows.includes(` ${"x".repeat(79)}`) && rows.includes(` ${"x".repeat(21)}`));
});

test("the output that is typed into has a cursor and says how to get out", (t) => {
  const rows = frame(reduce(begun(), output("name? ")), { focus: "output" });
  t.true(rows.some((row) => row.includes("keys go to the host, Esc returns")));
  t.true(rows.some((row) => row.startsWith(" name?")));
});

test("keeping a spawned host's generation asks first, an attached one's does not", (t) => {
  t.regex(frame(begun(), { asks: "keep" }).at(-1) ?? "", /leave this generation running and quit\?.* y yes/);
});

const SIZES = [
  [40, 10],
  [59, 15],
  [60, 14],
  [60, 15],
  [80, 24],
  [100, 50],
] as const;
const STATES: readonly (readonly [string, SessionState])[] = [
  ["at the start", START],
  ["begun", begun()],
  ["eventful", eventful()],
  [
    "wide",
    play([
      started(),
      { ...found("libゲーム🚀.so"), path: "/漢字" } as ReturnType<typeof found>,
      status(["関数::攻撃(プレイヤー&)🚀", `${"長い名前".repeat(40)}`], { library: "libゲーム🚀.so" }),
      output(`${"漢字🚀".repeat(60)}\n👩‍👩‍👧‍👦 e\u0301\n`),
      ...failed(900, `${"エラー🚀 error: ".repeat(30)}\n`),
    ]),
  ],
];
const VIEWS: readonly Partial<View>[] = [
  {},
  { focus: "output" },
  { panel: "problem" },
  { panel: "log" },
  { panel: "help", scroll: 1000 },
  { panel: "details", chosen: "libgame.so\ndamage" },
  { rollback: { library: "libgame.so", generation: 1 } },
  { filtering: true, filter: "攻撃" },
  { asks: "keep" },
  { ending: true },
];
for (const [columns, rows] of SIZES)
  test(`at ${columns}x${rows} no view of any state is larger than the screen`, (t) => {
    for (const [name, state] of STATES)
      for (const view of VIEWS) {
        const shown = frame(state, view, { columns, rows });
        const what = `${name} ${JSON.stringify(view)}`;
        t.is(shown.length, rows, what);
        for (const row of shown) t.true(stringWidth(row) <= columns, `${what}: ${row}`);
      }
  });

test("a terminal too small for anything still gets a frame", (t) => {
  for (const [columns, rows] of [
    [1, 1],
    [5, 2],
    [20, 5],
  ] as const)
    for (const [, state] of STATES) for (const view of VIEWS) t.true(frame(state, view, { columns, rows }).length > 0);
});

test("below 60x15 what runs, the last save and the functions are still there", (t) => {
  const shown = text(frame(eventful(), {}, { columns: 40, rows: 10 }));
  for (const part of [/game 4711 +generation 3/, /✓ the last save is live/, /damage +3 {2}switched/])
    t.regex(shown, part);
});

test("a terminal without UTF-8 gets signs of ASCII only", (t) => {
  const theme = themeOf({ LANG: "C", TERM: "vt100" });
  for (const view of VIEWS.filter((v) => v.filter === undefined))
    t.regex(text(frame(eventful(), view, SIZE, { theme })), /^[\x20-\x7e\n]*$/);
});

test("no control character of a name, a path, a message or the output is in a frame", (t) => {
  const bad = "x\x1b[2J\x07\x9b1m\u202ey";
  const state = play([
    { ...started(), host: `${bad}` } as ReturnType<typeof started>,
    found(bad),
    status([bad], { library: bad }),
    output(`${bad}\n${bad}`),
    ...failed(900, bad),
    refused([result(bad, "refused", bad)], 950, bad),
  ]);
  for (const view of VIEWS)
    t.notRegex(
      text(
        frame(state, { ...view, ...(view.panel === "details" && { chosen: `${bad}\n${bad}` }) }, SIZE, {
          wanted: bad,
          watched: bad,
          build: bad,
        }),
      ),
      /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/,
    );
});

test("10,000 functions scroll: the chosen one stays in sight", (t) => {
  const names = Array.from({ length: 10_000 }, (_, i) => `f${String(i).padStart(5, "0")}`);
  const state = play([started(), found("libgame.so", 10_000), status(names)]);
  const end = type("\x1b[F", state);
  t.regex(text(frame(state, end.view)), /› f09999/);
  const up = type("\x1b[5~\x1b[A", state, end.view);
  t.regex(text(frame(state, up.view)), /› f0998\d/);
  t.regex(text(frame(state, type("/77\r\x1b[B", state).view)), /functions 280 of 10000/);
});
