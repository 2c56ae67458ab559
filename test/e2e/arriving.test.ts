/** Arriving: what is refused before a process is touched, with its code and exit code, and what is waited for. */
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { promisify } from "node:util";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { CLI, Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

const run = promisify(execFile);

/** Runs the tool to its end, without a terminal and with nothing to say to it. */
async function hotpatch(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, [CLI, ...args], { timeout: 60_000 })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

const LOOP = `#include <unistd.h>
  int main(void) { for (;;) { write(1, "up\\n", 3); usleep(20000); } }`;

/** An error's five things, as --plain shows them; no stack trace. */
function said(
  t: { regex(text: string, pattern: RegExp): void; notRegex(text: string, p: RegExp): void },
  text: string,
) {
  t.regex(text, /why: \S/);
  t.regex(text, /runs now: \S/);
  t.regex(text, /to do: \S/);
  t.notRegex(text, /\n\s+at .*:\d+:\d+/);
}

test("without arguments there is help and exit code 0; a wrong option is exit code 2", async (t) => {
  const help = await hotpatch();
  t.is(help.code, 0);
  t.regex(help.stdout, /spawn[\s\S]*attach/);
  t.is((await hotpatch("--version")).code, 0);
  for (const command of ["spawn", "attach"]) t.regex((await hotpatch(command, "--help")).stdout, /Example:/);
  const wrong = await hotpatch("attach", "--nonsense", "1");
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /nonsense/);
  t.is((await hotpatch("attach")).code, 2);
  t.is((await hotpatch("spawn")).code, 2);
  t.is((await hotpatch("attach", "--settle", "soon", "1")).code, 2);
});

test("a pid that does not exist is no-such-process, exit code 3", async (t) => {
  const { code, stdout } = await hotpatch("attach", "4194000");
  t.is(code, 3);
  t.regex(stdout, /no-such-process/);
  said(t, stdout);
});

test("a name is matched whole, never against arguments or the tool itself", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const name = `host${process.pid}`;
  const host = shop.start(await shop.host(name, DLOPEN_HOST), [lib]);
  await new Lines(host.stdout).next((l) => l === "value 1", "value 1");
  const part = await hotpatch("attach", name.slice(0, -1));
  t.is(part.code, 3);
  t.regex(part.stdout, /no-such-process/);
  const tool = Tool.attach(shop, [name]);
  t.is((await tool.next("session:started")).pid, host.pid ?? 0);
  t.is(await tool.end(), 0);
});

test("a name that several processes have is ambiguous, and their pids are named", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const name = `twins${process.pid}`;
  const program = await shop.host(name, DLOPEN_HOST);
  const pids = [shop.start(program, [lib]), shop.start(program, [lib])].map((child) => child.pid ?? 0);
  const { code, stdout } = await hotpatch("attach", name);
  t.is(code, 3);
  t.regex(stdout, /ambiguous-process/);
  for (const pid of pids) t.true(stdout.includes(String(pid)));
  said(t, stdout);
});

test("a static host is refused and lives on", async (t) => {
  const shop = new Workshop(t);
  const program = await shop.compile("static", [
    "-static",
    shop.write("static.c", '#include <unistd.h>\nint main(void) { write(1, "up\\n", 3); sleep(60); return 0; }'),
  ]);
  const host = shop.start(program, []);
  await new Lines(host.stdout).next((l) => l === "up", "up");
  const { code, stdout } = await hotpatch("attach", String(host.pid));
  t.is(code, 3);
  t.regex(stdout, /static-host/);
  said(t, stdout);
  t.true(isAlive(host.pid ?? 0));
  const spawned = await hotpatch("spawn", program);
  t.is(spawned.code, 3);
  t.regex(spawned.stdout, /static-host/);
});

