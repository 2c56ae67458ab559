/** Leaving with patches in place, and coming back: by the host's own output, its maps, and the numbers that go on. */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

/** value(1) is n * 1000000 and a score that goes up with every call, in whichever generation. */
const scored = (n: number) => `
#include "hotpatch.h"
HOTPATCH_STATE(int, score, 0);
HOTPATCH int value(int x) { HOTPATCH_GET(score) += x; return ${n} * 1000000 + HOTPATCH_GET(score); }
`;

/** @param through starts the host as its child */
async function hosted(t: ExecutionContext, through: readonly string[] = []) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", scored(0));
  const [command = "", ...args] = [...through, await shop.host("host", DLOPEN_HOST), lib];
  const host = shop.start(command, args);
  const output = new Lines(host.stdout);
  let score = 0;
  /** The host runs the n-th build from here on, and its score has gone on. */
  const runs = async (n: number) => {
    const line = await output.next(
      (l) => Math.floor(Number(l.slice(6)) / 1e6) === n,
      `build ${n}`,
      output.all.length + 1,
    );
    const now = Number(line.slice(6)) % 1e6;
    t.true(now > score, `${now} after ${score}`);
    score = now;
    t.is(host.signalCode, null);
  };
  await runs(0);
  const parent = `/proc/${host.pid}/task/${host.pid}/children`;
  const pid = through.length === 0 ? (host.pid ?? 0) : Number(readFileSync(parent, "utf8"));
  const attach = async () => {
    const tool = Tool.attach(shop, [String(pid)]);
    await tool.ready();
    return tool;
  };
  const threads = () => readdirSync(`/proc/${pid}/task`).length;
  return { shop, host, pid, runs, attach, threads };
}

/** As a hotpatch of the future would have left it. The layout is agent/registry/registry.ts's. */
function raiseRegistryVersion(pid: number): void {
  const line = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .find((l) => l.includes("/memfd:hotpatch-registry"));
  const memory = openSync(`/proc/${pid}/mem`, "r+");
  writeSync(memory, Buffer.from([99, 0, 0, 0]), 0, 4, parseInt(line ?? "", 16) + 8);
  closeSync(memory);
}

async function keepThrice(t: ExecutionContext, through: readonly string[] = []) {
  const { shop, runs, attach, threads } = await hosted(t, through);
  for (const n of [1, 2, 3]) {
    const tool = await attach();
    await runs(n - 1); // what the last round kept
    t.is((await tool.next("library:found")).generation, n - 1);
    await shop.library("libgame.so", scored(n));
    await tool.switched(n);
    await runs(n);
    t.is(await tool.end(true), 0);
    await runs(n);
    t.is(threads(), 1);
  }
  const tool = await attach();
  for (const n of [1, 0, 3, 2]) {
    const from = tool.events.length;
    tool.send({ command: "rollback", generation: n });
    await tool.switched(n, from);
    await runs(n);
  }
  t.is(await tool.end(), 0);
  await runs(0);
}

test("three rounds of keep and attach: numbers go on, every generation can be rolled back to, state is kept", (t) =>
  keepThrice(t));

// /proc/PID is another process there.
(process.getuid?.() === 0 ? test : test.skip)(
  "the same in a PID namespace that has no /proc of its own (needs root)",
  (t) => keepThrice(t, ["unshare", "--pid", "--fork", "--kill-child"]),
);

test("what was kept is kept again untouched, and goes back to the host's own code when a later tool is killed", async (t) => {
  const { shop, runs, attach, threads } = await hosted(t);
  const first = await attach();
  await shop.library("libgame.so", scored(1));
  await first.switched(1);
  t.is(await first.end(true), 0);
  const second = await attach();
  await runs(1);
  t.is(await second.end(true), 0);
  await runs(1);
  const third = await attach();
  third.child.kill("SIGKILL");
  await third.ended;
  await runs(0);
  // The file still holds build 1, which is not what runs: the first change, under the next number.
  const fourth = await attach();
  await fourth.switched(2);
  await runs(1);
  for (const [number, build] of [
    [1, 1],
    [0, 0],
  ] as const) {
    const from = fourth.events.length;
    fourth.send({ command: "rollback", generation: number });
    await fourth.switched(number, from);
    await runs(build);
  }
  t.is(await fourth.end(), 0);
  await runs(0);
  t.is(threads(), 1);
});

test("attaching again takes no new memory for code", async (t) => {
  const { shop, pid, runs, attach } = await hosted(t);
  /** Bytes of code that come from no file on disk: thunks, and what threads of ours begin in. */
  const codeBytes = () =>
    readFileSync(`/proc/${pid}/maps`, "utf8")
      .split("\n")
      .map((line) => /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ 00:\d\d /.exec(line))
      .reduce(
        (sum, found) => sum + (found === null ? 0 : parseInt(found[2] ?? "", 16) - parseInt(found[1] ?? "", 16)),
        0,
      );
  const tool = await attach();
  await shop.library("libgame.so", scored(1));
  await tool.switched(1);
  t.is(await tool.end(true), 0);
  const kept = codeBytes();
  t.true(kept > 0);
  for (let round = 0; round < 3; round++) {
    const again = await attach();
    t.is(await again.end(true), 0);
    await runs(1);
    t.is(codeBytes(), kept);
  }
});

test("a registry of a newer hotpatch is refused with both versions named, and what it kept goes on", async (t) => {
  const { shop, pid, runs, attach } = await hosted(t);
  const tool = await attach();
  await shop.library("libgame.so", scored(1));
  await tool.switched(1);
  t.is(await tool.end(true), 0);
  raiseRegistryVersion(pid);
  const older = Tool.attach(shop, [String(pid)]);
  const error = await older.next("error");
  t.regex(error.detail, /registry of version 99; this hotpatch reads up to 2/);
  t.is((await older.ended).code, 3);
  await runs(1);
});
