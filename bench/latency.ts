/**
 * From the end of the build command to the first call of the new body, in the host's own clock; and the host's gaps.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { build, Host, ms, type Part, quantile, SOURCE, spread } from "./measure.js";
import { HotpatchTool } from "./tool.js";

const GENERATIONS = 50;
/** ms around a switch within which the longest gap counts. */
const WINDOW_MS = 60;

export async function latency(folder: string): Promise<Part> {
  const library = build(folder, "liblatency.so", SOURCE(0));
  for (let n = 1; n <= GENERATIONS; n++) build(folder, `next${n}.so`, SOURCE(n));
  const sources = join(folder, "sources");
  mkdirSync(sources);
  const host = new Host(folder, library);
  try {
    host.tell("watch");
    await host.answer("runs", 0);
    const idle: number[] = [];
    await host.ask("gap");
    for (let i = 0; i < GENERATIONS; i++) {
      await wait(WINDOW_MS);
      idle.push((await host.ask("gap"))[0]);
    }

    const started = performance.now();
    // The build is as short as possible: the measurement starts at its end, which it records itself.
    const command = `n=$(cat sources/n); cp next$n.so new.so && mv new.so liblatency.so && date +%s%N > stamp`;
    const tool = await HotpatchTool.attach(host.pid, library, "-w", sources, "-b", `cd '${folder}' && ${command}`);
    const attachMs = performance.now() - started;
    const [attachGap] = await host.ask("gap");
    const toRun: number[] = [];
    const toSwitch: number[] = [];
    const gaps: number[] = [];
    for (let n = 1; n <= GENERATIONS; n++) {
      await host.ask("gap");
      const [from, lines] = [tool.lines.all.length, host.lines.all.length];
      writeFileSync(join(sources, "n"), String(n));
      const switched = await tool.switched(n, from);
      const line = await host.lines.next((l) => l.startsWith(`runs ${n}.`), `generation ${n}`, lines);
      toSwitch.push(switched.ms);
      toRun.push(Number(line.split(" ")[2]) - Number(readFileSync(join(folder, "stamp"), "utf8")) / 1e6);
      gaps.push((await host.ask("gap"))[0]);
    }
    const before = performance.now();
    await tool.end();
    const endMs = performance.now() - before;
    return {
      title: `Latency over ${GENERATIONS} generations; a host thread that calls without a pause`,
      rows: [
        ["build command ended -> new body runs", spread(toRun)],
        ["artifact complete -> switched (the tool's own figure)", spread(toSwitch)],
        ["longest gap, build and switch", spread(gaps)],
        [`longest gap in ${WINDOW_MS} ms without hotpatch`, spread(idle)],
        ["median gap against none", `${(quantile(gaps, 0.5) / quantile(idle, 0.5)).toFixed(2)}x`],
        ["attach: started -> ready", ms(attachMs)],
        ["attach: the thread's longest gap", ms(attachGap)],
        ["end: asked -> ended", ms(endMs)],
      ],
    };
  } finally {
    await host.end();
  }
}
