/** The built program under --json, as an outside program would drive it. */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SessionEvent } from "../../schemas/event.js";
import { Lines, ROOT, type Workshop } from "./workshop.js";

export const CLI = join(ROOT, "dist/cli/main.js");

type Type = SessionEvent["type"];
export type EventOf<T extends Type> = Extract<SessionEvent, { type: T }>;

export class Tool {
  readonly child: ChildProcess;
  readonly events: SessionEvent[] = [];
  /** What the target printed, line by line. */
  readonly output: Lines;
  /** Resolves with exit code and signal. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #lines: Lines;
  #stderr = "";
  #pid = 0;

  /** @param through a command that starts it: `setpriv ...`, `unshare ...` */
  constructor(
    workshop: Workshop,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    through: readonly string[] = [],
  ) {
    const [command = process.execPath, ...rest] = [...through, process.execPath, CLI, ...args];
    this.child = workshop.start(command, rest, {
      env: { ...process.env, TMPDIR: workshop.temp, ...env },
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error("the tool has no pipes");
    this.output = new Lines(null);
    const spawned = args[0] === "spawn";
    // Every line is parsed against the contract, whether or not the test uses it.
    this.#lines = new Lines(stdout, (line) => {
      this.#take(line);
      if (spawned && this.#pid !== 0) workshop.owns(this.#pid);
    });
    stderr.setEncoding("utf8");
    stderr.on("data", (chunk: string) => {
      this.#stderr += chunk;
    });
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => resolve({ code, signal })));
  }

  static spawn(workshop: Workshop, args: readonly string[], env?: NodeJS.ProcessEnv): Tool {
    return new Tool(workshop, ["spawn", "--json", ...args], env);
  }

  static attach(workshop: Workshop, args: readonly string[], env?: NodeJS.ProcessEnv): Tool {
    return new Tool(workshop, ["attach", "--json", ...args], env);
  }

  /** The target's pid, or the followed one's; 0 before session:started. */
  get pid(): number {
    return this.#pid;
  }

  /** Pid of its bridge: the one in the target's network namespace, if that differs from ours. */
  bridge(): number {
    const bridges = readdirSync("/proc").flatMap((entry) => {
      if (!/^\d+$/.test(entry)) return [];
      try {
        const [, after] = readFileSync(`/proc/${entry}/stat`, "latin1").split(") ");
        const command = readFileSync(`/proc/${entry}/cmdline`, "latin1");
        const ours = Number(after?.split(" ")[1]) === this.child.pid && command.includes("bridge.py");
        return ours ? [{ pid: Number(entry), there: command.includes("--net") }] : [];
      } catch {
        return []; // exited meanwhile
      }
    });
    const bridge = bridges.find(({ there }) => there) ?? bridges[0];
    if (bridge === undefined) throw new Error("the tool has no bridge");
    return bridge.pid;
  }

  get stderr(): string {
    return this.#stderr;
  }

  send(command: object | string): void {
    this.child.stdin?.write(`${typeof command === "string" ? command : JSON.stringify(command)}\n`);
  }

  /** The next event of this type from event index `from` on. */
  async next<T extends Type>(
    type: T,
    fits: (event: EventOf<T>) => boolean = () => true,
    from = 0,
    ms = 30_000,
  ): Promise<EventOf<T>> {
    const matches = (event: SessionEvent): event is EventOf<T> => event.type === type && fits(event as EventOf<T>);
    await this.#lines
      .next((line) => line.includes(`"${type}"`) && matches(JSON.parse(line) as SessionEvent), type, from, ms)
      .catch((error: Error) => this.#fail(error));
    const event = this.events.slice(from).find(matches);
    if (event === undefined) throw new Error(`${type} was seen but not kept`);
    return event;
  }

  /** The first `ready`, or an error that says why not. */
  ready(): Promise<EventOf<"session:ready">> {
    return this.next("session:ready");
  }

  switched(generation: number, from = 0): Promise<EventOf<"generation:switched">> {
    return this.next("generation:switched", (e) => e.generation === generation, from);
  }

  /** A matching line of the target's output, from output line index `from` on. */
  prints(fits: string | RegExp, from = 0, ms?: number): Promise<string> {
    const test = typeof fits === "string" ? (line: string) => line === fits : (line: string) => fits.test(line);
    return this.output.next(test, String(fits), from, ms).catch((error: Error) => this.#fail(error));
  }

  /** Throws with what the tool said instead. */
  #fail(error: Error): never {
    const said = this.events.filter((e) => e.type !== "target:output").map((e) => JSON.stringify(e).slice(0, 600));
    throw new Error(`${error.message.slice(0, 1000)}\nevents:\n${said.join("\n")}\nstderr: ${this.#stderr}`);
  }

  /** Requests the end and waits for it. */
  async end(keep?: boolean): Promise<number | null> {
    this.send({ command: "end", ...(keep !== undefined && { keep }) });
    return (await this.ended).code;
  }

  #take(line: string): void {
    const event = SessionEvent.parse(JSON.parse(line));
    this.events.push(event);
    if (event.type === "session:started" || event.type === "target:followed") this.#pid = event.pid;
    if (event.type === "target:output") this.output.add(event.text);
  }
}
