import { Box } from "ink";
import { wrapLine } from "../text/lines.js";
import type { Line } from "../text/scrollback.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import { entryLine } from "./log.js";
import { outputWindow } from "./output.js";
import { Rule } from "./Rule.js";
import { StyledLine } from "./StyledLine.js";

interface Props {
  readonly state: SessionState;
  /** Number of the first output line to show; null: the newest. */
  readonly top: number | null;
  readonly typing: boolean;
  readonly rows: number;
  readonly columns: number;
  readonly context: Context;
}

/** The output of a spawned host; an attached one has its own terminal, so the newest log entries are shown instead. */
export function LowerPane(props: Props) {
  const { rows, columns, typing, context } = props;
  if (rows <= 0) return null;
  const { title, note, lines } = context.arrival === "spawn" ? output(props) : log(props);
  return (
    <Box flexDirection="column" height={rows}>
      <Rule title={title} note={note} columns={columns} active={typing} theme={context.theme} />
      {lines.map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is a place; lines that move up are cheaper as new texts
        <StyledLine key={i} line={line} theme={context.theme} />
      ))}
    </Box>
  );
}

interface Shown {
  readonly title: string;
  readonly note: string;
  readonly lines: readonly Line[];
}

const CURSOR = { text: " ", style: { inverse: true } } as const;

function output({ state, top, typing, rows, columns }: Props): Shown {
  const page = rows - 1;
  const { lines, first, total } = outputWindow(state.output, top, page);
  const back = total - first - lines.length;
  const shown = [...lines];
  if (typing && back === 0) shown.push([...(state.output.current.length > 0 ? (shown.pop() ?? []) : []), CURSOR]);
  // Old lines are truncated while scrolling back; the newest are wrapped, so that nothing is lost.
  const fitted = shown.flatMap((line) => wrapLine(line, columns - 1).slice(0, back > 0 ? 1 : undefined));
  return {
    title: typing ? "output: keys go to the host, Esc returns" : "output",
    note: back > 0 ? `${back} newer lines below` : "",
    lines: fitted.slice(-page),
  };
}

function log({ state, rows, columns, context }: Props): Shown {
  const entries = state.log.slice(-Math.max(1, rows - 1));
  return {
    title: "log",
    note: "",
    lines: entries.map((entry) => wrapLine(entryLine(entry, context), columns - 1)[0] ?? []),
  };
}
