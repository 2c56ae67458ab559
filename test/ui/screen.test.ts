/** The screen in a real terminal, with a real host that is edited, and how it leaves that terminal. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ExecutionContext } from "ava";
import stringWidth from "string-width";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tmux, tmuxVersion } from "../support/tmux.js";
import { HEADERS, isAlive, Lines, Workshop } from "../support/workshop.js";

const version = tmuxVersion();
const screen = version === null ? test.skip : test;
if (version === null) console.log("skipped: the screen's tests need tmux (apt-get install tmux)");

/** A spawned host whose library is built by --build from a source that the test edits. */
async function spawned(t: ExecutionContext, options: Parameters<typeof Tmux.start>[3] = {}, host = DLOPEN_HOST) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const program = await shop.host("host", host);
  shop.folderOf("src", { "game.c": library(1) });
  const source = (text: string) => shop.write("src/game.c", text);
  const build = `gcc -g -O2 -fPIC -shared -I${HEADERS} -o new.so src/game.c && mv new.so libgame.so`;
  const tmux = await Tmux.start(t, shop, ["spawn", "-l", lib, "-b", build, "-w", "src", "--", program, lib], options);
  await tmux.shows(/generation 0/);
  const hostPid = Number(/pid (\d+)/.exec(await tmux.shows(/pid \d+/))?.[1] ?? 0);
  if (hostPid > 0) shop.owns(hostPid);
  return { shop, tmux, source, hostPid };
}

/** The terminal is as it was before: its screen, its cursor, its modes. */
async function restored(t: ExecutionContext, tmux: Tmux, exit: RegExp): Promise<string> {
  await tmux.shows(/exit code \d+/);
  const text = await tmux.shows(/-?\becho\b/); // the last of what stty says
  t.regex(text, exit);
  t.false(await tmux.mode("alternate_on"));
  t.true(await tmux.mode("cursor_flag"));
  t.true(await tmux.mode("wrap_flag"));
  t.regex(text, /[^-]icanon/);
  t.regex(text, /[^-]echo /);
  return text;
}

