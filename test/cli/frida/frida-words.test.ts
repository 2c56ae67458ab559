/** Frida's wording, as of version 17. */
import test from "ava";
import { attachRefused, saysGone } from "../../../cli/frida/frida-words.js";

test("Frida's refusals are told apart by their wording", (t) => {
  const code = (detail: string) => attachRefused(7, detail).code;
  t.is(code("unable to find process with pid 7"), "no-such-process");
  t.is(code("unable to access process with pid 7 from the current user account"), "attach-denied");
  t.is(code("Process is traced by another process"), "attach-busy");
  t.is(code("process with pid 7 either refused to load frida-agent, or terminated during injection"), "attach-failed");
});

test("a script or session that is gone is distinguished from one that failed", (t) => {
  t.true(saysGone("InvalidOperationError script has been destroyed"));
  t.true(saysGone("InvalidOperationError Session is gone"));
  t.false(saysGone("RPCException already replaced"));
});
