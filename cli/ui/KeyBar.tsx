import { Text } from "ink";
import { toColumns } from "../text/columns.js";
import { printable } from "../text/printable.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import { look } from "./theme.js";
import type { View } from "./view.js";

interface Props {
  readonly state: SessionState;
  readonly view: View;
  readonly columns: number;
  readonly context: Context;
}

/** ms that a warning or an error replaces the keys; the log keeps it. */
export const NOTICE_MS = 5000;

/** The last row: the keys that currently do something. */
export function KeyBar({ state, view, columns, context }: Props) {
  if (view.asks === "keep")
    return (
      <Text wrap="truncate-end" inverse bold>
        {toColumns(
          " leave this generation running and quit? The host's output is lost  y yes  n no",
          columns,
          context.theme.glyphs.ellipsis,
        )}
      </Text>
    );
  const { notice } = state;
  if (notice !== null && context.now - notice.at < NOTICE_MS)
    return (
      <Text wrap="truncate-end" {...look(context.theme, notice.level === "error" ? "bad" : "busy")}>
        {toColumns(` ${context.theme.glyphs.bad} ${printable(notice.text)}`, columns, context.theme.glyphs.ellipsis)}
      </Text>
    );
  const shown: string[] = [];
  let used = 1;
  for (const [key, what] of keysOf(state, view, context)) {
    const text = `${key} ${what}`;
    if (used + text.length > columns) break;
    shown.push(text);
    used += text.length + 2;
  }
  return (
    <Text wrap="truncate-end">
      {shown.map((text) => (
        <Text key={text}>
          {" "}
          <Text bold>{text.slice(0, text.indexOf(" "))}</Text>
          <Text dimColor>{text.slice(text.indexOf(" "))}</Text>{" "}
        </Text>
      ))}
    </Text>
  );
}

type Keys = readonly (readonly [key: string, what: string])[];

/** Most important first: narrow screens show only these. */
function keysOf({ problem }: SessionState, view: View, { arrival, build, theme: { glyphs } }: Context): Keys {
  if (view.focus === "output")
    return [
      ["Esc", "back"],
      ["PgUp", "scroll back"],
      ["Ctrl-C", "quit"],
    ];
  if (view.filtering)
    return [
      ["Enter", "apply"],
      ["Esc", "clear filter"],
      ["Ctrl-U", "clear text"],
    ];
  if (view.rollback !== null)
    return [
      ["Enter", "roll back"],
      [glyphs.sideways, "choose"],
      ["Esc", "cancel"],
    ];
  const main: Keys = [
    ["?", "help"],
    ["q", "quit"],
    ...(build === null ? [] : [["b", "build"] as const]),
    ["u", "rollback"],
    ["r", "restore"],
  ];
  if (view.panel !== "functions") return [["Esc", "functions"], [glyphs.upDown, "scroll"], ...main];
  return [
    ...main,
    ...(problem === null ? [] : [["p", "problem"] as const]),
    ["/", "filter"],
    [glyphs.enter, "details"],
    ...(arrival === "spawn" ? [["o", "output"] as const] : []),
    ["l", "log"],
    ["k", "keep"],
  ];
}
