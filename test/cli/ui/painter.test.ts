/** What reaches the terminal of a frame. */
import test from "ava";
import { Painter } from "../../../cli/ui/painter.js";

function painter() {
  const written: string[] = [];
  const paint = new Painter((text) => written.push(text), { columns: 20, rows: 3 });
  return { paint, last: () => written.at(-1) ?? "", written };
}

test("only the rows that changed are written, each at its place", (t) => {
  const { paint, written, last } = painter();
  paint.write("one\ntwo\nthree");
  t.regex(last(), /\x1b\[2J/);
  paint.write("one\n2\nthree");
  t.is(last(), "\x1b[?2026h\x1b[2;1H\x1b[K2\x1b[0m\x1b[?2026l");
  paint.write("one\n2\nthree");
  t.is(written.length, 2, "nothing is written when nothing changed");
  paint.write("one");
  t.is(last(), "\x1b[?2026h\x1b[2;1H\x1b[K\x1b[3;1H\x1b[K\x1b[?2026l");
});

test("after a resize everything is drawn anew, and no row beyond the last", (t) => {
  const { paint, last } = painter();
  paint.write("one\ntwo\nthree");
  paint.redraw({ columns: 20, rows: 2 });
  paint.write("one\ntwo\nthree");
  t.true(last().includes("\x1b[2J") && last().includes("two") && !last().includes("three"));
});

test("nothing but colours and attributes goes through, whatever a frame holds", (t) => {
  const { paint, last } = painter();
  paint.write("a\x1b[31mred\x1b[0m\x1b[2Jb\x1b]0;t\x07c\x9bd\re");
  const sent = last().replaceAll(/^\x1b\[\?2026h\x1b\[0m\x1b\[2J\x1b\[1;1H\x1b\[K|\x1b\[0m\x1b\[\?2026l$/g, "");
  t.is(sent, "a\x1b[31mred\x1b[0m[2Jb]0;tcde");
});

test("a closed painter writes nothing: ink draws once more when it is unmounted", (t) => {
  const { paint, written } = painter();
  paint.close();
  paint.write("late");
  t.deepEqual(written, []);
});
