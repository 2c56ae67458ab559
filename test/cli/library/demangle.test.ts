/** Names as people write them, by the real c++filt. */
import test from "ava";
import { demangle } from "../../../cli/library/demangle.js";

test("the names of a large library are demangled: more than a megabyte of them", (t) => {
  const names = Array.from({ length: 40_000 }, () => `_ZN${"4game".repeat(6)}4workEv`);
  const shown = demangle(names);
  t.is(shown.length, names.length);
  t.is(shown[0], "game::game::game::game::game::game::work()");
  t.true(shown.join("\n").length > 1024 * 1024);
});
