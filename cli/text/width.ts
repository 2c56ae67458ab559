/** How many columns text takes in a terminal, and text made to fit. Pure. */

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;
/** Two columns without being an emoji. Source: EastAsianWidth.txt of Unicode 15.1, classes W and F. */
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{1f200}-\u{1f251}\u{20000}-\u{2fffd}\u{30000}-\u{3fffd}]/u;
const EMOJI = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[#*0-9]\ufe0f?\u20e3|\p{Regional_Indicator}{2}/u;
const NOTHING = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]+$/u;

/** Columns of one grapheme: 0, 1 or 2. */
export function graphemeWidth(grapheme: string): number {
  if (grapheme.length === 1 && grapheme <= "\u02ff") return 1;
  if (NOTHING.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

/** In the order of the text. Plain ASCII is one grapheme a character. */
export const split = (text: string): string[] =>
  ASCII.test(text) ? text.split("") : Array.from(graphemes.segment(text), (s) => s.segment);

export const textWidth = (text: string): number =>
  ASCII.test(text) ? text.length : split(text).reduce((sum, g) => sum + graphemeWidth(g), 0);

/** The longest beginning of at most `width` columns. */
export function clip(text: string, width: number): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(0, width));
  let [taken, used] = ["", 0];
  for (const g of split(text)) {
    used += graphemeWidth(g);
    if (used > width) break;
    taken += g;
  }
  return taken;
}

/** Exactly `width` columns: cut with `ellipsis` at its end, or filled with spaces. */
export function toWidth(text: string, width: number, ellipsis = "…"): string {
  const length = textWidth(text);
  if (length <= width) return text + " ".repeat(Math.max(0, width - length));
  const cut = clip(text, Math.max(0, width - textWidth(ellipsis)));
  return clip(cut + ellipsis, width).padEnd(width - textWidth(cut + ellipsis) + (cut + ellipsis).length);
}

/** The text in pieces of at most `width` columns each; an empty text is one empty piece. */
export function wrap(text: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  do {
    const piece = clip(rest, Math.max(2, width));
    if (piece === "") break; // narrower than one grapheme
    pieces.push(piece);
    rest = rest.slice(piece.length);
  } while (rest !== "");
  return pieces.length === 0 ? [""] : pieces;
}
