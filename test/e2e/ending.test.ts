/** Endings of every kind: what the host runs afterwards, the exit code, and that nothing is left. */
import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

/** Ends as its library says, once it has been asked to by a line on stdin. */
const ENDING_HOST = `
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < 30000; i++) { printf("value %d\\n", value(1)); usleep(20000); }
  return argc - 2;
}
`;
const ending = (how: string) => `
#include "hotpatch.h"
#include <signal.h>
#include <stdlib.h>
HOTPATCH int value(int x) { ${how}; return x; }
`;

async function spawned(t: ExecutionContext) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", ENDING_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  return { shop, tool };
}

async function attached(t: ExecutionContext, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "value 1", "value 1");
  const tool = Tool.attach(shop, [...args, String(host.pid)], env);
  await tool.ready();
  const patched = async () => {
    await shop.library("libgame.so", library(2));
    await tool.switched(1);
    await output.next((l) => l === "value 2", "value 2");
  };
  const runs = (n: number) => output.next((l) => l === `value ${n}`, `value ${n}`, output.all.length + 1);
  return { shop, tool, host, pid: host.pid ?? 0, output, patched, runs };
}

test("a spawned host's exit code is reported and mirrored", async (t) => {
  const { shop, tool } = await spawned(t);
  await shop.library("libgame.so", ending("exit(7)"));
  t.is((await tool.next("target:exited")).exitCode, 7);
  t.is((await tool.ended).code, 7);
  t.deepEqual(shop.leftovers(), []);
});

test("a spawned host that dies of a signal ends the session with 128+n", async (t) => {
  const { shop, tool } = await spawned(t);
  await shop.library("libgame.so", ending("raise(SIGSEGV)"));
  t.is((await tool.next("target:exited")).signal, "SIGSEGV");
  const { code, hint } = await tool.next("error");
  t.is(code, "target-died");
  t.is((await tool.ended).code, 139);
  t.is(shop.leftovers().length, 1);
  t.true(hint.includes(shop.leftovers()[0] ?? "?"), hint);
});

test("an attached target that is killed ends the session with 5, one that exits with 0", async (t) => {
  const killed = await attached(t);
  killed.host.kill("SIGKILL");
  t.is((await killed.tool.next("target:exited")).signal, "SIGKILL");
  t.is((await killed.tool.ended).code, 5);
  const exits = await attached(t);
  await exits.shop.library("libgame.so", ending("exit(3)"));
  t.is((await exits.tool.next("target:exited")).exitCode, 3);
  t.is((await exits.tool.ended).code, 0);
  t.deepEqual(exits.shop.leftovers(), []);
});

test("a target that dies in a copy's constructor ends the session, and the error says so", async (t) => {
  const { shop, tool } = await attached(t);
  await shop.library(
    "libgame.so",
    `${ending("")}__attribute__((constructor)) static void start(void) { if (hotpatch_is_patched()) abort(); }`,
  );
  t.is((await tool.next("target:exited")).signal, "SIGABRT");
  t.is((await tool.next("error")).code, "target-died");
  t.is((await tool.ended).code, 5);
  t.is(shop.leftovers().length, 1);
});

test("the copies of a target that crashed stay where its core dump names them, for a day; a killed one's go", async (t) => {
  const { shop, tool, patched } = await attached(t);
  await patched();
  const { path } = await tool.next("generation:loaded");
  const copy = readFileSync(path);
  await shop.library("libgame.so", ending("raise(SIGSEGV)"));
  const { path: crashed } = await tool.next("generation:loaded", (e) => e.generation === 2);
  const { hint } = await tool.next("error");
  t.is((await tool.ended).code, 5);
  t.deepEqual(readFileSync(path), copy);
  const folder = dirname(crashed);
  t.true(hint.includes(`stay in ${folder} for a day`), hint);
  t.true(existsSync(crashed));
  // A later session on the same day leaves them; one on the next day does not.
  const later = await attached(t, [], { TMPDIR: shop.temp });
  await later.patched();
  t.is(await later.tool.end(), 0);
  t.true(existsSync(crashed));
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  utimesSync(join(folder, "target-died"), yesterday, yesterday);
  const last = await attached(t, [], { TMPDIR: shop.temp });
  t.false(existsSync(folder));
  last.host.kill("SIGKILL");
  await last.tool.ended;
  t.deepEqual(shop.leftovers(), []);
});

test("a target that is killed while its copy loads ends the session", async (t) => {
  const { shop, tool, host } = await attached(t);
  await shop.library(
    "libgame.so",
    `${ending("")}#include <unistd.h>\n__attribute__((constructor)) static void start(void) { if (hotpatch_is_patched()) sleep(30); }`,
  );
  await tool.next("artifact:changed");
  host.kill("SIGKILL");
  t.is((await tool.ended).code, 5);
  t.deepEqual(shop.leftovers(), []);
});