test("a 32-bit host is another architecture: refused, and it lives on", async (t) => {
  const shop = new Workshop(t);
  // Without a C library for it: write(1, "up\\n", 3), then nanosleep, for ever, by the 32-bit system call.
  const source = shop.write(
    "host32.s",
    `.globl _start
    _start: mov $4, %eax; mov $1, %ebx; mov $text, %ecx; mov $3, %edx; int $0x80
            mov $162, %eax; mov $time, %ebx; xor %ecx, %ecx; int $0x80
            jmp _start
    .data
    text: .ascii "up\\n"
    time: .long 0, 20000000
    `,
  );
  await run("as", ["--32", source, "-o", shop.path("host32.o")]);
  await run("ld", ["-m", "elf_i386", shop.path("host32.o"), "-o", shop.path("host32")]);
  for (const [how, args] of [
    ["attach", null],
    ["spawn", [shop.path("host32")]],
  ] as const) {
    const host = shop.start(shop.path("host32"), []);
    const output = new Lines(host.stdout);
    await output.next((l) => l === "up", "up");
    const { code, stdout } = await hotpatch(how, ...(args ?? [String(host.pid)]));
    t.is(code, 3);
    t.regex(stdout, /wrong-architecture[\s\S]*32-bit/);
    said(t, stdout);
    await output.next((l) => l === "up", "up again", output.all.length);
  }
});

test("a host whose loader is musl's is refused before it is started, and while it runs", async (t) => {
  const shop = new Workshop(t);
  // This machine's own loader under musl's name: the name is what tells the two apart.
  const loader = shop.path("ld-musl-x86_64.so.1");
  copyFileSync("/lib64/ld-linux-x86-64.so.2", loader);
  const program = await shop.host("host", LOOP, [`-Wl,--dynamic-linker=${loader}`]);
  const host = shop.start(program, []);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "up", "up");
  for (const args of [
    ["attach", String(host.pid)],
    ["spawn", program],
  ]) {
    const { code, stdout } = await hotpatch(...args);
    t.is(code, 3);
    t.regex(stdout, /musl-host[\s\S]*ld-musl-x86_64/);
    said(t, stdout);
  }
  await output.next((l) => l === "up", "up again", output.all.length);
});

test("a session that has nothing to follow says so, with what to do", async (t) => {
  const shop = new Workshop(t);
  const host = await shop.host("host", "#include <unistd.h>\nint main(void) { sleep(60); return 0; }");
  const tool = Tool.spawn(shop, ["--functions", "plug_*", "--", host]);
  const warning = await tool.next("warning");
  t.is(warning.code, "no-marks");
  t.regex(warning.hint, /--functions patches unmarked functions of what --library names/);
  t.is(await tool.end(), 0);
});

test("a folder to watch that is not there is a wrong command line, and nothing is started", async (t) => {
  const shop = new Workshop(t);
  const host = await shop.host("host", "int main(void) { return 0; }");
  const tool = Tool.spawn(shop, ["--build", "true", "--watch", shop.path("srcc"), "--", host]);
  const { code, message } = await tool.next("error");
  t.is(code, "usage");
  t.true(message.includes("srcc"));
  t.is((await tool.ended).code, 2);
  t.is(tool.pid, 0);
});

test("a process that a debugger holds is attach-busy, at once", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  await new Lines(host.stdout).next((l) => l === "value 1", "value 1");
  const gdb = shop.start("gdb", ["-q", "-nx", "-p", String(host.pid), "-ex", "echo held\\n"]);
  await new Lines(gdb.stdout).next((l) => l === "held", "gdb holding the host");
  const { code, stdout } = await hotpatch("attach", String(host.pid));
  t.is(code, 3);
  t.regex(stdout, /attach-busy/);
  t.regex(stdout, /gdb/);
  said(t, stdout);
});

