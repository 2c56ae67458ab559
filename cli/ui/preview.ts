/** What a rollback would change. Pure. */

import { line } from "../text/lines.js";
import type { Line } from "../text/scrollback.js";
import { count } from "../view/event-text.js";
import type { SessionState } from "../view/session-state.js";
import { type Context, nameIn } from "./context.js";
import type { PanelText } from "./panel-text.js";
import { ago } from "./units.js";

export function previewLines(
  state: SessionState,
  { library: name, generation }: { readonly library: string; readonly generation: number },
  context: Context,
): PanelText {
  const library = state.libraries.find((l) => l.name === name);
  const made = library?.attempts.find((a) => a.kind === "generation" && a.generation === generation);
  const title = `roll ${name} back to ${generation}`;
  const about = `${generation === 0 ? "the host's own code" : `made ${made === undefined ? "before this session" : ago(context.now - made.at)}`}`;
  if (library?.running === generation) return { title, lines: [line(`${about}; running now`)] };
  const asked = state.preview;
  if (asked === null || asked.library !== name || asked.generation !== generation)
    return { title, lines: [line(about)] };
  const changed = asked.functions.filter((f) => f.status !== "unchanged");
  const same = asked.functions.length - changed.length;
  return {
    title,
    lines: [
      line(`${about}; ${count(changed.length, "function")} would change, ${same} would run the same code`),
      ...changed.map(
        (f): Line => [
          { text: `  ${f.status.padEnd(10)}`, style: { bold: true } },
          ...line(`${nameIn(context, f.name)}${f.reason === undefined ? "" : `: ${f.reason}`}`),
        ],
      ),
    ],
  };
}
