/** Everything known about one function. Pure. */

import { line } from "../text/lines.js";
import type { Line } from "../text/scrollback.js";
import { count } from "../view/event-text.js";
import type { Attempt, FunctionState } from "../view/library-state.js";
import type { SessionState } from "../view/session-state.js";
import { type Context, nameIn } from "./context.js";
import type { PanelText } from "./panel-text.js";
import { age, ago } from "./units.js";

/** What `check` stands for. */
const CHECKS = {
  dwarf: "signature and layout compared using debug information",
  record: "signature and layout compared using the library's own records",
  partly: "compared using debug information, as far as it goes: the reason says what could not be seen",
  mangled: "parameter types are part of the mangled name; nothing else was compared",
  unchecked: "not compared: a changed signature would not be noticed",
} as const;

/** @param key of the chosen row */
export function detailsLines(state: SessionState, key: string | null, context: Context): PanelText {
  const [libraryName, symbol] = (key ?? "").split("\n");
  const library = state.libraries.find((l) => l.name === libraryName);
  const found = library?.functions.get(symbol ?? "");
  if (library === undefined || found === undefined) return { title: "no such function", lines: [] };
  const name = nameIn(context, found.name);
  const rows: [string, string][] = [
    ["library", `${library.name}, ${library.path}`],
    ...(name === found.name ? [] : [["symbol", found.name] as [string, string]]),
    ...(found.source === null ? [] : [["source", found.source] as [string, string]]),
    ["runs", `${found.generation}, ${found.status}, for ${age(context.now - found.since)}`],
    [
      "check",
      found.check === null || found.status === "adopted" ? "none yet" : `${found.check}: ${CHECKS[found.check]}`,
    ],
    ["old bodies", threads(found)],
  ];
  const reason = (found.reason ?? "").split("\n").filter((text) => text !== "");
  const history = library.attempts.flatMap((attempt) => historyLine(attempt, found, context)).reverse();
  return {
    title: name,
    lines: [
      ...rows.map(([what, text]): Line => [{ text: what.padEnd(12), style: { dim: true } }, ...line(text)]),
      ...reason.map(
        (text, i): Line => [{ text: (i === 0 ? "why" : "").padEnd(12), style: { dim: true } }, ...line(text)],
      ),
      line(""),
      line("history", { bold: true }),
      ...history,
    ],
  };
}

function threads({ oldThreads }: FunctionState): string {
  if (oldThreads === null) return "not measured (press s)";
  return oldThreads === 0 ? "no threads inside" : `at most ${count(oldThreads, "thread")} still inside`;
}

function historyLine(attempt: Attempt, { name }: FunctionState, { now }: Context): Line[] {
  if (attempt.kind === "build-failed" || attempt.changed === null) return [];
  const result = attempt.changed.get(name);
  const status = result?.status ?? (attempt.kind === "refused" ? "refused" : "unchanged");
  const what =
    attempt.kind === "refused"
      ? `refused [${attempt.code}]`
      : attempt.kind === "moved"
        ? `${attempt.generation}  rolled back: ${status}`
        : `${attempt.generation}  ${attempt.liveMs === null ? "found" : status}`;
  return line(
    `  ${ago(now - attempt.at).padEnd(12)}${what}${result?.reason === undefined ? "" : `: ${result.reason}`}`,
  ).map((span): Line => [span]);
}
