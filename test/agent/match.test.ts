/** Pairing marks by name: the one part of the agent that needs no target. */
import test from "ava";
import { match } from "../../agent/match.js";

const marks = (...names: string[]) => names.map((name) => ({ name }));

test("functions on both sides are matched, others are new or missing", (t) => {
  const { matched, added, missing } = match(["f", "g", "h"], marks("g", "i", "f"));
  t.deepEqual(matched, marks("g", "f"));
  t.deepEqual(added, marks("i"));
  t.deepEqual(missing, ["h"]);
});

test("names that are also names of object properties are ordinary names", (t) => {
  const { matched, missing } = match(["constructor", "__proto__"], marks("__proto__", "constructor"));
  t.is(matched.length, 2);
  t.deepEqual(missing, []);
});
