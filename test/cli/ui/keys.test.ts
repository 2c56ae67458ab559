/** Bytes of a keyboard as keys. */
import test from "ava";
import { type Key, Keyboard, splitKeys } from "../../../cli/ui/keys.js";

const names = (text: string): string[] => splitKeys(text).keys.map((key) => key.name);

test("a burst of keys that comes as one piece is all of them", (t) => {
  t.deepEqual(names("ab\r\x1b[A\x1b[B\x1bOC\x1b[5~\x1b[6~\x1b[H\x1b[4~\x7f\t\x03\x1a"), [
    ..."ab",
    "enter",
    "up",
    "down",
    "right",
    "pageup",
    "pagedown",
    "home",
    "end",
    "backspace",
    "tab",
    "ctrl-c",
    "ctrl-z",
  ]);
});

test("keys beyond ASCII and with modifiers are whole keys, and nothing of an unknown one is typed", (t) => {
  t.deepEqual(names("é漢🚀"), ["é", "漢", "🚀"]);
  t.deepEqual(names("\x1b[1;5C\x1b[15~\x1b[999z"), ["right", "unknown", "unknown"]);
  t.deepEqual(names("\x1bk"), ["alt-k"]);
});

test("a paste is one key, however it looks, and waits for its end", (t) => {
  t.deepEqual(splitKeys("\x1b[200~q\rk\x1b[201~x").keys, [
    { name: "paste", raw: "q\rk" },
    { name: "x", raw: "x" },
  ]);
  t.is(splitKeys("\x1b[200~unfinished").keys.length, 0);
});

test("raw is what the terminal sent", (t) => {
  t.deepEqual(
    splitKeys("\x1b[A\r\x1bb").keys.map((key) => key.raw),
    ["\x1b[A", "\r", "\x1bb"],
  );
});

/** The keys that a keyboard makes of these pieces, once `n` have come. */
const typed = (n: number, ...pieces: string[]): Promise<string[]> =>
  new Promise((resolve) => {
    const keys: Key[] = [];
    const keyboard = new Keyboard((key) => {
      keys.push(key);
      if (keys.length === n) resolve(keys.map((k) => k.name));
    });
    for (const piece of pieces) keyboard.take(piece);
  });

test("Esc alone is a key after a moment; a sequence cut in two is one key; Esc and a later key are two", async (t) => {
  t.deepEqual(await typed(1, "\x1b"), ["esc"]);
  t.deepEqual(await typed(1, "\x1b", "[A"), ["up"]);
  t.deepEqual(await typed(1, "\x1b[", "A"), ["up"]);
  t.deepEqual(await typed(2, "\x1b", "q"), ["esc", "q"]);
});
