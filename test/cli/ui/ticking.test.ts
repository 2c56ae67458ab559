/** Between two seconds of a quiet session only the clock differs, unless it is said that more does. */
import test from "ava";
import { Painter } from "../../../cli/ui/painter.js";
import { hasAged } from "../../../cli/ui/ticking.js";
import { clock } from "../../../cli/ui/units.js";
import type { View } from "../../../cli/ui/view.js";
import type { SessionState } from "../../../cli/view/session-state.js";
import { built, failed, found, play, ready, result, started, status, switched } from "../../support/events.js";
import { frame } from "../../support/frames.js";

const quiet = play([started(), found(), ready(), status(["draw", "move"])]);
const saved = play([...built(4000), switched(1, [result("draw", "switched")], 4100)], quiet);
const STATES: Record<string, SessionState> = {
  quiet,
  saved,
  failed: play(failed(9300, "x.c:1: error"), saved),
  restored: play([switched(0, [result("draw", "switched")], 8000, { why: "restore" })], saved),
  warned: play(
    [{ type: "warning", at: 9000, code: "no-marks", message: "none", detail: "", running: "", hint: "" }],
    saved,
  ),
};
const VIEWS: readonly Partial<View>[] = [
  {},
  { panel: "details" },
  { rollback: { library: "libgame.so", generation: 1 } },
];

for (const [name, state] of Object.entries(STATES))
  test(`a second of a session that is ${name} changes the clock alone, or is drawn`, (t) => {
    let drawn = 0;
    for (const view of VIEWS)
      for (let then = 9_500; then < 7_400_000; then = Math.floor(then * 1.4)) {
        const now = then + 1000;
        if (hasAged(state, then, now)) {
          drawn++;
          continue;
        }
        const [was = "", is = ""] = [then, now].map((at) => clock(at - state.startedAt));
        const [first = "", ...rest] = frame(state, view, undefined, { now: then });
        t.deepEqual([first.replace(was, is), ...rest], frame(state, view, undefined, { now }), `${name} at ${then}`);
      }
    t.true(drawn < (VIEWS.length * 20) / 2, `${drawn} frames`);
  });

test("a session of an hour without events is drawn for its first minute, and then once a minute", (t) => {
  let [frames, last] = [0, 500];
  for (let now = 1500; now < 3_600_000; now += 1000)
    if (hasAged(quiet, last, now)) {
      frames++;
      last = now;
    }
  t.true(frames < 10 + 5 + 60 + 10, `${frames} frames`);
});

test("a text is retouched in the first row, and only that row is written", (t) => {
  const written: string[] = [];
  const painter = new Painter((text) => written.push(text), { columns: 20, rows: 2 });
  t.false(painter.retouch("1", "2"), "nothing is shown yet");
  painter.write("1 of 1s\n1");
  t.true(painter.retouch("1s", "2s"));
  t.is(written.at(-1), "\x1b[?2026h\x1b[1;1H\x1b[K1 of 2s\x1b[0m\x1b[?2026l");
  t.false(painter.retouch("9s", "8s"));
  painter.redraw({ columns: 20, rows: 2 });
  t.false(painter.retouch("2s", "3s"), "it is to be drawn whole");
  t.is(written.length, 2);
});
