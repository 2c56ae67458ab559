/** Hosts with limits: what leaves no room is said before anything is touched, or refused; the host lives in every case. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DLOPEN_HOST, library } from "../support/programs.js";
import { asRoot, HOST_OF_NOBODY, openTo } from "../support/sandbox.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

const MIB = 2 ** 20;
/** As whoever the process belongs to may: a hard limit is not raised. */
function prlimit(pid: number, option: string, as: readonly string[] = []): void {
  const [command = "", ...args] = [...as, "prlimit", "--pid", String(pid), option];
  execFileSync(command, args);
}

/** Files and memory of a name that a process has mapped. */
const mappedFiles = (pid: number) => readFileSync(`/proc/${pid}/maps`, "latin1").match(/[[/].*$/gm);

/** A host that runs already, started through `through`. */
async function begin(shop: Workshop, through: readonly string[], source = library(1)) {
  const lib = await shop.library("libgame.so", source);
  const program = await shop.host("host", DLOPEN_HOST);
  const [command = "", ...args] = [...through, program, lib];
  const child = shop.start(command, args);
  const output = child.stdout === null ? null : new Lines(child.stdout);
  const says = (line: string) => output?.next((one) => one === line, line, output.all.length);
  await says("value 1");
  return { lib, says, pid: child.pid ?? 0 };
}

for (const [option, limit] of [
  [`--as=${64 * MIB}`, "address space"],
  [`--as=${200 * MIB}`, "address space"],
  [`--data=${16 * MIB}`, "data"],
  ["--fsize=4096", "size of files"],
] as const)
  test(`limits that leave no room for Frida are unsupported-host, and the host goes on untouched (${option})`, async (t) => {
    const shop = new Workshop(t);
    const { says, pid } = await begin(shop, ["prlimit", `${option}:unlimited`]);
    const before = mappedFiles(pid);
    const tool = Tool.attach(shop, [String(pid)]);
    const error = await tool.next("error");
    t.is(error.code, "unsupported-host");
    t.true(error.detail.includes(limit), error.detail);
    t.is((await tool.ended).code, 3);
    await says("value 1");
    t.deepEqual(mappedFiles(pid), before);
    t.deepEqual(readdirSync(`/proc/${pid}/task`), [String(pid)]);
    // The cure that it names is one.
    const [, cure = ""] = /prlimit --pid \d+ (\S+)$/.exec(error.hint) ?? [];
    prlimit(pid, cure);
    const again = Tool.attach(shop, [String(pid)]);
    await again.ready();
    await shop.library("libgame.so", library(2));
    await again.switched(1);
    await says("value 2");
    t.is(await again.end(), 0);
    await says("value 1");
  });

asRoot("limits that leave no room for threads are unsupported-host, and the host goes on", async (t) => {
  const shop = new Workshop(t);
  openTo(shop, "root's tool");
  const { says, pid } = await begin(shop, [...HOST_OF_NOBODY, "prlimit", "--nproc=3"]);
  const tool = Tool.attach(shop, [String(pid)]);
  const error = await tool.next("error");
  t.is(error.code, "unsupported-host");
  t.regex(error.detail, /RLIMIT_NPROC\) is 3 threads/);
  await says("value 1");
});

test("a host that would be started with limits that leave no room is not started", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const args = ["spawn", "--json", "--", await shop.host("host", DLOPEN_HOST), lib];
  const tool = new Tool(shop, args, {}, ["prlimit", "--fsize=4096"]);
  const { code, hint } = await tool.next("error");
  t.is(code, "unsupported-host");
  t.regex(hint, /ulimit/);
  t.is((await tool.ended).code, 3);
});

asRoot("a target that may have no more threads refuses a build as load-failed, and takes the next one", async (t) => {
  const shop = new Workshop(t);
  openTo(shop, "root's tool");
  const { says, pid } = await begin(shop, HOST_OF_NOBODY);
  const tool = Tool.attach(shop, [String(pid)]);
  await tool.ready();
  prlimit(pid, "--nproc=1:", HOST_OF_NOBODY);
  await shop.library("libgame.so", library(2));
  const { code, message, detail, running } = await tool.next("generation:refused");
  t.is(code, "load-failed");
  t.regex(message, /no room for generation 1/);
  t.regex(detail, /pthread_create/);
  t.is(running, 0);
  await says("value 1");
  prlimit(pid, "--nproc=4096:", HOST_OF_NOBODY);
  await shop.library("libgame.so", library(3));
  await tool.switched(1);
  await says("value 3");
  t.is(await tool.end(), 0);
});

