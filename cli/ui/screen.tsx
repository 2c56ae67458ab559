/**
 * The screen: events and keys in, frames and commands out. Decides when a frame is drawn; App decides what it shows,
 * press.ts what a key does, and terminal.ts owns the terminal.
 */
import { type Instance, render } from "ink";
import type { Command } from "../../schemas/command.js";
import type { SessionEvent } from "../../schemas/event.js";
import { demangle } from "../library/demangle.js";
import { printable } from "../text/printable.js";
import { allLines } from "../text/scrollback.js";
import { eventLines } from "../view/event-text.js";
import { reduce, type SessionState, START, summary } from "../view/session-state.js";
import { App } from "./App.js";
import type { Context } from "./context.js";
import type { EventView } from "./event-view.js";
import { Keyboard } from "./keys.js";
import { Painter, type Size } from "./painter.js";
import { type Action, follow, press } from "./press.js";
import { isBusy } from "./SaveLine.js";
import { terminalOf } from "./screen-layout.js";
import { Terminal } from "./terminal.js";
import { hasAged } from "./ticking.js";
import { clock } from "./units.js";
import { FIRST_VIEW, type View } from "./view.js";

/** What the screen may request from the session. */
export interface SessionControls {
  command(command: Command): void;
  /** The host's. */
  readonly terminal: {
    input(text: string): void;
    resize(columns: number, rows: number): void;
  };
}

export interface ScreenOptions {
  readonly context: Omit<Context, "now" | "names">;
  readonly session: SessionControls;
  /** ms since the session began. */
  readonly elapsed: () => number;
  /** As SIGINT. */
  readonly interrupt: () => void;
}

/** ms until a change is drawn: keys immediately, output rarely, because nobody reads ten frames of it a second. */
const WAIT = { key: 0, event: 33, output: 125, spin: 100, clock: 1000 } as const;
/** Share of time that drawing may take: a slow terminal gets fewer frames, not a slow session. Keys may take more. */
const DRAWING = { usual: 0.25, key: 0.5 } as const;
/** Characters of output that may wait for the next frame. */
const MOST_OUTPUT = 1024 * 1024;
/** Lines of the host's output printed to the terminal if the host exits by itself. */
const FAREWELL_LINES = 10;

