import test from "ava";
import { Functions } from "../../agent/library/functions.js";

const named = (...names: string[]) => names.map((name) => ({ name }));

test("a new function gets the next index and keeps it", (t) => {
  const functions = new Functions(["draw", "step"]);
  functions.take(named("step", "load"));
  t.deepEqual(functions.names, ["draw", "step", "load"]);
  t.is(functions.indexOf("step"), 1);
  t.is(functions.indexOf("load"), 2);
});

test("a dropped function leaves its index unused, in later sessions too", (t) => {
  const functions = new Functions(["draw", "step"]);
  functions.drop(named("draw"));
  t.false(functions.has("draw"));
  t.deepEqual(functions.places, ["", "step"]);
  t.throws(() => functions.indexOf("draw"), { message: /no place/ });
  const later = new Functions(functions.places);
  t.deepEqual(later.names, ["step"]);
  later.take(named("draw"));
  t.is(later.indexOf("draw"), 2);
});

test("a failure leaves no names behind", (t) => {
  const functions = new Functions(["draw"]);
  t.throws(() =>
    functions.orForget(() => {
      functions.take(named("step"));
      throw new Error("no room");
    }),
  );
  t.deepEqual(functions.places, ["draw"]);
  t.false(functions.has("step"));
});
