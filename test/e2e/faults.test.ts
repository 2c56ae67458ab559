/** Faults that are hotpatch's own, or of what it stands on: they are told, and the host runs what is said. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { cutOffBridge, faultyBridge } from "../support/faulty-bridge.js";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Lines, ROOT, Workshop } from "../support/workshop.js";

/** A host that runs generation 1 by a session that was attached through this bridge. */
async function patchedThrough(t: ExecutionContext, bridge: (shop: Workshop) => string) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const child = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(child.stdout);
  await output.next((line) => line === "value 1", "value 1");
  const tool = Tool.attach(shop, ["--backend", "python", String(child.pid)], { HOTPATCH_PYTHON: bridge(shop) });
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await output.next((line) => line === "value 2", "value 2");
  return { tool, output };
}

test("an answer that nobody foresaw is internal; the session and the generation go on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  const bridge = faultyBridge(shop, "status", `json.dumps({"id": id, "ok": {"ok": True, "value": "nonsense"}})`);
  const tool = Tool.spawn(shop, ["--backend", "python", "--", host, lib], { HOTPATCH_PYTHON: bridge });
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  tool.send({ command: "status" });
  const error = await tool.next("error");
  t.is(error.code, "internal");
  t.is(error.running, "generation 1 of libgame.so");
  await tool.prints("value 2", tool.output.all.length);
  await shop.library("libgame.so", library(3));
  await tool.switched(2);
  await tool.prints("value 3");
  t.is(await tool.end(), 0);
});

test("a bridge that says what is not in the contract is ended as a broken link; the host goes on with its own code", async (t) => {
  const { tool, output } = await patchedThrough(t, (shop) => faultyBridge(shop, "status", `"garbage"`));
  tool.send({ command: "status" });
  const error = await tool.next("error");
  t.is(error.code, "bridge-died");
  t.regex(error.detail, /not in the contract/);
  t.is((await tool.ended).code, 1);
  await output.next((line) => line === "value 1", "value 1 again", output.all.length);
});

test("a request that breaks off, as when the tool is killed while it writes, is the end: the host gets its own code back", async (t) => {
  const { tool, output } = await patchedThrough(t, (shop) => cutOffBridge(shop, "stacks"));
  tool.send({ command: "status" });
  t.is((await tool.next("error")).code, "bridge-died");
  await output.next((line) => line === "value 1", "value 1 again", output.all.length);
});

for (const [what, request, answer] of [
  ["be loaded", "load", '{"error": {"type": "InvalidOperationError", "message": "not today"}}'],
  ["begin", "begin", '{"ok": {"ok": False, "error": {"code": "internal", "detail": "not today"}}}'],
] as const)
  test(`an agent that cannot ${what} is attach-failed, and a host that was started for it is ended`, async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const host = await shop.host("host", DLOPEN_HOST);
    const bridge = faultyBridge(shop, request, `json.dumps({"id": id, **${answer}})`);
    const tool = Tool.spawn(shop, ["--backend", "python", "--", host, lib], { HOTPATCH_PYTHON: bridge });
    const error = await tool.next("error");
    t.is(error.code, "attach-failed");
    t.regex(error.detail, /not today/);
    t.is(error.running, "nothing: the host that was started has been terminated");
    t.is((await tool.ended).code, 3);
    t.false(isAlive(Number(/pid (\d+)/.exec(error.message)?.[1])));
  });

test("a log that cannot be opened is a usage error before anything is touched", async (t) => {
  const shop = new Workshop(t);
  const tool = Tool.spawn(shop, ["--log", shop.path("nowhere/log"), "--", "sleep", "1"]);
  t.is((await tool.ended).code, 2);
  t.regex(tool.stderr, /cannot write the log .* \[usage\]\n {2}why: ENOENT/);
});

test("a log and the first event say which hotpatch it was", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--log", shop.path("log"), "--", await shop.host("host", DLOPEN_HOST), lib]);
  const { hotpatch } = await tool.next("session:started");
  t.is(await tool.end(), 0);
  const [first] = readFileSync(shop.path("log"), "utf8").split("\n");
  t.like(JSON.parse(first ?? ""), { level: "info", type: "log:started", hotpatch, node: process.version });
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  t.is(hotpatch, version);
});

test("a log whose disk is full is given up, and the session goes on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--log", "/dev/full", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  const lost = tool.events.filter((event) => event.type === "warning" && event.code === "log-lost");
  t.is(lost.length, 1);
  t.regex(JSON.stringify(lost), /\/dev\/full.*ENOSPC/);
});

test("a build that fails at the start, when its library is missing, is build-failed and nothing is started", async (t) => {
  const shop = new Workshop(t);
  const lib = shop.path("libgame.so");
  const args = ["--library", lib, "--build", "echo 'game.c:7: no such thing'; exit 3", "--", "sleep", "1"];
  const tool = Tool.spawn(shop, args);
  const error = await tool.next("error");
  t.is(error.code, "build-failed");
  t.regex(error.message, /exit code 3/);
  t.regex(error.detail, /game\.c:7: no such thing/);
  t.is((await tool.ended).code, 3);
  t.false(tool.events.some((event) => event.type === "session:started"));
});

test("a folder for copies that is removed during the session is copy-failed, and the old code runs on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  for (const name of shop.leftovers())
    if (name.startsWith(`hotpatch-${tool.pid}-`)) rmSync(join(shop.temp, name), { recursive: true });
  await shop.library("libgame.so", library(2));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "copy-failed");
  t.regex(refused.detail, /ENOENT/);
  t.is(refused.running, 0);
  await tool.prints("value 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});
