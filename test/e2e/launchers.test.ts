/** Programs that are no hosts themselves but start one, or become one: the session goes on in the host. */
import { chmodSync, existsSync, rmSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, LINKED_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

async function workshop(t: ExecutionContext) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = await shop.host("host", DLOPEN_HOST);
  const script = (name: string, text: string) => {
    chmodSync(shop.write(name, text), 0o755);
    return shop.path(name);
  };
  return { shop, lib, host, script };
}

/** The followed host takes a build, and everything ends with the session. */
async function patches(t: ExecutionContext, shop: Workshop, tool: Tool): Promise<number> {
  const { pid, from, host } = await tool.next("target:followed");
  t.is(host, "host");
  await tool.prints("value 1");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  t.false(isAlive(pid));
  t.false(isAlive(from));
  t.deepEqual(shop.leftovers(), []);
  return pid - from;
}

const SPAWNER = `
  #include <spawn.h>
  #include <sys/wait.h>
  extern char **environ;
  int main(int argc, char **argv) {
    pid_t child;
    int status;
    posix_spawn(&child, argv[1], 0, 0, argv + 1, environ);
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  }`;
const DAEMON = `
  #include <unistd.h>
  int main(int argc, char **argv) {
    if (fork() > 0) return 0;
    setsid();
    if (fork() > 0) return 0;
    execv(argv[1], argv + 1);
    return 1;
  }`;

test("a shell script that execs the host: the same process, followed", async (t) => {
  const { shop, lib, host, script } = await workshop(t);
  const tool = Tool.spawn(shop, ["--", script("run.sh", `#!/bin/sh\nA=1 exec '${host}' "$@"\n`), lib]);
  t.is(await patches(t, shop, tool), 0);
});

test("a shell script that runs other programs first and then the host as its child", async (t) => {
  const { shop, lib, host, script } = await workshop(t);
  const run = script(
    "run.sh",
    `#!/bin/sh -e\ncd /\n/bin/true; ls / | wc -l\nsleep 60 &\n'${host}' "$@"\nkill $!\necho over\n`,
  );
  const tool = Tool.spawn(shop, ["--", run, lib]);
  t.not(await patches(t, shop, tool), 0);
});

test("a python script whose subprocess closes all files: the host is followed, and its exit code is the session's", async (t) => {
  const { shop, lib, script } = await workshop(t);
  const host = await shop.host(
    "host",
    DLOPEN_HOST.replace("i < 300000", "i < 500").replace("return 0;\n}", "return 7;\n}"),
  );
  const run = script(
    "run.py",
    "#!/usr/bin/env python3\nimport subprocess, sys\ncode = subprocess.run(sys.argv[1:]).returncode\nprint('over', code)\nsys.exit(code)\n",
  );
  const tool = Tool.spawn(shop, ["--", run, host, lib]);
  await tool.next("target:followed");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await tool.prints("value 2");
  t.is((await tool.next("target:exited")).exitCode, 7);
  t.is((await tool.ended).code, 7);
  t.true(tool.output.all.includes("over 7"), "the launcher had the time to finish");
});

for (const [name, source] of [
  ["posix_spawn", SPAWNER],
  ["two forks and a session of its own", DAEMON],
] as const)
  test(`a launcher binary that starts the host by ${name}`, async (t) => {
    const { shop, lib, host } = await workshop(t);
    const tool = Tool.spawn(shop, ["--", await shop.host("launcher", source), host, lib]);
    t.not(await patches(t, shop, tool), 0);
  });

test("env, and a host that links its library", async (t) => {
  const { shop, lib } = await workshop(t);
  const host = await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`]);
  const tool = Tool.spawn(shop, ["--library", lib, "--", "env", "GAME=1", host]);
  t.is(await patches(t, shop, tool), 0);
});

test("a launcher that ends without a host ends the session with its own code", async (t) => {
  const { shop, script } = await workshop(t);
  const tool = Tool.spawn(shop, ["--", script("run.sh", "#!/bin/sh\nls / >/dev/null\necho nothing\nexit 3\n")]);
  t.is((await tool.next("target:exited")).exitCode, 3);
  t.is((await tool.ended).code, 3);
  t.true(tool.output.all.includes("nothing"));
});

test("the dynamic loader as a program is refused with what to name instead", async (t) => {
  const { shop, lib, host } = await workshop(t);
  const loader = "/lib64/ld-linux-x86-64.so.2";
  t.true(existsSync(loader));
  const tool = Tool.spawn(shop, ["--", loader, host, lib]);
  const error = await tool.next("error");
  t.is(error.code, "spawn-failed");
  t.regex(error.detail, /dynamic loader.*instead/);
  t.is((await tool.ended).code, 3);
});

test("a host that the dynamic loader runs can be attached to", async (t) => {
  const { shop, lib, host } = await workshop(t);
  const child = shop.start("/lib64/ld-linux-x86-64.so.2", [host, lib]);
  const output = new Lines(child.stdout);
  await output.next((l) => l === "value 1", "value 1");
  const tool = Tool.attach(shop, [String(child.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await output.next((l) => l === "value 2", "value 2");
  t.is(await tool.end(), 0);
});

test("a host that execs after its library was found ends the session, and lives on", async (t) => {
  const { shop, lib, host } = await workshop(t);
  // It execs once there is a file "go".
  const source = DLOPEN_HOST.replace(
    "usleep(",
    `if (access("${shop.path("go")}", F_OK) == 0) execv("${host}", argv); usleep(`,
  );
  const before = await shop.host("before", source);
  for (const how of ["spawn", "attach"] as const) {
    const child = how === "attach" ? shop.start(before, [lib]) : null;
    const tool = child === null ? Tool.spawn(shop, ["--", before, lib]) : Tool.attach(shop, [String(child.pid)]);
    await tool.next("library:found");
    await tool.ready();
    shop.write("go", "");
    const { code, running } = await tool.next("error");
    t.is(code, "target-replaced");
    t.regex(running, /not touched/);
    t.is((await tool.ended).code, 1);
    t.true(isAlive(tool.pid));
    rmSync(shop.path("go"));
  }
});

test("a host that has found its library is followed no further: what it starts runs untouched", async (t) => {
  const { shop, lib, host } = await workshop(t);
  const nested = await shop.host(
    "nested",
    DLOPEN_HOST.replace(
      "setvbuf",
      `if (fork() == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); execl("${host}", "child", argv[1], (char *)0); } setvbuf`,
    ).replace("#include <stdio.h>", "#include <signal.h>\n#include <stdio.h>\n#include <sys/prctl.h>"),
  );
  const tool = Tool.spawn(shop, ["--", nested, lib]);
  await tool.next("library:found");
  await tool.prints("value 1", 20);
  t.false(tool.events.some((e) => e.type === "target:followed"));
  t.is(await tool.end(), 0);
});
