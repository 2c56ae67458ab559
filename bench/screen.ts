/**
 * `npm run bench:screen`: what the screen costs in a real terminal, with 10,000 functions and 10,000 lines of output a
 * second: how soon a key takes effect, the tool's share of a core, its memory, and the bytes per second sent to the
 * terminal.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { machine } from "./machine.js";
import { build, ms, quantile } from "./measure.js";
import { cpuMs, memoryMb, Terminal } from "./terminal.js";

const FUNCTIONS = 10_000;
const LINES_A_SECOND = 10_000;
const KEYS = 100;
/** ms between keys: fast auto-repeat. */
const KEY_MS = 33;
const MEASURE_MS = 5000;
const SIZES = [
  [80, 24],
  [200, 50],
] as const;

const library = `#include "hotpatch.h"\n${Array.from({ length: FUNCTIONS }, (_, i) => `HOTPATCH int f${String(i).padStart(5, "0")}(int x) { return x + ${i}; }\n`).join("")}`;
const host = (linesASecond: number) => `
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
int main(int argc, char **argv) {
  if (dlopen(argv[1], RTLD_NOW) == NULL) return 1;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (long n = 0;; ) {
    for (int i = 0; i < ${linesASecond} / 100; i++, n++) printf("frame %ld: 1200 entities, 16.%03ld ms, score %ld\\n", n, n % 1000, n * 7);
    fflush(stdout);
    if ((next.tv_nsec += 10000000) >= 1000000000) { next.tv_nsec -= 1000000000; next.tv_sec++; }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}`;

/** The number in the host's last visible line. */
const lastLine = (terminal: Terminal): number =>
  Math.max(0, ...[...terminal.text.matchAll(/frame (\d+):/g)].map((m) => Number(m[1])));

/** ms from a key to the first frame that shows its effect, under load. */
async function keyTimes(terminal: Terminal): Promise<number[]> {
  const times: number[] = [];
  for (let i = 1; i <= KEYS; i++) {
    terminal.text = "";
    const began = performance.now();
    terminal.type("\x1b[B");
    await terminal.shows(new RegExp(`› f${String(i).padStart(5, "0")}`));
    times.push(performance.now() - began);
    await wait(KEY_MS);
  }
  return times;
}

async function measure(columns: number, rows: number, args: readonly string[]): Promise<Record<string, string>> {
  const terminal = new Terminal(columns, rows, args);
  try {
    await terminal.shows(/› f00000/);
    await wait(2000); // node warms up in the first seconds
    const { tool, bridge } = await terminal.pids();
    const before = {
      tool: cpuMs(tool),
      bridge: cpuMs(bridge),
      bytes: terminal.bytes,
      line: lastLine(terminal),
      at: performance.now(),
    };
    await wait(MEASURE_MS);
    const took = performance.now() - before.at;
    const share = (pid: number, was: number) => `${(((cpuMs(pid) - was) / took) * 100).toFixed(0)} % of a core`;
    const shares = { tool: share(tool, before.tool), bridge: share(bridge, before.bridge) };
    const bytes = terminal.bytes - before.bytes;
    const lines = lastLine(terminal) - before.line;
    const keys = await keyTimes(terminal);
    return {
      "key -> shown, median / p95 / max": [0.5, 0.95, 1].map((p) => ms(quantile(keys, p))).join(" / "),
      "processor time, tool": shares.tool,
      "processor time, bridge": shares.bridge,
      "lines of output taken in": `${((lines / took) * 1000).toFixed(0)} a second`,
      "bytes to the terminal": `${(bytes / took).toFixed(1)} kB/s`,
      "memory of the tool": `${memoryMb(tool).toFixed(0)} MB`,
    };
  } finally {
    await terminal.end();
  }
}

const folder = mkdtempSync(join(tmpdir(), "hotpatch-bench-"));
try {
  console.log(`${machine()}, load average ${loadavg()[0]?.toFixed(1)}`);
  const path = build(folder, "libscale.so", library);
  for (const lines of [LINES_A_SECOND, 0]) {
    const program = join(folder, `host${lines}`);
    writeFileSync(`${program}.c`, host(lines));
    execFileSync("gcc", ["-O2", "-o", program, `${program}.c`, "-ldl"]);
    for (const [columns, rows] of SIZES) {
      console.log(`\n${columns}x${rows}, ${FUNCTIONS} functions, ${lines} lines of output a second\n`);
      for (const [what, figure] of Object.entries(await measure(columns, rows, ["spawn", "--", program, path])))
        console.log(`  ${what.padEnd(34)}${figure}`);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
