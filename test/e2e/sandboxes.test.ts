/**
 * Targets that see other files, belong to other users, or have walls of their own; and folders that copies cannot use.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST, library } from "../support/programs.js";
import { AS_NOBODY, asRoot, HOST_OF_NOBODY, makeRoot, NOBODY, openTo, withMounts } from "../support/sandbox.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

interface Host {
  readonly pid: number;
  readonly output: Lines;
}

/** Starts a host behind `walls`; resolves when it prints. */
async function start(shop: Workshop, walls: readonly string[], ...args: string[]): Promise<Host> {
  const [command = "", ...rest] = [...walls, ...args];
  const child = shop.start(command, rest);
  const output = new Lines(child.stdout);
  await output.next((line) => line === "value 1", "value 1");
  // `unshare`, `setpriv` and `chroot` all exec: the child is the host by now.
  return { pid: child.pid ?? 0, output };
}

async function made(t: ExecutionContext) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  return { shop, lib, program: await shop.host("host", DLOPEN_HOST) };
}

const state = (pid: number): string => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "";

/** The tool's refusal, with exit code 3; the host goes on. */
async function refused(t: ExecutionContext, tool: Tool, host: Host) {
  const error = await tool.next("error");
  t.is((await tool.ended).code, 3);
  const seen = host.output.all.length;
  if (state(host.pid) !== "T") await host.output.next((line) => line === "value 1", "value 1", seen);
  t.true(isAlive(host.pid));
  return error;
}

asRoot("a host in a mount namespace of its own takes the edits of the file that it sees, not of ours", async (t) => {
  const { shop, lib, program } = await made(t);
  const theirs = shop.path("theirs");
  mkdirSync(join(theirs, "tmp"), { recursive: true });
  for (const path of [lib, program]) copyFileSync(path, join(theirs, basename(path)));
  const host = await start(shop, withMounts(`mount --bind '${theirs}' '${shop.folder}'`), program, lib);
  const edited = await shop.library("edited.so", library(2));
  const tool = Tool.attach(shop, [String(host.pid)]);
  t.is((await tool.next("library:found")).path, lib);
  await tool.ready();
  await shop.library("libgame.so", library(9)); // the same name here is another file
  renameSync(edited, join(theirs, "libgame.so"));
  const { path } = await tool.next("generation:loaded");
  await tool.switched(1);
  await host.output.next((line) => line === "value 2", "value 2");
  const inTheirs = join(theirs, "tmp", basename(dirname(path)), basename(path));
  t.false(existsSync(path), "the copy's path is the target's");
  t.true(existsSync(inTheirs));
  t.is(await tool.end(), 0);
  await host.output.next((line) => line === "value 1", "value 1 again", host.output.all.length);
  t.false(host.output.all.includes("value 9"));
  t.deepEqual(readdirSync(join(theirs, "tmp")), []);
});

asRoot("a host under a root folder of its own takes edits, and its copies go when it dies", async (t) => {
  const { shop, lib, program } = await made(t);
  const root = makeRoot(shop, program, lib, ["/proc", "/tmp"]);
  const walls = [...withMounts(`mount -t proc none '${root}/proc'`), "chroot", root];
  const host = await start(shop, walls, "/app/host", "/app/libgame.so");
  const tool = Tool.attach(shop, [String(host.pid)]);
  t.is((await tool.next("library:found")).path, "/app/libgame.so");
  await tool.ready();
  renameSync(await shop.library("edited.so", library(2)), join(root, "app/libgame.so"));
  await tool.switched(1);
  await host.output.next((line) => line === "value 2", "value 2");
  t.regex((await tool.next("generation:loaded")).path, /^\/tmp\//);
  t.is(readdirSync(join(root, "tmp")).length, 1);
  process.kill(host.pid, "SIGKILL");
  t.is((await tool.ended).code, 5);
  t.deepEqual(readdirSync(join(root, "tmp")), []);
});

asRoot("a root folder without /proc is refused: Frida could not find its way in", async (t) => {
  const { shop, lib, program } = await made(t);
  const root = makeRoot(shop, program, lib, ["/tmp"]);
  const host = await start(shop, ["chroot", root], "/app/host", "/app/libgame.so");
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "sandboxed-host");
  t.regex(error.detail, /without \/proc/);
});

