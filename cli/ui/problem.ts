/** Why the last save is not running: the compiler's output, or the refusal with its reasons. Pure. */

import { line } from "../text/lines.js";
import type { Line } from "../text/scrollback.js";
import { report, seconds } from "../view/event-text.js";
import type { Problem, SessionState } from "../view/session-state.js";
import { type Context, nameIn } from "./context.js";
import type { PanelText } from "./panel-text.js";

const BOLD = { bold: true } as const;

export function problemLines({ problem }: SessionState, context: Context): PanelText {
  if (problem === null) return { title: "no problem", lines: [] };
  return problem.kind === "build" ? failure(problem) : refusal(problem, context);
}

function failure({ command, exitCode, ms, lines }: Extract<Problem, { kind: "build" }>): PanelText {
  const code = exitCode === null ? "" : `exit code ${exitCode}, `;
  return { title: `build failed: ${command} (${code}${seconds(ms)})`, lines };
}

/** Lists the functions with reasons of their own: they say where to look. */
function refusal({ report: refused }: Extract<Problem, { kind: "refused" }>, context: Context): PanelText {
  const own = refused.functions.filter(
    (f) => f.reason !== undefined && f.reason !== refused.code && f.status === "refused",
  );
  const [message = "", ...rest] = report(refused);
  const functions = own.flatMap((f): Line[] => [
    line(`  ${nameIn(context, f.name)}`, BOLD),
    ...(f.reason ?? "").split("\n").map((text) => line(`    ${text}`)),
  ]);
  return {
    title: `refused: ${refused.library}`,
    lines: [line(message, BOLD), ...rest.map((text) => line(text)), ...functions],
  };
}

/** A one-line summary: the compiler's first error, or what was refused. */
export function problemInShort(problem: Problem): string {
  if (problem.kind === "refused") return `${problem.report.message} [${problem.report.code}]`;
  const texts = problem.lines.map((spans) =>
    spans
      .map((span) => span.text)
      .join("")
      .trim(),
  );
  return texts.find((text) => /\berror\b/i.test(text)) ?? texts.find((text) => text !== "") ?? "";
}
