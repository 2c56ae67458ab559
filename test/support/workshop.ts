/** A private folder for one test: sources, compilers, hosts. All its contents and processes end with the test. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import { Compiled } from "./compiled.js";

const run = promisify(execFile);

/** The clone: dist/test/support is three folders below it. */
export const ROOT = resolve(fileURLToPath(new URL("../../..", import.meta.url)));
export const HEADERS = join(ROOT, "mark/include");

const compiled = new Compiled(join(ROOT, "dist/test-programs"), HEADERS);

export class Workshop {
  readonly folder: string;
  /** TMPDIR of every tool started here: leftovers are failures. */
  readonly temp: string;
  readonly #children: ChildProcess[] = [];
  readonly #hosts = new Set<number>();

  /** @param t cleans up at its end: a test, or a script that has a `teardown` too */
  constructor(t: Pick<ExecutionContext, "teardown">) {
    this.folder = mkdtempSync(join(tmpdir(), "hotpatch-test-"));
    this.temp = join(this.folder, "tmp");
    mkdirSync(this.temp);
    t.teardown(async () => {
      // Signal all before waiting for any: a tracer must exit before its tracee.
      await Promise.all(this.#children.map(endChild));
      for (const pid of this.#hosts) endProcess(pid);
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  /** A folder in the workshop with these files. */
  folderOf(name: string, files: Readonly<Record<string, string>>): string {
    mkdirSync(this.path(name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.path(name), file), text);
    return this.path(name);
  }

  remove(name: string): void {
    rmSync(this.path(name));
  }

  /** Runs a compiler; rejects with its output. */
  async compile(output: string, args: readonly string[], compiler = "gcc"): Promise<string> {
    await run(compiler, ["-g", "-O2", `-I${HEADERS}`, "-o", this.path(output), ...args], { cwd: this.folder });
    return this.path(output);
  }

  /**
   * Builds a shared library as careful builds do: under a temporary name, renamed when it is complete. Its debug information
   * may name the folder of another test, which is gone: a source that is to be found is compiled by `compile`.
   */
  async library(name: string, source: string, args: readonly string[] = [], compiler = "gcc"): Promise<string> {
    const extension = compiler.includes("++") ? "cpp" : "c";
    const file = this.write(`${name}.${extension}`, source);
    const told = ["-fPIC", "-shared", ...args];
    const compile = () => this.compile(`${name}.tmp`, [file, ...told], compiler).then(() => {});
    await compiled.make(this.path(`${name}.tmp`), source, [compiler, name, ...told], this.folder, compile);
    renameSync(this.path(`${name}.tmp`), this.path(name));
    return this.path(name);
  }

  async host(name: string, source: string, args: readonly string[] = []): Promise<string> {
    const file = this.write(`${name}.c`, source);
    const told = [...args, "-ldl", "-lpthread"];
    const compile = () => this.compile(name, [file, ...told]).then(() => {});
    await compiled.make(this.path(name), source, [name, ...told], this.folder, compile);
    return this.path(name);
  }

  /** A child that is ended with the test at the latest. */
  start(
    command: string,
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): ChildProcess {
    const child = spawn(command, args, {
      cwd: options.cwd ?? this.folder,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#children.push(child);
    return child;
  }

  /** A host that a tool started: it outlives a tool that is killed, but not the test. */
  owns(pid: number): void {
    this.#hosts.add(pid);
  }

  /** What a tool left in its TMPDIR. */
  leftovers(): string[] {
    return readdirSync(this.temp);
  }
}

export const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Whether a process lives; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    // A process whose main thread has exited is a zombie by its own stat while other threads run.
    return readdirSync(`/proc/${pid}/task`).some((tid) => {
      const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1");
      return !"ZX".includes(stat.charAt(stat.lastIndexOf(")") + 2));
    });
  } catch {
    return false;
  }
}

function endProcess(pid: number): void {
  try {
    if (isAlive(pid)) process.kill(pid, "SIGKILL");
  } catch {
    // it has just exited
  }
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return;
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
}

/** Collects a child's lines and lets a test wait for one. */
export class Lines {
  readonly all: string[] = [];
  #rest = "";
  readonly #waiting = new Set<() => void>();

  readonly #onLine: (line: string) => void;

  /** @param onLine sees each line before those who wait for it; `stream` null: lines come by `add` alone */
  constructor(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void = () => {}) {
    this.#onLine = onLine;
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => this.add(chunk));
    stream?.on("close", () => this.#wake());
  }

  add(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      this.#onLine(line);
      this.all.push(line);
    }
    this.#wake();
  }

  /** The first matching line from index `from` on. Rejects after `ms`, with what was seen instead. */
  async next(fits: (line: string) => boolean, what: string, from = 0, ms = 20_000): Promise<string> {
    const until = performance.now() + ms;
    for (let i = from; ; ) {
      for (; i < this.all.length; i++) {
        const line = this.all[i];
        if (line !== undefined && fits(line)) return line;
      }
      const left = until - performance.now();
      if (left <= 0)
        throw new Error(`no line with ${what} in ${ms} ms; the last ones: ${this.all.slice(-8).join(" | ")}`);
      await this.#change(left);
    }
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const waiting = this.#waiting;
      function done() {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
