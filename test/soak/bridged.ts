/**
 * The real agent in a target, again and again, through the real bridge, without the command line around it: some ten
 * times as many rounds of installing and restoring, and a hundred times as many switches, as whole sessions would give.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Channel } from "../../cli/frida/channel.js";
import { type AgentAnswer, type AgentArgument, type AgentMethod, AgentMethods, Carrier } from "../../schemas/agent.js";
import { AGENT_PROTOCOL } from "../../schemas/protocol.js";
import { endChild, ROOT } from "../support/workshop.js";

const BRIDGE = join(ROOT, "dist/cli/frida/bridge/bridge.py");
const PACKAGES = join(ROOT, ".hotpatch-python");
const AGENT = readFileSync(join(ROOT, "dist/agent.js"), "utf8");
const NO_HOOKS = { before: null, after: null };
/** ms that a hammered target may take for one answer before it counts as hanging. */
const ANSWER_MS = 60_000;

export class Bridged {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #channel: Channel;
  readonly #pid: number;
  readonly #library: string;

  private constructor(pid: number, library: string) {
    this.#pid = pid;
    this.#library = library;
    this.#child = spawn("python3", ["-I", "-B", BRIDGE, PACKAGES], { stdio: ["pipe", "pipe", "pipe"] });
    this.#channel = new Channel(
      (line) => this.#child.stdin.write(line),
      () => {}, // the host itself says how it fares
    );
    this.#child.stdin.on("error", () => {}); // it has ended: `close` says so to everyone who waits
    this.#child.stdout.setEncoding("utf8");
    this.#child.stdout.on("data", (chunk: string) => this.#channel.receive(chunk));
    this.#child.once("close", () => this.#channel.close("the bridge ended"));
  }

  static async attach(pid: number, library: string): Promise<Bridged> {
    const bridged = new Bridged(pid, library);
    await bridged.#inTime("attach", bridged.#channel.request("attach", { pid }));
    return bridged;
  }

  /** A fresh agent, which adopts the library's entries. Returns the generations it knows. */
  async begin(): Promise<number[]> {
    const carrier = await this.#inTime("load", this.#channel.request("load", { pid: this.#pid, source: AGENT }));
    const begun = await this.#call("begin", {
      protocol: AGENT_PROTOCOL,
      owner: process.pid,
      libraries: [this.#library],
      unmarked: false,
      stage: null,
      stopped: false,
      carrier: Carrier.parse(carrier),
    });
    return begun.libraries.flatMap((library) => library.generations.map(({ generation }) => generation));
  }

  async switchTo(generation: number): Promise<void> {
    await this.#call("switchTo", { library: this.#library, generation, hooks: NO_HOOKS, timeoutMs: 1000 });
  }

  /** The host's own bytes again, or what runs goes on. */
  async end(keep = false): Promise<void> {
    await this.#call("end", { keep });
  }

  async close(): Promise<void> {
    await this.#inTime("detach", this.#channel.request("detach", { pid: this.#pid }));
    this.#child.stdin.end();
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    await this.#inTime("the bridge's end", ended);
  }

  async kill(): Promise<void> {
    await endChild(this.#child);
  }

  async #call<M extends AgentMethod>(method: M, argument: AgentArgument<M>): Promise<AgentAnswer<M>> {
    const request = this.#channel.request("call", { pid: this.#pid, method, argument });
    const answer = AgentMethods[method][1].parse(await this.#inTime(method, request));
    if (!answer.ok) throw new Error(`${method}: ${answer.error.code}, ${answer.error.detail}`);
    return answer.value as AgentAnswer<M>;
  }

  async #inTime<T>(what: string, promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer to ${what} in ${ANSWER_MS} ms`)), ANSWER_MS);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