asRoot("a root folder without the libraries that the agent needs is attach-failed, and the host goes on", async (t) => {
  const { shop, lib, program } = await made(t);
  const root = makeRoot(shop, program, lib, ["/proc", "/tmp"]);
  for (const entry of readdirSync(root, { recursive: true, encoding: "utf8" }))
    if (basename(entry) === "libdl.so.2") rmSync(join(root, entry));
  const walls = [...withMounts(`mount -t proc none '${root}/proc'`), "chroot", root];
  const host = await start(shop, walls, "/app/host", "/app/libgame.so");
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "attach-failed");
  t.regex(error.detail, /libdl\.so\.2: cannot open shared object file/);
});

asRoot("a root folder in which no copy can be put is copy-failed, with every place that was tried", async (t) => {
  const { shop, lib, program } = await made(t);
  const root = makeRoot(shop, program, lib, ["/proc"]);
  const walls = [...withMounts(`mount -t proc none '${root}/proc'`), "chroot", root];
  const host = await start(shop, walls, "/app/host", "/app/libgame.so");
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "copy-failed");
  t.regex(error.detail, /^\/tmp: .*ENOENT/m);
  t.regex(error.detail, /^\/dev\/shm: .*ENOENT/m);
});

asRoot("a link in the target's root does not lead hotpatch to our own files", async (t) => {
  const { shop, lib, program } = await made(t);
  const root = makeRoot(shop, program, lib, ["/proc", "/var"]);
  mkdirSync(shop.path("ours"));
  for (const name of ["tmp", "var/tmp"]) symlinkSync(shop.path("ours"), join(root, name));
  const walls = [...withMounts(`mount -t proc none '${root}/proc'`), "chroot", root];
  const host = await start(shop, walls, "/app/host", "/app/libgame.so");
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "copy-failed");
  t.regex(error.detail, /^\/var\/tmp: a component of the path is a link or not a folder$/m);
  t.regex(error.detail, /^\/tmp: a component of the path is a link or not a folder$/m);
  t.deepEqual(readdirSync(shop.path("ours")), []);
});

asRoot("a temporary folder that only the target has as noexec is passed over", async (t) => {
  const { shop, lib, program } = await made(t);
  const host = await start(shop, withMounts(`mount -t tmpfs -o noexec none '${shop.temp}'`), program, lib);
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  const { path } = await tool.next("generation:loaded");
  t.true(path.startsWith("/var/tmp/"), path);
  await host.output.next((line) => line === "value 2", "value 2");
  t.is(await tool.end(), 0);
  t.false(existsSync(dirname(path)));
});

test("a stopped process is refused and stays stopped", async (t) => {
  const { shop, lib, program } = await made(t);
  const host = await start(shop, [], program, lib);
  process.kill(host.pid, "SIGSTOP");
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "stopped-process");
  t.is(state(host.pid), "T");
  t.regex(error.running, /stopped/);
  process.kill(host.pid, "SIGCONT");
  await host.output.next((line) => line === "value 1", "value 1", host.output.all.length);
});

test("a zombie is no process any more, and its parent is named", async (t) => {
  const shop = new Workshop(t);
  const source = `#include <stdio.h>
    #include <unistd.h>
    int main(void) { int pid = fork(); if (pid == 0) return 0; sleep(1); printf("%d\\n", pid); fflush(stdout); pause(); }`;
  const parent = shop.start(await shop.host("careless", source), []);
  const pid = await new Lines(parent.stdout).next((line) => /^\d+$/.test(line), "a pid");
  const tool = Tool.attach(shop, [pid]);
  const error = await tool.next("error");
  t.is(error.code, "no-such-process");
  t.true(error.detail.includes(`zombie until its parent ${parent.pid} (careless)`), error.detail);
  t.is((await tool.ended).code, 3);
});

