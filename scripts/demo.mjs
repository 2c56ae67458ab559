/**
 * The main job, shown for real: a host runs, its library's source is edited in a scratch copy, the build runs, and the
 * host's own output changes. Exits 0 only if that output proved each step.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const STEP_MS = 10_000;

const say = (text) => console.log(`\n▸ ${text}`);

const scratch = mkdtempSync(join(tmpdir(), "hotpatch-demo-"));
const source = join(scratch, "game.c");
let tool = null;

/** Lines of the host and events of the tool, in order, with a wait for the next that fits. */
const seen = [];
let wake = () => {};
function note(entry) {
  seen.push(entry);
  wake();
}

async function until(what, fits, from) {
  const deadline = Date.now() + STEP_MS;
  for (let i = from; ; i++) {
    while (i >= seen.length) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`${what} did not come within ${STEP_MS / 1000} s`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (fits(seen[i])) return seen[i];
    if (seen[i].type === "tool-ended")
      throw new Error(`${what} did not come: hotpatch ended with exit code ${seen[i].code}`);
  }
}

const event = (type, from, fits = () => true) => until(type, (e) => e.type === type && fits(e), from);
const line = (pattern, from) =>
  until(`a line of the host with ${pattern}`, (e) => e.type === "line" && pattern.test(e.text), from);
const switched = (generation, from) => event("generation:switched", from, (e) => e.generation === generation);

function edit(before, after) {
  const text = readFileSync(source, "utf8");
  if (!text.includes(before)) throw new Error(`game.c has no "${before}" to edit`);
  writeFileSync(source, text.replace(before, after));
  console.log(`  game.c: ${before}  ->  ${after}`);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
    child.once("error", reject);
    child.once("exit", (code) =>
      code === 0 ? resolve() : reject(new Error(`${command} ended with exit code ${code}`)),
    );
  });
}

/** Takes text in pieces, and gives its whole lines. */
function byLine(take) {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    lines.forEach(take);
  };
}

/** What is shown of an event; null for those that only `until` looks at. */
function toldOf(e) {
  if (e.type === "generation:switched") {
    const since = e.why === "artifact" ? "the build" : "it was asked for";
    return `generation ${e.generation} runs (was ${e.from}), ${e.ms} ms after ${since}`;
  }
  return e.type === "error" || e.type === "generation:refused" ? `${e.message}: ${e.detail}` : null;
}

function startTool(args) {
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const takeOutput = byLine((text) => {
    console.log(`  host | ${text}`);
    note({ type: "line", text });
  });
  const takeEvents = byLine((text) => {
    const e = JSON.parse(text);
    note(e);
    if (e.type === "target:output") takeOutput(e.text);
    const told = toldOf(e);
    if (told !== null) console.log(`  hotpatch | ${told}`);
  });
  child.stdout.setEncoding("utf8").on("data", takeEvents);
  child.once("exit", (code) => note({ type: "tool-ended", code }));
  return child;
}

const send = (command) => tool.stdin.write(`${JSON.stringify(command)}\n`);

async function demo() {
  say("A host and its library, built from samples/c in a scratch folder");
  cpSync(join(root, "samples/c"), scratch, { recursive: true, filter: (path) => !path.endsWith("/build") });
  const make = ["-s", "-C", scratch, `HOTPATCH_INCLUDE=${join(root, "mark/include")}`];
  await run("make", make);
  const library = join(scratch, "build/libgame.so");

  say("hotpatch spawns the host; it prints its own lines");
  const build = `make ${make.map((arg) => `'${arg}'`).join(" ")}`;
  tool = startTool([
    "spawn",
    "--json",
    "--library",
    library,
    "--build",
    build,
    "--watch",
    scratch,
    "--",
    join(scratch, "build/host"),
    library,
  ]);
  await event("session:ready", 0);
  await line(/damage 10 /, 0);

  let mark = seen.length;
  say("First edit: a number in a marked function. Saved, and nothing else is done");
  edit("return 10;", "return 25;");
  await switched(1, mark);
  await line(/damage 25 /, mark);

  mark = seen.length;
  say("Second edit: a string that an unmarked helper returns");
  edit('"hello"', '"hello, hotpatch"');
  await switched(2, mark);
  await line(/damage 25 .*hello, hotpatch/, mark);

  mark = seen.length;
  say("Rollback to generation 1");
  send({ command: "rollback", generation: 1 });
  await switched(1, mark);
  await line(/damage 25 .*"hello"/, seen.length);

  mark = seen.length;
  say("Restore: generation 0, the host's own code");
  send({ command: "rollback", generation: 0 });
  await switched(0, mark);
  await line(/damage 10 /, seen.length);

  say("End");
  const ended = new Promise((resolve) => tool.once("exit", resolve));
  send({ command: "end" });
  const code = await ended;
  if (code !== 0) throw new Error(`hotpatch ended with exit code ${code}`);
}

try {
  await demo();
  say("Done: the host's own output showed every step.");
} catch (error) {
  console.error(`\ndemo FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  // stdin's end makes the tool restore and end the host; nothing is left running.
  if (tool !== null && tool.exitCode === null) {
    tool.stdin.end();
    const timer = setTimeout(() => tool.kill("SIGKILL"), 5000);
    await new Promise((resolve) => tool.once("exit", resolve));
    clearTimeout(timer);
  }
  rmSync(scratch, { recursive: true, force: true });
}
