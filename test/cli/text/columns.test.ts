/** Columns of text, as terminals count them. */
import test from "ava";
import stringWidth from "string-width";
import { toColumns } from "../../../cli/text/columns.js";

const cases: readonly (readonly [text: string, columns: number, what: string])[] = [
  ["", 0, "nothing"],
  ["plain", 5, "ASCII"],
  ["naïve Größe", 11, "Latin letters with marks"],
  ["e\u0301", 1, "a letter with a combining mark"],
  ["漢字", 4, "Chinese characters"],
  ["한글", 4, "Korean syllables"],
  ["ﾊﾝｶｸ", 4, "half-width katakana"],
  ["ＡＢ", 4, "full-width letters"],
  ["🚀", 2, "an emoji"],
  ["👩‍👩‍👧‍👦", 2, "a family joined into one emoji"],
  ["🇩🇪", 2, "a flag"],
  ["❤️", 2, "a sign made an emoji by its variation selector"],
  ["✓●─", 3, "the screen's own signs"],
  ["a\u200bb", 2, "a zero-width space"],
];
for (const [text, columns, what] of cases)
  test(`${what} takes ${columns} columns`, (t) => {
    t.is(stringWidth(text), columns);
  });

test("text is made exactly as wide as asked, cut with an ellipsis or filled", (t) => {
  t.is(toColumns("ab", 4), "ab  ");
  t.is(toColumns("漢字", 3, ""), "漢 ");
  t.is(toColumns("abc", 2, ""), "ab");
  t.is(toColumns("abc", 0, ""), "");
  t.is(toColumns("abcdef", 4), "abc…");
  t.is(toColumns("漢字漢字", 6), "漢字… ");
  for (const width of [0, 1, 2, 3, 7]) t.is(stringWidth(toColumns("漢字 and more", width)), width, String(width));
});