test("a host under strict seccomp, which would be killed, is refused and lives on", async (t) => {
  const shop = new Workshop(t);
  const source = `#include <linux/seccomp.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    int main(void) {
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
      for (;;) { write(1, "value 1\\n", 8); for (volatile int i = 0; i < 20000000; i++); }
    }`;
  const host = await start(shop, [], await shop.host("host", source));
  const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
  t.is(error.code, "sandboxed-host");
  t.regex(error.detail, /strict seccomp/);
});

/**
 * Filters one system call, given by its number; argument 2: "kill" or "errno". Mapping code is told from mapping data.
 */
const FILTERED_HOST = `
  #include <dlfcn.h>
  #include <linux/filter.h>
  #include <linux/seccomp.h>
  #include <stddef.h>
  #include <stdio.h>
  #include <stdlib.h>
  #include <string.h>
  #include <sys/mman.h>
  #include <sys/prctl.h>
  #include <sys/syscall.h>
  #include <unistd.h>
  int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW);
    int (*value)(int) = (int (*)(int))dlsym(library, "value");
    unsigned nr = atoi(argv[2]), act = strcmp(argv[3], "kill") ? SECCOMP_RET_ERRNO | 1 : SECCOMP_RET_KILL_PROCESS;
    struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, act),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) { printf("value %d\\n", value(1)); usleep(20000); }
  }`;

for (const [what, nr, act, words] of [
  ["kills it for mapping code", 9, "kill", /would kill it for mmap of code/],
  ["forbids it to map code", 9, "errno", /forbids mmap of code/],
  ["kills it for making threads", 435, "kill", /would kill it for clone3/],
  ["forbids it memfd_create", 319, "errno", /forbids memfd_create/],
] as const)
  asRoot(`a seccomp filter that ${what} is read, and the host refused`, async (t) => {
    const { shop, lib } = await made(t);
    const host = await start(shop, [], await shop.host("filtered", FILTERED_HOST), lib, String(nr), act);
    const error = await refused(t, Tool.attach(shop, [String(host.pid)]), host);
    t.is(error.code, "sandboxed-host");
    t.regex(error.detail, words);
  });

asRoot("a seccomp filter that lets through what the agent needs is no hindrance", async (t) => {
  const { shop, lib } = await made(t);
  const host = await start(shop, [], await shop.host("filtered", FILTERED_HOST), lib, "50", "kill"); // listen
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await host.output.next((line) => line === "value 2", "value 2");
  t.is(await tool.end(), 0);
});

test("a seccomp filter that cannot be read counts as one that kills", async (t) => {
  const { shop, lib } = await made(t);
  const root = process.getuid?.() === 0;
  if (root) openTo(shop, "nobody's tool");
  const program = await shop.host("filtered", FILTERED_HOST);
  const host = await start(shop, root ? HOST_OF_NOBODY : [], program, lib, "41", "kill");
  const tool = new Tool(shop, ["attach", "--json", String(host.pid)], {}, root ? AS_NOBODY : []);
  const error = await refused(t, tool, host);
  t.is(error.code, "sandboxed-host");
  t.regex(error.detail, /cannot be read/);
  t.regex(error.hint, /as root/);
});

asRoot("another user's process is refused with both users named", async (t) => {
  const { shop, lib, program } = await made(t);
  openTo(shop, "nobody's tool");
  const host = await start(shop, [], program, lib);
  const error = await refused(t, new Tool(shop, ["attach", "--json", String(host.pid)], {}, AS_NOBODY), host);
  t.is(error.code, "attach-denied");
  t.true(error.detail.includes(`belongs to user 0, hotpatch runs as user ${NOBODY}`), error.detail);
});

asRoot("root without CAP_SYS_PTRACE, as in a container, is told what it lacks", async (t) => {
  const { shop, lib, program } = await made(t);
  openTo(shop, "root's tool");
  const host = await start(shop, HOST_OF_NOBODY, program, lib);
  const without = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"];
  const error = await refused(t, new Tool(shop, ["attach", "--json", String(host.pid)], {}, without), host);
  t.is(error.code, "attach-denied");
  t.regex(error.detail, /CAP_SYS_PTRACE/);
});