export class Screen implements EventView {
  readonly #options: ScreenOptions;
  readonly #terminal: Terminal;
  readonly #painter: Painter;
  readonly #keyboard: Keyboard;
  #ink: Instance | null = null;
  #state: SessionState = START;
  #view: View = FIRST_VIEW;
  #names: ReadonlyMap<string, string> = new Map();
  #pendingOutput = "";
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires, and when and how long the last frame was drawn; performance.now(). */
  #due = Number.POSITIVE_INFINITY;
  /** Whether anything but the time has changed since the last frame; elapsed() of that frame, and of its clock. */
  #stale = true;
  #frameOf = 0;
  #clockOf = 0;
  #drawnAt = 0;
  #drawingMs = 0;
  /** The last size sent to the host's terminal. */
  #told = "";
  /** Repeated on the terminal after the screen is gone. */
  readonly #lastWords: string[] = [];

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#keyboard = new Keyboard((key) => {
      const [view, ...actions] = press(this.#view, key, this.#flushed(), this.#context(), this.#terminal.size);
      this.#view = view;
      for (const action of actions) this.#act(action);
      this.#drawWithin(WAIT.key);
    });
    this.#terminal = new Terminal({
      onInput: (text) => this.#keyboard.take(text),
      onRedraw: (size) => this.#redraw(size),
    });
    this.#painter = new Painter((text) => this.#terminal.write(text), this.#terminal.size);
    this.#terminal.open();
    this.#draw();
  }

  show(event: SessionEvent): void {
    if (event.type === "target:output") {
      this.#pendingOutput += event.text;
      if (this.#pendingOutput.length > MOST_OUTPUT) this.#flushed();
      return this.#drawWithin(WAIT.output);
    }
    const before = this.#flushed();
    this.#state = reduce(before, event);
    const [view, ...questions] = follow(this.#view, before, this.#state);
    this.#view = view;
    this.#learnNames(event);
    this.#ask(event);
    for (const question of questions) this.#act(question);
    if (["error", "target:exited", "session:ended"].includes(event.type)) this.#lastWords.push(...eventLines(event));
    this.#drawWithin(WAIT.event);
  }

  /** Restores the terminal, and prints how the session ended. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Number.NEGATIVE_INFINITY; // nothing is due any more
    this.#painter.close();
    this.#keyboard.close();
    this.#ink?.unmount();
    this.#terminal.close();
    const state = this.#flushed();
    const texts = allLines(state.output).map((spans) => spans.map((span) => span.text).join(""));
    const output = state.exited === null || this.#view.ending ? [] : texts.slice(-FAREWELL_LINES);
    const words = [...output.map((text) => `${state.host} | ${text}`), ...this.#lastWords];
    if (state.phase === "ended") words.push(summary(state));
    process.stdout.write(words.map((text) => `${printable(text)}\n`).join(""));
  }

  // What follows --------------------------------------------------------------------------------------------------------

  #act(action: Action): void {
    const { session, interrupt } = this.#options;
    switch (action.do) {
      case "command":
        return session.command(action.command);
      case "type":
        return session.terminal.input(action.text);
      case "interrupt":
        return interrupt();
      case "suspend":
        return this.#terminal.stop();
      case "redraw":
        return this.#redraw(this.#terminal.size);
    }
  }

  /** Events tell which functions changed; `status` tells which exist, and what each runs. */
  #ask(event: SessionEvent): void {
    const incomplete = event.type === "generation:switched" && event.functions.some((f) => f.status === "missing");
    if (event.type === "library:found" || incomplete) this.#options.session.command({ command: "status" });
  }

  #learnNames(event: SessionEvent): void {
    const said =
      event.type === "status"
        ? event.libraries.flatMap((library) => library.functions)
        : event.type === "generation:switched" || event.type === "generation:refused"
          ? event.functions
          : [];
    const fresh = said.map((f) => f.name).filter((name) => /^_[ZR]/.test(name) && !this.#names.has(name));
    if (fresh.length === 0) return;
    const names = demangle(fresh);
    this.#names = new Map([...this.#names, ...fresh.map((name, i) => [name, names[i] ?? name] as const)]);
  }

  /** The state including output that was waiting for a frame. */
  #flushed(): SessionState {
    if (this.#pendingOutput !== "") {
      const text = this.#pendingOutput;
      this.#pendingOutput = "";
      this.#state = reduce(this.#state, { type: "target:output", at: this.#options.elapsed(), stream: "tty", text });
    }
    return this.#state;
  }

  // Drawing -------------------------------------------------------------------------------------------------------------

  /** Draws within `ms`, but not more often than the terminal can take. */
  #drawWithin(ms: number): void {
    if (ms !== WAIT.clock) this.#stale = true;
    const now = performance.now();
    const share = ms === WAIT.key ? DRAWING.key : DRAWING.usual;
    const due = Math.max(now + ms, this.#drawnAt + this.#drawingMs * (1 / share - 1));
    if (due >= this.#due) return;
    this.#due = due;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#stale ? this.#draw() : this.#tick()), Math.max(0, due - now));
  }

  /** Nothing but a second has passed: drawing a frame for the clock alone would dominate the cost of an idle screen. */
  #tick(): void {
    const now = this.#options.elapsed();
    const [was = "", is = ""] = [this.#clockOf, now].map((at) => clock(at - this.#state.startedAt));
    if (hasAged(this.#state, this.#frameOf, now) || was.length !== is.length || !this.#painter.retouch(was, is))
      return this.#draw();
    this.#clockOf = now;
    this.#due = Number.POSITIVE_INFINITY;
    this.#drawWithin(WAIT.clock);
  }

  #redraw(size: Size): void {
    this.#painter.redraw(size);
    this.#drawWithin(WAIT.key);
  }

  #draw(): void {
    const began = performance.now();
    const state = this.#flushed();
    const size = this.#terminal.size;
    this.#fitHost(size);
    const context = this.#context();
    this.#stale = false;
    this.#frameOf = this.#clockOf = context.now;
    const app = <App state={state} view={this.#view} size={size} context={context} />;
    if (this.#ink === null) {
      const stdout = this.#painter as unknown as NodeJS.WriteStream;
      this.#ink = render(app, {
        stdout,
        debug: true,
        exitOnCtrlC: false,
        patchConsole: false,
        isScreenReaderEnabled: false,
      });
      void this.#ink.waitUntilExit(); // an error in a component is an unhandled rejection: the tool exits with its stack
    } else this.#ink.rerender(app);
    this.#drawnAt = performance.now();
    this.#drawingMs = this.#drawnAt - began;
    this.#due = Number.POSITIVE_INFINITY;
    this.#drawWithin(isBusy(state) || this.#view.ending ? WAIT.spin : WAIT.clock);
  }

  #context(): Context {
    return { ...this.#options.context, names: this.#names, now: this.#options.elapsed() };
  }

  /** Keeps the host's terminal as large as its pane. */
  #fitHost(size: Size): void {
    if (this.#state.phase === "arriving" || this.#state.phase === "ended") return;
    const { columns, rows } = terminalOf(size, this.#view, this.#state.libraries.length);
    const said = `${columns}x${rows}`;
    if (said === this.#told) return;
    this.#told = said;
    this.#options.session.terminal.resize(columns, rows);
  }
}
