/** The text panels: their titles, and their lines wrapped to the screen's width. Pure. */

import { wrapLine } from "../text/lines.js";
import type { Line } from "../text/scrollback.js";
import type { SessionState } from "../view/session-state.js";
import type { Context } from "./context.js";
import { detailsLines } from "./details.js";
import { helpLines } from "./help.js";
import { logLines } from "./log.js";
import type { PanelText } from "./panel-text.js";
import { previewLines } from "./preview.js";
import { problemLines } from "./problem.js";
import type { View } from "./view.js";

/** The panel shown instead of the function table; empty while the table is shown. */
export function panelOf(state: SessionState, view: View, context: Context): PanelText {
  if (view.rollback !== null) return previewLines(state, view.rollback, context);
  switch (view.panel) {
    case "problem":
      return problemLines(state, context);
    case "details":
      return detailsLines(state, view.chosen, context);
    case "log":
      return logLines(state, context);
    case "help":
      return helpLines(context);
    case "functions":
      return { title: "", lines: [] };
  }
}

/** Its lines wrapped to `columns`, with one free column on the left. */
export const panelLines = (state: SessionState, view: View, context: Context, columns: number): Line[] =>
  panelOf(state, view, context).lines.flatMap((one) => wrapLine(one, Math.max(1, columns - 1)));
