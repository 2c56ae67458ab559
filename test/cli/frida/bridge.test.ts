/** The bridge's Python, without Frida. */
import { join } from "node:path";
import test from "ava";
import { Lines, ROOT, Workshop } from "../../support/workshop.js";

const BRIDGE = join(ROOT, "dist/cli/frida/bridge");

/** Kills the bridge once the process that is to become the host exists, before the bridge traces it. */
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

test("a host being spawned when the bridge is killed never starts and leaves no process behind", async (t) => {
  t.timeout(20_000);
  const shop = new Workshop(t);
  const bridge = shop.start("python3", ["-I", "-B", "-c", KILLED, BRIDGE]);
  new Lines(bridge.stdout, (pid) => shop.owns(Number(pid)));
  // Emitted once nobody has its streams open any more.
  t.is(await new Promise((resolve) => bridge.once("close", (_, signal) => resolve(signal))), "SIGKILL");
});

test("a Frida that does not shut down does not keep the bridge alive, which leaves no folder behind", async (t) => {
  t.timeout(20_000);
  const shop = new Workshop(t);
  const module = await shop.library("module.so", "");
  const packages = shop.folderOf("packages", {});
  const frida = `
import threading
from types import SimpleNamespace
__version__ = "0"
_frida = SimpleNamespace(__file__="${module}")
get_local_device = SimpleNamespace
shutdown = threading.Event().wait
`;
  shop.folderOf("packages/frida", { "__init__.py": frida });
  const bridge = shop.start("python3", ["-I", "-B", join(BRIDGE, "bridge.py"), packages], {
    env: { ...process.env, TMPDIR: shop.temp },
  });
  await new Lines(bridge.stdout).next((line) => line.includes('"ready"'), "ready");
  t.is(shop.leftovers().length, 1);
  bridge.stdin?.end();
  t.is(await new Promise((resolve) => bridge.once("close", resolve)), 0);
  t.deepEqual(shop.leftovers(), []);
});
