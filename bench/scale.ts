/** Many marked functions: adopting generation 0, loading and switching a generation, rolling back. */
import { build, Host, ms, type Part, quantile, SOURCE } from "./measure.js";
import { HotpatchTool } from "./tool.js";

const FUNCTIONS = 10_000;
const ROLLBACKS = 20;

const source = (n: number) =>
  SOURCE(n) +
  Array.from({ length: FUNCTIONS }, (_, i) => `HOTPATCH int f${i}(int x) { return x + ${i + n}; }\n`).join("");

export async function scale(folder: string): Promise<Part> {
  const library = build(folder, "libscale.so", source(0));
  const host = new Host(folder, library);
  try {
    host.tell("watch");
    const started = performance.now();
    const tool = await HotpatchTool.attach(host.pid, library);
    const attachMs = performance.now() - started;
    const loads: number[] = [];
    for (const n of [1, 2, 3]) {
      const from = tool.lines.all.length;
      build(folder, "libscale.so", source(n));
      loads.push((await tool.switched(n, from)).ms);
    }
    const rollbacks: number[] = [];
    for (let i = 0; i < ROLLBACKS; i++) {
      const from = tool.lines.all.length;
      tool.send({ command: "rollback", generation: i % 4 });
      rollbacks.push((await tool.switched(i % 4, from)).ms);
    }
    await tool.end();
    return {
      title: `${FUNCTIONS.toLocaleString("en")} marked functions`,
      rows: [
        ["attach: started -> ready", ms(attachMs)],
        ["artifact complete -> switched, median of 3", ms(quantile(loads, 0.5))],
        [`rollback, median of ${ROLLBACKS}`, ms(quantile(rollbacks, 0.5))],
      ],
    };
  } finally {
    await host.end();
  }
}
