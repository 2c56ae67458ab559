import type { Line } from "../text/scrollback.js";

/** A text panel: its title, and its lines before wrapping. */
export interface PanelText {
  readonly title: string;
  readonly lines: readonly Line[];
}
