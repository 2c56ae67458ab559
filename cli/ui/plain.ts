/** --plain: the same events as lines for people, screen readers and logs. Pure. */
import type { FunctionResult, SessionEvent } from "../../schemas/event.js";

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? "" : "s"}`;

/** What a terminal could take for a command stays visible as text. */
export const printable = (text: string): string =>
  text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );

function summary(functions: readonly FunctionResult[]): string {
  const parts: string[] = [];
  for (const status of ["switched", "unchanged", "new", "missing", "refused"] as const) {
    const names = functions.filter((f) => f.status === status).map((f) => f.name);
    if (names.length === 0) continue;
    const shown = status === "unchanged" || names.length > 4 ? "" : ` (${names.join(", ")})`;
    parts.push(`${names.length} ${status}${shown}`);
  }
  return parts.join(", ");
}

const report = (e: {
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

/** ms after which an unfinished line of the target is shown as it is: a prompt waits for its answer. */
const UNFINISHED_MS = 200;

/** Shows events as lines. The target's output comes in pieces: they are put together to lines again. */
export class PlainView {
  readonly #print: (line: string) => void;
  #host = "target";
  #unfinished = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(print: (line: string) => void) {
    // Every line: names in a library's tables and paths come from strangers as much as the target's output does.
    this.#print = (line) => print(printable(line));
  }

  show(event: SessionEvent): void {
    if (event.type === "session:started") this.#host = event.host;
    if (event.type === "target:output") return this.#output(event.text);
    this.finish();
    for (const line of plainLines(event)) this.#print(line);
  }

  /** Shows what has not ended in a line end. */
  finish(): void {
    clearTimeout(this.#timer);
    if (this.#unfinished !== "") this.#line(this.#unfinished);
    this.#unfinished = "";
  }

  #output(text: string): void {
    clearTimeout(this.#timer);
    const lines = (this.#unfinished + text).split("\n");
    this.#unfinished = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    if (this.#unfinished !== "") this.#timer = setTimeout(() => this.finish(), UNFINISHED_MS).unref();
  }

  #line(text: string): void {
    this.#print(`${this.#host} | ${text.replace(/\r$/, "")}`);
  }
}

/** The lines an event shows as, without the line ends. */
function plainLines(event: Exclude<SessionEvent, { type: "target:output" }>): string[] {
  switch (event.type) {
    case "session:started":
      return [`hotpatch ${event.version}: ${event.host} (pid ${event.pid}), backend ${event.backend}`];
    case "library:found":
      return [
        `${event.library}: ${count(event.functions, "marked function")}, from ${event.path}${event.generation > 0 ? `, runs generation ${event.generation}` : ""}`,
      ];
    case "session:ready":
      return ["ready: edits from now on take effect"];
    case "build:started":
      return [`build: ${event.command}`];
    case "build:finished":
      return [`build done in ${seconds(event.ms)}`];
    case "build:failed":
      return [
        `build FAILED${event.exitCode === null ? "" : ` with exit code ${event.exitCode}`} after ${seconds(event.ms)}; the target runs what it ran`,
        ...event.output.trimEnd().split("\n"),
      ];
    case "artifact:changed":
      return [`${event.library}: ${event.reason}`];
    case "artifact:incomplete":
      return [`${event.library}: not complete yet: ${event.reason}`];
    case "artifact:unchanged":
      return [`${event.library}: unchanged: ${event.reason}`];
    case "generation:loaded":
      return [`${event.library}: copy loaded in ${seconds(event.ms)}: ${event.path}`];
    case "generation:switched":
      return [
        `${event.library}: generation ${event.generation} runs (was ${event.from}; ${event.why}) after ${seconds(event.ms)}: ${summary(event.functions)}`,
      ];
    case "generation:refused":
      return [`${event.library}: REFUSED: ${report(event)[0]}`, ...report(event).slice(1)];
    case "target:exited":
      return [
        `target ended: ${event.exitCode !== undefined ? `exit code ${event.exitCode}` : event.signal !== undefined ? `signal ${event.signal}` : (event.reason ?? "unknown")}`,
      ];
    case "session:ended":
      return [
        `session ended: ${event.reason}; ${event.restored ? "the host runs its own code" : "nothing was restored"}`,
      ];
    case "status":
      return event.libraries.flatMap((l) => [
        `${l.library}: generation ${l.generation} of ${l.generations.map((g) => g.generation).join(", ")}`,
        ...l.functions.map((f) => `  ${f.name}: generation ${f.generation}`),
      ]);
    case "warning":
      return [`warning: ${report(event)[0]}`, ...report(event).slice(1)];
    case "error":
      return [`error: ${report(event)[0]}`, ...report(event).slice(1)];
  }
}
