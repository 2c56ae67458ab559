/** The keys, explained. Pure. */
import { line } from "../text/lines.js";
import type { Context } from "./context.js";
import type { PanelText } from "./panel-text.js";

export function helpLines({ arrival, theme: { glyphs } }: Context): PanelText {
  const spawned = arrival === "spawn";
  const keys: [string, string][] = [
    [`${glyphs.upDown} PgUp PgDn`, "move; Home and End go to the first and the last"],
    ["Enter", "details of a function: source, history, why it was refused, threads in old bodies"],
    ["/", "show only functions whose name holds what you type; Esc shows all again"],
    ["b", "build now"],
    ["u", `roll back: choose a generation with ${glyphs.sideways}, see what would change, Enter goes there`],
    ["r", "restore: the host's own code, generation 0; u brings a later one back"],
    ["p", "the problem with the last save: the compiler's lines, or why it was refused"],
    ["l", "log"],
    ["s", "count the threads that are still inside old bodies"],
    ...(spawned
      ? [["o", "output: keys go to the host's terminal until Esc; PgUp and PgDn look back"] as [string, string]]
      : []),
    ["k", `keep what runs and quit${spawned ? ": the host goes on without its terminal" : ""}`],
    [
      "q, Ctrl-C",
      `put the host's own code back and quit${spawned ? ", which ends the host" : ""}; Ctrl-C again quits at once`,
    ],
    ["Ctrl-Z", "suspend hotpatch; the host goes on"],
    ["Ctrl-L", "draw the screen anew"],
  ];
  const words: [string, string][] = [
    ["switched", "runs a new body"],
    ["unchanged", "its own code is the same; it runs the new copy all the same, for what it calls"],
    ["new", "was not there before"],
    ["missing", "not in this build: keeps the body it had"],
    ["refused", "this build was not taken; Enter tells why"],
    ["adopted", "can be patched; nothing has changed yet"],
  ];
  const row = ([what, text]: [string, string]) => [{ text: what.padEnd(18), style: { bold: true } }, ...line(text)];
  return { title: "help", lines: [...keys.map(row), line(""), ...words.map(row)] };
}
