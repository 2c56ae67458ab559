/** How the bridge starts a host, without Frida. */
import { join } from "node:path";
import test from "ava";
import { Lines, ROOT, Workshop } from "../../support/workshop.js";

/** The bridge is killed when there is a process that is to become the host, before it traces it. */
const KILLED = `
import os, sys
sys.path.insert(0, sys.argv[1])
import spawned
def killed(pid):
    print(pid, flush=True)
    os.kill(os.getpid(), 9)
spawned.Tracee = killed
spawned.started(["/bin/sleep", "600"], {}, "/", 2)
`;

test("a host that is being started while the bridge is killed does not begin, and leaves no process behind", async (t) => {
  t.timeout(20_000);
  const shop = new Workshop(t);
  const bridge = shop.start("python3", ["-I", "-B", "-c", KILLED, join(ROOT, "dist/cli/frida/bridge")]);
  new Lines(bridge.stdout, (pid) => shop.owns(Number(pid)));
  // It comes when nobody has its streams any more.
  t.is(await new Promise((resolve) => bridge.once("close", (_, signal) => resolve(signal))), "SIGKILL");
});
