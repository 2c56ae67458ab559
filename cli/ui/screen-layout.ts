/** How many rows each part of the screen gets. Pure. */
import type { Size } from "./painter.js";
import type { View } from "./view.js";

export interface ScreenLayout {
  readonly columns: number;
  readonly rows: number;
  /** Too small for everything: what runs, the last save and the functions take precedence. */
  readonly compact: boolean;
  /** Lines about libraries, below the title. */
  readonly libraries: number;
  readonly timeline: boolean;
  /** Rows of the main and the lower panel, including their titles. */
  readonly main: number;
  readonly lower: number;
}

const SMALL: Size = { columns: 60, rows: 15 };
/** Rows that the main panel keeps while the output has the keyboard. */
const LEAST_MAIN = 5;
const LEAST_LOWER = 3;

/** @param functions number of rows in the table */
export function layoutOf({ columns, rows }: Size, view: View, libraries: number, functions: number): ScreenLayout {
  const compact = columns < SMALL.columns || rows < SMALL.rows;
  const about = compact ? 0 : Math.min(Math.max(1, libraries), Math.max(1, Math.floor(rows / 8)));
  const rest = Math.max(0, rows - 3 - about - (compact ? 0 : 1)); // title, last save, keys; timeline
  const shape = { columns, rows, compact, libraries: about, timeline: !compact };
  const [least, lowest] = compact ? [2, rest >= 6 ? 2 : 0] : [LEAST_MAIN, LEAST_LOWER];
  let main: number;
  if (view.focus === "output") main = compact ? 0 : Math.min(rest, least);
  else if (view.panel !== "functions" || view.rollback !== null) main = rest - lowest;
  else main = Math.min(functions + 2, Math.max(least, rest - Math.max(lowest, Math.floor(rest * 0.35))));
  main = Math.max(0, Math.min(rest, view.focus === "output" ? main : Math.max(least, main)));
  return { ...shape, main, lower: rest - main };
}

/** The size of the host's terminal: that of its pane when focused, so that changing the focus does not resize it. */
export function terminalOf(size: Size, view: View, libraries: number): Size {
  const { lower } = layoutOf(size, { ...view, focus: "output" }, libraries, 0);
  return { columns: Math.max(2, size.columns - 1), rows: Math.max(1, lower - 1) };
}
