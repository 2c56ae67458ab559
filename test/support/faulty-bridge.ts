/** A bridge with a fault: the real one, with one of its answers altered in transit. */
import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import type { AgentMethod } from "../../schemas/agent.js";
import type { BridgeOp } from "../../schemas/bridge.js";
import type { Workshop } from "./workshop.js";

/**
 * Makes a program to name in HOTPATCH_PYTHON.
 * @param what the request of the bridge, or the method of the agent, whose answer is changed
 * @param line what the bridge sends instead, as Python: `id` is the request's
 */
export function faultyBridge(shop: Workshop, what: AgentMethod | BridgeOp, line: string): string {
  const path = shop.write(
    `bridge-faulty-in-${what}`,
    `#!${pythonOfTests()}
import json, subprocess, sys, threading
real = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
changed = set()
def ask():
    for request in sys.stdin.buffer:
        message = json.loads(request)
        if "${what}" in (message["op"], message.get("method")):
            changed.add(message["id"])
        real.stdin.write(request)
        real.stdin.flush()
    real.stdin.close()
threading.Thread(target=ask, daemon=True).start()
for answer in real.stdout:
    id = json.loads(answer).get("id")
    sys.stdout.write(${line} + "\\n" if id in changed else answer.decode())
    sys.stdout.flush()
`,
  );
  chmodSync(path, 0o755);
  return path;
}

/** Makes a program to name in HOTPATCH_PYTHON: to the bridge, the cli vanishes in the middle of a request. */
export function cutOffBridge(shop: Workshop, op: BridgeOp): string {
  const path = shop.write(
    `bridge-cut-off-in-${op}`,
    `#!${pythonOfTests()}
import json, subprocess, sys
real = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE)
for request in sys.stdin.buffer:
    half = json.loads(request)["op"] == "${op}"
    real.stdin.write(request[: len(request) // 2] if half else request)
    real.stdin.flush()
    if half:
        break
real.stdin.close()
sys.exit(real.wait())
`,
  );
  chmodSync(path, 0o755);
  return path;
}

const pythonOfTests = (): string =>
  execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();
