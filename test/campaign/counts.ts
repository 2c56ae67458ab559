/**
 * `npm run campaign:counts [-- --only TEXT]`: the hosts that an agent has killed or frozen, each through a fixed number of the thing that did
 * it: rounds of attach and end, statuses, tools that come at once. Prints a line for each; exit code 1 where one went wrong.
 * Figures of a past run: docs/reliability.md.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";
import { Host } from "./host.js";
import { type Kind, kindsOn } from "./kinds.js";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
const ROUNDS = 50;
const FORKING_ROUNDS = 100;
const RACES = 100;
const STATUSES = 2500;

const teardowns: (() => Promise<void> | void)[] = [];
const shop = new Workshop({ teardown: (work: () => Promise<void> | void) => void teardowns.push(work) } as never);
let failed = 0;

async function kindOf(name: string): Promise<Kind | null> {
  const { kinds, missing } = await kindsOn(shop, (one) => one === name);
  if (missing[0] !== undefined) console.log(`left out: ${missing[0]}`);
  return kinds[0] ?? null;
}

async function count(name: string, what: string, times: number, run: (host: Host, library: string) => Promise<void>) {
  if (!`${name}: ${what}`.includes(flags.only)) return;
  const kind = await kindOf(name);
  if (kind === null) return;
  const library = shop.path("libgame.so");
  kind.place(1, library);
  const host = await Host.start(shop, kind.command(library));
  const began = performance.now();
  try {
    await run(host, library);
    await host.prints(1, "at the end");
    const load = loadavg()[0]?.toFixed(1);
    console.log(
      `${name}: ${times} ${what}, 0 wrong (${((performance.now() - began) / 1000).toFixed(0)} s, load ${load})`,
    );
  } catch (error) {
    failed++;
    console.log(`${name}: ${what}: ${error instanceof Error ? error.message : error}`);
  } finally {
    await host.end();
  }
}

const attach = (host: Host, library: string) => Tool.attach(shop, ["-l", library, String(host.pid)]);

const rounds = (name: string, times = ROUNDS) =>
  count(name, "rounds of attach and end", times, async (host, library) => {
    for (let i = 0; i < times; i++) {
      const tool = attach(host, library);
      await tool.ready();
      const code = await tool.end();
      if (code !== 0) throw new Error(`round ${i}: the tool ended with ${code}`);
      await host.prints(1, `round ${i}`);
    }
    await host.checkMasks("after all rounds");
  });

const statuses = (name: string) =>
  count(name, "statuses", STATUSES, async (host, library) => {
    const kind = await kindOf(name);
    const tool = attach(host, library);
    await tool.ready();
    kind?.place(2, library);
    await tool.switched(1);
    for (let i = 0; i < STATUSES; i++) {
      const from = tool.events.length;
      tool.send({ command: "status" });
      const { libraries } = await tool.next("status", () => true, from);
      if (libraries[0]?.generation !== 1) throw new Error(`status ${i} says ${libraries[0]?.generation}`);
    }
    await host.prints(2, "after all statuses");
    await tool.end();
  });

await rounds("setuid and idle threads");
await rounds("seteuid at full speed");
await rounds("SIGSEGV: lazy paging at full speed");
await rounds("SIGSEGV: lazy paging, unhurried");
await rounds("a PID namespace of its own");
await rounds("Go with cgo, recovered nil dereferences");
await rounds("Java 17, compiled");
await rounds("Java 17, -Xint");
await rounds("node with WebAssembly traps");
await rounds("forked children that open libraries and exit()", FORKING_ROUNDS);
for (const name of [
  "C++ exceptions with a static libgcc",
  "threads that come and go, 8 times 40 a second",
  "a PID namespace of its own",
  "SIGSEGV: lazy paging at full speed",
])
  await statuses(name);
await count("plain", "times two to five tools at once", RACES, async (host, library) => {
  for (let i = 0; i < RACES; i++) {
    const tools = Array.from({ length: 2 + (i % 4) }, () => attach(host, library));
    const began = await Promise.all(
      tools.map((tool) => Promise.race([tool.ready().then(() => "ready"), tool.next("error").then((e) => e.code)])),
    );
    if (began.filter((one) => one === "ready").length !== 1 || began.some((one) => !/^(ready|attach-busy)$/.test(one)))
      throw new Error(`race ${i}: ${began.join(", ")}`);
    for (const [k, tool] of tools.entries()) await (began[k] === "ready" ? tool.end() : tool.ended);
    await host.prints(1, `race ${i}`);
  }
});
for (const end of teardowns) await end();
process.exit(failed === 0 ? 0 : 1);
