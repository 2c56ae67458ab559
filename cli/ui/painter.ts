/**
 * The screen as ink's stdout: every write of ink's (in its debug mode) is one whole frame, of which only the rows that
 * changed reach the terminal. Measured at 200x50 with 10,000 lines a second: docs/decisions/0009-the-screen.md.
 * The last guard: whatever a component lets through, nothing but SGR sequences goes to the terminal.
 */
import { EventEmitter } from "node:events";

const SYNC_BEGIN = "\x1b[?2026h";
const SYNC_END = "\x1b[?2026l";
const RESET = "\x1b[0m";
const ERASE_TO_END = "\x1b[K";
const ERASE_ALL = "\x1b[2J";
/** Anything a terminal could act on, except `ESC [ ... m`. */
const UNSAFE = /\x1b(?!\[[0-9;:]*m)|[\u0000-\u001a\u001c-\u001f\u007f-\u009f]/g;
const at = (row: number): string => `\x1b[${row + 1};1H`;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export class Painter extends EventEmitter {
  readonly isTTY = true;
  readonly #write: (text: string) => void;
  #size: Size;
  #shown: readonly string[] = [];
  #blank = true;
  #open = true;

  /** @param write takes what is to reach the terminal */
  constructor(write: (text: string) => void, size: Size) {
    super();
    this.#write = write;
    this.#size = size;
  }

  get columns(): number {
    return this.#size.columns;
  }

  get rows(): number {
    return this.#size.rows;
  }

  /** The next frame is drawn whole, at this size. ink is told by its next render, not by an event. */
  redraw(size: Size): void {
    this.#size = size;
    this.#blank = true;
  }

  /** Nothing is drawn from here on: ink renders once more when it is unmounted. */
  close(): void {
    this.#open = false;
  }

  /** Puts a text of the first row's in another's place, without a frame. Whether it stands there. */
  retouch(was: string, is: string): boolean {
    const [first = "", ...rest] = this.#shown;
    const at = first.lastIndexOf(was);
    if (this.#blank || at < 0) return false;
    return this.write([first.slice(0, at) + is + first.slice(at + was.length), ...rest].join("\n"));
  }

  write = (frame: string): boolean => {
    if (!this.#open) return true;
    const rows = frame.split("\n").slice(0, this.rows).map(safe);
    const old = this.#blank ? [] : this.#shown;
    let text = this.#blank ? RESET + ERASE_ALL : "";
    for (let i = 0; i < Math.max(rows.length, old.length); i++) {
      const row = rows[i] ?? "";
      if (row === (old[i] ?? "")) continue;
      // Erased first: behind a full row the cursor stands on its last column, which would be erased with the rest.
      text += at(i) + ERASE_TO_END + row + (row === "" ? "" : RESET);
    }
    this.#shown = rows;
    this.#blank = false;
    if (text !== "") this.#write(SYNC_BEGIN + text + SYNC_END);
    return true;
  };
}

const safe = (row: string): string => row.replace(UNSAFE, "");
