import type { Line } from "../text/scrollback.js";

/** A panel that is text: what it is called, and its lines, not wrapped yet. */
export interface PanelText {
  readonly title: string;
  readonly lines: readonly Line[];
}
