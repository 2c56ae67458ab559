/** Events as text: for --plain, the screen's log, and the last words on the restored terminal. Pure. */
import type { FunctionResult, SessionEvent } from "../../schemas/event.js";

export const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
export const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`;

/** "1 switched (damage), 2 unchanged". */
export function changes(functions: readonly FunctionResult[]): string {
  const parts: string[] = [];
  for (const status of ["switched", "unchanged", "new", "missing", "refused"] as const) {
    const names = functions.filter((f) => f.status === status).map((f) => f.name);
    if (names.length === 0) continue;
    const shown = status === "unchanged" || names.length > 4 ? "" : ` (${names.join(", ")})`;
    parts.push(`${names.length} ${status}${shown}`);
  }
  return parts.join(", ");
}

/** Remarks on functions that were or were not switched; each sentence once. */
function reasons(functions: readonly FunctionResult[]): string[] {
  const names = new Map<string, string[]>();
  for (const { name, status, reason, check } of functions) {
    if (reason === undefined || status === "missing") continue;
    const isTold = status !== "refused" && (check === "unchecked" || check === "partly");
    const sentence = isTold ? `${check === "partly" ? "partly checked" : check}: ${reason}` : reason;
    names.set(sentence, [...(names.get(sentence) ?? []), name]);
  }
  return [...names].map(
    ([sentence, of]) => `  ${of.length > 4 ? `${of.length} functions` : of.join(", ")}: ${sentence}`,
  );
}

/** The five parts of an error. */
export const report = (e: {
  message: string;
  detail: string;
  running: string | number;
  hint: string;
  code: string;
}): string[] => [
  `${e.message} [${e.code}]`,
  ...e.detail
    .split("\n")
    .map((line) => `  why: ${line}`)
    .map((line, i) => (i === 0 ? line : line.replace("  why: ", "       "))),
  `  runs now: ${typeof e.running === "number" ? `generation ${e.running}` : e.running}`,
  `  to do: ${e.hint}`,
];

/** How a target ended. */
export const outcomeText = (e: {
  exitCode?: number | undefined;
  signal?: string | undefined;
  reason?: string | undefined;
}) =>
  e.exitCode !== undefined
    ? `exit code ${e.exitCode}`
    : e.signal !== undefined
      ? `signal ${e.signal}`
      : (e.reason ?? "unknown");

/** An event's lines, without line terminators. */
export function eventLines(event: Exclude<SessionEvent, { type: "target:output" }>): string[] {
  switch (event.type) {
    case "session:started":
      return [
        `hotpatch ${event.hotpatch}: ${event.host} (pid ${event.pid}), backend ${event.backend}, ${event.version}`,
      ];
    case "target:followed":
      return [
        `following ${event.host} (pid ${event.pid}), which pid ${event.from} ${event.pid === event.from ? "became" : "started"}`,
      ];
    case "library:found":
      return [
        `${event.library}: ${count(event.functions, "marked function")}, from ${event.path}${event.generation > 0 ? `, running generation ${event.generation}` : ""}`,
      ];
    case "session:ready":
      return ["ready: edits from now on take effect"];
    case "build:started":
      return [`build: ${event.command}`];
    case "build:finished":
      return [`build finished in ${seconds(event.ms)}`];
    case "build:failed":
      return [
        `build FAILED${event.exitCode === null ? "" : ` with exit code ${event.exitCode}`} after ${seconds(event.ms)}; the target keeps running what it ran`,
        ...event.output.trimEnd().split("\n"),
      ];
    case "artifact:changed":
      return [`${event.library}: ${event.reason}`];
    case "artifact:incomplete":
      return [`${event.library}: incomplete: ${event.reason}`];
    case "artifact:unchanged":
      return [`${event.library}: unchanged: ${event.reason}`];
    case "generation:loaded":
      return [`${event.library}: copy loaded in ${seconds(event.ms)}: ${event.path}`];
    case "generation:switched":
      return [
        `${event.library}: generation ${event.generation} runs (was ${event.from}; ${event.why}${event.override === undefined ? "" : `, with --${event.override}`}) after ${seconds(event.ms)}: ${changes(event.functions)}`,
        ...reasons(event.functions),
      ];
    case "generation:refused":
      return [`${event.library}: REFUSED: ${report(event)[0]}`, ...report(event).slice(1)];
    case "target:exited":
      return [`target ended: ${outcomeText(event)}`];
    case "session:ended":
      return [
        `session ended: ${event.reason}; ${event.restored ? "the host's own code was restored" : "nothing was restored"}`,
      ];
    case "status":
      return event.libraries.flatMap((l) => [
        `${l.library}: generation ${l.generation} of ${l.generations.map((g) => g.generation).join(", ")}`,
        ...l.functions.map((f) => `  ${f.name}: generation ${f.generation}${threads(f.oldThreads)}`),
        ...(l.otherThreads ? [`  ${count(l.otherThreads, "thread")} in old code without a mark`] : []),
      ]);
    case "preview":
      return [
        `${event.library}: generation ${event.generation} would change: ${changes(event.functions)}`,
        ...reasons(event.functions),
      ];
    case "warning":
      return [`warning: ${report(event)[0]}`, ...report(event).slice(1)];
    case "error":
      return [`error: ${report(event)[0]}`, ...report(event).slice(1)];
  }
}

const threads = (n: number | null): string => (n === null || n === 0 ? "" : `, ${count(n, "thread")} in an old body`);
