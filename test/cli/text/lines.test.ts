/** Styled lines made to fit. */
import test from "ava";
import { line, lineWidth, wrapLine } from "../../../cli/text/lines.js";

const texts = (lines: ReturnType<typeof wrapLine>) => lines.map((spans) => spans.map((span) => span.text).join(""));

test("a line is broken at a space where one is near, else within the word", (t) => {
  t.deepEqual(texts(wrapLine(line("the quick brown fox"), 12)), ["the quick ", "brown fox"]);
  t.deepEqual(texts(wrapLine(line("a unbreakableword"), 10)), ["a unbreaka", "bleword"]);
});

test("styles go on over a break, nothing is lost, and no piece is wider than asked", (t) => {
  const red = { color: "red" };
  const spans = [...line("plain "), { text: "red 漢字漢字 and more", style: red }, ...line(" end")];
  for (const width of [1, 2, 3, 7, 10, 40]) {
    const pieces = wrapLine(spans, width);
    t.is(texts(pieces).join(""), "plain red 漢字漢字 and more end");
    if (width > 1)
      t.true(
        pieces.every((piece) => lineWidth(piece) <= width),
        String(width),
      );
  }
  t.is(wrapLine(spans, 10)[1]?.find((span) => span.style === red)?.style, red);
});

test("what a terminal could act on is made visible", (t) => {
  t.deepEqual(line("a\x1b[2Jb"), [{ text: "a\\x1b[2Jb", style: {} }]);
});
