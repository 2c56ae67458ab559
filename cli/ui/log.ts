/** The session's log. Pure. */

import { line } from "../text/lines.js";
import type { Line, Style } from "../text/scrollback.js";
import type { LogEntry, SessionState } from "../view/session-state.js";
import { type Context, nameIn } from "./context.js";
import type { PanelText } from "./panel-text.js";
import { clock } from "./units.js";

const MANGLED = /\b_[ZR]\w+/g;
const STYLES: Readonly<Record<LogEntry["level"], Style>> = {
  info: {},
  warning: { color: "yellow" },
  error: { color: "red" },
};

export const logLines = ({ log }: SessionState, context: Context): PanelText => ({
  title: "log",
  lines: log.map((entry) => entryLine(entry, context)),
});

export const entryLine = ({ at, level, text }: LogEntry, context: Pick<Context, "names">): Line => [
  { text: `${clock(at)} `, style: { dim: true } },
  ...line(
    text.replace(MANGLED, (symbol) => nameIn(context, symbol)),
    STYLES[level],
  ),
];
