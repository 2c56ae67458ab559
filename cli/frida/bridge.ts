/**
 * The python backend: one bridge/bridge.py process per network namespace with a target in it. Each is in a process group of
 * its own, so that Ctrl-C in our terminal does not reach it.
 */
import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BridgeProcess } from "./bridge-process.js";
import type { Backend } from "./target.js";

const SCRIPT = fileURLToPath(new URL("bridge/bridge.py", import.meta.url));

export interface Python {
  readonly command: string;
  /** Folder with the frida package; null: the interpreter's own. */
  readonly packages: string | null;
}

/** Starts the bridge. Rejects with no-backend. */
export async function openBridge(python: Python): Promise<Backend> {
  const backend = await startBridge(python, []);
  // The agent finds Frida through a socket name that is only valid within a network namespace.
  const others = new Map<string, Promise<Backend>>();
  return {
    ...backend,
    attach: async (pid, source) => {
      const network = networkOf(pid);
      if (network === null || network === networkOf("self")) return backend.attach(pid, source);
      const other = others.get(network) ?? startBridge(python, ["--net", String(pid)]);
      others.set(network, other);
      return (await other).attach(pid, source);
    },
    close: async () => {
      const opened = await Promise.allSettled(others.values());
      await Promise.all(
        [backend, ...opened.flatMap((one) => (one.status === "fulfilled" ? one.value : []))].map((one) => one.close()),
      );
    },
  };
}

async function startBridge(python: Python, options: readonly string[]): Promise<Backend> {
  const packages = python.packages === null ? [] : [python.packages];
  // -S skips the interpreter's own packages, which take time to find, if Frida is not one of them.
  const isolated = python.packages === null ? ["-I", "-B"] : ["-I", "-B", "-S"];
  const child = spawn(python.command, [...isolated, SCRIPT, ...options, ...packages], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const bridge = new BridgeProcess(child);
  const about = await bridge.ready(python.command);
  return bridge.backend(`frida ${about.frida}, python ${about.python}`);
}

/** The network namespace of a process; null: we may not see it. */
function networkOf(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}
