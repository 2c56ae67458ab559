/** A program's output, made safe: what is followed, what is dropped, and that pieces may come cut anywhere. */
import test from "ava";
import { allLines, EMPTY, feed, KEPT_LINES, type Scrollback } from "../../../cli/text/scrollback.js";

const texts = (scrollback: Scrollback): string[] =>
  allLines(scrollback).map((line) => line.map((span) => span.text).join(""));
const shown = (text: string): string[] => texts(feed(EMPTY, text));

test("lines end at line feeds, with or without a carriage return", (t) => {
  t.deepEqual(shown("one\ntwo\r\n\nthree"), ["one", "two", "", "three"]);
});

test("a progress bar that returns and erases shows its last state", (t) => {
  t.deepEqual(shown("10%\r20%\r\x1b[K100%\n"), ["100%"]);
  t.deepEqual(shown("aaaa\rbb\n"), ["bbaa"]);
  t.deepEqual(shown("abc\b\bX\n"), ["aXc"]);
  t.deepEqual(shown("abc\x1b[2D-\x1b[1Gx\x1b[2Cy\n"), ["x-cy"]);
});

test("tabs go to the next multiple of eight", (t) => {
  t.deepEqual(shown("a\tb\n\tc\n"), ["a       b", "        c"]);
});

test("colours and attributes are kept as data, and go on over the line end", (t) => {
  const [first, second] = feed(EMPTY, "\x1b[1;31mred\x1b[0m plain\n\x1b[38;5;200mp\x1b[48;2;1;2;3mq\n").lines;
  t.deepEqual(first, [
    { text: "red", style: { bold: true, color: "red" } },
    { text: " plain", style: {} },
  ]);
  t.deepEqual(second, [
    { text: "p", style: { color: "ansi256(200)" } },
    { text: "q", style: { color: "ansi256(200)", background: "#010203" } },
  ]);
  t.is(feed(EMPTY, "\x1b[32ma\nb\n").lines[1]?.[0]?.style.color, "green");
});

const HOSTILE: readonly (readonly [name: string, text: string])[] = [
  ["clearing the screen", "a\x1b[2J\x1b[Hb"],
  ["leaving the alternate screen", "a\x1b[?1049lb"],
  ["setting the title", "a\x1b]0;title\x07b"],
  ["writing the clipboard", "a\x1b]52;c;aGk=\x1b\\b"],
  ["a hyperlink", "a\x1b]8;;http://x\x1b\\b"],
  ["asking for the cursor", "a\x1b[6nb"],
  ["a device control string", "a\x1bP1$r0m\x1b\\b"],
  ["a full reset", "a\x1bcb"],
  ["another character set", "a\x1b(0b"],
  ["8-bit controls", "a\x9b2Jb"],
  ["bells and nulls", "a\x07\0\x0e\x0fb"],
  ["text that runs backwards", "a\u202eb"],
  ["an escape that is none", "a\x1b\x01b"],
];
for (const [name, text] of HOSTILE)
  test(`${name} does not reach the terminal`, (t) => {
    t.deepEqual(shown(`${text}\n`), ["ab"]);
  });

test("the same lines come out wherever the output is cut into pieces", (t) => {
  const text = `one\r\n\x1b[1;31mtwo\x1b[0m\t漢字 e\u0301 ${HOSTILE.map(([, hostile]) => hostile).join("")}\rx\n\x1b]0;t\x1b\\end`;
  const whole = feed(EMPTY, text);
  for (let at = 1; at < text.length; at++) {
    const parts = feed(feed(EMPTY, text.slice(0, at)), text.slice(at));
    t.deepEqual(allLines(parts), allLines(whole), `cut at ${at}`);
  }
});

test("an unfinished sequence does not hold back what follows for ever", (t) => {
  const scrollback = feed(feed(EMPTY, `\x1b]0;${"x".repeat(5000)}`), "\nnext\n");
  t.is(texts(scrollback).at(-1), "next");
});

test("memory is bounded: by lines, by the length of a line, and marks on one character", (t) => {
  let scrollback = EMPTY;
  for (let i = 0; i < 30; i++) scrollback = feed(scrollback, "line\n".repeat(1000));
  t.is(scrollback.lines.length, KEPT_LINES);
  t.is(scrollback.total, 30_000);
  const long = feed(EMPTY, "x".repeat(100_000));
  t.true(texts(long).every((line) => line.length <= 2000));
  t.is(texts(long).join("").length, 100_000);
  t.true(texts(feed(EMPTY, `a${"\u0301".repeat(10_000)}`)).join("").length < 50);
});
