/** The python backend: bridge.py in a process group of its own, so that Ctrl-C in our terminal does not reach it. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  type AgentAnswer,
  type AgentArgument,
  type AgentMethod,
  AgentMethods,
  Carrier,
  type Result,
} from "../../schemas/agent.js";
import type { BridgeOp, BridgeRequests } from "../../schemas/bridge.js";
import type { ErrorReport } from "../../schemas/error.js";
import { BRIDGE_PROTOCOL } from "../../schemas/protocol.js";
import {
  attachFailed,
  attachRefused,
  bridgeDied,
  ENDED,
  HotpatchError,
  noBackend,
  spawnFailed,
  targetDied,
  unsupportedHost,
} from "../errors.js";
import { type BridgeEvent, Channel, LinkClosed, RemoteError } from "./channel.js";
import { Mailbox, outcome } from "./mailbox.js";
import { type Backend, type Range, REPLACED, type SpawnOptions, type Target, type TargetEvent } from "./target.js";

const START_MS = 20_000;
/** Bytes of stderr kept for the error. */
const STDERR_TAIL = 4096;
/** ms the bridge has to let go of its targets. */
const CLOSE_MS = 8000;

/** ms that reading the threads' stacks may take. */
const STACKS_MS = 2000;
const Stacks = z.array(z.array(z.number())).nullable();

const SCRIPT = fileURLToPath(new URL("bridge.py", import.meta.url));

export interface Python {
  readonly command: string;
  /** Folder that holds the frida package; null: the interpreter's own. */
  readonly packages: string | null;
}

/** Starts the bridge. Rejects with no-backend. */
export async function openBridge(python: Python): Promise<Backend> {
  const { bridge, version } = await startBridge(python, []);
  // The agent finds Frida by a name that holds within a network namespace.
  const others = new Map<string, Promise<Backend>>();
  const backend = bridge.backend(version);
  return {
    ...backend,
    attach: async (pid, source) => {
      const network = networkOf(pid);
      if (network === null || network === networkOf("self")) return backend.attach(pid, source);
      const open = () => startBridge(python, ["--net", String(pid)]).then((one) => one.bridge.backend(one.version));
      const other = others.get(network) ?? open();
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

async function startBridge(python: Python, options: readonly string[]): Promise<{ bridge: Bridge; version: string }> {
  const packages = python.packages === null ? [] : [python.packages];
  // -S: the interpreter's own packages, which take time to find, where Frida is not one of them.
  const isolated = python.packages === null ? ["-I", "-B"] : ["-I", "-B", "-S"];
  const child = spawn(python.command, [...isolated, SCRIPT, ...options, ...packages], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const bridge = new Bridge(child);
  const about = await bridge.ready(python.command);
  return { bridge, version: `frida ${about.frida}, python ${about.python}` };
}

/** The network namespace of a process; null: not ours to see. */
function networkOf(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}

class Bridge {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #channel: Channel;
  readonly #targets = new Map<number, BridgedTarget>();
  readonly #ended: Promise<string>;
  #said: (event: BridgeEvent) => void = () => {};
  #stderr = "";

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#channel = new Channel(
      (line) => child.stdin.write(line),
      (event) => this.#hear(event),
    );
    child.stdin.on("error", () => {}); // the bridge is gone: `close` below says so
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => this.#receive(chunk));
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-STDERR_TAIL);
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        const reason = this.#stderr.trim() === "" ? how : `${how}: ${this.#stderr.trim()}`;
        this.#channel.close(reason);
        for (const target of this.#targets.values()) target.lose(reason);
        resolve(reason);
      };
      child.once("error", (error) => end(error.message));
      child.once("close", (code, signal) => end(`the bridge exited with ${signal ?? `exit code ${code}`}`));
    });
  }

  /** A bridge that does not keep to the contract is of no use any more. */
  #receive(chunk: string): void {
    try {
      this.#channel.receive(chunk);
    } catch (error) {
      this.#stderr = `it sent what is not in the contract: ${error instanceof Error ? error.message : String(error)}`;
      this.#child.kill("SIGKILL");
    }
  }

  async ready(command: string): Promise<{ frida: string; python: string }> {
    const fail = (detail: string) => {
      this.#child.kill("SIGKILL");
      return new HotpatchError(noBackend("python", `${command}: ${detail}`));
    };
    let timer: NodeJS.Timeout | undefined;
    const first = new Promise<BridgeEvent>((resolve, reject) => {
      this.#said = resolve;
      timer = setTimeout(() => reject(fail(`the bridge did not answer for ${START_MS / 1000} s`)), START_MS);
      void this.#ended.then((reason) => reject(fail(reason)));
    });
    try {
      const event = await first;
      if (event.event === "fatal") throw fail(event.message);
      if (event.event !== "ready") throw fail(`it started with ${event.event}`);
      if (event.protocol !== BRIDGE_PROTOCOL)
        throw fail(`it speaks protocol ${event.protocol}, this hotpatch ${BRIDGE_PROTOCOL}`);
      return event;
    } finally {
      clearTimeout(timer);
    }
  }

  backend(version: string): Backend {
    return {
      name: "python",
      version,
      spawn: (options, source) => this.#spawn(options, source),
      attach: (pid, source) => this.#attach(pid, source),
      close: () => this.#close(),
    };
  }

  async #spawn(options: SpawnOptions, source: string): Promise<Target> {
    const { argv, env, cwd, cols, rows } = options;
    const program = argv[0] ?? "";
    const pid = await this.#channel
      .request("spawn", { argv: [...argv], env: { ...env }, cwd, cols, rows })
      .catch((error: Error) => {
        throw new HotpatchError(spawnFailed(program, error.message), error);
      });
    if (typeof pid !== "number") throw new HotpatchError(spawnFailed(program, "the bridge gave no pid"));
    return this.#enter(pid, source).catch((error: HotpatchError) => {
      endHost(pid);
      throw new HotpatchError({ ...error.report, running: ENDED }, error);
    });
  }

  async #attach(pid: number, source: string): Promise<Target> {
    await this.#channel.request("attach", { pid }).catch((error: Error) => {
      throw new HotpatchError(whyNotEntered(pid, error), error);
    });
    return this.#enter(pid, source);
  }

  async #enter(pid: number, source: string): Promise<Target> {
    const target = new BridgedTarget(pid, this.#channel);
    this.#targets.set(pid, target);
    const carrier = await this.#channel.request("load", { pid, source }).catch((error: Error) => {
      throw new HotpatchError(attachFailed(pid, error.message), error);
    });
    target.carrier = Carrier.parse(carrier);
    return target;
  }

  #hear(event: BridgeEvent): void {
    if (event.event === "ready" || event.event === "fatal") return this.#said(event);
    this.#targets.get(event.pid)?.hear(event);
  }

  /** stdin's end is the order to let go of everything. */
  async #close(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}

