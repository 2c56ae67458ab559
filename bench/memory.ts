/** What generations leave in the host: resident memory, address space and mappings, and whether they grow linearly. */
import { readFileSync, renameSync } from "node:fs";
import { build, Host, type Part, SOURCE } from "./measure.js";
import { HotpatchTool } from "./tool.js";

const GENERATIONS = 500;
const STEP = 100;

function sizes(pid: number): { residentKb: number; spaceKb: number; mappings: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    residentKb: kb("VmRSS"),
    spaceKb: kb("VmSize"),
    mappings: readFileSync(`/proc/${pid}/maps`, "utf8").split("\n").length - 1,
  };
}

export async function memory(folder: string): Promise<Part> {
  const library = build(folder, "libmemory.so", SOURCE(0));
  const host = new Host(folder, library);
  try {
    host.tell("watch");
    const tool = await HotpatchTool.attach(host.pid, library);
    const rows: [string, string][] = [];
    let last = sizes(host.pid);
    for (let n = 1; n <= GENERATIONS; n++) {
      const from = tool.lines.all.length;
      renameSync(build(folder, "libnext.so", SOURCE(n)), library);
      await tool.switched(n, from);
      if (n % STEP !== 0) continue;
      const now = sizes(host.pid);
      const each = (what: keyof typeof now) => ((now[what] - last[what]) / STEP).toFixed(1);
      const growth = `${each("residentKb")} kB resident, ${each("spaceKb")} kB of addresses, ${each("mappings")} mappings`;
      rows.push([`generations ${n - STEP + 1} to ${n}, each`, growth]);
      last = now;
    }
    await tool.end();
    return { title: `memory of ${GENERATIONS} generations of a library with 2 marked functions`, rows };
  } finally {
    await host.end();
  }
}
