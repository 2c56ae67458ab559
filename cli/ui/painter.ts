/**
 * Acts as ink's stdout: in debug mode, every write of ink's is a whole frame, of which only changed rows reach the
 * terminal. Measured at 200x50 with 10,000 lines a second: docs/decisions/0009-the-screen.md.
 * Also the last guard: whatever a component lets through, only SGR sequences reach the terminal.
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

  /** @param write sends text to the terminal */
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

  /** Draws the next frame completely, at this size. ink learns the size at its next render, not through an event. */
  redraw(size: Size): void {
    this.#size = size;
    this.#blank = true;
  }

  /** Draws nothing from here on: ink renders once more when it is unmounted. */
  close(): void {
    this.#open = false;
  }

  /** Replaces text in the first row without a frame. Returns whether it was found. */
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
      // Erase first: after a full row the cursor is on its last column, which would be erased too.
      text += at(i) + ERASE_TO_END + row + (row === "" ? "" : RESET);
    }
    this.#shown = rows;
    this.#blank = false;
    if (text !== "") this.#write(SYNC_BEGIN + text + SYNC_END);
    return true;
  };
}

const safe = (row: string): string => row.replace(UNSAFE, "");