test("the bridge killed: the host lives on with its own code, and the error says what runs", async (t) => {
  const { tool, patched, runs, pid } = await attached(t);
  await patched();
  process.kill(tool.bridge(), "SIGKILL");
  const error = await tool.next("error");
  t.is(error.code, "bridge-died");
  t.regex(error.running, /generation 0/);
  t.is((await tool.ended).code, 1);
  await runs(1);
  t.true(isAlive(pid));
});

test("the bridge killed in a session that found a kept generation: what the error says runs is what runs", async (t) => {
  const { shop, tool, patched, runs, pid } = await attached(t, ["--keep"]);
  await patched();
  t.is(await tool.end(), 0);
  await runs(2);
  const second = Tool.attach(shop, [String(pid)]);
  t.is((await second.next("library:found")).generation, 1);
  await second.ready();
  process.kill(second.bridge(), "SIGKILL");
  const error = await second.next("error");
  t.is(error.code, "bridge-died");
  t.is((await second.ended).code, 1);
  t.regex(error.running, /^generation 0/);
  await runs(1);
});

test("the tool killed with -9: the host lives on with its own code, and can be attached again", async (t) => {
  const { shop, tool, patched, runs, pid } = await attached(t);
  await patched();
  const bridge = tool.bridge();
  tool.child.kill("SIGKILL");
  await tool.ended;
  await runs(1);
  t.true(isAlive(pid));
  for (let i = 0; isAlive(bridge) && i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(isAlive(bridge));
  const again = Tool.attach(shop, [String(pid)]);
  await again.switched(2); // generation 1's number is never used again
  await runs(2);
  t.is(await again.end(), 0);
  await runs(1);
  t.deepEqual(shop.leftovers(), []);
});

test("the tool killed with -9 does not end a host that it spawned", async (t) => {
  const { tool } = await spawned(t);
  const bridge = tool.bridge();
  tool.child.kill("SIGKILL");
  await tool.ended;
  for (let i = 0; isAlive(bridge) && i < 100; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(isAlive(bridge));
  t.true(isAlive(tool.pid));
});

test("SIGINT restores, ends a spawned host, and leaves nothing", async (t) => {
  const { shop, tool } = await spawned(t);
  tool.child.kill("SIGINT");
  const { code } = await tool.ended;
  t.is(code, 0);
  t.true((await tool.next("session:ended")).restored);
  t.false(isAlive(tool.pid));
  t.deepEqual(shop.leftovers(), []);
});

test("SIGTERM under attach restores and lets the host go on", async (t) => {
  const { shop, tool, patched, runs } = await attached(t);
  await patched();
  tool.child.kill("SIGTERM");
  t.is((await tool.ended).code, 0);
  await runs(1);
  t.deepEqual(shop.leftovers(), []);
});

test("a host that ignores SIGTERM is ended all the same", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host(
    "host",
    `#include <signal.h>\n${DLOPEN_HOST.replace("int main(int argc, char **argv) {", "int main(int argc, char **argv) { signal(SIGTERM, SIG_IGN);")}`,
  );
  const tool = Tool.spawn(shop, ["--", host, lib]);
  await tool.prints("value 1");
  t.is(await tool.end(), 0);
  t.is((await tool.next("target:exited")).signal, "SIGKILL");
  t.false(isAlive(tool.pid));
});

test("the end of stdin is the end; a bad line is an error and the session goes on", async (t) => {
  const { tool, runs, patched } = await attached(t);
  await patched();
  tool.send("this is no JSON");
  t.is((await tool.next("error")).code, "bad-command");
  tool.send({ command: "dance" });
  tool.send({ command: "rollback", generation: 9 });
  t.is((await tool.next("error", (e) => e.code === "no-such-generation")).code, "no-such-generation");
  t.is(tool.events.filter((e) => e.type === "error" && e.code === "bad-command").length, 2);
  for (const event of tool.events) if (event.type === "error") t.is(event.running, "generation 1 of libgame.so");
  await runs(2);
  tool.child.stdin?.end();
  t.is((await tool.ended).code, 0);
  await runs(1);
});

test("no thread and no file descriptor of ours is left in a host after the end", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "value 1", "value 1");
  const count = () => ["task", "fd"].map((what) => readdirSync(`/proc/${host.pid}/${what}`).length);
  const before = count();
  for (const args of [[], ["--keep"]]) {
    const tool = Tool.attach(shop, [...args, String(host.pid)]);
    await tool.ready();
    const from = tool.events.length;
    await shop.library("libgame.so", library(args.length + 2));
    await tool.next("generation:switched", () => true, from);
    t.is(await tool.end(), 0);
    t.deepEqual(count(), before);
  }
});