test("a copy that the target has no memory for is load-failed, and the next build is taken", async (t) => {
  const shop = new Workshop(t);
  const { says, pid } = await begin(shop, []);
  const tool = Tool.attach(shop, [String(pid)]);
  await tool.ready();
  const size = Number(/^VmSize:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]) * 1024;
  prlimit(pid, `--as=${size + 256 * MIB}:unlimited`);
  await shop.library("libgame.so", `${library(2)}\nstatic char large[512 << 20]; char *get(void) { return large; }`);
  const { code, message, detail } = await tool.next("generation:refused");
  t.is(code, "load-failed");
  t.regex(message, /no room for generation 1/);
  t.regex(detail, /libgame\.g1\.so/);
  await says("value 1");
  await shop.library("libgame.so", library(3));
  await tool.switched(1);
  await says("value 3");
  t.is(await tool.end(), 0);
});

for (const model of ["large", "medium"])
  test(`a library with 4 GB of zeros beside its code is patched (-mcmodel=${model})`, async (t) => {
    const shop = new Workshop(t);
    const source = (n: number) => `${library(n)}\nstatic char large[4ull << 30]; char *get(void) { return large; }`;
    const args = [`-mcmodel=${model}`];
    const lib = await shop.library("libgame.so", source(1), args);
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.next("library:found");
    await tool.prints("value 1");
    for (const n of [2, 3]) {
      await shop.library("libgame.so", source(n), args);
      await tool.switched(n - 1);
      await tool.prints(`value ${n}`);
    }
    tool.send({ command: "rollback", generation: 0 });
    await tool.switched(0);
    await tool.prints("value 1", tool.output.all.length);
    t.is(await tool.end(), 0);
  });

test("a copy that is larger than our files may be is copy-failed, and the next build is taken", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const args = ["spawn", "--json", "--", await shop.host("host", DLOPEN_HOST), lib];
  const tool = new Tool(shop, args, {}, ["prlimit", `--fsize=${40 * MIB}`]);
  await tool.next("library:found");
  await shop.library("libgame.so", `${library(2)}\nchar large[44 << 20] = { 1 };`);
  const { code, detail } = await tool.next("generation:refused");
  t.is(code, "copy-failed");
  t.regex(detail, /EFBIG/);
  await tool.prints("value 1", tool.output.all.length);
  await shop.library("libgame.so", library(3));
  await tool.switched(1);
  await tool.prints("value 3");
  t.is(await tool.end(), 0);
});

/** Where control groups that count processes can be made: version 1 of them has a folder for that, 2 has one for all. */
function pidsGroups(): string | null {
  const one = "/sys/fs/cgroup/pids";
  const all = "/sys/fs/cgroup";
  try {
    accessSync(join(one, "cgroup.procs"), constants.W_OK);
    return one;
  } catch {
    // not version 1
  }
  try {
    accessSync(join(all, "cgroup.procs"), constants.W_OK);
    return readFileSync(join(all, "cgroup.subtree_control"), "utf8").split(/\s/).includes("pids") ? all : null;
  } catch {
    return null; // nobody's, or not ours
  }
}

// Skipped where this user may make no control group that counts processes.
(pidsGroups() === null ? test.skip : test)(
  "a control group without room for our threads is unsupported-host, with the cure, and the host goes on",
  async (t) => {
    const group = join(pidsGroups() ?? "", `hotpatch-test-${process.pid}`);
    mkdirSync(group);
    t.teardown(() => rmdirSync(group)); // after the workshop's own: the host has ended by then
    const shop = new Workshop(t);
    const { says, pid } = await begin(shop, []);
    writeFileSync(join(group, "pids.max"), "4");
    writeFileSync(join(group, "cgroup.procs"), String(pid));
    const tool = Tool.attach(shop, [String(pid)]);
    const { code, detail } = await tool.next("error");
    t.is(code, "unsupported-host");
    t.true(detail.includes(`${group}/pids.max`), detail);
    t.is((await tool.ended).code, 3);
    await says("value 1");
    writeFileSync(join(group, "pids.max"), "32");
    const again = Tool.attach(shop, [String(pid)]);
    await again.ready();
    await shop.library("libgame.so", library(2));
    await again.switched(1);
    await says("value 2");
    t.is(await again.end(), 0);
    await says("value 1");
  },
);
