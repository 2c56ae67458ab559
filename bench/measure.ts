/** Shared parts: a host that measures itself, builds, and small statistics. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HEADERS, Lines, ROOT } from "../test/support/workshop.js";

export interface Part {
  readonly title: string;
  readonly rows: readonly (readonly [what: string, figure: string])[];
}

export const SOURCE = (n: number): string => `
#include "hotpatch.h"
HOTPATCH long generation(void) { return ${n}; }
HOTPATCH long marked(long x) { return x + 1; }
__attribute__((noinline)) long unmarked(long x) { return x + 1; }
__attribute__((noinline)) long other(long x) { return x + 2; }
`;

/** Builds a library under a temporary name and renames it. */
export function build(folder: string, name: string, source: string, flags: readonly string[] = []): string {
  const path = join(folder, name);
  writeFileSync(`${path}.c`, source);
  execFileSync("gcc", ["-O2", "-fPIC", "-shared", `-I${HEADERS}`, ...flags, "-o", `${path}.tmp`, `${path}.c`]);
  renameSync(`${path}.tmp`, path);
  return path;
}

export class Host {
  readonly child: ChildProcess;
  readonly lines: Lines;

  constructor(folder: string, library: string) {
    const program = join(folder, "host");
    execFileSync("gcc", ["-O2", "-o", program, join(ROOT, "bench/host.c"), "-ldl", "-lpthread"]);
    this.child = spawn(program, [library], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = new Lines(this.child.stdout);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  tell(command: string): void {
    this.child.stdin?.write(`${command}\n`);
  }

  /** The two numbers of the next answer that begins with `what`. */
  async answer(what: string, from = this.lines.all.length): Promise<[number, number]> {
    const line = await this.lines.next((l) => l.startsWith(`${what} `), what, from);
    const [, a, b] = line.split(" ").map(Number);
    return [a ?? Number.NaN, b ?? Number.NaN];
  }

  async ask(command: string): Promise<[number, number]> {
    const from = this.lines.all.length;
    this.tell(command);
    return this.answer(command, from);
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await ended;
  }
}

/** `p` from 0 to 1. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

export const ms = (value: number): string => `${value.toFixed(2)} ms`;
export const ns = (value: number): string => `${value.toFixed(2)} ns`;

/** min / median / p95 / max of a list in ms. */
export const spread = (values: readonly number[]): string =>
  `min ${ms(Math.min(...values))}, median ${ms(quantile(values, 0.5))}, p95 ${ms(quantile(values, 0.95))}, max ${ms(Math.max(...values))}`;
