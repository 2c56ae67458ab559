/** What a key does: press(view, key) gives the next view and the actions to take. Pure. */
import type { Command } from "../../schemas/command.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import type { Key } from "./keys.js";
import { outputWindow } from "./output.js";
import type { Size } from "./painter.js";
import { panelLines } from "./panels.js";
import { indexIn, libraryOf, type Row, rowsOf } from "./rows.js";
import { layoutOf, type ScreenLayout } from "./screen-layout.js";
import type { Panel, View } from "./view.js";

export type Action =
  | { readonly do: "command"; readonly command: Command }
  | { readonly do: "type"; readonly text: string }
  /** Like SIGINT: once ends the session, twice quits. */
  | { readonly do: "interrupt" }
  | { readonly do: "suspend" }
  | { readonly do: "redraw" };

type Pressed = readonly [View, ...Action[]];

/** Everything a key may depend on. */
interface At {
  readonly view: View;
  readonly state: SessionState;
  readonly context: Context;
  readonly layout: ScreenLayout;
  readonly rows: readonly Row[];
}

/** The scroll position of a log that follows its newest entries. */
const AT_END = Number.MAX_SAFE_INTEGER;

const command = (command: Command): Action => ({ do: "command", command });

export function press(view: View, key: Key, state: SessionState, context: Context, size: Size): Pressed {
  const rows = rowsOf(state, view.filter, context.names);
  const at: At = { view, state, context, rows, layout: layoutOf(size, view, state.libraries.length, rows.length) };
  if (key.name === "ctrl-c") return [{ ...view, ending: true }, { do: "interrupt" }];
  if (key.name === "ctrl-z") return [view, { do: "suspend" }];
  if (view.focus === "output") return typed(at, key);
  if (key.name.startsWith("alt-")) return twice(at, key, size);
  if (key.name === "ctrl-l") return [view, { do: "redraw" }];
  if (view.asks === "keep")
    return /^y$/i.test(key.name)
      ? [{ ...view, asks: null, ending: true }, command({ command: "end", keep: true })]
      : [{ ...view, asks: null }];
  if (view.filtering) return filtered(at, key);
  if (view.rollback !== null) return choosing(at, key);
  return moved(at, key) ?? chosen(at, key);
}

/** Esc and another key in one piece: Alt has no meaning here, and a burst of keys must not lose its Esc. */
function twice({ view, state, context }: At, { raw }: Key, size: Size): Pressed {
  const [first, ...actions] = press(view, { name: "esc", raw: "\x1b" }, state, context, size);
  const [second, ...more] = press(first, { name: raw.slice(1), raw: raw.slice(1) }, state, context, size);
  return [second, ...actions, ...more];
}

/**
 * Adapts the view to a change of the session's state: leaves panels that no longer apply, and requests outdated answers
 * again.
 */
export function follow(view: View, before: SessionState, state: SessionState): Pressed {
  if (state.problem !== before.problem) {
    if (state.problem !== null) return [{ ...view, panel: "problem", scroll: 0, rollback: null }];
    if (view.panel === "problem") return [{ ...view, panel: "functions", scroll: 0 }];
  }
  // What a rollback would change depends on what runs.
  const { rollback } = view;
  if (rollback !== null && runningOf(before, rollback.library) !== runningOf(state, rollback.library)) {
    const [asking, ...questions] = asksWhat(view, rollback.library, rollback.generation);
    return [{ ...asking, scroll: view.scroll }, ...questions];
  }
  return [view];
}

const runningOf = (state: SessionState, name: string): number | undefined =>
  state.libraries.find((library) => library.name === name)?.running;

// Moving --------------------------------------------------------------------------------------------------------------

const STEP: Readonly<Record<string, (page: number) => number>> = {
  up: () => -1,
  down: () => 1,
  pageup: (page) => -page,
  pagedown: (page) => page,
  home: () => Number.NEGATIVE_INFINITY,
  end: () => Number.POSITIVE_INFINITY,
};
const clamp = (n: number, high: number): number => Math.max(0, Math.min(n, high));

function moved({ view, state, context, layout, rows }: At, { name }: Key): Pressed | null {
  const step = STEP[name];
  if (step === undefined) return null;
  const page = Math.max(1, layout.main - (view.panel === "functions" ? 2 : 1));
  if (view.panel !== "functions") {
    const end = Math.max(0, panelLines(state, view, context, layout.columns).length - page);
    const scroll = clamp(Math.min(view.scroll, end) + step(page), end);
    return [{ ...view, scroll: scroll === end && view.panel === "log" ? AT_END : scroll }];
  }
  const index = clamp(indexIn(rows, view.chosen) + step(page), rows.length - 1);
  return [showing({ ...view, chosen: rows[index]?.key ?? null }, index, page)];
}

/** Scrolls the table so that row `index` is visible. */
const showing = (view: View, index: number, page: number): View => ({
  ...view,
  top: Math.max(index - page + 1, Math.min(view.top, index)),
});

