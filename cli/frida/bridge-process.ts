/** The bridge's process: its standard streams form a channel, and when it exits, every target behind it is lost. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { Carrier } from "../../schemas/agent.js";
import type { ErrorReport } from "../../schemas/error.js";
import { BRIDGE_PROTOCOL } from "../../schemas/protocol.js";
import { attachFailed, ENDED, HotpatchError, noBackend, spawnFailed, unsupportedHost, wordsOf } from "../errors.js";
import { BridgedTarget } from "./bridged-target.js";
import { type BridgeEvent, Channel, RemoteError } from "./channel.js";
import { attachRefused } from "./frida-words.js";
import type { Backend, SpawnOptions, Target } from "./target.js";

const START_MS = 20_000;
/** Bytes of stderr kept for the error message. */
const STDERR_TAIL = 4096;
/** How long the bridge may take to release its targets, in ms. */
const CLOSE_MS = 8000;
/** How long to wait for the bridge's last messages after it has exited, in ms. */
const LAST_WORDS_MS = 1000;

export class BridgeProcess {
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
      child.once("exit", () => {
        // Not before everything that has arrived by then is read.
        const timer = setTimeout(() => setImmediate(() => this.#closeStreams()), LAST_WORDS_MS);
        child.once("close", () => clearTimeout(timer));
      });
    });
  }

  /** `close` is emitted once these have ended too; a process that inherited one could delay that for ever. */
  #closeStreams(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }

  /** A bridge that violates the contract is of no further use. */
  #receive(chunk: string): void {
    try {
      this.#channel.receive(chunk);
    } catch (error) {
      this.#stderr = `it sent what is not in the contract: ${wordsOf(error)}`;
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

  /** Closing stdin tells the bridge to release everything. */
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

/** Kills a host that is still stopped at its entry point. */
function endHost(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has already exited
  }
}
