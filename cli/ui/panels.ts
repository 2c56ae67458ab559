/** The panels that are text: their lines, wrapped to the screen's width, and what each is called. Pure. */

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

/** What stands in the main part instead of the function table; an empty panel while that is shown. */
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

/** Its lines as they fit `columns`, with one column free at the left. */
export const panelLines = (state: SessionState, view: View, context: Context, columns: number): Line[] =>
  panelOf(state, view, context).lines.flatMap((one) => wrapLine(one, Math.max(1, columns - 1)));
