/** Faults from outside, at every step. What the host runs afterwards is what it prints. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { CLI, Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

/** ms for which something stands still. */
const STANDSTILL_MS = 5000;

/** A host that prints value(1), which is the number of the build that runs; build 1 is its own. */
async function hosted(t: ExecutionContext) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  const runs = (n: number, ms?: number) =>
    output.next((l) => l === `value ${n}`, `value ${n}`, output.all.length + 1, ms);
  await runs(1);
  const attach = async () => {
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    return tool;
  };
  return { shop, lib, host, pid: host.pid ?? 0, output, runs, attach };
}

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const step of ["session:ready", "artifact:changed", "generation:loaded", "generation:switched"] as const)
  for (const victim of ["tool", "bridge"] as const)
    test(`the ${victim} killed at ${step}: the host lives on with its own code, and can be attached again`, async (t) => {
      const { shop, pid, runs, attach } = await hosted(t);
      const tool = await attach();
      await shop.library("libgame.so", library(2));
      await tool.next(step);
      if (victim === "tool") tool.child.kill("SIGKILL");
      else process.kill(tool.bridge(), "SIGKILL");
      await tool.ended;
      await runs(1);
      const again = await attach();
      await again.next("generation:switched");
      await runs(2);
      t.is(await again.end(), 0);
      await runs(1);
      t.true(isAlive(pid));
    });

for (const stopped of ["tool", "bridge", "target"] as const)
  test(`the ${stopped} stands still for 5 s: a save made meanwhile arrives afterwards`, async (t) => {
    const { shop, pid, runs, attach } = await hosted(t);
    const tool = await attach();
    const victim = { tool: tool.child.pid ?? 0, bridge: tool.bridge(), target: pid }[stopped];
    process.kill(victim, "SIGSTOP");
    await shop.library("libgame.so", library(2));
    await later(STANDSTILL_MS);
    process.kill(victim, "SIGCONT");
    await tool.switched(1);
    await runs(2);
    t.is(await tool.end(), 0);
    await runs(1);
  });

test("the end is asked while the target stands still: the tool ends, and the target goes on with its own code", async (t) => {
  const { shop, pid, runs, attach } = await hosted(t);
  const tool = await attach();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await runs(2);
  process.kill(pid, "SIGSTOP");
  tool.send({ command: "end" });
  await tool.ended;
  process.kill(pid, "SIGCONT");
  await runs(1);
  t.true(isAlive(pid));
});

test("the terminal closes: the host goes on with its own code, and nothing of ours is left", async (t) => {
  const { shop, pid, output, runs } = await hosted(t);
  const terminal = shop.start("script", ["-qec", `${process.execPath} ${CLI} attach --plain ${pid}`, "/dev/null"], {
    env: { ...process.env, TMPDIR: shop.temp },
  });
  await new Lines(terminal.stdout).next((l) => l.includes("ready"), "ready");
  await shop.library("libgame.so", library(2));
  await runs(2);
  terminal.kill("SIGKILL"); // the terminal's master side goes with it
  await runs(1);
  for (let i = 0; shop.leftovers().length > 0 && i < 200; i++) await later(50);
  t.deepEqual(shop.leftovers(), []);
  t.is(readdirSync(`/proc/${pid}/task`).length, 1);
  t.true(output.all.length > 0);
});

test("the artifact and then the copies' folder vanish: what runs goes on, and so does the session", async (t) => {
  const { shop, lib, runs, attach } = await hosted(t);
  const tool = await attach();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  rmSync(lib);
  await runs(2);
  for (const entry of shop.leftovers())
    if (entry.includes(`-${tool.pid}-`)) rmSync(join(shop.temp, entry), { recursive: true });
  await shop.library("libgame.so", library(3));
  t.is((await tool.next("generation:refused")).code, "copy-failed");
  await runs(2);
  for (const n of [0, 1]) {
    const from = tool.events.length;
    tool.send({ command: "rollback", generation: n });
    await tool.switched(n, from);
    await runs(n + 1);
  }
  t.is(await tool.end(), 0);
  await runs(1);
});

test("gdb attaches and goes, strace runs: saves arrive, and the end restores", async (t) => {
  const { shop, pid, runs, attach } = await hosted(t);
  const tool = await attach();
  const gdb = shop.start("gdb", ["-q", "-nx", "-batch", "-p", String(pid), "-ex", "bt", "-ex", "detach"]);
  await new Promise((done) => gdb.once("exit", done));
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await runs(2);
  const strace = shop.start("strace", ["-f", "-o", "/dev/null", "-p", String(pid)]);
  await new Lines(strace.stderr).next((l) => l.includes("attached"), "strace");
  await shop.library("libgame.so", library(3));
  await tool.switched(2);
  await runs(3);
  t.is(await tool.end(), 0);
  await runs(1);
  strace.kill("SIGINT");
  await new Promise((done) => strace.once("exit", done));
  await runs(1);
  t.true(isAlive(pid));
});

test("16 targets at once, each with a session of its own: every save reaches every one, every end restores", async (t) => {
  t.timeout(240_000);
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const program = await shop.host("host", DLOPEN_HOST);
  const hosts = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const host = shop.start(program, [lib]);
      const output = new Lines(host.stdout);
      const runs = (n: number) => output.next((l) => l === `value ${n}`, `value ${n}`, output.all.length + 1, 100_000);
      await runs(1);
      return { runs, tool: Tool.attach(shop, [String(host.pid)]) };
    }),
  );
  await Promise.all(hosts.map(({ tool }) => tool.next("session:ready", () => true, 0, 200_000)));
  await shop.library("libgame.so", library(2));
  await Promise.all(hosts.map(({ runs }) => runs(2)));
  t.deepEqual(await Promise.all(hosts.map(({ tool }) => tool.end())), new Array(16).fill(0));
  await Promise.all(hosts.map(({ runs }) => runs(1)));
  t.deepEqual(shop.leftovers(), []);
});
