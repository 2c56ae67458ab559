/** Everything that was said in this session. Pure. */
import type { LogEntry, SessionState } from "../state.js";
import { line } from "../text/lines.js";
import type { Line, Style } from "../text/scrollback.js";
import type { Panel } from "./panels.js";
import { clock } from "./units.js";

const STYLES: Readonly<Record<LogEntry["level"], Style>> = {
  info: {},
  warning: { color: "yellow" },
  error: { color: "red" },
};

export const logLines = ({ log }: SessionState): Panel => ({ title: "log", lines: log.map(entryLine) });

export const entryLine = ({ at, level, text }: LogEntry): Line => [
  { text: `${clock(at)} `, style: { dim: true } },
  ...line(text, STYLES[level]),
];