// Typing --------------------------------------------------------------------------------------------------------------

/** The host has the keyboard: everything except Esc and paging goes to it. */
function typed({ view, state, layout }: At, key: Key): Pressed {
  if (key.name === "esc") return [{ ...view, focus: "main", outputTop: null }];
  const page = Math.max(1, layout.lower - 1);
  const { first, total } = outputWindow(state.output, view.outputTop, page);
  if (key.name === "pageup")
    return [{ ...view, outputTop: Math.max(total - state.output.lines.length, first - page, 0) }];
  if (key.name === "pagedown") return [{ ...view, outputTop: first + 2 * page >= total ? null : first + page }];
  return [
    { ...view, outputTop: null },
    { do: "type", text: key.raw },
  ];
}

function filtered({ view }: At, key: Key): Pressed {
  const to = (filter: string): Pressed => [{ ...view, filter, chosen: null, top: 0 }];
  if (key.name === "esc") return [{ ...view, filtering: false, filter: "", chosen: null, top: 0 }];
  if (key.name === "enter") return [{ ...view, filtering: false }];
  if (key.name === "backspace") return to([...view.filter].slice(0, -1).join(""));
  if (key.name === "ctrl-u") return to("");
  if (key.name === "paste") return to(view.filter + (key.raw.split(/[\r\n]/)[0] ?? ""));
  if ([...key.name].length === 1) return to(view.filter + key.name);
  return [view];
}

// Rolling back --------------------------------------------------------------------------------------------------------

function choosing({ view, state }: At, { name }: Key): Pressed {
  const library = state.libraries.find((l) => l.name === view.rollback?.library);
  if (view.rollback === null || library === undefined || name === "esc" || name === "u")
    return [{ ...view, rollback: null, scroll: 0 }];
  const { generation } = view.rollback;
  if (name === "enter" && generation === library.running) return [{ ...view, rollback: null, scroll: 0 }];
  if (name === "enter")
    return [
      { ...view, rollback: null, scroll: 0 },
      command({ command: "rollback", generation, library: library.name }),
    ];
  const index = library.generations.indexOf(generation);
  const step = { left: -1, right: 1, up: -1, down: 1, home: -Infinity, end: Infinity }[name];
  if (step === undefined) return [view];
  const next = library.generations[clamp(index + step, library.generations.length - 1)] ?? generation;
  return asksWhat(view, library.name, next);
}

/** Selects a rollback target, and requests its preview. */
const asksWhat = (view: View, library: string, generation: number): Pressed => [
  { ...view, rollback: { library, generation }, scroll: 0 },
  command({ command: "preview", generation, library }),
];

// Commands ------------------------------------------------------------------------------------------------------------

const COMMANDS: Readonly<Record<string, (at: At) => Pressed>> = {
  b: ({ view }) => [view, command({ command: "build" })],
  u: askForOlder,
  r: ({ view, state }) =>
    state.libraries.every((l) => l.running === 0) ? [view] : [view, command({ command: "rollback", generation: 0 })],
  "/": ({ view }) => [{ ...view, panel: "functions", filtering: true }],
  enter: showDetails,
  s: ({ view }) => [view, command({ command: "status" })],
  o: ({ view, context }) => (context.arrival === "spawn" ? [{ ...view, focus: "output" }] : [view]),
  l: ({ view }) => [{ ...toggled(view, "log"), scroll: AT_END }],
  p: ({ view, state }) => (state.problem === null ? [view] : [toggled(view, "problem")]),
  "?": ({ view }) => [toggled(view, "help")],
  k: ({ view, context }) =>
    context.arrival === "spawn"
      ? [{ ...view, asks: "keep" }]
      : [{ ...view, ending: true }, command({ command: "end", keep: true })],
  q: ({ view }) => [{ ...view, ending: true }, command({ command: "end" })],
  esc: ({ view }) =>
    view.panel === "functions"
      ? [{ ...view, filter: "", chosen: view.filter === "" ? view.chosen : null, top: 0 }]
      : [{ ...view, panel: "functions", scroll: 0 }],
};

const chosen = (at: At, { name }: Key): Pressed => COMMANDS[name]?.(at) ?? [at.view];

/** A panel's key opens it, and closes it again. */
const toggled = (view: View, panel: Panel): View => ({
  ...view,
  panel: view.panel === panel ? "functions" : panel,
  scroll: 0,
});

function askForOlder({ view, state, rows }: At): Pressed {
  const library = libraryOf(state, rows, view.chosen);
  if (library === undefined) return [view];
  const older = library.generations.filter((g) => g < library.running).at(-1);
  return asksWhat(view, library.name, older ?? library.generations.at(-1) ?? library.running);
}

function showDetails({ view, rows }: At): Pressed {
  if (view.panel !== "functions" || rows.length === 0) return [view];
  return [
    { ...toggled(view, "details"), chosen: rows[indexIn(rows, view.chosen)]?.key ?? null },
    command({ command: "status" }),
  ];
}