function whyNotEntered(pid: number, error: Error): ErrorReport {
  if (!(error instanceof RemoteError) || error.type !== "NoCarrier") return attachRefused(pid, error.message);
  const cure = "attach at another moment, when it is waiting for something; or start it with `hotpatch spawn`";
  return unsupportedHost(pid, error.message, cure);
}

/** One that stands at its entry point still. */
function endHost(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}

class BridgedTarget implements Target {
  readonly pid: number;
  carrier: Carrier | null = null;
  readonly #channel: Channel;
  readonly #mail = new Mailbox();
  #detached = false;

  constructor(pid: number, channel: Channel) {
    this.pid = pid;
    this.#channel = channel;
  }

  async call<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<Result<AgentAnswer<M>>> {
    const answer = await this.#request("call", { pid: this.pid, method, argument });
    return AgentMethods[method][1].parse(answer) as Result<AgentAnswer<M>>;
  }

  listen(listener: (event: TargetEvent) => void): void {
    this.#mail.listen(listener);
  }

  async stacks(ranges: readonly Range[]): Promise<number[][] | null> {
    const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), STACKS_MS).unref());
    return Stacks.parse(await Promise.race([this.#request("stacks", { pid: this.pid, ranges: [...ranges] }), late]));
  }

  async resume(): Promise<void> {
    await this.#request("resume", { pid: this.pid });
  }

  async detach(): Promise<void> {
    if (this.#detached || this.#mail.gone) return;
    this.#detached = true;
    await this.#request("detach", { pid: this.pid });
  }

  async input(data: Buffer): Promise<void> {
    await this.#request("input", { pid: this.pid, base64: data.toString("base64") });
  }

  async resize(cols: number, rows: number): Promise<void> {
    await this.#request("resize", { pid: this.pid, cols, rows });
  }

  /** The bridge is gone. */
  lose(reason: string): void {
    this.#mail.say({ type: "lost", reason });
  }

  hear(event: Extract<BridgeEvent, { pid: number }>): void {
    switch (event.event) {
      case "output":
        return this.#mail.say({ type: "output", stream: event.stream, data: Buffer.from(event.base64, "base64") });
      case "message":
        return this.#mail.sayAgent(event.message);
      case "detached":
        // The end of the process has its own event, with its exit code; letting go was our own wish.
        if (event.reason !== "process-terminated" && event.reason !== "application-requested") this.lose(event.reason);
        return;
      case "replaced":
        return this.#mail.say({ type: "replaced", reason: REPLACED });
      case "exited":
        return this.#mail.say({
          type: "exited",
          outcome: outcome(event.exitCode, event.signal),
          reason: "the process exited",
        });
    }
  }

  /** A request fails either because the target is gone, or the bridge, or by a fault of the agent. */
  async #request<O extends BridgeOp>(op: O, argument: BridgeRequests[O]): Promise<unknown> {
    try {
      return await this.#channel.request(op, argument);
    } catch (error) {
      if (error instanceof LinkClosed) throw new HotpatchError(bridgeDied(this.pid, error.message), error);
      if (error instanceof RemoteError && /destroyed|detached|terminated|gone/i.test(`${error.type} ${error.message}`))
        throw new HotpatchError(
          (existsSync(`/proc/${this.pid}`) ? bridgeDied : targetDied)(this.pid, error.message),
          error,
        );
      throw error;
    }
  }
}
