/**
 * What a program printed, as lines that are safe to show: control sequences are interpreted or dropped here and go no
 * further. Colours and attributes (SGR) become data; carriage return, backspace, tab, moves and erasing within the line
 * are interpreted, so that progress bars look as in a terminal. Everything else is dropped: a program that draws on the
 * whole screen is shown as the text it wrote. Pure.
 * Source: ECMA-48, 5th edition, sections 5.3 to 5.6 and 8.3.117 (SGR).
 */
import stringWidth from "string-width";
import { graphemesOf } from "./columns.js";

export interface Style {
  /** As ink names colours: "red", "ansi256(200)", "#a0b0c0". */
  readonly color?: string;
  readonly background?: string;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly italic?: boolean;
  readonly underline?: boolean;
  readonly inverse?: boolean;
}
export interface Span {
  readonly text: string;
  readonly style: Style;
}
export type Line = readonly Span[];

/** One grapheme of the unfinished line. */
interface Cell {
  readonly text: string;
  readonly width: number;
  readonly style: Style;
}

export interface Scrollback {
  /** The last finished lines. */
  readonly lines: readonly Line[];
  /** Lines ever finished: `lines` ends with number `total - 1`. */
  readonly total: number;
  /** The unfinished line. */
  readonly current: Line;
  readonly cells: readonly Cell[];
  /** The cursor's cell. */
  readonly column: number;
  readonly style: Style;
  /** An incomplete control sequence. */
  readonly pending: string;
}

/** Lines kept. */
export const KEPT_LINES = 5000;
/** Cells after which a line is broken. */
const LONGEST_LINE = 2000;
/** Characters after which an incomplete sequence is abandoned. */
const LONGEST_SEQUENCE = 4096;
const TAB = 8;
/** UTF-16 units of one grapheme: a family emoji has 11; more is abuse of combining marks. */
const LONGEST_GRAPHEME = 32;

