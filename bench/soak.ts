/**
 * `npm run soak [minutes]`: hosts hammered by 8 threads while hotpatch installs, switches, rolls back, restores, keeps,
 * and is killed. Prints counts once a minute and at the end; exit code 1 at the first crash, hang or wrong result, in
 * which case inspect the host's core dump (ulimit -c). Figures of past runs: docs/reliability.md.
 */
import { loadavg } from "node:os";
import { Bridged } from "../test/soak/bridged.js";
import { Hammer, type Seen } from "../test/soak/hammer.js";
import { Tool } from "../test/support/tool.js";
import { Workshop } from "../test/support/workshop.js";
import { machine } from "./machine.js";

const MINUTES = Number(process.argv[2] ?? 20);
/** Generations in a host's life besides its own; the tables grow twice on the way. */
const GENERATIONS = 7;
/** Counts for one host's life, in this order. */
const AGENT_ROUNDS = 1500;
const FLOOD = 2500;
const TOOL_ROUNDS = 10;
const TOOL_ROLLBACKS = 20;

const counts = {
  hosts: 0,
  agentRounds: 0,
  restored: 0,
  kept: 0,
  killed: 0,
  loads: 0,
  switches: 0,
};
const totals = { calls: 0, signals: 0, steady: 0, rose: 0 };
const until = performance.now() + MINUTES * 60_000;
const timeIsUp = () => performance.now() > until;
const anyOf = (n: number) => Math.floor(Math.random() * n);

/** Throws on a failure. */
function check(hammer: Hammer, during: string): Seen {
  const seen = hammer.seen();
  if (!hammer.alive)
    throw new Error(`the host died of ${hammer.host.signalCode ?? hammer.host.exitCode} during ${during}`);
  if (seen.impossible + seen.fell + seen.stale > 0)
    throw new Error(
      `${during}: ${seen.impossible} impossible results, ${seen.fell} fell, ${seen.stale} stale: ${seen.examples.join("; ")}`,
    );
  return seen;
}

/** Every thread has called since `before`, or one hangs. */
async function moves(hammer: Hammer, during: string): Promise<void> {
  const before = hammer.progress;
  const limit = performance.now() + 30_000;
  while (hammer.progress.some((calls, i) => calls === before[i])) {
    if (performance.now() > limit) throw new Error(`a thread of the host stood still for 30 s during ${during}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Up through all generations, reporting each switch before the next; then down. */
async function ladder(hammer: Hammer, switchTo: (n: number) => Promise<unknown>, from: number): Promise<void> {
  for (let n = from; n <= GENERATIONS; n++) {
    await switchTo(n);
    hammer.reached(n);
  }
  counts.switches += GENERATIONS + 1 - from;
}

async function loadAll(hammer: Hammer): Promise<void> {
  const tool = Tool.attach(hammer.shop, ["--library", "libhammered.so", String(hammer.pid)]);
  await tool.ready();
  for (let n = 1; n <= GENERATIONS; n++) {
    hammer.mayReach(n);
    await Hammer.build(hammer.shop, n);
    await tool.switched(n);
    hammer.reached(n);
    counts.loads++;
    counts.switches++;
  }
  check(hammer, "loading");
  await hammer.falling(0, () => tool.end());
}

async function agentRounds(hammer: Hammer): Promise<void> {
  const bridged = await Bridged.attach(hammer.pid, "libhammered.so");
  try {
    for (let round = 0; round < AGENT_ROUNDS && !timeIsUp(); round++) {
      const known = await bridged.begin();
      if (known.length !== GENERATIONS + 1) throw new Error(`the registry lost a generation: ${known}`);
      await ladder(hammer, (n) => bridged.switchTo(n), 1);
      await hammer.falling(0, async () => {
        if (round % 10 === 9) {
          await Promise.all(Array.from({ length: FLOOD }, () => bridged.switchTo(anyOf(GENERATIONS + 1))));
          counts.switches += FLOOD;
          await moves(hammer, "a flood of switches");
        }
        await bridged.end();
      });
      counts.agentRounds++;
      check(hammer, `agent round ${round}`);
    }
    await bridged.close();
  } finally {
    await bridged.kill();
  }
}

/**
 * Whole sessions, which end in three ways in turn. Generations may fall between one session's end and the next start.
 */
async function toolRounds(hammer: Hammer): Promise<void> {
  hammer.falls();
  for (let round = 0; round < TOOL_ROUNDS && !timeIsUp(); round++) {
    const tool = Tool.attach(hammer.shop, ["--library", "libhammered.so", String(hammer.pid)]);
    await tool.ready();
    const rollback = async (n: number) => {
      const from = tool.events.length;
      tool.send({ command: "rollback", generation: n });
      await tool.switched(n, from);
    };
    await rollback(0);
    hammer.rises(0);
    await ladder(hammer, rollback, 1);
    hammer.falls();
    for (let i = 0; i < TOOL_ROLLBACKS; i++) await rollback(anyOf(GENERATIONS + 1));
    counts.switches += TOOL_ROLLBACKS + 1;
    const end = (["restored", "kept", "killed"] as const)[round % 3] ?? "restored";
    if (end === "killed") tool.child.kill("SIGKILL");
    else tool.send({ command: "end", keep: end === "kept" });
    await tool.ended;
    counts[end]++;
    await moves(hammer, `a session that was ${end}`);
    check(hammer, `a session that was ${end}`);
  }
  hammer.rises(0);
}

/** One host from its start to its end. */
async function life(): Promise<void> {
  const closers: (() => unknown)[] = [];
  const shop = new Workshop({ teardown: (close) => closers.push(close) });
  try {
    const hammer = await Hammer.start(shop);
    counts.hosts++;
    try {
      await loadAll(hammer);
      await agentRounds(hammer);
      await toolRounds(hammer);
      const seen = check(hammer, "its life");
      for (const what of ["calls", "signals", "steady", "rose"] as const) totals[what] += seen[what];
    } catch (error) {
      // A dead host is the first thing to report, whatever failed because of it.
      check(hammer, "what failed after it");
      throw error;
    } finally {
      hammer.close();
    }
  } finally {
    for (const close of closers) await close();
  }
}

const began = performance.now();
const report = () => {
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  console.log(`${minutes} min, load ${loadavg()[0]?.toFixed(1)}: ${JSON.stringify({ ...counts, ...totals })}`);
};

console.log(`${machine()}; ${MINUTES} minutes`);
while (!timeIsUp()) {
  await life();
  report();
}
console.log("no crash, no hang, no wrong result");
