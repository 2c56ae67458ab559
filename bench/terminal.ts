/** The tool in its own terminal, and the resource usage of processes: for benches. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CLI } from "../test/support/tool.js";
import { ROOT } from "../test/support/workshop.js";

const LIMIT_MS = 30_000;

/** The tool in a terminal. */
export class Terminal {
  readonly #child: ChildProcess;
  bytes = 0;
  /** Output since it was last cleared. */
  text = "";
  #wake = () => {};
  readonly #pid: Promise<number>;

  constructor(columns: number, rows: number, args: readonly string[]) {
    const env = { ...process.env, LANG: "C.UTF-8", TERM: "xterm-256color" };
    const command = [join(ROOT, "bench/terminal.py"), String(columns), String(rows), process.execPath, CLI, ...args];
    this.#child = spawn("python3", command, { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stdin?.on("error", () => {}); // the terminal exited first: whoever waits for it reports that
    this.#child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.bytes += Buffer.byteLength(chunk);
      this.text = (this.text + chunk).slice(-200_000);
      this.#wake();
    });
    this.#pid = new Promise((resolve) => {
      let said = "";
      this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const pid = /^pid (\d+)$/m.exec(said)?.[1];
        if (pid !== undefined) resolve(Number(pid));
      });
    });
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  async shows(fits: RegExp): Promise<void> {
    const until = performance.now() + LIMIT_MS;
    while (!fits.test(this.text)) {
      if (performance.now() > until) throw new Error(`the screen did not show ${fits}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** For the tool and its bridge. */
  async pids(): Promise<{ tool: number; bridge: number }> {
    const tool = await this.#pid;
    return { tool, bridge: childOf(tool) };
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.type("q");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }
}

const stat = (pid: number): string[] => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return []; // it has just exited
  }
};
const parentOf = (pid: number): number => Number(stat(pid)[1]);
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
/** ms of processor time so far. */
export const cpuMs = (pid: number): number => ((Number(stat(pid)[11]) + Number(stat(pid)[12])) * 1000) / TICKS;
export const memoryMb = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** The first child of a process: of the tool, its bridge. */
export const childOf = (pid: number): number =>
  Number(readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && parentOf(Number(entry)) === pid) ?? 0);

/** MB of a process: with shared pages counted proportionally (Pss), and resident (Rss). */
export function sharesMb(pid: number): { pss: number; rss: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const mb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { pss: mb("Pss"), rss: mb("Rss") };
}