const PLAIN: Style = {};
export const EMPTY: Scrollback = {
  lines: [],
  total: 0,
  current: [],
  cells: [],
  column: 0,
  style: PLAIN,
  pending: "",
};

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
const TEXT = /[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/y;
/** Complete sequences: CSI; strings (OSC, DCS, SOS, PM, APC) up to their end; other escapes. */
const CSI = /(?:\x1b\[|\x9b)([0-?]*)([ -/]*)([@-~])/y;
const STRING = /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x9c|\x1b\\)/y;
const ESCAPE = /\x1b[ -/]*[0-OQ-WYZ\\`-~]/y;
/** Text that may become one of them with the next piece. */
const UNFINISHED =
  /(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*\x1b?|\x1b[ -/]*)$/y;

/** Adds the next piece of output. */
export function feed(before: Scrollback, text: string): Scrollback {
  const writer = new Writer(before);
  writer.take(before.pending + text);
  return writer.result();
}

/** All lines, the unfinished one last if there is any. */
export const allLines = ({ lines, current }: Scrollback): readonly Line[] =>
  current.length === 0 ? lines : [...lines, current];

class Writer {
  readonly #before: Scrollback;
  readonly #added: Line[] = [];
  #cells: Cell[];
  #column: number;
  #style: Style;
  #pending = "";

  constructor(before: Scrollback) {
    this.#before = before;
    this.#cells = [...before.cells];
    this.#column = before.column;
    this.#style = before.style;
  }

  take(text: string): void {
    for (let at = 0; at < text.length; ) {
      const next = this.#wholeLine(text, at) ?? this.#step(text, at);
      if (next === at) {
        this.#pending = text.slice(at);
        return;
      }
      at = next;
    }
  }

  result(): Scrollback {
    const { lines, total } = this.#before;
    const kept = this.#added.length === 0 ? lines : [...lines, ...this.#added].slice(-KEPT_LINES);
    return {
      lines: kept,
      total: total + this.#added.length,
      current: spansOf(this.#cells),
      cells: this.#cells,
      column: this.#column,
      style: this.#style,
      pending: this.#pending,
    };
  }

  /** The index behind a line without any control character, as most of what programs print is; null for all else. */
  #wholeLine(text: string, at: number): number | null {
    const end = this.#cells.length === 0 ? text.indexOf("\n", at) : -1;
    if (end < 0) return null;
    const line = text.slice(at, text[end - 1] === "\r" && end > at ? end - 1 : end);
    if (line.length > LONGEST_LINE || CONTROL.test(line)) return null;
    this.#added.push(line === "" ? [] : [{ text: line, style: this.#style }]);
    return end + 1;
  }

  /** The index after what begins at `at`; `at` itself if it is incomplete. */
  #step(text: string, at: number): number {
    TEXT.lastIndex = at;
    if (TEXT.test(text)) {
      for (const grapheme of graphemesOf(text.slice(at, TEXT.lastIndex))) this.#put(grapheme);
      return TEXT.lastIndex;
    }
    const c = text[at];
    if (c === "\n") this.#end();
    else if (c === "\r") this.#column = 0;
    else if (c === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (c === "\t")
      do this.#put(" ");
      while (this.#column % TAB !== 0);
    else return this.#sequence(text, at);
    return at + 1;
  }

  #sequence(text: string, at: number): number {
    CSI.lastIndex = at;
    const csi = CSI.exec(text);
    if (csi !== null) {
      if (csi[2] === "") this.#follow(csi[1] ?? "", csi[3] ?? "");
      return CSI.lastIndex;
    }
    for (const whole of [STRING, ESCAPE]) {
      whole.lastIndex = at;
      if (whole.test(text)) return whole.lastIndex;
    }
    UNFINISHED.lastIndex = at;
    if (text.length - at < LONGEST_SEQUENCE && UNFINISHED.test(text)) return at;
    return at + 1; // a single control character, or an invalid sequence
  }

  /** Applies a control sequence that changes the style or the current line; all others are dropped. */
  #follow(parameters: string, final: string): void {
    const n = Math.min(LONGEST_LINE, Number.parseInt(parameters, 10) || 0);
    if (final === "m") this.#style = styled(this.#style, parameters);
    else if (final === "K" && n === 0) this.#cells.length = Math.min(this.#cells.length, this.#column);
    else if (final === "K") this.#cells.fill(BLANK, 0, n === 1 ? this.#column + 1 : undefined);
    else if (final === "C") this.#column = Math.min(LONGEST_LINE, this.#column + Math.max(1, n));
    else if (final === "D") this.#column = Math.max(0, this.#column - Math.max(1, n));
    else if (final === "G") this.#column = Math.max(0, n - 1);
  }

  #put(whole: string): void {
    const grapheme = whole.length > LONGEST_GRAPHEME ? String.fromCodePoint(whole.codePointAt(0) ?? 0) : whole;
    const width = stringWidth(grapheme);
    if (width === 0) {
      const last = this.#cells[this.#column - 1];
      if (last !== undefined && last.text.length + grapheme.length <= LONGEST_GRAPHEME)
        this.#cells[this.#column - 1] = { ...last, text: last.text + grapheme };
      return;
    }
    while (this.#cells.length < this.#column) this.#cells.push(BLANK);
    this.#cells[this.#column++] = { text: grapheme, width, style: this.#style };
    if (this.#column >= LONGEST_LINE) this.#end();
  }

  #end(): void {
    this.#added.push(spansOf(this.#cells));
    this.#cells = [];
    this.#column = 0;
  }
}

const BLANK: Cell = { text: " ", width: 1, style: PLAIN };

/** Merges neighbours of one style. */
export function spansOf(cells: readonly Span[]): Line {
  const spans: { text: string; style: Style }[] = [];
  for (const { text, style } of cells) {
    const last = spans.at(-1);
    if (last !== undefined && last.style === style) last.text += text;
    else spans.push({ text, style });
  }
  return spans;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
const nameOf = (n: number): string => NAMES[n] ?? "white";
const brightOf = (n: number): string => (n === 0 ? "gray" : `${nameOf(n)}Bright`);

/** The style after an SGR sequence with these parameters. */
function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((p) => Number.parseInt(p, 10) || 0);
  let style = before;
  for (let i = 0; i < codes.length; i++) {
    const n = codes[i] ?? 0;
    if (n === 38 || n === 48) {
      const [colour, taken] = extended(codes.slice(i + 1));
      if (colour !== null) style = { ...style, [n === 38 ? "color" : "background"]: colour };
      i += taken;
    } else style = attribute(style, n);
  }
  return style;
}

/** What a code sets. Source: ECMA-48 8.3.117; 90 to 107 are aixterm's. */
const ATTRIBUTES: ReadonlyMap<number, Style> = new Map<number, Style>([
  [1, { bold: true }],
  [2, { dim: true }],
  [3, { italic: true }],
  [4, { underline: true }],
  [7, { inverse: true }],
  [22, { bold: false, dim: false }],
  [23, { italic: false }],
  [24, { underline: false }],
  [27, { inverse: false }],
  ...NAMES.flatMap((_, n): [number, Style][] => [
    [30 + n, { color: nameOf(n) }],
    [40 + n, { background: nameOf(n) }],
    [90 + n, { color: brightOf(n) }],
    [100 + n, { background: brightOf(n) }],
  ]),
]);

function attribute(style: Style, n: number): Style {
  if (n === 0) return PLAIN;
  if (n === 39) return without(style, "color");
  if (n === 49) return without(style, "background");
  const set = ATTRIBUTES.get(n);
  return set === undefined ? style : { ...style, ...set };
}

/** `5;n` or `2;r;g;b` after 38 and 48: the colour, and how many numbers it took. */
function extended([kind, a = 0, b = 0, c = 0]: readonly number[]): [string | null, number] {
  const byte = (n: number) => Math.min(255, n);
  if (kind === 5) return [`ansi256(${byte(a)})`, 2];
  if (kind !== 2) return [null, 0];
  return [`#${[a, b, c].map((n) => byte(n).toString(16).padStart(2, "0")).join("")}`, 4];
}

function without(style: Style, name: "color" | "background"): Style {
  const { [name]: _, ...rest } = style;
  return rest;
}
