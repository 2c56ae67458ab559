/** What starts a build, and what does not: real builds, real repositories, in the folders that projects have. */
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DLOPEN_HOST, library } from "../support/programs.js";
import { asRoot } from "../support/sandbox.js";
import test from "../support/test.js";
import { CLI, Tool } from "../support/tool.js";
import { HEADERS, Workshop } from "../support/workshop.js";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How a project builds libgame.so from src/game.c. */
const BUILD = `gcc -g -O2 -fPIC -shared -I'${HEADERS}' -o libgame.new src/game.c && mv libgame.new libgame.so`;

/** A project folder with src/game.c and what was built of it, and a host. */
async function project(shop: Workshop): Promise<{ folder: string; lib: string; host: string }> {
  const host = await shop.host("host", DLOPEN_HOST);
  const folder = shop.path("project");
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(join(folder, "src/game.c"), library(1));
  execFileSync("sh", ["-c", BUILD], { cwd: folder });
  return { folder, lib: join(folder, "libgame.so"), host };
}

const args = (folder: string, build: string, host: string, lib: string) => [
  ...["--watch", folder, "--build", `cd '${folder}'; ${build}`, "--library", lib, "--", host, lib],
];

const buildsOf = (tool: Tool): string[] => tool.events.flatMap((e) => (e.type.startsWith("build:") ? [e.type] : []));
const loopsOf = (tool: Tool): number =>
  tool.events.filter((e) => e.type === "warning" && e.code === "rebuild-loop").length;
const ONE = ["build:started", "build:finished"];

test("neither a log that grows nor the tool's own log and output start a build", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  // Names of sources, so that it is not the names that tell.
  const [log, output] = [join(folder, "src/log.c"), join(folder, "src/output.c")];
  const out = openSync(output, "w");
  const timer = setInterval(() => appendFileSync(join(folder, "host.log"), "a line\n"), 50);
  t.teardown(() => clearInterval(timer));
  const told = ["spawn", "--plain", "--log", log, "-vv", ...args(folder, BUILD, host, lib)];
  const child = spawn(process.execPath, [CLI, ...told], {
    env: { ...process.env, TMPDIR: shop.temp },
    stdio: ["pipe", out, out],
  });
  t.teardown(() => child.kill("SIGKILL"));
  closeSync(out);
  const has = async (text: string) => {
    for (let i = 0; i < 400 && !readFileSync(log, "utf8").includes(text); i++) await pause(50);
    t.true(readFileSync(log, "utf8").includes(text), text);
  };
  for (let i = 0; i < 200 && readFileSync(output, "utf8") === ""; i++) await pause(50);
  await has('"session:ready"');
  await pause(500);
  writeFileSync(join(folder, "src/game.c"), library(2));
  await has('"generation:switched"');
  await pause(500);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  await ended;
  t.is(readFileSync(log, "utf8").split('"build:started"').length - 1, 1);
});

test("300 files that git switches at once are one build, and git is asked a few times at most", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  const git = (...told: string[]) =>
    execFileSync("git", ["-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org", ...told]);
  git("init", "-q");
  writeFileSync(join(folder, ".gitignore"), "*.so\n*.new\n");
  const write = (n: number) => {
    writeFileSync(join(folder, "src/game.c"), library(n));
    for (let i = 0; i < 300; i++) {
      mkdirSync(join(folder, `part${i % 10}`), { recursive: true });
      writeFileSync(join(folder, `part${i % 10}/file${i}.c`), `int f${i} = ${n};\n`);
    }
  };
  write(1);
  git("add", ".");
  git("commit", "-qm", "one");
  git("switch", "-qc", "other");
  write(2);
  git("commit", "-qam", "two");
  git("switch", "-q", "-");
  execFileSync("sh", ["-c", BUILD], { cwd: folder });
  // Counts the questions.
  const bin = shop.folderOf("bin", {
    git: `#!/bin/sh\necho "$@" >> '${shop.path("asked")}'\nexec /usr/bin/git "$@"\n`,
  });
  execFileSync("chmod", ["+x", join(bin, "git")]);
  const tool = Tool.spawn(shop, args(folder, BUILD, host, lib), { PATH: `${bin}:${process.env.PATH}` });
  await tool.ready();
  const before = asked(shop);
  git("switch", "-q", "other");
  await tool.switched(1);
  await tool.prints("value 2");
  await pause(500);
  t.deepEqual(buildsOf(tool), ONE);
  t.true(asked(shop) - before <= 3, `${asked(shop) - before} questions`);
  t.is(await tool.end(), 0);
});

for (const moment of ["the tool has just been started", "the host has just been entered"])
  test(`what is saved before the session is ready is built once it is (${moment})`, async (t) => {
    const shop = new Workshop(t);
    const { folder, lib, host } = await project(shop);
    await pause(20);
    const tool = Tool.spawn(shop, args(folder, BUILD, host, lib));
    if (moment.includes("entered")) await tool.next("session:started");
    writeFileSync(join(folder, "src/game.c"), library(2));
    const { generation } = await tool.next("generation:switched");
    t.is(generation, 1);
    await tool.prints("value 2");
    const types = tool.events.map((e) => e.type);
    t.true(types.indexOf("session:ready") < types.indexOf("build:started"));
    t.deepEqual(buildsOf(tool), ONE);
    t.is(await tool.end(), 0);
  });

