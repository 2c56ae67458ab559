/** A state of the screen as the text of its frame. */
import { render } from "ink-testing-library";
import { createElement } from "react";
import { App } from "../../cli/ui/App.js";
import type { Context } from "../../cli/ui/context.js";
import type { Key } from "../../cli/ui/keys.js";
import { splitKeys } from "../../cli/ui/keys.js";
import type { Size } from "../../cli/ui/painter.js";
import { type Action, press } from "../../cli/ui/press.js";
import { themeOf } from "../../cli/ui/theme.js";
import { FIRST_VIEW, type View } from "../../cli/ui/view.js";
import type { SessionState } from "../../cli/view/session-state.js";

export const SIZE: Size = { columns: 80, rows: 24 };

const context = (more: Partial<Context> = {}): Context => ({
  arrival: "spawn",
  wanted: "game",
  build: "make",
  watched: "src",
  theme: themeOf({ LANG: "C.UTF-8", TERM: "xterm" }),
  names: new Map(),
  now: 23_000,
  ...more,
});

/** The rows of the frame, without colours: tests run without a terminal. */
export function frame(
  state: SessionState,
  view: Partial<View> = {},
  size: Size = SIZE,
  more: Partial<Context> = {},
): string[] {
  const props = { state, view: { ...FIRST_VIEW, ...view }, size, context: context(more) };
  const { lastFrame, unmount } = render(createElement(App, props));
  const text = lastFrame() ?? "";
  unmount();
  return text.split("\n");
}

/** Presses the keys encoded by `text`, one after another. */
export function type(
  text: string,
  state: SessionState,
  from: Partial<View> = {},
  more: Partial<Context> = {},
  size: Size = SIZE,
): { view: View; actions: Action[] } {
  let view: View = { ...FIRST_VIEW, ...from };
  const actions: Action[] = [];
  const { keys, rest } = splitKeys(text);
  const all: Key[] = rest === "" ? keys : [...keys, { name: "esc", raw: rest }];
  for (const key of all) {
    const [next, ...did] = press(view, key, state, context(more), size);
    view = next;
    actions.push(...did);
  }
  return { view, actions };
}
