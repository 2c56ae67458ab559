/** Comparing the layouts of a large C++ library: two files in a separate process, and an edit in a session. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LayoutEvidence } from "../cli/evidence/dwarf.js";
import { layoutsOf } from "../cli/steps/debug-info.js";
import { inspect } from "../cli/steps/inspect.js";
import { CLI } from "../test/support/tool.js";
import { HEADERS } from "../test/support/workshop.js";
import { Host, ms, type Part, quantile, SOURCE, spread } from "./measure.js";
import { HotpatchTool } from "./tool.js";

const UNITS = 7;
const EDITS = 10;

/** What a file of a large program includes, and marks. */
const UNIT = (i: number): string => `
#include "hotpatch.h"
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <unordered_map>
struct world;
struct item${i} {
  int hp; std::string name; std::map<std::string, int> tags; std::vector<std::shared_ptr<item${i}>> kids; std::ostream *log; world *in;
};
HOTPATCH int step${i}(item${i} &it, const std::string &s, std::unordered_map<int, std::string> &m) {
  std::regex r("a(b|c)*${i}"); std::smatch found; std::cout << it.hp << std::endl;
  it.tags[s] += ${i}; m[${i}] = s; it.kids.push_back(std::make_shared<item${i}>());
  return std::regex_match(s, found, r) ? it.hp : (int)it.tags.size();
}
`;

/** CPU time, which other processes do not affect, of reading one side and comparing it with itself: first and later. */
function cpuTimes(library: string): { readonly first: number; readonly later: number } {
  const inspection = inspect(library, library, readFileSync(library), "");
  if (inspection.kind !== "fit") throw new Error(`${library} cannot be read`);
  const { artifact } = inspection;
  const times = Array.from({ length: EDITS }, () => {
    const start = process.cpuUsage();
    const layouts = layoutsOf(artifact, library);
    const judge = (name: string) => name.length % 16 !== 0; // some functions have been edited
    new LayoutEvidence(layouts).functions(artifact.code.keys(), () => layouts, judge);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  });
  return { first: times[0] ?? Number.NaN, later: quantile(times.slice(1), 0.5) };
}

export async function layout(folder: string): Promise<Part> {
  const flags = ["-g", "-O1", "-fPIC", `-I${HEADERS}`];
  const objects = Array.from({ length: UNITS }, (_, i) => {
    const path = join(folder, `unit${i}`);
    writeFileSync(`${path}.cpp`, UNIT(i));
    execFileSync("g++", [...flags, "-c", "-o", `${path}.o`, `${path}.cpp`]);
    return `${path}.o`;
  });
  const link = (name: string, n: number): string => {
    const path = join(folder, name);
    writeFileSync(`${path}.c`, SOURCE(n));
    execFileSync("gcc", [...flags, "-c", "-o", `${path}.o`, `${path}.c`]);
    execFileSync("g++", ["-shared", "-o", `${path}.tmp`, `${path}.o`, ...objects]);
    renameSync(`${path}.tmp`, path);
    return path;
  };
  const library = link("liblarge.so", 0);
  const edited = link("edited.so", 1);
  const cpu = cpuTimes(library);
  const diffs = Array.from({ length: EDITS }, () => {
    const started = performance.now();
    const { status } = spawnSync(process.execPath, [CLI, "diff", "--json", library, edited], { timeout: 60_000 });
    if (status !== 0) throw new Error(`hotpatch diff ended with ${status}`);
    return performance.now() - started;
  });
  const idle = Array.from({ length: EDITS }, () => {
    const started = performance.now();
    spawnSync(process.execPath, [CLI, "diff", "--help"], { timeout: 60_000 });
    return performance.now() - started;
  });
  const host = new Host(folder, library);
  try {
    host.tell("watch");
    const started = performance.now();
    const tool = await HotpatchTool.attach(host.pid, library);
    const attachMs = performance.now() - started;
    const edits: number[] = [];
    for (let n = 1; n <= EDITS; n++) {
      const from = tool.lines.all.length;
      link("liblarge.so", n);
      edits.push((await tool.switched(n, from)).ms);
    }
    await tool.end();
    return {
      title: `Layouts of a C++ library of ${(statSync(library).size / 1e6).toFixed(1)} MB, ${UNITS} units with marks`,
      rows: [
        ["reading and comparing one side, CPU time: first / later", `${ms(cpu.first)} / ${ms(cpu.later)}`],
        ["hotpatch diff: both sides, the whole process", spread(diffs)],
        ["of which node's own start, median", ms(quantile(idle, 0.5))],
        ["attach: started -> ready, the loaded side read", ms(attachMs)],
        ["only code changed: artifact complete -> switched", spread(edits)],
      ],
    };
  } finally {
    await host.end();
  }
}
