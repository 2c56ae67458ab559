/** The built program under --json, for measuring. */
import { type ChildProcess, spawn } from "node:child_process";
import type { SessionEvent } from "../schemas/event.js";
import { CLI } from "../test/support/tool.js";
import { Lines } from "../test/support/workshop.js";

export class HotpatchTool {
  readonly child: ChildProcess;
  readonly lines: Lines;

  private constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [CLI, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = new Lines(this.child.stdout);
  }

  static async attach(pid: number, library: string, ...more: string[]): Promise<HotpatchTool> {
    const tool = new HotpatchTool(["attach", "--json", "--library", library, ...more, String(pid)]);
    await tool.event("session:ready");
    return tool;
  }

  async event<T extends SessionEvent["type"]>(
    type: T,
    from = 0,
    fits: (event: Extract<SessionEvent, { type: T }>) => boolean = () => true,
  ): Promise<Extract<SessionEvent, { type: T }>> {
    type Event = Extract<SessionEvent, { type: T }>;
    const line = await this.lines.next(
      (l) => l.includes(`"${type}"`) && fits(JSON.parse(l) as Event),
      type,
      from,
      60_000,
    );
    return JSON.parse(line) as Event;
  }

  switched(generation: number, from = 0) {
    return this.event("generation:switched", from, (e) => e.generation === generation);
  }

  send(command: object): void {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.send({ command: "end" });
    await ended;
  }
}
