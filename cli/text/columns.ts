/** Fits text into terminal columns, as measured by string-width. Pure. */
import stringWidth from "string-width";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;

/** The grapheme clusters of the text, in order. */
export const graphemesOf = (text: string): string[] =>
  ASCII.test(text) ? text.split("") : Array.from(graphemes.segment(text), (s) => s.segment);

/** The longest prefix of at most `columns`. */
function clip(text: string, columns: number): string {
  let [taken, used] = ["", 0];
  for (const grapheme of graphemesOf(text)) {
    used += stringWidth(grapheme);
    if (used > columns) break;
    taken += grapheme;
  }
  return taken;
}

/** Exactly `columns` wide: truncated with an ellipsis, or padded with spaces. */
export function toColumns(text: string, columns: number, ellipsis = "…"): string {
  const cut =
    stringWidth(text) <= columns
      ? text
      : clip(clip(text, Math.max(0, columns - stringWidth(ellipsis))) + ellipsis, columns);
  return cut + " ".repeat(Math.max(0, columns - stringWidth(cut)));
}
