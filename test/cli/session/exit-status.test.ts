/** The exit codes of docs/cli.md. */
import test from "ava";
import { exitCodeOf, outcomeOf } from "../../../cli/session/exit-status.js";

test("a session that ended as asked exits 0, whatever ended the host", (t) => {
  t.is(exitCodeOf({ kind: "asked", reason: "SIGINT", keep: false, outcome: { signal: "SIGTERM" } }, "spawn"), 0);
});

test("a spawned host's own exit code and signal are mirrored", (t) => {
  t.is(exitCodeOf({ kind: "exited", reason: "", outcome: { exitCode: 7 } }, "spawn"), 7);
  t.is(exitCodeOf({ kind: "exited", reason: "", outcome: { signal: "SIGSEGV" } }, "spawn"), 139);
});

test("an attached target that exits by itself gives 0, one that dies of a signal 5", (t) => {
  t.is(exitCodeOf({ kind: "exited", reason: "", outcome: { exitCode: 7 } }, "attach"), 0);
  t.is(exitCodeOf({ kind: "exited", reason: "", outcome: { signal: "SIGKILL" } }, "attach"), 5);
});

test("a target that lives on has no outcome", (t) => {
  t.is(outcomeOf({ kind: "lost", reason: "the bridge died" }), null);
  t.is(outcomeOf({ kind: "asked", reason: "", keep: true }), null);
  t.deepEqual(outcomeOf({ kind: "exited", reason: "unknown", outcome: {} }), { reason: "unknown" });
});
