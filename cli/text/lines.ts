/** Lines put together from pieces and made to fit. Pure. */
import { printable } from "../wording.js";
import type { Line, Span, Style } from "./scrollback.js";
import { graphemeWidth, split, textWidth } from "./width.js";

const PLAIN: Style = {};

/** Text of our own or of a file: what a terminal could act on is made visible. */
export const line = (text: string, style: Style = PLAIN): Line => [{ text: printable(text), style }];

export const lineWidth = (spans: Line): number => spans.reduce((sum, { text }) => sum + textWidth(text), 0);

/** The line in pieces of at most `width` columns each; styles go on. */
export function wrapLine(spans: Line, width: number): Line[] {
  if (lineWidth(spans) <= width) return [spans];
  const lines: Span[][] = [[]];
  let used = 0;
  for (const { text, style } of spans) {
    let piece = "";
    for (const grapheme of split(text)) {
      const columns = graphemeWidth(grapheme);
      if (used + columns > width && used > 0) {
        lines.at(-1)?.push({ text: piece, style });
        lines.push([]);
        piece = "";
        used = 0;
      }
      piece += grapheme;
      used += columns;
    }
    if (piece !== "") lines.at(-1)?.push({ text: piece, style });
  }
  return lines;
}
