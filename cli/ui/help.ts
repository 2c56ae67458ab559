/** The keys, explained. Pure. */
import { line } from "../text/lines.js";
import type { Context } from "./context.js";
import type { PanelText } from "./panel-text.js";

export function helpLines({ arrival, theme: { glyphs } }: Context): PanelText {
  const spawned = arrival === "spawn";
  const keys: [string, string][] = [
    [`${glyphs.upDown} PgUp PgDn`, "move; Home and End jump to the first and last line"],
    ["Enter", "function details: source, history, why it was refused, threads in old bodies"],
    ["/", "filter functions by name; Esc clears the filter"],
    ["b", "build now"],
    ["u", `roll back: choose a generation with ${glyphs.sideways}, see what would change, confirm with Enter`],
    ["r", "restore the host's own code, generation 0; u returns to a later one"],
    ["p", "problem with the last save: the compiler's output, or why it was refused"],
    ["l", "log"],
    ["s", "count the threads still inside old bodies"],
    ...(spawned
      ? [["o", "output: keys go to the host's terminal until Esc; PgUp and PgDn scroll"] as [string, string]]
      : []),
    ["k", `keep the running generation and quit${spawned ? ": the host continues without its terminal" : ""}`],
    [
      "q, Ctrl-C",
      `restore the host's own code and quit${spawned ? ", ending the host" : ""}; Ctrl-C twice quits immediately`,
    ],
    ["Ctrl-Z", "suspend hotpatch; the host keeps running"],
    ["Ctrl-L", "redraw"],
  ];
  const words: [string, string][] = [
    ["switched", "running a new body"],
    ["unchanged", "same code; still switched to the new copy, for what it calls"],
    ["new", "did not exist before"],
    ["missing", "not in this build: keeps its old body"],
    ["refused", "this build was rejected; Enter shows why"],
    ["adopted", "can be patched; not changed yet"],
  ];
  const row = ([what, text]: [string, string]) => [{ text: what.padEnd(18), style: { bold: true } }, ...line(text)];
  return { title: "help", lines: [...keys.map(row), line(""), ...words.map(row)] };
}