test("a second session on one target is refused, the first goes on", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  await new Lines(host.stdout).next((l) => l === "value 1", "value 1");
  const first = Tool.attach(shop, [String(host.pid)]);
  await first.ready();
  const second = Tool.attach(shop, [String(host.pid)]);
  const error = await second.next("error");
  t.is(error.code, "attach-busy");
  t.regex(error.detail, new RegExp(`pid ${first.child.pid}`));
  t.is((await second.ended).code, 3);
  await shop.library("libgame.so", library(2));
  await first.switched(1);
  t.is(await first.end(), 0);
});

test("the host's own executable given as --library is told to be none at once, and a build that makes it one is not waited for in silence", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  const marked = await shop.host(
    "marked",
    `#include "hotpatch.h"\nHOTPATCH int own(int x) { return x; }\n${DLOPEN_HOST}`,
  );
  for (const [program, code] of [
    [host, "artifact-invalid"],
    [marked, "marks-in-executable"],
  ] as const)
    for (const more of [[], ["--functions", "main"]]) {
      const tool = Tool.spawn(shop, ["-l", program, ...more, "--", program, lib]);
      await tool.ready();
      const { code: said, message, detail, running } = await tool.next("warning");
      t.is(said, code);
      t.regex(message, /executable/);
      if (code === "artifact-invalid")
        t.regex(detail, new RegExp(`^it is what pid ${tool.pid} runs; this is an executable`));
      t.is(running, "the host's own code");
      await tool.prints("value 1");
      t.is(tool.events.filter((e) => e.type === "warning").length, 1);
      t.is(await tool.end(), 0);
    }
});

test("a device or a pipe given as --library is artifact-invalid, and is not read: it has no end, or no writer", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  await run("mkfifo", [shop.path("pipe.so")]);
  for (const path of ["/dev/zero", shop.path("pipe.so")]) {
    const tool = Tool.spawn(shop, ["-l", path, "--", host, lib]);
    await tool.ready();
    const { code, detail } = await tool.next("warning");
    t.is(code, "artifact-invalid");
    t.regex(detail, /not a regular file/);
    await tool.prints("value 1");
    t.is(await tool.end(), 0);
  }
  const { code, stderr } = await hotpatch("inspect", "/dev/zero");
  t.is(code, 3);
  t.regex(stderr, /artifact-invalid/);
});

test("an executable that is not there, may not be executed or is of another kind is spawn-failed or named for what it is", async (t) => {
  const shop = new Workshop(t);
  for (const [args, code] of [
    [[shop.path("nothing")], "spawn-failed"],
    [["no-such-program-anywhere"], "spawn-failed"],
    [[shop.write("plain.txt", "text")], "spawn-failed"],
    [["--cwd", shop.path("nowhere"), "--", "ls"], "spawn-failed"],
  ] as const) {
    const { code: exit, stdout } = await hotpatch("spawn", ...args);
    t.is(exit, 3);
    t.true(stdout.includes(code), stdout);
    said(t, stdout);
  }
});

test("a library that does not exist is exit code 3, unless the build makes it", async (t) => {
  const shop = new Workshop(t);
  const lib = shop.path("libgame.so");
  const host = await shop.host("host", DLOPEN_HOST);
  const { code, stdout } = await hotpatch("spawn", "--library", lib, "--", host, lib);
  t.is(code, 3);
  t.regex(stdout, /library-not-found/);
  said(t, stdout);
  await shop.library("ready.so", library(1));
  mkdirSync(shop.path("src"));
  const tool = Tool.spawn(shop, [
    ...["--library", lib, "--watch", shop.path("src"), "--build", `cp '${shop.path("ready.so")}' '${lib}'`],
    ...["--", host, lib],
  ]);
  await tool.ready();
  t.true(existsSync(lib));
  await tool.prints("value 1");
  t.is(await tool.end(), 0);
});

