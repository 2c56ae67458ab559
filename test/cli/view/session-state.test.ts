/** What a session has come to, from its events. */
import test from "ava";
import { reduce, START, summary } from "../../../cli/view/session-state.js";
import type { SessionEvent } from "../../../schemas/event.js";
import {
  built,
  eventful,
  failed,
  found,
  output,
  play,
  ready,
  refused,
  result,
  started,
  status,
  switched,
} from "../../support/events.js";

const begun = () => play([started(), found(), ready(), status(["a", "b"])]);
const fn = (state: ReturnType<typeof play>, name: string) => state.libraries[0]?.functions.get(name);

test("before the first change every function is adopted and runs generation 0", (t) => {
  const state = begun();
  t.is(state.phase, "ready");
  t.is(state.libraries[0]?.running, 0);
  t.is(state.libraries[0]?.count, 3, "as many as the library says it has");
  t.like(fn(state, "a"), { generation: 0, status: "adopted", oldThreads: 0 });
});

test("a switch moves what it changed and says since when; a missing function keeps its body", (t) => {
  const state = play(
    [...built(2000), switched(1, [result("a", "switched"), result("b", "missing", "not in this build")], 2010)],
    begun(),
  );
  t.like(fn(state, "a"), { generation: 1, status: "switched", since: 2010, check: "dwarf" });
  t.like(fn(state, "b"), { generation: 0, status: "missing", since: 410, reason: "not in this build" });
  t.like(state.save, { step: "arrived", generation: 1, liveMs: 9.25 });
  t.deepEqual(state.libraries[0]?.generations, [0, 1]);
});

test("a failed build is the problem until a build succeeds, and what runs stays", (t) => {
  const broken = play(failed(3000, "a.c:1: error: no\n"), begun());
  t.is(broken.save.step, "failed");
  t.is(broken.problem?.kind, "build");
  t.is(broken.libraries[0]?.running, 0);
  const building = reduce(broken, { type: "build:started", at: 4000, command: "make" });
  t.is(building.save.step, "building");
  t.not(building.problem, null, "the compiler's words stay while the next build runs");
  t.is(play(built(5000), building).problem, null);
});

test("a refused build leaves generations alone and tells why for each function", (t) => {
  const before = play([...built(2000), switched(1, [result("a", "switched"), result("b", "switched")], 2010)], begun());
  const state = play(
    [
      ...built(3000),
      refused([result("a", "refused", "struct player grew"), result("b", "refused", "layout-changed")], 3010),
    ],
    before,
  );
  t.like(fn(state, "a"), { generation: 1, status: "refused", reason: "struct player grew", changedAt: 3010 });
  t.like(fn(state, "b"), { generation: 1, status: "refused", changedAt: 2010 });
  t.is(state.libraries[0]?.running, 1);
  t.is(state.problem?.kind, "refused");
});

test("once a refused change is undone the functions are again what they were", (t) => {
  const before = play(
    [...built(2000), switched(1, [result("a", "switched"), result("b", "unchanged")], 2010)],
    begun(),
  );
  const refusal = refused(
    [result("a", "refused", "struct player grew"), result("b", "refused", "layout-changed")],
    3010,
  );
  const path = "/libgame.so";
  const undone = play(
    [
      ...built(3000),
      refusal,
      ...built(4000),
      { type: "artifact:unchanged", at: 4010, library: "libgame.so", path, reason: "the same bytes as 1, which runs" },
    ],
    before,
  );
  t.deepEqual(fn(undone, "a"), fn(before, "a"));
  t.deepEqual(fn(undone, "b"), fn(before, "b"));
});

test("a refused library stays in sight when another one arrives, until it changes itself or the next build ends", (t) => {
  const two = play([found("libtwo.so", 1)], begun());
  const changed = (library: string, at: number): SessionEvent => ({
    type: "artifact:changed",
    at,
    library,
    path: "p",
    reason: "r",
  });
  const state = play(
    [
      ...built(3000),
      changed("libtwo.so", 3005),
      refused([], 3010, "libtwo.so"),
      changed("libgame.so", 3015),
      switched(1, [result("a", "switched")], 3020),
    ],
    two,
  );
  t.is(state.save.step, "failed");
  t.is(state.problem?.kind, "refused");
  t.is(state.libraries[0]?.running, 1, "although the first library's switch counts");
  t.is(play([changed("libtwo.so", 4000)], state).save.step, "taking");
  t.is(play([...built(5000), switched(2, [result("a", "switched")], 5010)], state).save.step, "arrived");
});

test("an unchanged library does not hide that another one arrived", (t) => {
  const state = play([...built(3000), switched(1, [result("a", "switched")], 3020)], begun());
  const after = reduce(state, {
    type: "artifact:unchanged",
    at: 3030,
    library: "libtwo.so",
    path: "p",
    reason: "same",
  });
  t.is(after.save.step, "arrived");
});

test("a rollback is told apart from a build that arrived, and adds no generation", (t) => {
  const one = play([...built(2000), switched(1, [result("a", "switched")], 2010)], begun());
  const back = reduce(one, switched(0, [result("a", "switched")], 3000, { from: 1, why: "restore" }));
  t.like(back.save, { step: "moved", why: "restore", generation: 0 });
  t.deepEqual(back.libraries[0]?.generations, [0, 1]);
  t.is(back.totals.generations, 1);
});

test("status corrects what each function runs, and counts threads", (t) => {
  const state = reduce(begun(), status(["a", "b"], { generation: 2, generations: [0, 2, 1], oldThreads: 3 }));
  t.deepEqual(state.libraries[0]?.generations, [0, 1, 2]);
  t.like(fn(state, "b"), { generation: 2, oldThreads: 3 });
});

test("the summary counts builds, failures, generations and refusals", (t) => {
  t.is(
    summary(eventful()),
    "in this session: 5 builds (1 failed, the last took 840 ms); 3 new generations, 1 refused; libgame.so has 4 generations",
  );
});

test("nothing grows without limit", (t) => {
  let state = begun();
  for (let i = 1; i <= 1500; i++) state = play([...failed(i * 10, "x\n"), output("line\n".repeat(10))], state);
  t.true(state.log.length <= 1000);
  t.true(state.builds.length <= 200);
  t.true((state.libraries[0]?.attempts.length ?? 0) <= 200);
  t.true(state.output.lines.length <= 5000);
  t.is(state.totals.failed, 1500, "but the totals are");
});

test("what each of very many functions went through is forgotten in time, that it was a generation is not", (t) => {
  const all = Array.from({ length: 10_000 }, (_, i) => result(`f${i}`, "switched"));
  let state = begun();
  for (let n = 1; n <= 8; n++) state = reduce(state, switched(n, all, n * 1000));
  const attempts = state.libraries[0]?.attempts ?? [];
  t.is(attempts.length, 9);
  t.is(attempts.filter((attempt) => attempt.kind === "generation" && attempt.changed === null).length, 3);
});

test("the state of the past is not changed by what comes after", (t) => {
  const before = begun();
  const copy = structuredClone(before);
  play([...built(2000), switched(1, [result("a", "switched")], 2010), output("text"), ...failed(3000, "e")], before);
  t.deepEqual(before, copy);
  t.deepEqual(START.log, []);
});
