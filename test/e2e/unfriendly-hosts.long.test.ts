/**
 * Hosts that an agent has killed, frozen or told falsely of, each through sessions that edit, look and end. The campaign
 * (`npm run campaign`) does the same at random, for as long as wanted, with more kinds.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { DoctorReport } from "../../schemas/doctor-report.js";
import { Host } from "../campaign/host.js";
import { type Kind, kindsOn } from "../campaign/kinds.js";
import { Random } from "../campaign/random.js";
import { type Counts, Round } from "../campaign/round.js";
import { asRoot, openTo } from "../support/sandbox.js";
import test from "../support/test.js";
import { CLI, Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

async function kindOf(t: ExecutionContext, name: string): Promise<{ shop: Workshop; kind: Kind }> {
  const shop = new Workshop(t);
  const { kinds, missing } = await kindsOn(shop, (one) => one === name);
  const [kind] = kinds;
  if (kind === undefined) throw new Error(missing[0] ?? `there is no kind of host called "${name}"`);
  return { shop, kind };
}

/** Rounds whose seeds the title gives: the same steps every time. */
async function lives(t: ExecutionContext, name: string, rounds = 3): Promise<Counts> {
  const { shop, kind } = await kindOf(t, name);
  const counts: Counts = new Map();
  const seeds = new Random([...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7));
  for (let i = 0; i < rounds; i++) await new Round(shop, kind, new Random(seeds.below(2 ** 31)), counts, i).run();
  t.log([...counts].map(([what, n]) => `${n} ${what}`).join(", "));
  t.pass();
  return counts;
}

for (const name of [
  "setuid and idle threads",
  "seteuid at full speed",
  "SIGSEGV: lazy paging at full speed",
  "SIGSEGV: traps by siglongjmp on an alternate stack",
  "malloc in the only thread, without a pause",
  "threads that come and go, 8 times 40 a second",
  "250 forks a second",
  "forked children that open libraries and exit()",
  "dlopen and dlclose in two threads",
  "timers that make threads",
  "coroutines on small stacks",
  "C++ exceptions with a static libgcc",
])
  test.serial(`${name}: the host lives through sessions`, (t) => lives(t, name).then(() => {}));

asRoot("a network namespace of its own is no hindrance", (t) =>
  lives(t, "a network namespace of its own", 1).then(() => {}),
);
asRoot("a PID namespace of its own is no hindrance", (t) => lives(t, "a PID namespace of its own", 1).then(() => {}));

test.serial("a host with few descriptors left is too-few-descriptors, and goes on", async (t) => {
  const counts = await lives(t, "no descriptor left", 1);
  t.true((counts.get("refused") ?? 0) > 0);
});

test.serial("a host with an allocator of its own that never waits is unsupported-host, and goes on", async (t) => {
  const counts = await lives(t, "an allocator of its own, without a pause", 1);
  t.true((counts.get("refused") ?? 0) > 0);
});

test.serial("a host whose main() has left is unsupported-host, and goes on", async (t) => {
  const counts = await lives(t, "a main() that has left", 1);
  t.true((counts.get("refused") ?? 0) > 0);
});

test.serial(
  "a host that closes the agent's descriptors goes on with its own code, and the session says what happened",
  async (t) => {
    const { shop, kind } = await kindOf(t, "its descriptors closed all the time");
    const lib = shop.path("libgame.so");
    kind.place(1, lib);
    const host = await Host.start(shop, kind.command(lib));
    const tool = Tool.attach(shop, ["-l", lib, String(host.pid)]);
    await tool.ended;
    const errors = tool.events.flatMap((event) => (event.type === "error" ? event.code : []));
    t.true(
      errors.some((code) => code === "bridge-died" || code === "attach-failed"),
      errors.join(),
    );
    t.false(errors.includes("target-replaced") || errors.includes("target-died") || errors.includes("internal"));
    await host.prints(1, "after the session");
    await host.end();
  },
);

test.serial("of five tools that come in the same moment one wins, the others are attach-busy", async (t) => {
  const { shop, kind } = await kindOf(t, "plain");
  const lib = shop.path("libgame.so");
  kind.place(1, lib);
  const host = await Host.start(shop, kind.command(lib));
  const tools = Array.from({ length: 5 }, () => Tool.attach(shop, ["-l", lib, String(host.pid)]));
  const began = await Promise.all(
    tools.map((tool) => Promise.race([tool.ready().then(() => "ready"), tool.next("error").then((e) => e.code)])),
  );
  t.deepEqual(began.sort(), ["attach-busy", "attach-busy", "attach-busy", "attach-busy", "ready"]);
  await host.prints(1, "after the race");
  await host.end();
});

test.serial("doctor says of a process that a session has it, as attach does", async (t) => {
  const { shop, kind } = await kindOf(t, "plain");
  const lib = shop.path("libgame.so");
  kind.place(1, lib);
  const host = await Host.start(shop, kind.command(lib));
  const tool = Tool.attach(shop, ["-l", lib, String(host.pid)]);
  await tool.ready();
  const { stdout } = spawnSync(process.execPath, [CLI, "doctor", "--json", String(host.pid)], { encoding: "utf8" });
  const { checks } = DoctorReport.parse(JSON.parse(stdout));
  t.like(checks.find(({ about }) => about === "session") ?? {}, { ok: false, code: "attach-busy" });
  t.is(await tool.end(), 0);
  await host.end();
});

asRoot("a daemon that becomes another user after its start loads builds all the same", async (t) => {
  const { shop, kind } = await kindOf(t, "a daemon that becomes nobody");
  openTo(shop, "root's tool");
  const folder = shop.path("daemon");
  mkdirSync(folder);
  const lib = `${folder}/libgame.so`;
  kind.place(1, lib);
  const tool = Tool.spawn(shop, ["-l", lib, "--", ...kind.command(lib)]);
  await tool.next("library:found");
  await tool.prints("value 1");
  t.regex(readFileSync(`/proc/${tool.pid}/status`, "utf8"), /^Uid:\t65534/m);
  kind.place(2, lib);
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  t.deepEqual(readdirSync(shop.temp), []);
});