test("a file that the library's line tables name starts a build whatever it is called", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  writeFileSync(join(folder, "src/game.c"), '#include "value.txt"\n');
  writeFileSync(join(folder, "src/value.txt"), library(1));
  execFileSync("sh", ["-c", BUILD], { cwd: folder });
  const tool = Tool.spawn(shop, args(folder, BUILD, host, lib));
  await tool.prints("value 1");
  await tool.next("library:found");
  writeFileSync(join(folder, "src/notes.txt"), "a note");
  await pause(500);
  t.deepEqual(buildsOf(tool), []);
  writeFileSync(join(folder, "src/value.txt"), library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.deepEqual(buildsOf(tool), ONE);
  t.is(await tool.end(), 0);
});

for (const debug of ["-g", "-g0"])
  test(`a source that is newer than the artifact is built at once, one that is not is not (${debug})`, async (t) => {
    const shop = new Workshop(t);
    const { folder, lib, host } = await project(shop);
    const build = BUILD.replace("gcc -g ", `gcc ${debug} `);
    execFileSync("sh", ["-c", build], { cwd: folder });
    const early = Tool.spawn(shop, args(folder, build, host, lib));
    await early.prints("value 1");
    await pause(500);
    t.deepEqual(buildsOf(early), []);
    t.is(await early.end(), 0);
    writeFileSync(join(folder, "src/game.c"), library(5));
    await pause(20);
    const late = Tool.spawn(shop, args(folder, build, host, lib));
    await late.switched(1);
    await late.prints("value 5");
    t.deepEqual(buildsOf(late), ONE);
    t.is(await late.end(), 0);
  });

test("a newer file that the library was not built from does not make it old", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  await pause(20);
  writeFileSync(join(folder, "src/unrelated.c"), "int unrelated;");
  await pause(50);
  const tool = Tool.spawn(shop, args(folder, BUILD, host, lib));
  await tool.prints("value 1");
  await pause(500);
  t.deepEqual(buildsOf(tool), []);
  t.is(await tool.end(), 0);
});

for (const poll of [[], ["--poll", "50"]])
  asRoot(
    `what is changed below an overlay, of which inotify does not tell, is built (${poll.join(" ") || "by default"})`,
    async (t) => {
      const shop = new Workshop(t);
      const { folder, lib, host } = await project(shop);
      const [lower, work] = ["lower", "work"].map((name) => shop.folderOf(name, {}));
      const below = shop.path("below");
      renameSync(folder, below);
      mkdirSync(folder);
      const mount = `mount -t overlay overlay -o 'lowerdir=${lower},upperdir=${below},workdir=${work}' '${folder}'`;
      const through = ["unshare", "--mount", "sh", "-c", `${mount} && exec "$@"`, "sh"];
      const tool = new Tool(shop, ["spawn", "--json", ...poll, ...args(folder, BUILD, host, lib)], {}, through);
      await tool.ready();
      await tool.prints("value 1");
      writeFileSync(join(below, "src/game.c"), library(2));
      await tool.prints("value 2");
      const warnings = tool.events.filter((e) => e.type === "warning" && e.code === "polled-folder");
      t.is(warnings.length, poll.length === 0 ? 1 : 0);
      t.is(await tool.end(), 0);
    },
  );

test("a file that each build rewrites starts three builds, is named in a warning, and starts none until something else changes", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  const tool = Tool.spawn(shop, args(folder, `date +'#define AT %N' > src/stamp.h; ${BUILD}`, host, lib));
  await tool.ready();
  writeFileSync(join(folder, "src/game.c"), library(2));
  const { message } = await tool.next("warning", ({ code }) => code === "rebuild-loop");
  t.true(message.includes(join(folder, "src/stamp.h")));
  await tool.prints("value 2");
  await pause(700);
  t.deepEqual(buildsOf(tool), [...ONE, ...ONE, ...ONE, ...ONE]);
  writeFileSync(join(folder, "src/game.c"), library(3));
  await tool.prints("value 3");
  await pause(1200);
  t.is(buildsOf(tool).length, 2 * 6); // one more for the header, in case it is needed
  t.is(loopsOf(tool), 1);
  t.is(await tool.end(), 0);
});

test("a header that each build rewrites with equal contents starts one build more at most", async (t) => {
  const shop = new Workshop(t);
  const { folder, lib, host } = await project(shop);
  const tool = Tool.spawn(shop, args(folder, `echo '#define AT 1' > src/config.h; ${BUILD}`, host, lib));
  await tool.ready();
  for (const n of [2, 3, 4]) {
    writeFileSync(join(folder, "src/game.c"), library(n));
    await tool.prints(`value ${n}`);
    await pause(500);
  }
  t.is(buildsOf(tool).filter((type) => type === "build:started").length, 4);
  t.is(loopsOf(tool), 0);
  t.is(await tool.end(), 0);
});

const asked = (shop: Workshop): number => readFileSync(shop.path("asked"), "utf8").split("\n").length - 1;
