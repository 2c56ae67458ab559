/**
 * The native backend: npm's frida in this very process. The package's own install script downloads its binding; without it
 * `openNative` rejects with no-backend. Checked against the package's types; not run where the binding is unavailable
 * (docs/limits.md).
 */
import { readFileSync } from "node:fs";
import type { Device, Script, Session, SessionOptions, Stdio } from "frida";
import {
  type AgentAnswer,
  type AgentArgument,
  type AgentMethod,
  AgentMethods,
  type Result,
} from "../../schemas/agent.js";
import {
  attachFailed,
  bridgeDied,
  ENDED,
  HotpatchError,
  noBackend,
  spawnFailed,
  targetDied,
  wordsOf,
} from "../errors.js";
import { isZombie, statOf } from "../system/proc.js";
import { attachRefused } from "./frida-words.js";
import { Mailbox, outcome } from "./mailbox.js";
import { type Backend, type Outcome, REPLACED, type SpawnOptions, type Target, type TargetEvent } from "./target.js";

/** Rejects with no-backend if the package is missing or lacks its binding. */
export async function openNative(): Promise<Backend> {
  const frida = await import("frida").catch((error: Error) => {
    throw new HotpatchError(
      noBackend("native", `npm frida: ${error.message.split("\n")[0]?.replace(/ Tried:$/, "")}`),
      error,
    );
  });
  const device = await frida.getLocalDevice();
  // As in bridge/binding.py: keeps Frida from changing anything in the host by itself.
  const { Off } = frida.Exceptor;
  const withoutHooks = { exceptor: Off, unwindBroker: false, exitMonitor: false, threadSuspendMonitor: false };
  return new NativeBackend(device, installedVersion(), frida.Stdio.Pipe, withoutHooks);
}

function installedVersion(): string {
  const file = new URL("../../package.json", import.meta.resolve("frida"));
  return `frida ${(JSON.parse(readFileSync(file, "utf8")) as { version: string }).version} (npm)`;
}

class NativeBackend implements Backend {
  readonly name = "native";
  readonly version: string;
  readonly #device: Device;
  readonly #pipe: Stdio;
  readonly #withoutHooks: SessionOptions;
  readonly #targets = new Map<number, NativeTarget>();

  constructor(device: Device, version: string, pipe: Stdio, withoutHooks: SessionOptions) {
    this.#device = device;
    this.#withoutHooks = withoutHooks;
    this.version = version;
    this.#pipe = pipe;
    device.output.connect((pid, fd, data) => {
      if (data.length > 0)
        this.#targets.get(pid)?.mail.say({ type: "output", stream: fd === 2 ? "stderr" : "stdout", data });
    });
  }

  async spawn({ argv, env, cwd }: SpawnOptions, source: string): Promise<Target> {
    const program = argv[0] ?? "";
    // Pipes, as node has no pty of its own: a host that checks for a terminal will buffer its output.
    const pid = await this.#device
      .spawn([...argv], { envp: { ...env }, cwd, stdio: this.#pipe })
      .catch((error: Error) => {
        throw new HotpatchError(spawnFailed(program, error.message), error);
      });
    return this.#enter(pid, source).catch(async (error: HotpatchError) => {
      await this.#device.kill(pid);
      throw new HotpatchError({ ...error.report, running: ENDED }, error);
    });
  }

  attach(pid: number, source: string): Promise<Target> {
    return this.#enter(pid, source);
  }

  async #enter(pid: number, source: string): Promise<Target> {
    const session = await this.#device.attach(pid, this.#withoutHooks).catch((error: Error) => {
      throw new HotpatchError(attachRefused(pid, error.message), error);
    });
    try {
      const script = await session.createScript(source, { name: "hotpatch" });
      const target = new NativeTarget(pid, this.#device, session, script);
      this.#targets.set(pid, target);
      await script.load();
      return target;
    } catch (error) {
      await session.detach();
      throw new HotpatchError(attachFailed(pid, wordsOf(error)), error);
    }
  }

  async close(): Promise<void> {
    for (const target of this.#targets.values()) await target.detach();
    this.#targets.clear();
  }
}

class NativeTarget implements Target {
  readonly pid: number;
  readonly carrier = null; // nothing in node can trace
  readonly mail = new Mailbox();
  readonly #device: Device;
  readonly #session: Session;
  readonly #script: Script;
  #detached = false;

  constructor(pid: number, device: Device, session: Session, script: Script) {
    this.pid = pid;
    this.#device = device;
    this.#session = session;
    this.#script = script;
    script.message.connect((message) => this.mail.sayAgent(message));
    session.detached.connect((reason) => {
      if (reason === "process-terminated" && isAlive(pid)) this.mail.say({ type: "replaced", reason: REPLACED });
      else if (reason === "process-terminated")
        this.mail.say({ type: "exited", outcome: exitOf(pid), reason: "the process exited" });
      else if (reason !== "application-requested") this.mail.say({ type: "lost", reason });
    });
  }

  async call<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<Result<AgentAnswer<M>>> {
    const remote = this.#script.exports[method];
    if (remote === undefined) throw new Error(`the agent has no ${method}`);
    const answer: unknown = await this.#guard(remote(argument));
    return AgentMethods[method][1].parse(answer) as Result<AgentAnswer<M>>;
  }

  listen(listener: (event: TargetEvent) => void): void {
    this.mail.listen(listener);
  }

  /** Node cannot stop a thread, and Frida's own methods have crashed hosts (docs/decisions/0015). */
  async stacks(): Promise<null> {
    return null;
  }

  resume(): Promise<void> {
    return this.#guard(this.#device.resume(this.pid));
  }

  async detach(): Promise<void> {
    if (this.#detached || this.mail.gone) return;
    this.#detached = true;
    await this.#guard(this.#script.unload());
    await this.#guard(this.#session.detach());
  }

  input(data: Buffer): Promise<void> {
    return this.#guard(this.#device.input(this.pid, data));
  }

  /** Pipes have no size. */
  async resize(): Promise<void> {}

  async #guard<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const detail = wordsOf(error);
      if (this.mail.gone || this.#session.isDetached())
        throw new HotpatchError(isAlive(this.pid) ? bridgeDied(this.pid, detail) : targetDied(this.pid, detail), error);
      throw error;
    }
  }
}

/** Nobody reaps a host that Frida spawned from here, so its status can be read from the zombie. */
function exitOf(pid: number): Outcome {
  const stat = statOf(pid);
  if (stat === null || !isZombie(stat)) return {};
  const signal = stat.exitStatus & 0x7f;
  return signal === 0 ? outcome(stat.exitStatus >> 8, null) : outcome(null, signal);
}

function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && !isZombie(stat);
}
