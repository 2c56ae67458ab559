import { Box } from "ink";
import type { Line } from "../text/scrollback.js";
import { Rule } from "./Rule.js";
import { StyledLine } from "./StyledLine.js";
import type { Theme } from "./theme.js";

interface Props {
  readonly title: string;
  /** Already wrapped. */
  readonly lines: readonly Line[];
  /** First line to show; beyond the end: the last ones. */
  readonly scroll: number;
  /** Available rows, including the title's. */
  readonly rows: number;
  readonly columns: number;
  readonly theme: Theme;
}

/** A scrollable view of lines of text. */
export function TextPanel({ title, lines, scroll, rows, columns, theme }: Props) {
  const page = Math.max(0, rows - 1);
  const first = Math.max(0, Math.min(scroll, lines.length - page));
  const hidden = lines.length > page;
  const note = hidden ? `${first + 1}-${Math.min(lines.length, first + page)} of ${lines.length}` : "";
  return (
    <Box flexDirection="column" height={rows}>
      <Rule title={title} note={note} columns={columns} active theme={theme} />
      {lines.slice(first, first + page).map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is a place on the screen
        <StyledLine key={i} line={line} theme={theme} />
      ))}
    </Box>
  );
}