screen(
  "an edit, a failed build, a refusal and a rollback are seen as they happen; q restores the terminal",
  async (t) => {
    const { tmux, source, hostPid } = await spawned(t);
    await tmux.shows(/value 1\n/);
    await tmux.shows(/› value +0 +adopted/);

    source(library(2));
    await tmux.shows(/generation 1 ●[\s\S]*✓ the last save is live[\s\S]*value +1 +switched[\s\S]*\n value 2\n/);

    source("int broken(");
    await tmux.shows(/generation 1 ●[\s\S]*✗ build failed; generation 1 keeps running[\s\S]*game\.c:1:\d+: error/);

    source(`${library(3)}int missing(void); HOTPATCH int user(void) { return missing(); }`);
    await tmux.shows(/generation 1 ●[\s\S]*✗ refused; generation 1 keeps running[\s\S]*undefined symbol: missing/);
    await tmux.keys("Escape");
    await tmux.shows(/GENERATIONS +0 · \[1 ✓\] · ✗build ✗load-failed/);

    source(library(4));
    await tmux.shows(/generation 2 ●[\s\S]*\n value 4\n/);
    await tmux.keys("u");
    await tmux.shows(/roll libgame\.so back to 1[\s\S]*1 function would change[\s\S]*switched +value/);
    await tmux.keys("Enter");
    await tmux.shows(/generation 1 ●[\s\S]*rolled back to generation 1[\s\S]*\n value 2\n/);
    await tmux.keys("r");
    await tmux.shows(/generation 0 ●[\s\S]*restored[\s\S]*\n value 1\n/);

    await tmux.keys("Enter");
    await tmux.shows(/history\n[\s\S]*refused \[load-failed\]/);
    await tmux.keys("Escape");
    await tmux.keys("/", "v", "a", "x");
    await tmux.shows(/functions 0 of 1 \/ vax_/);
    await tmux.keys("Escape");
    await tmux.shows(/› value/);

    await tmux.keys("q");
    const text = await restored(t, tmux, /exit code 0/);
    t.regex(text, /session ended: asked to end; the host's own code was restored/);
    t.regex(text, /in this session: 4 builds \(1 failed/);
    t.false(isAlive(hostPid));
  },
);

screen(
  "at every size the frame is whole after a resize, and the host's terminal has the size of its pane",
  async (t) => {
    const { tmux, hostPid } = await spawned(t);
    for (const [columns, rows] of [
      [40, 10],
      [200, 50],
      [60, 15],
      [250, 60],
      [80, 24],
    ] as const) {
      await tmux.resize(columns, rows);
      await tmux.shows(
        new RegExp(`^ .*host.*generation 0 ●[\\s\\S]*─ output ─{${columns - 9}}\\n[\\s\\S]*\\? help[^\\n]*$`),
      );
      const shown = await tmux.rows();
      t.is(shown.length, rows);
      t.true(shown.every((row) => stringWidth(row) <= columns));
      await until(() => sizeOf(hostPid).columns === columns - 1);
      t.true(sizeOf(hostPid).rows < rows);
    }
    await tmux.keys("q");
    await restored(t, tmux, /exit code 0/);
  },
);

const READER = `
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  void *library = dlopen(argv[argc - 1], RTLD_NOW);
  int (*value)(int) = (int (*)(int))dlsym(library, "value");
  char line[200];
  printf("name? "); fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\\n")] = 0;
    printf("hello %s, %d\\n\\033[2J\\033[?1049l\\033]0;title\\007\\033[31mred\\033[0m 漢字🚀 end\\nname? ", line, value(1)); fflush(stdout);
  }
  printf("end of input\\n"); fflush(stdout);
  pause();
}
`;

screen("what is typed reaches the host; what it prints cannot touch the terminal, but for its colours", async (t) => {
  const { tmux } = await spawned(t, {}, READER);
  await tmux.shows(/\n name\?/);
  await tmux.keys("o");
  await tmux.shows(/keys go to the host, Esc returns/);
  await tmux.keys("-l", "Ada q");
  await tmux.keys("Enter");
  await tmux.shows(/\n name\? Ada q\n hello Ada q, 1\n red 漢字🚀 end\n name\?/);
  t.true(await tmux.mode("alternate_on"), "the host's own sequences were not followed");
  const coloured = (await tmux.rows(true)).find((row) => row.includes("red"));
  t.regex(coloured ?? "", /\x1b\[(?:0;)?31mred/);
  await tmux.keys("C-d");
  await tmux.shows(/end of input/);
  await tmux.keys("Escape");
  await tmux.shows(/\? help/);
  await tmux.keys("q");
  await restored(t, tmux, /exit code 0/);
});

screen("Ctrl-C once ends the session in order", async (t) => {
  const { tmux, hostPid } = await spawned(t);
  await tmux.keys("C-c");
  const text = await restored(t, tmux, /exit code 0/);
  t.regex(text, /session ended: SIGINT/);
  t.false(isAlive(hostPid));
});

screen("Ctrl-C twice quits at once, although the host does not end when asked", async (t) => {
  const { tmux } = await spawned(
    t,
    {},
    DLOPEN_HOST.replace("#include <dlfcn.h>", "#include <signal.h>\n#include <dlfcn.h>").replace(
      "void *library",
      "signal(SIGTERM, SIG_IGN); void *library",
    ),
  );
  await tmux.shows(/value 1/);
  await tmux.keys("C-c");
  await tmux.shows(/ending the host; Ctrl-C again quits immediately/);
  await tmux.keys("C-c");
  await restored(t, tmux, /exit code 130/);
});

screen("Ctrl-Z gives the terminal back while suspended; the host goes on, and fg draws everything anew", async (t) => {
  const then = ["stty -a", "read -r _", "fg", 'echo "exit code $?"', "stty -a", "cat"];
  const { shop, tmux, source } = await spawned(t, { then }, LOGGING_HOST);
  for (const round of [1, 2]) {
    await tmux.keys("C-z");
    await tmux.shows(/exit code 148/); // the shell's word for a stopped job
    await tmux.shows(/-?\becho\b/);
    t.false(await tmux.mode("alternate_on"));
    t.true(await tmux.mode("cursor_flag"));
    const lines = readFileSync(shop.path("host.log"), "utf8").length;
    await until(() => readFileSync(shop.path("host.log"), "utf8").length > lines);
    if (round === 2) break;
    await tmux.keys("Enter");
    await tmux.shows(/generation 0 ●/);
    source(library(2));
    await tmux.shows(/generation 1 ●[\s\S]*✓ the last save is live/);
  }
  process.kill(await tmux.pid(), "SIGKILL"); // stopped, it cannot end in order
});

/** Writes to a file: its life goes on where nobody reads its terminal. */
const LOGGING_HOST = DLOPEN_HOST.replace("int main", "static FILE *log;\nint main")
  .replace("setvbuf(stdout", 'log = fopen("host.log", "w"); setvbuf(log, NULL, _IOLBF, 0); setvbuf(stdout')
  .replace('printf("value', 'fprintf(log, "value');

for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const)
  screen(`${signal} ends the session in order and restores the terminal`, async (t) => {
    const { tmux, hostPid } = await spawned(t);
    process.kill(await tmux.pid(), signal);
    const text = await restored(t, tmux, /exit code 0/);
    t.regex(text, new RegExp(`session ended: ${signal}`));
    t.false(isAlive(hostPid));
  });

screen("a terminal that is closed ends the session, and the host goes on with its own code", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const lines = new Lines(host.stdout);
  await lines.next((line) => line === "value 1", "value 1");
  const tmux = await Tmux.start(t, shop, ["attach", String(host.pid)]);
  await tmux.shows(/generation 0 ●/);
  await shop.library("libgame.so", library(2));
  await lines.next((line) => line === "value 2", "value 2");
  const tool = await tmux.pid();
  await tmux.close();
  await lines.next((line) => line === "value 1", "value 1 after the terminal was closed", lines.all.length);
  await until(() => !isAlive(tool));
  t.is(host.exitCode, null);
});

screen("a host that dies takes nothing with it: its last lines, the reason and the terminal are there", async (t) => {
  const { tmux, hostPid } = await spawned(t);
  await tmux.shows(/value 1/);
  process.kill(hostPid, "SIGKILL");
  const text = await restored(t, tmux, /exit code 137/);
  t.regex(text, /host \| value 1/);
  t.regex(text, /target ended: signal SIGKILL/);
});

screen(
  "a fault of hotpatch's own ends the tool with its stack on the restored terminal, and the host goes on",
  async (t) => {
    const fault = "process.once('SIGUSR2', () => { throw new Error('a fault for the test') })";
    const preload = `data:text/javascript,${encodeURIComponent(fault).replaceAll("'", "%27")}`;
    const { tmux, hostPid } = await spawned(t, { env: { NODE_OPTIONS: `--import "${preload}"` } });
    process.kill(await tmux.pid(), "SIGUSR2");
    const text = await restored(t, tmux, /exit code 1\n/);
    t.regex(text, /Error: a fault for the test/);
    t.true(isAlive(hostPid));
  },
);

screen("a session that cannot begin says why on the restored terminal", async (t) => {
  const shop = new Workshop(t);
  const tmux = await Tmux.start(t, shop, ["spawn", "--", "./no-such-program"]);
  const text = await restored(t, tmux, /exit code 3/);
  t.regex(text, /cannot start \.\/no-such-program/);
});

screen("NO_COLOR leaves attributes only; TERM=dumb gets plain lines", async (t) => {
  const { tmux, source } = await spawned(t, { env: { NO_COLOR: "1" } });
  source(library(2));
  await tmux.shows(/generation 1/);
  const text = (await tmux.rows(true)).join("\n");
  t.notRegex(text, /\x1b\[[0-9;]*(?:3|4|9)[0-7]m/);
  t.regex(text, /\x1b\[[0-9;]*1m/);
  await tmux.keys("q");
  await restored(t, tmux, /exit code 0/);

  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const dumb = await Tmux.start(t, shop, ["spawn", "--", await shop.host("host", DLOPEN_HOST), lib], {
    env: { TERM: "dumb" },
  });
  await dumb.shows(/ready: edits from now on take effect[\s\S]*host \| value 1/);
  await dumb.keys("C-c");
  await dumb.shows(/session ended: SIGINT[\s\S]*in this session: 0 builds[\s\S]*exit code 0/);
});

screen(
  "a generation that arrives while a rollback is being chosen is what the preview is about from then on",
  async (t) => {
    const { tmux, source } = await spawned(t);
    await tmux.shows(/value 1\n/);
    source(library(2));
    await tmux.shows(/generation 1 ●[\s\S]*\n value 2\n/);
    source(library(3));
    await tmux.shows(/generation 2 ●[\s\S]*\n value 3\n/);
    await tmux.keys("u");
    await tmux.shows(/roll libgame\.so back to 1[\s\S]*1 function would change, 0 would run the same code/);
    source(`${library(4)}HOTPATCH int added(int x) { return x; }`);
    await tmux.shows(
      /generation 3 ●[\s\S]*roll libgame\.so back to 1[\s\S]*2 functions would change[\s\S]*missing +added/,
    );
    await tmux.keys("Enter");
    await tmux.shows(/generation 1 ●[\s\S]*rolled back to generation 1[\s\S]*\n value 2\n/);
    await tmux.keys("q");
    await restored(t, tmux, /exit code 0/);
  },
);

screen("attach without a target offers the processes with marked libraries first", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("chosen-host", DLOPEN_HOST), [lib]);
  const lines = new Lines(host.stdout);
  await lines.next((line) => line === "value 1", "value 1");
  const tmux = await Tmux.start(t, shop, ["attach"]);
  const list = await tmux.shows(/attach to which process\?[\s\S]*chosen-host +libgame\.so/);
  t.regex(list.split("\n")[2] ?? "", /lib\S+\.so/, "the first row has a marked library");
  await tmux.keys("-l", "chosen-host");
  await tmux.shows(/› +\d+ chosen-host/);
  await tmux.keys("Enter");
  await tmux.shows(/chosen-host \(pid \d+\) +attached[\s\S]*› value/);
  await shop.library("libgame.so", library(2));
  await lines.next((line) => line === "value 2", "value 2");
  await tmux.shows(/generation 1 ●/);
  await tmux.keys("k");
  await tmux.shows(/exit code 0/);
  await lines.next((line) => line === "value 2", "value 2 after the end", lines.all.length + 2);
});

/** Of the terminal on the process's stdin. */
function sizeOf(pid: number): { columns: number; rows: number } {
  const [rows = 0, columns = 0] = execFileSync("stty", ["-F", `/proc/${pid}/fd/0`, "size"], { encoding: "utf8" })
    .split(" ")
    .map(Number);
  return { columns, rows };
}

async function until(fits: () => boolean, ms = 10_000): Promise<void> {
  const end = Date.now() + ms;
  while (!fits()) {
    if (Date.now() > end) throw new Error(`it did not come in ${ms} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