test("a library that is not loaded yet is a warning, and adopted when the host loads it", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host(
    "host",
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      setvbuf(stdout, NULL, _IOLBF, 0);
      printf("waiting\\n");
      getchar();
      int (*value)(int) = (int (*)(int))dlsym(dlopen(argv[1], RTLD_NOW), "value");
      for (int i = 0; i < 30000; i++) { printf("value %d\\n", value(1)); usleep(20000); }
      return argc - 2;
    }`,
  );
  const child = shop.start(host, [lib]);
  const output = new Lines(child.stdout);
  await output.next((l) => l === "waiting", "waiting");
  const tool = Tool.attach(shop, ["--library", lib, String(child.pid)]);
  const warning = await tool.next("warning");
  t.is(warning.code, "library-not-loaded");
  t.is(warning.library, "libgame.so");
  child.stdin?.write("\n");
  const found = await tool.next("library:found");
  t.is(found.functions, 1);
  t.true(found.at > (await tool.ready()).at);
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await output.next((l) => l === "value 2", "value 2");
  t.is(await tool.end(), 0);
});

test("what was built while nobody watched counts as the first change, also when the loaded file is gone", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((l) => l === "value 1", "value 1");
  await shop.library("libgame.so", library(2)); // renamed over the mapped file
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.switched(1);
  await output.next((l) => l === "value 2", "value 2");
  t.is(await tool.end(), 0);
  const seen = output.all.length;
  await output.next((l) => l === "value 1", "value 1 again", seen);
});

test("the host's environment and folder are as asked, and hold nothing of ours", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  mkdirSync(shop.path("place"));
  const host = await shop.host(
    "host",
    `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    extern char **environ;
    int main(int argc, char **argv) {
      char cwd[4096];
      dlopen(argv[1], RTLD_NOW);
      printf("cwd %s\\ntty %d %d %d\\n", getcwd(cwd, sizeof cwd), isatty(0), isatty(1), isatty(2));
      for (char **e = environ; *e; e++) printf("env %s\\n", *e);
      printf("end\\n");
      fflush(stdout);
      sleep(60);
      return argc - 2;
    }`,
  );
  copyFileSync(lib, shop.path("place/libgame.so"));
  const tool = Tool.spawn(shop, [
    "--cwd",
    shop.path("place"),
    "--env",
    "GAME=with = signs",
    "--",
    host,
    "./libgame.so",
  ]);
  await tool.prints("end");
  t.true(tool.output.all.includes(`cwd ${shop.path("place")}`));
  t.true(tool.output.all.includes("tty 1 1 1"));
  t.true(tool.output.all.includes("env GAME=with = signs"));
  t.true(tool.output.all.includes(`env TMPDIR=${shop.temp}`));
  const given = new Set(Object.keys(process.env).concat("GAME", "TMPDIR"));
  const added = tool.output.all.filter((l) => l.startsWith("env ")).map((l) => l.slice(4, l.indexOf("=")));
  t.deepEqual(
    added.filter((name) => !given.has(name)),
    [],
  );
  t.is((await tool.next("library:found")).path, shop.path("place/libgame.so"));
  t.is(await tool.end(), 0);
});

test("no backend is exit code 4, with every reason", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib], {
    HOTPATCH_PYTHON: shop.path("no-python"),
  });
  const { code } = await tool.ended;
  if (code === 4) {
    const error = await tool.next("error");
    t.is(error.code, "no-backend");
    t.regex(error.detail, /npm frida[\s\S]*no-python/);
  } else {
    // Where npm's binding loads there is always a backend.
    t.is((await tool.next("session:started")).backend, "native");
  }
});

test("settings come from hotpatch.json, a flag wins, and a bad one is bad-config with exit code 2", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const config = shop.write("hotpatch.json", JSON.stringify({ library: ["libgame.so"], settle: 20 }));
  const tool = Tool.spawn(shop, ["--config", config, "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  t.is(await tool.end(), 0);
  const bad = shop.write("bad.json", JSON.stringify({ libary: ["libgame.so"] }));
  const { code, stderr } = await hotpatch("spawn", "--config", bad, "--", "ls");
  t.is(code, 2);
  t.regex(stderr, /bad-config[\s\S]*libary/);
  said(t, stderr);
});
