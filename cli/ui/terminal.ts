/**
 * The terminal itself: raw mode, the alternate screen, suspending, and restoring it whatever happens. All output while
 * the screen is shown goes through `write`.
 */
import { writeSync } from "node:fs";
import type { Size } from "./painter.js";

// Alternate screen, no cursor, no auto-wrap, bracketed paste.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h";
const LEAVE = "\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l";
/** If the terminal does not report its size. */
const DEFAULT: Size = { columns: 80, rows: 24 };

export interface TerminalListener {
  onInput(text: string): void;
  /** The size changed, or the screen must be redrawn after a suspension. */
  onRedraw(size: Size): void;
}

export class Terminal {
  readonly #listener: TerminalListener;
  readonly #stdin = process.stdin;
  readonly #stdout = process.stdout;
  #shown = false;

  constructor(listener: TerminalListener) {
    this.#listener = listener;
  }

  get size(): Size {
    const { columns, rows } = this.#stdout;
    return { columns: columns || DEFAULT.columns, rows: rows || DEFAULT.rows };
  }

  open(): void {
    this.#stdin.setEncoding("utf8");
    this.#stdin.on("data", this.#onData);
    this.#stdin.on("error", ignoreGone);
    this.#stdout.on("resize", this.#onResize);
    process.on("SIGTSTP", this.#suspend);
    process.on("SIGCONT", this.#onContinue);
    // However the process ends. The monitor runs before node prints an uncaught error, which nobody would see on the
    // alternate screen.
    process.on("exit", this.#leave);
    process.on("uncaughtExceptionMonitor", this.#leave);
    this.#enter();
  }

  /** Restores the terminal. Safe to call twice. */
  close(): void {
    this.#leave();
    this.#stdin.off("data", this.#onData);
    this.#stdin.pause();
    this.#stdout.off("resize", this.#onResize);
    process.off("SIGTSTP", this.#suspend);
    process.off("SIGCONT", this.#onContinue);
    process.off("exit", this.#leave);
    process.off("uncaughtExceptionMonitor", this.#leave);
  }

  write(text: string): void {
    if (this.#shown) this.#stdout.write(text);
  }

  /** Like Ctrl-Z in cooked mode: stops the whole job, including npx. */
  stop(): void {
    process.kill(0, "SIGTSTP");
  }

  #enter(): void {
    if (this.#shown) return;
    this.#stdin.setRawMode(true);
    this.#stdin.resume();
    this.#shown = true;
    this.#stdout.write(ENTER);
  }

  /** Synchronously, bypassing node's buffers: the process may be about to exit. */
  readonly #leave = (): void => {
    if (!this.#shown) return;
    this.#shown = false;
    try {
      writeSync(this.#stdout.fd, LEAVE);
      this.#stdin.setRawMode(false);
    } catch {
      // the terminal itself is gone: there is nothing to restore
    }
  };

  readonly #suspend = (): void => {
    this.#leave();
    process.off("SIGTSTP", this.#suspend); // without a listener the signal takes its default action, which the shell sees
    process.kill(process.pid, "SIGTSTP");
  };

  readonly #onContinue = (): void => {
    if (!process.listeners("SIGTSTP").includes(this.#suspend)) process.on("SIGTSTP", this.#suspend);
    this.#enter();
    this.#listener.onRedraw(this.size);
  };

  readonly #onResize = (): void => this.#listener.onRedraw(this.size);
  readonly #onData = (text: string): void => this.#listener.onInput(text);
}

/** The terminal is gone: SIGHUP, or the error of the next write, ends the session. */
const ignoreGone = (): void => {};