test("a process that is not dumpable is refused where we are not root, and the reason is named", async (t) => {
  const shop = new Workshop(t);
  const source = `#include <stdio.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    int main(void) { prctl(PR_SET_DUMPABLE, 0); for (;;) { printf("value 1\\n"); fflush(stdout); usleep(20000); } }`;
  const program = await shop.host("host", source);
  const root = process.getuid?.() === 0;
  if (root) openTo(shop, "nobody's tool");
  const host = await start(shop, root ? HOST_OF_NOBODY : [], program);
  const tool = new Tool(shop, ["attach", "--json", String(host.pid)], {}, root ? AS_NOBODY : []);
  const error = await refused(t, tool, host);
  t.is(error.code, "attach-denied");
  t.regex(error.detail, /not dumpable/);
});

asRoot("a user without privileges patches a process of its own", async (t) => {
  const { shop, lib, program } = await made(t);
  openTo(shop, "nobody's tool");
  const host = await start(shop, HOST_OF_NOBODY, program, lib);
  const tool = new Tool(shop, ["attach", "--json", String(host.pid)], {}, AS_NOBODY);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  await host.output.next((line) => line === "value 2", "value 2");
  t.is(await tool.end(), 0);
  t.deepEqual(shop.leftovers(), []);
});

asRoot("root patches another user's process by copies which that user can read", async (t) => {
  const { shop, lib, program } = await made(t);
  openTo(shop, "root's tool");
  const host = await start(shop, HOST_OF_NOBODY, program, lib);
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  await shop.library("libgame.so", library(2));
  const { path } = await tool.next("generation:loaded");
  t.true(path.startsWith(shop.temp));
  t.is(statSync(path).uid, NOBODY);
  t.is(statSync(dirname(path)).mode & 0o777, 0o700);
  await host.output.next((line) => line === "value 2", "value 2");
  t.is(await tool.end(), 0);
  t.deepEqual(shop.leftovers(), []);
});

asRoot("a temporary folder that the target's user may not enter is passed over", async (t) => {
  const { shop, lib, program } = await made(t);
  openTo(shop, "root's tool");
  mkdirSync(shop.path("closed/tmp"), { recursive: true, mode: 0o700 });
  const host = await start(shop, HOST_OF_NOBODY, program, lib);
  const tool = Tool.attach(shop, [String(host.pid)], { TMPDIR: shop.path("closed/tmp") });
  await tool.ready();
  await shop.library("libgame.so", library(2));
  const { path } = await tool.next("generation:loaded");
  t.false(path.startsWith(shop.folder));
  await host.output.next((line) => line === "value 2", "value 2");
  t.is(await tool.end(), 0);
  t.false(existsSync(dirname(path)));
});

for (const [kind, options] of [
  ["noexec", "noexec"],
  ["read-only", "ro"],
  ["full", "size=1m"],
] as const)
  asRoot(`a ${kind} temporary folder is passed over: copies go to another one and leave nothing in it`, async (t) => {
    const { shop, lib, program } = await made(t);
    const walls = withMounts(`mount -t tmpfs -o ${options} none '${shop.temp}'`);
    const tool = new Tool(shop, ["spawn", "--json", "--", program, lib], {}, walls);
    await tool.next("library:found");
    await shop.library("libgame.so", library(2));
    const { path } = await tool.next("generation:loaded");
    t.false(path.startsWith(shop.temp));
    await tool.prints("value 2");
    t.is(await tool.end(), 0);
    t.false(existsSync(dirname(path)));
  });

asRoot("without any folder for copies nothing is started: copy-failed, with every place that was tried", async (t) => {
  const { shop, lib, program } = await made(t);
  const places = [shop.temp, "/tmp", "/var/tmp", "/dev/shm"];
  const script = places.map((at) => `mount --bind '${at}' '${at}'; mount -o remount,bind,ro '${at}'`).join("; ");
  const args = ["spawn", "--json", "--", program, lib];
  const tool = new Tool(shop, args, { XDG_RUNTIME_DIR: "" }, withMounts(script));
  const error = await tool.next("error");
  t.is(error.code, "copy-failed");
  for (const place of places) t.regex(error.detail, new RegExp(`^${place}: .*EROFS`, "m"));
  t.is((await tool.ended).code, 3);
  t.false(tool.events.some((event) => event.type === "session:started"));
});
