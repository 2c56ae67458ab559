/** ns per call of a trivial function: not attached, patched, and under Frida's plain Interceptor.replace. */

import { openBackend } from "../cli/frida/open.js";
import { build, Host, ns, type Part, SOURCE } from "./measure.js";
import { HotpatchTool } from "./tool.js";

/** What a Frida user would write, with a native body: the cost of plain replacement alone. */
const PLAIN_REPLACE = `
const module = Process.getModuleByName("libbench.so");
Interceptor.replace(module.getExportByName("marked"), module.getExportByName("other"));
`;

export async function callCost(folder: string): Promise<Part> {
  const library = build(folder, "libbench.so", SOURCE(0));
  const host = new Host(folder, library);
  try {
    const [plainMarked, plain] = await host.ask("cost");
    const backend = await openBackend("auto");
    const peer = await backend.attach(host.pid, PLAIN_REPLACE);
    const [replaced] = await host.ask("cost");
    await peer.detach();
    await backend.close();
    const tool = await HotpatchTool.attach(host.pid, library);
    build(folder, "libbench.so", SOURCE(1));
    await tool.switched(1);
    const [patched, plainBeside] = await host.ask("cost");
    await tool.end();
    const [restored] = await host.ask("cost");
    return {
      title: "A call of a trivial function (best of up to 600 rounds of 100,000 calls)",
      rows: [
        ["unmarked function", ns(plain)],
        ["marked, no session", `${ns(plainMarked)} (+${ns(plainMarked - plain)})`],
        [
          "marked, patched by hotpatch",
          `${ns(patched)} (+${ns(patched - plainBeside)}, ${(patched / plainBeside).toFixed(2)}x)`,
        ],
        ["marked, after the end", `${ns(restored)} (+${ns(restored - plain)})`],
        ["marked, replaced by Frida's Interceptor.replace", `${ns(replaced)} (+${ns(replaced - plain)})`],
      ],
    };
  } finally {
    await host.end();
  }
}
