/**
 * `npm run bench`: what hotpatch costs, as ratios within one run, compared with peers. Prints tables; asserts nothing.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callCost } from "./call-cost.js";
import { latency } from "./latency.js";
import { layout } from "./layout.js";
import { machine } from "./machine.js";
import { memory } from "./memory.js";
import { scale } from "./scale.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-bench-"));
try {
  console.log(machine());
  for (const part of [callCost, latency, scale, memory, layout]) {
    const { title, rows } = await part(folder);
    console.log(`\n${title}\n`);
    const width = Math.max(...rows.map(([what]) => what.length));
    for (const [what, figure] of rows) console.log(`  ${what.padEnd(width)}  ${figure}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
