/** Builds styled lines and wraps them. Pure. */

import stringWidth from "string-width";
import { graphemesOf } from "./columns.js";
import { printable } from "./printable.js";
import { type Line, type Span, type Style, spansOf } from "./scrollback.js";

const PLAIN: Style = {};

/** Our own text or a file's: control characters are made visible. */
export const line = (text: string, style: Style = PLAIN): Line => [{ text: printable(text), style }];

export const lineWidth = (spans: Line): number => spans.reduce((sum, { text }) => sum + stringWidth(text), 0);

interface Cell extends Span {
  readonly width: number;
}

/** The line in pieces of at most `width` columns each, broken at spaces if possible; styles continue. */
export function wrapLine(spans: Line, width: number): Line[] {
  if (lineWidth(spans) <= width) return [spans];
  const cells = spans.flatMap(({ text, style }) =>
    graphemesOf(text).map((grapheme): Cell => ({ text: grapheme, style, width: stringWidth(grapheme) })),
  );
  const lines: Line[] = [];
  for (let from = 0; from < cells.length; ) {
    const to = breakAfter(cells, from, width);
    lines.push(spansOf(cells.slice(from, to)));
    from = to;
  }
  return lines;
}

/** How far back to look for a space: a longer word is broken itself. */
const LOOK_BACK = 1 / 3;

/** The index of the first cell that goes to the next piece. */
function breakAfter(cells: readonly Cell[], from: number, width: number): number {
  let [end, used] = [from, 0];
  while (end < cells.length && used + (cells[end]?.width ?? 0) <= width) used += cells[end++]?.width ?? 0;
  if (end === cells.length) return end;
  end = Math.max(end, from + 1); // narrower than one grapheme
  for (let at = end; at > end - width * LOOK_BACK && at > from + 1; at--) if (cells[at - 1]?.text === " ") return at;
  return end;
}
