/** What keys do. */
import test from "ava";
import { follow } from "../../../cli/ui/press.js";
import { FIRST_VIEW } from "../../../cli/ui/view.js";
import { reduce, type SessionState } from "../../../cli/view/session-state.js";
import { eventful, found, output, play, preview, result, switched } from "../../support/events.js";
import { type } from "../../support/frames.js";

/** The commands that these keys give. */
const commands = (text: string, state: SessionState = eventful(), more: Parameters<typeof type>[3] = {}) =>
  type(text, state, {}, more).actions.map((action) => (action.do === "command" ? action.command : action.do));

const SIMPLE: readonly (readonly [keys: string, what: string, command: unknown])[] = [
  ["b", "build", { command: "build" }],
  ["r", "restore", { command: "rollback", generation: 0 }],
  ["s", "status", { command: "status" }],
  ["q", "end", { command: "end" }],
  ["\x03", "interrupt", "interrupt"],
  ["\x1a", "suspend", "suspend"],
  ["\x0c", "redraw", "redraw"],
];
for (const [keys, what, command] of SIMPLE)
  test(`${JSON.stringify(keys)} asks for ${what}`, (t) => {
    t.deepEqual(commands(keys), [command]);
  });

test("a rollback is chosen from the generations there are, previewed at each step, and done by Enter", (t) => {
  const preview = (generation: number) => ({ command: "preview", generation, library: "libgame.so" });
  t.deepEqual(commands("u\x1b[D\x1b[D\x1b[D\x1b[C\r"), [
    preview(2),
    preview(1),
    preview(0),
    preview(0),
    preview(1),
    { command: "rollback", generation: 1, library: "libgame.so" },
  ]);
});

test("a generation that arrives while a rollback is being chosen leaves the choice, and is asked about anew", (t) => {
  const choosing = { ...FIRST_VIEW, rollback: { library: "libgame.so", generation: 2 }, scroll: 4 };
  const before = eventful();
  const arrived = reduce(before, switched(4, [result("damage", "switched")], 25_000));
  t.deepEqual(follow(choosing, before, arrived), [
    choosing,
    { do: "command", command: { command: "preview", generation: 2, library: "libgame.so" } },
  ]);
  t.deepEqual(follow(choosing, before, reduce(before, output("more\n"))), [choosing]);
  t.deepEqual(follow(FIRST_VIEW, before, arrived), [FIRST_VIEW]);
  // What another library does leaves the answer as it is.
  const answered = play([found("libother.so"), preview(2)], before);
  const elsewhere = reduce(answered, switched(1, [], 26_000, { library: "libother.so", from: 0 }));
  t.is(elsewhere.preview, answered.preview);
  t.deepEqual(follow(choosing, answered, elsewhere), [choosing]);
});

test("a rollback that is left by Esc, or goes to what runs, changes nothing", (t) => {
  for (const keys of ["u\x1b", "u\x1b[C\r"])
    t.false(
      commands(keys).some((command) => typeof command === "object" && command.command === "rollback"),
      keys,
    );
});

test("keeping asks first where the host would lose its terminal", (t) => {
  t.deepEqual(commands("k"), []);
  t.deepEqual(commands("kn"), []);
  t.deepEqual(commands("ky"), [{ command: "end", keep: true }]);
  t.deepEqual(commands("k", eventful(), { arrival: "attach" }), [{ command: "end", keep: true }]);
});

test("a filter takes every character, keys that are commands elsewhere too", (t) => {
  const { view, actions } = type("/qub\x7fé\r", eventful());
  t.is(view.filter, "quré".replace("r", ""));
  t.deepEqual(actions, []);
  t.is(type("/abc\x1b", eventful()).view.filter, "");
  t.is(type("/\x1b[200~spawn\rq\x1b[201~", eventful()).view.filter, "spawn");
});

test("the host gets every key while its output has the keyboard, except Esc, paging, Ctrl-C and Ctrl-Z", (t) => {
  const { view, actions } = type("oq/\r\x1b[A\x1b[200~two\rlines\x1b[201~\x1bb\x1b[5~\x03\x1a", eventful());
  t.deepEqual(
    actions.map((action) => (action.do === "type" ? action.text : action.do)),
    ["q", "/", "\r", "\x1b[A", "two\rlines", "\x1bb", "interrupt", "suspend"],
  );
  t.is(type("\x1b", eventful(), view).view.focus, "main");
});

test("an attached host has its own keyboard", (t) => {
  t.is(type("o", eventful(), {}, { arrival: "attach" }).view.focus, "main");
});

test("looking back at output stands still while more is printed, and follows again at its end", (t) => {
  const state = play([output("line\n".repeat(100))], eventful());
  const back = type("o\x1b[5~\x1b[5~", state).view;
  const top = back.outputTop ?? -1;
  t.true(top >= 0 && top < 80);
  const later = play([output("more\n".repeat(100))], state);
  t.is(type("\x1b[5~\x1b[6~", later, back).view.outputTop, top);
  t.is(type("\x1b[6~".repeat(20), later, back).view.outputTop, null);
});

test("Esc and a key that come as one piece are both taken", (t) => {
  t.is(type("?\x1bl", eventful()).view.panel, "log");
});

test("the chosen function stays chosen when the order of the table changes", (t) => {
  const { view } = type("\x1b[B", eventful());
  t.is(view.chosen, "libgame.so\nold_helper");
  t.is(type("\r", eventful(), view).view.panel, "details");
  t.deepEqual(commands("\r"), [{ command: "status" }], "and its threads are counted");
});

test("each panel's key opens and closes it, Esc goes back to the functions", (t) => {
  for (const [key, panel] of [
    ["?", "help"],
    ["l", "log"],
  ] as const) {
    t.is(type(key, eventful()).view.panel, panel);
    t.is(type(key + key, eventful()).view.panel, "functions");
    t.is(type(`${key}\x1b`, eventful()).view.panel, "functions");
  }
});
