/** --plain: what a person is told of a switch that something stands against. */
import test from "ava";
import { PlainView } from "../../../cli/ui/plain.js";
import type { FunctionResult, SessionEvent } from "../../../schemas/event.js";

function linesOf(functions: FunctionResult[], override?: "partial" | "force"): string[] {
  const lines: string[] = [];
  const event: SessionEvent = {
    type: "generation:switched",
    at: 1,
    library: "libgame.so",
    generation: 2,
    from: 1,
    functions,
    ms: 9,
    why: "artifact",
    ...(override !== undefined && { override }),
  };
  new PlainView((line) => lines.push(line)).show(event);
  return lines;
}
const change = "struct inner: size 12 -> 16";

test("a forced switch says so, and what it overrode", (t) => {
  t.deepEqual(linesOf([{ name: "damage", status: "switched", check: "dwarf", reason: change }], "force"), [
    "libgame.so: generation 2 runs (was 1; artifact, with --force) after 9 ms: 1 switched (damage)",
    `  damage: ${change}`,
  ]);
});

test("a partial switch says so, and why functions were left out", (t) => {
  const functions: FunctionResult[] = [
    { name: "damage", status: "refused", check: "dwarf", reason: change },
    { name: "plain", status: "switched", check: "dwarf" },
  ];
  t.deepEqual(linesOf(functions, "partial"), [
    "libgame.so: generation 2 runs (was 1; artifact, with --partial) after 9 ms: 1 switched (plain), 1 refused (damage)",
    `  damage: ${change}`,
  ]);
});

test("functions that could not be compared are named with the reason once", (t) => {
  const unchecked = (name: string): FunctionResult => ({
    name,
    status: "switched",
    check: "unchecked",
    reason: "no -g",
  });
  t.deepEqual(linesOf(["a", "b"].map(unchecked)).slice(1), ["  a, b: unchecked: no -g"]);
  t.deepEqual(linesOf(["a", "b", "c", "d", "e"].map(unchecked)).slice(1), ["  5 functions: unchecked: no -g"]);
});
