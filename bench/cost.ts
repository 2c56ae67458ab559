/**
 * `npm run bench:cost [minutes]`: what the tool itself uses: time to attach, memory of its two processes, and processor
 * time while nothing happens, under --json and on the screen, for a small library and for one of 40 MB without marks.
 * With minutes: the memory of an idle screen over that time, to see whether it grows.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { machine } from "./machine.js";
import { build, Host, quantile, SOURCE } from "./measure.js";
import { childOf, cpuMs, sharesMb, Terminal } from "./terminal.js";
import { HotpatchTool } from "./tool.js";

const MINUTES = Number(process.argv[2] ?? 0);
const ATTACHES = 5;
/**
 * ms after which memory is measured, and for which an idle session is observed. By then ages on the screen rarely
 * change.
 */
const SETTLED_MS = 65_000;
const IDLE_MS = 30_000;
const UNITS = 10;

/** A file of a large C++ library, as its authors would write it, with a lot of templates in it. */
const UNIT = (i: number): string => `
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <unordered_map>
${Array.from(
  { length: 3 },
  (_, k) => `
struct item${i}_${k} { int hp; std::string name; std::map<std::string, int> tags; std::vector<std::shared_ptr<item${i}_${k}>> kids; };
int step${i}_${k}(item${i}_${k} &it, const std::string &s, std::unordered_map<int, item${i}_${k}> &all) {
  std::regex r("a(b|c)*${i}"); std::smatch found; std::ostringstream out; out << it.hp << s;
  it.tags[s] += ${i}; all[${i}].kids.push_back(std::make_shared<item${i}_${k}>(it));
  return std::regex_match(s, found, r) ? it.hp : (int)it.tags.size();
}`,
).join("")}
`;

const load = (): string => `load average ${loadavg()[0]?.toFixed(1)}`;
const mb = ({ pss, rss }: { pss: number; rss: number }): string => `${pss.toFixed(0)} (${rss.toFixed(0)})`;

function bigLibrary(folder: string): string {
  const objects = Array.from({ length: UNITS }, (_, i) => {
    const path = join(folder, `unit${i}`);
    writeFileSync(`${path}.cpp`, UNIT(i));
    execFileSync("g++", ["-g", "-O0", "-fPIC", "-c", "-o", `${path}.o`, `${path}.cpp`]);
    return `${path}.o`;
  });
  const path = join(folder, "libbig.so");
  writeFileSync(
    `${path}.c`,
    SOURCE(0)
      .replaceAll("HOTPATCH ", "")
      .replace(/#include.*/, ""),
  );
  execFileSync("gcc", ["-g", "-O0", "-fPIC", "-c", "-o", `${path}.o`, `${path}.c`]);
  execFileSync("g++", ["-shared", "-o", path, `${path}.o`, ...objects]);
  return path;
}

async function underJson(host: Host, library: string, more: readonly string[]): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < ATTACHES; i++) {
    const began = performance.now();
    const tool = await HotpatchTool.attach(host.pid, library, ...more);
    times.push((performance.now() - began) / 1000);
    if (i === 0) {
      const pid = tool.child.pid ?? 0;
      await wait(SETTLED_MS);
      console.log(`  --json: MB Pss (Rss) of node ${mb(sharesMb(pid))}, of the bridge ${mb(sharesMb(childOf(pid)))}`);
      const [node, bridge, from] = [cpuMs(pid), cpuMs(childOf(pid)), performance.now()];
      await wait(IDLE_MS);
      const share = (now: number, was: number) => (((now - was) * 100) / (performance.now() - from)).toFixed(2);
      console.log(
        `  --json, idle: ${share(cpuMs(pid), node)} % of a core, the bridge ${share(cpuMs(childOf(pid)), bridge)} %`,
      );
    }
    await tool.end();
  }
  const [least, half, most] = [0, 0.5, 1].map((p) => quantile(times, p).toFixed(2));
  console.log(`  attach, started -> ready: min ${least}, median ${half}, max ${most} s; ${load()}`);
}

async function onScreen(host: Host, library: string, more: readonly string[], minutes: number): Promise<void> {
  const terminal = new Terminal(80, 24, ["attach", "-l", library, ...more, String(host.pid)]);
  try {
    await terminal.shows(/generation 0/);
    await wait(SETTLED_MS);
    const { tool, bridge } = await terminal.pids();
    console.log(`  screen: MB Pss (Rss) of node ${mb(sharesMb(tool))}, of the bridge ${mb(sharesMb(bridge))}`);
    const [was, bytes, from] = [cpuMs(tool), terminal.bytes, performance.now()];
    await wait(IDLE_MS);
    const took = performance.now() - from;
    const share = (((cpuMs(tool) - was) * 100) / took).toFixed(2);
    console.log(
      `  screen, idle: ${share} % of a core, ${(((terminal.bytes - bytes) * 1000) / took).toFixed(0)} bytes/s; ${load()}`,
    );
    for (let minute = 1; minute <= minutes; minute++) {
      await wait(60_000);
      console.log(`  after ${minute} min: node ${mb(sharesMb(tool))}, the bridge ${mb(sharesMb(bridge))}; ${load()}`);
    }
  } finally {
    await terminal.end();
  }
}

const folder = mkdtempSync(join(tmpdir(), "hotpatch-bench-"));
try {
  console.log(`${machine()}, ${load()}`);
  const small = build(folder, "libsmall.so", SOURCE(0));
  const big = bigLibrary(folder);
  for (const [library, more] of [
    [small, []],
    [big, ["--functions", "*"]],
  ] as const) {
    console.log(`\n${(statSync(library).size / 1e6).toFixed(1)} MB\n`);
    const host = new Host(folder, library);
    try {
      await underJson(host, library, more);
      await onScreen(host, library, more, library === small ? MINUTES : 0);
    } finally {
      await host.end();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
