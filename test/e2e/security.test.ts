/** What docs/security.md promises, shown on whole sessions. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { CLI, Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

const root = process.getuid?.() === 0 ? test : test.skip;

test("copies lie in a folder of mode 0700 at the temporary folder's real path, and go with the session", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  symlinkSync(shop.temp, shop.path("link"));
  const host = await shop.host("host", DLOPEN_HOST);
  const tool = Tool.spawn(shop, ["--", host, lib], { TMPDIR: shop.path("link") });
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  const { path } = await tool.next("generation:loaded");
  t.true(path.startsWith(`${shop.temp}/hotpatch-`), path);
  t.is(lstatSync(join(path, "..")).mode & 0o7777, 0o700);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  t.deepEqual(shop.leftovers(), []);
});

test("a temporary folder that everybody may write to is refused before the target is touched", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  mkdirSync(shop.path("open"));
  chmodSync(shop.path("open"), 0o777);
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  const tool = Tool.attach(shop, [String(host.pid)], { TMPDIR: shop.path("open") });
  const error = await tool.next("error");
  t.is(error.code, "unsafe-folder");
  t.is((await tool.ended).code, 3);
  t.deepEqual(readdirSync(shop.path("open")), []);
  await output.next((l) => l === "value 1", "value 1", output.all.length);
  t.deepEqual(readdirSync(`/proc/${host.pid}/task`).length, 1);
});

root(
  "a target with mounts of its own loads the copy that lies there, and nothing lies under that path here",
  async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const host = await shop.host("host", DLOPEN_HOST);
    const script = `mount -t tmpfs none ${shop.temp} && exec ${host} ${lib}`;
    const child = shop.start("unshare", ["--mount", "sh", "-c", script]);
    const output = new Lines(child.stdout);
    const seen = await output.next((l) => l === "value 1", "value 1").catch(() => null);
    if (seen === null) {
      t.pass("this machine allows no mounts");
      return;
    }
    const tool = Tool.attach(shop, [String(child.pid)]);
    await tool.ready();
    await shop.library("libgame.so", library(2));
    const { path } = await tool.next("generation:loaded");
    t.true(path.startsWith(shop.temp));
    t.false(existsSync(path));
    await output.next((l) => l === "value 2", "value 2");
    t.is(await tool.end(), 0);
    await output.next((l) => l === "value 1", "value 1", output.all.length);
  },
);

/** What /proc says of a process; "" when it has ended meanwhile. */
function proc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return ""; // a build that has ended between two looks
  }
}

/** The pids of a process and of all below it. */
const family = (pid: number): number[] => [
  pid,
  ...proc(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number).flatMap(family),
];

const socketsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode ?? [];
    } catch {
      return []; // closed between the two looks
    }
  });

test("nothing of ours listens where another user could knock: no port, no socket outside a private folder", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.ready();
  const pids = [...family(tool.child.pid ?? 0), tool.pid];
  t.true(pids.length >= 2);
  const ours = new Set(pids.flatMap(socketsOf));
  // Source: proc_net(5). Any TCP or UDP socket of ours would be one too many.
  const network = ["tcp", "tcp6", "udp", "udp6"].flatMap((kind) =>
    readFileSync(`/proc/net/${kind}`, "utf8")
      .split("\n")
      .slice(1)
      .filter((line) => ours.has(line.trim().split(/\s+/)[9] ?? "")),
  );
  t.deepEqual(network, []);
  const ACCEPTS = 0x10000; // __SO_ACCEPTCON
  const listening = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , flags, , , inode]) => ours.has(inode ?? "") && (Number.parseInt(flags ?? "", 16) & ACCEPTS) !== 0)
    .map((fields) => fields[7] ?? "");
  // Its lock, which says its pid and hears nothing (cli/preflight/sessions.ts).
  for (const path of listening.filter((one) => !one.startsWith(`@hotpatch/${tool.pid}/`))) {
    const [, folder = ""] = /^(.*\/hotpatch-\d+-\d+-[^/]+)\//.exec(path) ?? [];
    t.true(folder.startsWith(`${shop.temp}/`), path);
    t.is(lstatSync(folder).mode & 0o7777, 0o700);
  }
  t.is(await tool.end(), 0);
});

