/** Saves that come at a bad moment: during a build, during a load, one after the other. None is lost, none is stale. */
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { HEADERS, Lines, Workshop } from "../support/workshop.js";

test("saves during a build let it end, and make one more with the newest source", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  mkdirSync(shop.path("src"));
  shop.write("src/game.c", library(1));
  const build = shop.write(
    "build.sh",
    // The first build waits for the file "go" once it has read the source, as a long compile would.
    `set -e; cd '${shop.folder}'; cp src/game.c taken.c
     if grep -q '(2)' taken.c; then while [ ! -e go ]; do sleep 0.05; done; fi
     gcc -g -O2 -fPIC -shared -I'${HEADERS}' -o libgame.new taken.c; mv libgame.new libgame.so`,
  );
  const args = ["--library", lib, "--watch", shop.path("src"), "--build", `sh '${build}'`, "--", host, lib];
  const tool = Tool.spawn(shop, args);
  await tool.ready();
  shop.write("src/game.c", library(2));
  await tool.next("build:started");
  await appears(shop.path("taken.c"));
  for (const n of [3, 4, 5]) {
    shop.write("src/game.c", library(n));
    await pause(200);
  }
  shop.write("go", "");
  await tool.switched(1);
  await tool.switched(2);
  await tool.prints("value 5");
  const values = new Set(tool.output.all.filter((line) => line.startsWith("value ")));
  t.true([...values].every((line) => ["value 1", "value 2", "value 5"].includes(line)));
  const builds = tool.events.flatMap((e) => (e.type.startsWith("build:") ? [e.type] : []));
  t.deepEqual(builds, ["build:started", "build:finished", "build:started", "build:finished"]);
  t.is(await tool.end(), 0);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits, 10 s at most, for a file that somebody else makes in a folder that is there. */
async function appears(path: string): Promise<void> {
  const watcher = watch(dirname(path));
  const signal = AbortSignal.timeout(10_000);
  try {
    while (!existsSync(path)) await once(watcher, "change", { signal });
  } finally {
    watcher.close();
  }
}

for (const watching of [[], ["--poll", "20"]])
  test(`files saved while a copy is loading arrive in order (${watching.join(" ") || "told by the system"})`, async (t) => {
    const shop = new Workshop(t);
    const source = (n: number) => `
      #include "hotpatch.h"
      #include <unistd.h>
      HOTPATCH int value(int x) { return x * ${n}; }
      __attribute__((constructor)) static void slow(void) { if (hotpatch_is_patched()) usleep(400000); }
    `;
    const lib = await shop.library("libgame.so", source(1));
    const tool = Tool.spawn(shop, [...watching, "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.next("library:found");
    await shop.library("libgame.so", source(2));
    await tool.next("artifact:changed"); // its copy is about to load, for 400 ms
    await shop.library("libgame.so", source(3));
    await tool.switched(1);
    await tool.switched(2);
    await tool.prints("value 3");
    const order = [...new Set(tool.output.all.filter((line) => /^value \d$/.test(line)))];
    t.deepEqual(order, ["value 1", "value 2", "value 3"]);
    t.is(await tool.end(), 0);
  });

test("--log holds every event with its level, and -vv the target's output and the agent's lines too", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const log = shop.path("log.ndjson");
  const tool = Tool.spawn(shop, ["--log", log, "-vv", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  const lines = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: string; type?: string; at: number; agent?: string });
  for (const { level, at } of lines) {
    t.true(["error", "info", "debug", "trace"].includes(level));
    t.is(typeof at, "number");
  }
  const levelOf = (type: string) => lines.find((line) => line.type === type)?.level;
  t.is(levelOf("generation:switched"), "info");
  t.is(levelOf("target:output"), "trace");
  t.true(
    lines.some(({ agent, level }) => level === "debug" && /generation 1 of libgame\.so is at 0x/.test(agent ?? "")),
  );
});

for (const watching of [[], ["--poll", "20"]])
  test(`a build that keeps size and times is taken, in place and by rename (${watching.join(" ") || "told by the system"})`, async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", library(1));
    const builds = [];
    for (const n of [2, 3, 4]) builds.push(readFileSync(await shop.library(`build_${n}.so`, library(n))));
    const tool = Tool.spawn(shop, [...watching, "--settle", "10", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.next("library:found");
    await tool.prints("value 1");
    const { size, atime, mtime } = statSync(lib);
    // As `cp -p` and `rsync -t` leave a file. The tool stands still meanwhile: it sees only what comes of it.
    const place = (bytes: Buffer, byRename: boolean) => {
      t.is(bytes.length, size);
      tool.child.kill("SIGSTOP");
      const path = byRename ? shop.path("placed") : lib;
      writeFileSync(path, bytes);
      utimesSync(path, atime, mtime);
      if (byRename) renameSync(path, lib);
      tool.child.kill("SIGCONT");
    };
    for (const [i, bytes] of builds.entries()) {
      place(bytes, i === 2);
      await tool.switched(i + 1);
      await tool.prints(`value ${i + 2}`);
      t.deepEqual(statSync(lib).mtime, mtime);
    }
    t.is(await tool.end(), 0);
  });

test("a change that nothing tells of is taken at a reload, by the file's bytes", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const other = await shop.library("other.so", library(2));
  // Looked at once an hour: the reload is all that the session hears of.
  const tool = Tool.spawn(shop, ["--poll", "3600000", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  writeFileSync(lib, readFileSync(other));
  tool.send({ command: "reload" });
  await tool.switched(1);
  await tool.prints("value 2");
  tool.send({ command: "reload" });
  t.regex((await tool.next("artifact:unchanged")).reason, /the same bytes as generation 1/);
  t.is(await tool.end(), 0);
});

test("a refused build is not refused again because its links or its mode change, as when cargo begins the next one", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  await shop.library("libgame.so", "int value(int x) { return x; }");
  t.is((await tool.next("generation:refused")).code, "no-marks");
  const from = tool.events.length;
  linkSync(lib, shop.path("link"));
  await new Promise((resolve) => setTimeout(resolve, 500)); // longer than it must rest to be taken
  chmodSync(lib, 0o700);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.deepEqual(
    tool.events.slice(from).filter((event) => event.type !== "target:output"),
    [],
  );
  tool.send({ command: "reload" }); // who asks is told again
  await tool.next("generation:refused", () => true, from);
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  t.is(await tool.end(), 0);
});

test("a file of 20 GB that was there before the session is refused, not passed over", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const child = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  await new Lines(child.stdout).next((line) => line === "value 1", "value 1");
  rmSync(lib);
  writeFileSync(lib, "");
  truncateSync(lib, 20 * 2 ** 30);
  const tool = Tool.attach(shop, [String(child.pid)]);
  t.is((await tool.next("generation:refused")).code, "artifact-invalid");
  t.is(await tool.end(), 0);
});

test("a sparse file of 20 GB in the artifact's place is refused before it is read, and the next build is taken", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await tool.prints("value 1");
  writeFileSync(shop.path("sparse"), readFileSync(lib));
  truncateSync(shop.path("sparse"), 20 * 2 ** 30);
  renameSync(shop.path("sparse"), lib);
  const { code, detail } = await tool.next("generation:refused");
  t.is(code, "artifact-invalid");
  t.regex(detail, /^it has 21474836480 bytes, of which \d+ are written \(a sparse file\)/);
  await tool.prints("value 1", tool.output.all.length);
  await shop.library("libgame.so", library(3));
  await tool.switched(1);
  await tool.prints("value 3");
  t.is(await tool.end(), 0);
});
