/** Which lines of the host's output are shown. Pure. */
import { allLines, type Line, type Scrollback } from "../text/scrollback.js";

export interface OutputWindow {
  readonly lines: readonly Line[];
  /** Number of the first line shown, counted from the first ever printed. */
  readonly first: number;
  /** Number of lines, including the unfinished one. */
  readonly total: number;
}

/** @param top number of the first line to show; null: the newest lines */
export function outputWindow(output: Scrollback, top: number | null, rows: number): OutputWindow {
  const lines = allLines(output);
  const total = output.total + (lines.length - output.lines.length);
  const oldest = total - lines.length;
  const newest = Math.max(oldest, total - rows);
  const first = top === null ? newest : Math.max(oldest, Math.min(top, newest));
  return { lines: lines.slice(first - oldest, first - oldest + rows), first, total };
}
