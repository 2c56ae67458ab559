/** --plain: the events as lines for people, screen readers and logs, with a summary at the end. */
import type { SessionEvent } from "../../schemas/event.js";
import { demangle } from "../library/demangle.js";
import { printable } from "../text/printable.js";
import { eventLines } from "../view/event-text.js";
import { reduce, START, summary } from "../view/session-state.js";
import type { EventView } from "./event-view.js";

/** ms after which an unfinished line of the target is shown: it may be a prompt waiting for an answer. */
const UNFINISHED_MS = 200;

const MANGLED = /\b_[ZR]\w+/g;

/** Demangles all symbols of one event at once. */
function readable(lines: readonly string[]): readonly string[] {
  const symbols = [...new Set(lines.flatMap((line) => line.match(MANGLED) ?? []))];
  if (symbols.length === 0) return lines;
  const names = demangle(symbols);
  const nameOf = new Map(symbols.map((symbol, i) => [symbol, names[i] ?? symbol]));
  return lines.map((line) => line.replace(MANGLED, (symbol) => nameOf.get(symbol) ?? symbol));
}

/** Shows events as lines. The target's output arrives in pieces and is reassembled into lines. */
export class PlainView implements EventView {
  readonly #print: (line: string) => void;
  #state = START;
  #unfinished = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(print: (line: string) => void) {
    // Every line: symbol names and paths are as untrusted as the target's output.
    this.#print = (line) => print(printable(line));
  }

  show(event: SessionEvent): void {
    if (event.type === "target:output") return this.#output(event.text);
    this.#state = reduce(this.#state, event);
    this.#finish();
    for (const line of readable(eventLines(event))) this.#print(line);
    if (event.type === "session:ended") this.#print(summary(this.#state));
  }

  close(): void {
    this.#finish();
  }

  /** Shows an unfinished line. */
  #finish(): void {
    clearTimeout(this.#timer);
    if (this.#unfinished !== "") this.#line(this.#unfinished);
    this.#unfinished = "";
  }

  #output(text: string): void {
    clearTimeout(this.#timer);
    const lines = (this.#unfinished + text).split("\n");
    this.#unfinished = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    if (this.#unfinished !== "") this.#timer = setTimeout(() => this.#finish(), UNFINISHED_MS).unref();
  }

  #line(text: string): void {
    this.#print(`${this.#state.host || "target"} | ${text.replace(/\r$/, "")}`);
  }
}
