/** The screen's look on this terminal: colours and symbols as far as it supports them. */

export type Tone = "good" | "bad" | "busy" | "quiet" | "plain";

export interface Glyphs {
  readonly good: string;
  readonly bad: string;
  readonly live: string;
  readonly rule: string;
  readonly dot: string;
  readonly ellipsis: string;
  readonly pointer: string;
  readonly enter: string;
  readonly sideways: string;
  readonly upDown: string;
  /** Eight heights. */
  readonly bars: readonly string[];
  readonly spinner: readonly string[];
}

export interface Theme {
  /** False: attributes only (bold, inverse). Colour never carries information alone. */
  readonly colour: boolean;
  readonly glyphs: Glyphs;
}

const UNICODE: Glyphs = {
  good: "✓",
  bad: "✗",
  live: "●",
  rule: "─",
  dot: "·",
  ellipsis: "…",
  pointer: "›",
  enter: "↵",
  sideways: "←→",
  upDown: "↑↓",
  bars: [..."▁▂▃▄▅▆▇█"],
  spinner: [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"],
};
const ASCII: Glyphs = {
  good: "+",
  bad: "x",
  live: "*",
  rule: "-",
  dot: "-",
  ellipsis: "~",
  pointer: ">",
  enter: "Enter",
  sideways: "Left/Right",
  upDown: "Up/Down",
  bars: [..."._-=+*#@"],
  spinner: [..."|/-\\"],
};

/** Terminals without colours. Source: terminfo entries that lack `colors`. */
const MONOCHROME = /^(vt\d+|.*-m|.*-mono|ansi-mini|hurd|teletype)$/i;

/** Source: no-color.org; POSIX, "Locale", for the precedence of the variables. */
export function themeOf(env: NodeJS.ProcessEnv): Theme {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "";
  const colour = !env.NO_COLOR && !MONOCHROME.test(env.TERM ?? "");
  return { colour, glyphs: /utf-?8/i.test(locale) ? UNICODE : ASCII };
}

/** The props of ink's Text for a tone. */
export function look({ colour }: Theme, tone: Tone): { color?: string; dimColor?: boolean; bold?: boolean } {
  if (tone === "plain") return {};
  if (tone === "quiet") return { dimColor: true };
  if (!colour) return { bold: true };
  return { color: { good: "green", bad: "red", busy: "yellow" }[tone], ...(tone === "bad" && { bold: true }) };
}
