/** Text made to fit into columns of a terminal; how many it takes is string-width's to say. Pure. */
import stringWidth from "string-width";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;

/** What a reader takes for one character each, in the order of the text. */
export const graphemesOf = (text: string): string[] =>
  ASCII.test(text) ? text.split("") : Array.from(graphemes.segment(text), (s) => s.segment);

/** The longest beginning of at most `columns`. */
function clip(text: string, columns: number): string {
  let [taken, used] = ["", 0];
  for (const grapheme of graphemesOf(text)) {
    used += stringWidth(grapheme);
    if (used > columns) break;
    taken += grapheme;
  }
  return taken;
}

/** Exactly as many `columns`: cut, with an ellipsis at its end, or filled with spaces. */
export function toColumns(text: string, columns: number, ellipsis = "…"): string {
  const cut =
    stringWidth(text) <= columns
      ? text
      : clip(clip(text, Math.max(0, columns - stringWidth(ellipsis))) + ellipsis, columns);
  return cut + " ".repeat(Math.max(0, columns - stringWidth(cut)));
}