test("the environment's values are in no log, no event and no command line", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const secret = { OURS: "inherited-7f3a", FLAG: "given-by-flag-9c1d" };
  const log = shop.path("log");
  const options = ["-vv", "--log", log, "--env", `FLAG=${secret.FLAG}`, "--build", "echo no >&2; false"];
  const host = await shop.host("host", DLOPEN_HOST);
  for (const program of [host, shop.path("not-there")]) {
    const tool = Tool.spawn(shop, [...options, "--", program, lib], { OURS: secret.OURS });
    if (program === host) {
      await tool.prints("value 1");
      t.true(proc(tool.pid, "environ").includes(secret.FLAG), "the host has it");
      tool.send({ command: "build" });
      await tool.next("build:failed");
      tool.send("no JSON");
      await tool.next("error");
      // Without the tool's own, which the user wrote, and that of a fork which has not become another program yet.
      const helpers = family(tool.child.pid ?? 0).slice(1);
      const commands = helpers
        .map((pid) => proc(pid, "cmdline"))
        .filter((command) => command !== "" && !command.includes(CLI));
      t.true(commands.length > 0);
      for (const value of Object.values(secret)) t.false(commands.join().includes(value), commands.join());
      await tool.end();
    }
    await tool.ended;
    const said = `${JSON.stringify(tool.events)}${tool.stderr}${readFileSync(log, "utf8")}`;
    for (const value of Object.values(secret)) t.false(said.includes(value), `${value} after ${program}`);
  }
  t.is(lstatSync(log).mode & 0o777, 0o600);
});

test("what a stranger's library or host prints cannot command the terminal", async (t) => {
  const shop = new Workshop(t);
  // ESC ] 0 ; sets a terminal's title, U+009B begins a command as well. A symbol's name is as free as output is.
  const source = (n: number) => `
    #include "hotpatch.h"
    #include <stdio.h>
    HOTPATCH int value(int x) { printf("\\033]0;owned\\007 \\302\\2332J\\n"); fflush(stdout); return x * ${n}; }
    HOTPATCH int namedQQ31m(int x) { return x * ${n}; }`;
  const build = async (n: number) => {
    const built = await shop.library("built.so", source(n));
    const bytes = readFileSync(built, "latin1").replaceAll("namedQQ31m", "named\u001b[31m");
    writeFileSync(built, bytes, "latin1");
    renameSync(built, shop.path("libgame.so"));
    return shop.path("libgame.so");
  };
  const lib = await build(1);
  const host = await shop.host("host", DLOPEN_HOST);
  const plain = shop.start(process.execPath, [CLI, "spawn", "--plain", "--", host, lib], {
    env: { ...process.env, TMPDIR: shop.temp },
  });
  const lines = new Lines(plain.stdout);
  await lines.next((l) => l.includes("host | \\x1b]0;owned\\x07 \\x9b2J"), "the escaped line");
  await build(2);
  await lines.next((l) => l.includes("switched (") && l.includes("named\\x1b[31m"), "the escaped name");
  plain.kill("SIGINT");
  await new Promise((done) => plain.once("close", done));
  t.notRegex(lines.all.join(""), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);

  const tool = new Tool(shop, ["spawn", "--json", "--", host, lib]);
  const raw: string[] = [];
  tool.child.stdout?.on("data", (chunk: string) => raw.push(chunk));
  await tool.prints(/owned/);
  t.is(await tool.end(), 0);
  t.notRegex(raw.join(""), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  t.true(
    tool.output.all.some((l) => l.includes("\u009b2J")),
    "a JSON reader gets the text itself",
  );
  t.false(isAlive(tool.pid));
});
