/** Which changes start a build, by when they came and what they started before. */
import test from "ava";
import { RebuildLoop } from "../../../cli/steps/rebuild-loop.js";

/** A loop in which every content is new, unless the test says otherwise. */
function looped() {
  let contents = 0;
  let now = 1000;
  const after = (ms: number): number => {
    now += ms;
    return now;
  };
  let fixed: string | null = null;
  const loop = new RebuildLoop(() => fixed ?? String(contents++));
  return {
    loop,
    keep: (text: string | null) => {
      fixed = text;
    },
    /** A save while nothing is built. */
    save: (path: string) => loop.judge([{ path, at: after(1000) }]),
    /** A build, during which files change; what came of it. */
    build: (...paths: string[]) => {
      loop.began(after(10));
      const judged = loop.judge(paths.map((path) => ({ path, at: after(10) })));
      loop.ended(after(10));
      return judged;
    },
  };
}

const STARTS = { starts: true, looping: [] };
const NOTHING = { starts: false, looping: [] };

test("a file is named after three builds that it started and rewrote, and something else gives it one more", (t) => {
  const { save, build } = looped();
  t.deepEqual(save("a.c"), STARTS);
  for (let i = 0; i < 3; i++) t.deepEqual(build("v.h"), STARTS);
  t.deepEqual(build("v.h"), { starts: false, looping: ["v.h"] });
  t.deepEqual(save("a.c"), STARTS);
  t.deepEqual(build("v.h"), STARTS);
  t.deepEqual(build("v.h"), NOTHING);
  t.deepEqual(save("v.h"), STARTS, "a save between builds is somebody's");
});

test("saves of different files during builds are no loop, however many", (t) => {
  const { save, build } = looped();
  save("a.c");
  for (let i = 0; i < 10; i++) t.deepEqual(build(i % 2 === 0 ? "b.c" : "c.c"), STARTS);
});

test("contents that have started a build during one do not start another, unless a save came between", (t) => {
  const { save, build, keep } = looped();
  save("a.c");
  keep("same");
  t.deepEqual(build("v.h"), STARTS);
  t.deepEqual(build("v.h"), NOTHING);
  keep("edited");
  t.deepEqual(save("v.h"), STARTS);
  keep("same");
  t.deepEqual(build("v.h"), STARTS, "an edit that is taken back during a build");
});
