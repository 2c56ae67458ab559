/**
 * Functions without a mark, chosen by --functions: the host's own output is the witness. One test after the other: two
 * dozen compilers, hosts and sessions at once would only wait for each other.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { DLOPEN_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Lines, Workshop } from "../support/workshop.js";

/** Flags that keep gcc from looking into callees. */
const FOR_PATCHING = ["-fpatchable-function-entry=16", "-fno-inline", "-flive-patching=inline-only-static"];
const BUILDS: readonly (readonly [name: string, compiler: string, flags: readonly string[]])[] = [
  ["gcc -O0", "gcc", ["-O0"]],
  ["clang -O0", "clang", ["-O0"]],
  ["g++ -O0 -fcf-protection", "g++", ["-O0", "-fcf-protection=full"]],
  ["gcc -O1 for patching", "gcc", ["-O1", ...FOR_PATCHING]],
  ["gcc -O2 for patching", "gcc", ["-O2", ...FOR_PATCHING]],
  ["gcc -O3 for patching", "gcc", ["-O3", ...FOR_PATCHING]],
  ["gcc -Os for patching", "gcc", ["-Os", ...FOR_PATCHING]],
];

/** One digit of the result per callee, each of a kind that compilers like to look into. All digits are n. */
const CALLEES = 8;
const source = (n: number) => `
#ifdef __cplusplus
extern "C" {
#endif
static int constant(void) { return ${n}; }
static int unused(int a, int b) { return a * 0 + ${n}; }
static int same(int a) { return a == 7 ? ${n} : 0; }
int exported(void) { return ${n}; }
static int (*volatile taken)(void) = constant;
static double real(double a) { return a * 2 + ${n}; }
struct pair { int a, b; };
static struct pair both(struct pair p) { p.a += ${n}; p.b -= 1; return p; }
static int deep(int depth) { return depth == 0 ? ${n} : deep(depth - 1); }
static void through(int *out) { *out = ${n}; }
int value(int x) {
  int out;
  struct pair p = { 0, x };
  p = both(p);
  through(&out);
  return constant() + 10 * unused(x, 3) + 100 * same(7) + 1000 * exported() + 10000 * (int)real(0) + 100000 * p.a +
    1000000 * deep(3) + 10000000 * (out + taken() - constant());
}
#ifdef __cplusplus
}
#endif
`;
const shown = (n: number) => `value ${String(n).repeat(CALLEES)}`;

const build = (shop: Workshop, n: number, flags: readonly string[], compiler = "gcc") =>
  shop.library("libgame.so", source(n), flags, compiler);

async function attached(t: ExecutionContext, flags: readonly string[] = ["-O0"], globs: readonly string[] = ["*"]) {
  const shop = new Workshop(t);
  const lib = await build(shop, 1, flags);
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  const runs = (n: number) => output.next((line) => line === shown(n), shown(n), output.all.length + 1);
  await runs(1);
  const session = () => Tool.attach(shop, ["-l", lib, ...globs.flatMap((glob) => ["-f", glob]), String(host.pid)]);
  const tool = session();
  await tool.ready();
  return { shop, lib, host, tool, runs, session, pid: host.pid ?? 0 };
}

for (const [name, compiler, flags] of BUILDS)
  test.serial(`${name}: every callee follows two edits, rollbacks and the restore of a spawned host`, async (t) => {
    const shop = new Workshop(t);
    const lib = await build(shop, 1, flags, compiler);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "*", "--", await shop.host("host", DLOPEN_HOST), lib]);
    const found = await tool.next("library:found");
    t.is(found.functions, 9);
    await tool.prints(shown(1));
    for (const n of [2, 3]) {
      await build(shop, n, flags, compiler);
      const { functions } = await tool.switched(n - 1);
      for (const { name, reason = "" } of functions) t.regex(reason, /^(?:data changed|calls changed .*)?$/, name);
      await tool.prints(shown(n), tool.output.all.length);
    }
    for (const [generation, n] of [
      [1, 2],
      [0, 1],
      [2, 3],
    ] as const) {
      const from = tool.events.length;
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, from);
      await tool.prints(shown(n), tool.output.all.length + 1);
    }
    t.is(await tool.end(), 0);
    t.deepEqual(
      tool.events.filter((e) => e.type === "warning" && e.code !== "library-not-loaded"),
      [],
    );
  });

test.serial("attach: edits arrive, the end puts the functions' own bytes back", async (t) => {
  const shop = new Workshop(t);
  const flags = ["-O2", ...FOR_PATCHING];
  const lib = await build(shop, 1, flags);
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  const runs = (n: number) => output.next((line) => line === shown(n), shown(n), output.all.length + 1);
  await runs(1);
  const before = codeOf(host.pid ?? 0);
  const tool = Tool.attach(shop, ["-l", lib, "-f", "*", String(host.pid)]);
  await tool.ready();
  t.false(codeOf(host.pid ?? 0).equals(before));
  await build(shop, 2, flags);
  await tool.switched(1);
  await runs(2);
  t.is(await tool.end(), 0);
  await runs(1);
  t.true(codeOf(host.pid ?? 0).equals(before));
});

/** The code of the library that the host itself loaded, as it is in memory. */
function codeOf(pid: number): Buffer {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const line = maps.find((one) => / r-xp .*\/libgame\.so/.test(one)) ?? "";
  const [start = 0, end = 0] =
    line
      .split(" ", 1)[0]
      ?.split("-")
      .map((text) => Number.parseInt(text, 16)) ?? [];
  const bytes = Buffer.alloc(end - start);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    readSync(memory, bytes, 0, bytes.length, start);
  } finally {
    closeSync(memory);
  }
  return bytes;
}

test.serial("keep leaves the new code running, a later session goes on with it, and restores", async (t) => {
  const { shop, tool, runs, session, lib } = await attached(t);
  await build(shop, 2, ["-O0"]);
  await tool.switched(1);
  t.is(await tool.end(true), 0);
  await runs(2);
  const again = session();
  t.is((await again.next("library:found")).generation, 1);
  await build(shop, 3, ["-O0"]);
  await again.switched(2);
  await runs(3);
  t.is(await again.end(), 0);
  await runs(1);
  // The third session finds restored entries, and no --functions: what was chosen once goes on being patched.
  const third = Tool.attach(shop, ["-l", lib, String(again.pid)]);
  await third.switched(3); // built before the session began
  await runs(3);
  t.is(await third.end(), 0);
  await runs(1);
});

test.serial(
  "under spawn, a constructor of a library that is opened later runs by its own entries, and all after it by ours",
  async (t) => {
    const shop = new Workshop(t);
    const source = `
    #include <stdio.h>
    int value(int x) { return x * 4; }
    int first(void) { return *(volatile unsigned char *)(void *)value; }
    __attribute__((constructor)) static void start(void) { printf("constructor: %s\\n", first() == 0xe9 ? "redirected" : "plain"); fflush(stdout); }`;
    const lib = await shop.library("libgame.so", source, ["-O0"]);
    const host = await shop.host("host", DLOPEN_HOST.replace('dlsym(library, "value")', 'dlsym(library, "first")'));
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "value", "--", host, lib]);
    await tool.prints("constructor: plain");
    await tool.prints(`value ${0xe9}`);
    t.is(await tool.end(), 0);
  },
);

test.serial("a tool that is killed leaves the host with its own code", async (t) => {
  const { shop, tool, runs, pid } = await attached(t);
  await build(shop, 2, ["-O0"]);
  await tool.switched(1);
  await runs(2);
  tool.child.kill("SIGKILL");
  await tool.ended;
  await runs(1);
  t.true(isAlive(pid));
});

test.serial("an endless loop inside generation 1 reaches generation 2's functions", async (t) => {
  const shop = new Workshop(t);
  const looping = (n: number) => `
    #include <stdio.h>
    #include <unistd.h>
    int inner(void) { return ${n}; }
    int value(int x) {
      if (${n} != 1) return ${n};
      for (int i = 0; i < 30000; i++) { printf("looping in 1: %d\\n", inner()); usleep(20000); }
      return x;
    }`;
  const lib = await shop.library("libgame.so", looping(0), ["-O0"]);
  const tool = Tool.spawn(shop, ["-l", lib, "-f", "*", "--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 0");
  await tool.next("library:found");
  await shop.library("libgame.so", looping(1), ["-O0"]);
  await tool.prints("looping in 1: 1");
  await shop.library("libgame.so", looping(2), ["-O0"]);
  await tool.switched(2);
  await tool.prints("looping in 1: 2");
  t.is(await tool.end(), 0);
});

test.serial(
  "C++ functions are chosen by demangled names, with and without parameters; marked ones follow as before",
  async (t) => {
    const shop = new Workshop(t);
    const cpp = (n: number) => `
    #include "hotpatch.h"
    namespace game {
      int damage(int x) { return x * ${n}; }
      int armour(int x) { return x * ${n}; }
      int untouched(int x) { return x * ${n}; }
    }
    static int (*volatile untouched)(int) = game::untouched;
    HOTPATCH int marked(void) { return ${n}; }
    extern "C" int value(int x) { return game::damage(x) + 10 * game::armour(x) + 100 * untouched(x) + 1000 * marked(); }`;
    const lib = await shop.library("libgame.so", cpp(1), ["-O0"], "g++");
    const globs = ["-f", "game::dam*", "-f", "game::armour(int)"];
    const tool = Tool.spawn(shop, ["-l", lib, ...globs, "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 1111");
    t.is((await tool.next("library:found")).functions, 3);
    await shop.library("libgame.so", cpp(2), ["-O0"], "g++");
    const { functions } = await tool.switched(1);
    t.deepEqual(functions.map((one) => one.name).sort(), ["_Z6markedv", "_ZN4game6armourEi", "_ZN4game6damageEi"]);
    // value() itself was not chosen: it runs on in generation 0, and so does what only it reaches.
    await tool.prints("value 2122");
    t.is(await tool.end(), 0);
  },
);

/** A library of functions that stand side by side without padding. */
const packed = (n: number) => `
  int walk(const int *p) { int v; do { v = *p++; } while (v > 0); return v; }
  void tiny(void) {}
  int neighbour(int x) { return x * ${n}; }
  int value(int x) {
    static const int path[] = { 3, 2, 1, 0 };
    tiny();
    return walk(path) + neighbour(x);
  }`;
const PACKED = ["-O2", ...FOR_PATCHING.slice(1), "-falign-functions=1", "-falign-loops=1"];

test.serial(
  "a function without room and one whose loop begins at its start are refused by name, and their neighbours live",
  async (t) => {
    const shop = new Workshop(t);
    const lib = await shop.library("libgame.so", packed(7), PACKED);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "*", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 7");
    const tiny = await tool.next("warning", (e) => e.code === "entry-too-small");
    t.regex(tiny.message, /^tiny /);
    t.regex(tiny.detail, /it has 1 bytes including the padding after it, and the jump takes 5/);
    const walk = await tool.next("warning", (e) => e.code === "entry-unsafe");
    t.regex(walk.message, /^walk /);
    t.regex(walk.detail, /jumps back into its first 5 bytes/);
    await shop.library("libgame.so", packed(8), PACKED);
    const { functions } = await tool.switched(1);
    t.deepEqual(functions.map((one) => one.name).sort(), ["neighbour", "value"]);
    await tool.prints("value 8");
    t.is(await tool.end(), 0);
  },
);

test.serial(
  "a function that loses its room in a later build is switched to, and the event says what that means",
  async (t) => {
    const shop = new Workshop(t);
    const sized = (body: string) =>
      `static int kept;\nvoid stepping(void) { ${body} }\nint value(int x) { stepping(); return x + kept; }`;
    const lib = await shop.library("libgame.so", sized("kept += 10; kept %= 20; kept |= 10;"), PACKED);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "*", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 11");
    t.is((await tool.next("library:found")).functions, 2);
    await shop.library("libgame.so", sized(""), PACKED);
    const { functions } = await tool.switched(1);
    t.regex(
      functions.find((one) => one.name === "stepping")?.reason ?? "",
      /1 bytes.*calls from within this generation stay/,
    );
    await tool.prints("value 1");
    await shop.library("libgame.so", sized("kept = 2;"), PACKED);
    await tool.switched(2);
    await tool.prints("value 3");
    t.is(await tool.end(), 0);
  },
);

for (const [name, compiler, flags, words] of [
  ["clang -O2", "clang", ["-O2"], /clang with optimisation.*-fsemantic-interposition/],
  ["gcc -O2 of static functions", "gcc", ["-O2", "-fno-inline"], /gcc -O2, where callers/],
  ["gcc -O0 without -g", "gcc", ["-O0", "-g0"], /no debug information/],
] as const)
  test.serial(`${name} is refused with its sentence, and the host's own code goes on`, async (t) => {
    const shop = new Workshop(t);
    const two = (n: number) =>
      `static __attribute__((noinline)) int inner(int x) { return x * ${n}; }\nint value(int x) { return inner(x); }`;
    const lib = await shop.library("libgame.so", two(5), flags, compiler);
    const globs = name.includes("static") ? ["-f", "inner"] : ["-f", "*"];
    const tool = Tool.spawn(shop, ["-l", lib, ...globs, "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 5");
    const refused = await tool.next("warning", (e) => e.code === "untrusted-build");
    t.regex(refused.detail, words);
    t.regex(refused.hint, /-O0|-g/);
    t.is((await tool.next("library:found")).functions, 0);
    t.true(tool.events.some((e) => e.type === "warning" && e.code === "no-match"));
    await shop.library("libgame.so", two(6), flags, compiler);
    t.is((await tool.next("generation:refused")).code, "untrusted-build");
    await tool.prints("value 5", tool.output.all.length + 1);
    t.is(await tool.end(), 0);
  });

for (const [name, compiler, flags, inline] of [
  ["C99 inline, gcc -O2", "gcc", ["-O2"], "inline"],
  ["always_inline, clang -O0", "clang", ["-O0"], "__attribute__((always_inline)) inline"],
] as const)
  test.serial(`${name}: a function whose old body stays in its caller is refused`, async (t) => {
    const shop = new Workshop(t);
    const two = (n: number) =>
      `${inline} int scale(int x) { return x * ${n}; }\nextern inline int scale(int x);\nint value(int x) { return scale(x); }`;
    const lib = await shop.library("libgame.so", two(5), flags, compiler);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "scale", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 5");
    const refused = await tool.next("warning", (e) => e.code === "untrusted-build");
    t.regex(refused.message, /^scale /);
    t.regex(refused.detail, /it is inlined into value \(libgame.*:3\): the old body stays there/);
    t.regex(refused.hint, /noinline/);
    t.is((await tool.next("library:found")).functions, 0);
    await shop.library("libgame.so", two(6), flags, compiler);
    t.is((await tool.next("generation:refused")).code, "untrusted-build");
    await tool.prints("value 5", tool.output.all.length + 1);
    t.is(await tool.end(), 0);
  });

test.serial(
  "a later build that inlines a function into its caller is refused, and the running body goes on",
  async (t) => {
    const shop = new Workshop(t);
    const two = (n: number, attributes = "") =>
      `static inline ${attributes} int scale(int x) { return x * ${n}; }\nint (*volatile taken)(int) = scale;\nint value(int x) { return scale(x); }`;
    const lib = await shop.library("libgame.so", two(5), ["-O0"]);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "scale", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 5");
    t.is((await tool.next("library:found")).functions, 1);
    await shop.library("libgame.so", two(6), ["-O0"]);
    await tool.switched(1);
    await tool.prints("value 6");
    await shop.library("libgame.so", two(7, "__attribute__((always_inline))"), ["-O0"]);
    const refused = await tool.next("generation:refused");
    t.is(refused.code, "untrusted-build");
    t.regex(refused.detail, /it is inlined into value/);
    await tool.prints("value 6", tool.output.all.length + 1);
    t.is(await tool.end(), 0);
  },
);

test.serial(
  "a function is switched with all names of its entry, and a build in which they part is refused",
  async (t) => {
    const shop = new Workshop(t);
    const aliased = (n: number) =>
      `int scale(int x) { return x * ${n}; }\nint quick(int x) __attribute__((alias("scale")));\nint value(int x) { return quick(x) * 10 + scale(x); }`;
    const lib = await shop.library("libgame.so", aliased(5), ["-O0"]);
    const tool = Tool.spawn(shop, ["-l", lib, "-f", "scale", "--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 55");
    t.is((await tool.next("library:found")).functions, 2);
    await shop.library("libgame.so", aliased(6), ["-O0"]);
    const { functions } = await tool.switched(1);
    t.regex(
      functions.find((one) => one.name === "quick")?.reason ?? "",
      /it has the entry of scale, and is switched with it/,
    );
    await tool.prints("value 66");
    const parted = aliased(7).replace(/int quick.*/, "int quick(int x) { return x * 8; }");
    await shop.library("libgame.so", parted, ["-O0"]);
    const refused = await tool.next("generation:refused");
    t.is(refused.code, "ambiguous-name");
    t.regex(refused.detail, /were one function in an earlier generation/);
    await tool.prints("value 66", tool.output.all.length + 1);
    t.is(await tool.end(), 0);
  },
);

test.serial("a glob that no function has is told, and the library is followed all the same", async (t) => {
  const shop = new Workshop(t);
  const lib = await build(shop, 1, ["-O0"]);
  const tool = Tool.spawn(shop, ["-l", lib, "-f", "damage*", "--", await shop.host("host", DLOPEN_HOST), lib]);
  const warning = await tool.next("warning", (e) => e.code === "no-match");
  t.regex(warning.message, /--functions damage\* .*libgame\.so/);
  t.is((await tool.next("library:found")).functions, 0);
  await build(shop, 2, ["-O0"]);
  t.is((await tool.next("generation:refused")).code, "no-match");
  await tool.prints(shown(1), tool.output.all.length);
  t.is(await tool.end(), 0);
});

test.serial("a later build that cannot be trusted is refused whole, and the running generation goes on", async (t) => {
  const { shop, tool, runs } = await attached(t);
  await build(shop, 2, ["-O0"]);
  await tool.switched(1);
  await runs(2);
  await build(shop, 3, ["-O2"], "clang");
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "untrusted-build");
  t.is(refused.running, 1);
  await runs(2);
  t.is(await tool.end(), 0);
});

test.serial("an exception passes a function whose first call runs from its trampoline", async (t) => {
  const shop = new Workshop(t);
  const throwing = (n: number) => `
    extern "C" {
    int thrower(int x) { if (x == 1) throw ${n}; return x; }
    int between(int x) { return thrower(x) + 1; }
    int value(int x) { try { return between(x); } catch (int thrown) { return thrown; } }
    }`;
  const lib = await shop.library("libgame.so", throwing(7), ["-O2"], "g++");
  const tool = Tool.spawn(shop, ["-l", lib, "-f", "*", "--", await shop.host("host", DLOPEN_HOST), lib]);
  t.is((await tool.next("library:found")).functions, 3);
  await tool.prints("value 7", tool.output.all.length + 1);
  await shop.library("libgame.so", throwing(8), ["-O2"], "g++");
  await tool.switched(1);
  await tool.prints("value 8");
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  await tool.prints("value 7", tool.output.all.length + 1);
  t.is(await tool.end(), 0);
});

/** A host that waits in system calls; on its way to each line it is told what came back. Timers and signals go on. */
const WAITING_HOST = `
  #include <dlfcn.h>
  #include <errno.h>
  #include <pthread.h>
  #include <signal.h>
  #include <stdio.h>
  #include <sys/epoll.h>
  #include <sys/time.h>
  #include <unistd.h>
  static int (*value)(int);
  static volatile int signals, bad_reads, interrupted;
  static int ends[2];
  static void on_alarm(int number) { signals += value(1) != 0; (void)number; }
  static void *read_forever(void *p) { char c; while (read(ends[0], &c, 1) == 1) {} bad_reads++; return p; }
  static void *wait_forever(void *p) {
    int fd = epoll_create1(0);
    struct epoll_event event;
    for (;;) if (epoll_wait(fd, &event, 1, -1) < 0) interrupted += errno == EINTR;
    return p;
  }
  int main(int argc, char **argv) {
    value = (int (*)(int))dlsym(dlopen(argv[1], RTLD_NOW), "value");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t thread;
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    if (pipe(ends) != 0) return 1;
    pthread_create(&thread, NULL, read_forever, NULL);
    pthread_create(&thread, NULL, wait_forever, NULL);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
    setitimer(ITIMER_REAL, &often, NULL);
    for (int last = 0;; usleep(20000)) {
      printf("value %d bad reads %d signals %s epoll interrupted %d\\n", value(1), bad_reads, signals > last ? "go on" : "stand", interrupted);
      last = signals;
    }
    return argc;
  }`;

test.serial(
  "a host that waits in system calls, with a signal every ms that calls a patched function, is not disturbed",
  async (t) => {
    const shop = new Workshop(t);
    const one = (n: number) => `int value(int x) { return x * ${n}; }`;
    const lib = await shop.library("libgame.so", one(5), ["-O0"]);
    const host = shop.start(await shop.host("host", WAITING_HOST), [lib]);
    const output = new Lines(host.stdout);
    const runs = (n: number) =>
      output.next(
        (line) => line.startsWith(`value ${n} bad reads 0 signals go on`),
        `value ${n}`,
        output.all.length + 1,
      );
    await runs(5);
    for (let session = 0; session < 3; session++) {
      const tool = Tool.attach(shop, ["-l", lib, "-f", "*", String(host.pid)]);
      await tool.ready();
      for (const n of [6, 7]) {
        const from = tool.events.length;
        await shop.library("libgame.so", one(n + session * 10), ["-O0"]);
        await tool.next("generation:switched", () => true, from);
        await runs(n + session * 10);
      }
      t.is(await tool.end(), 0);
      await runs(5);
    }
    t.is(host.exitCode, null);
    t.log(output.all.at(-1));
  },
);

/** Forbids ptrace to itself and all it starts, as some sandboxes do. */
const SANDBOXED_HOST = `
  #include <linux/filter.h>
  #include <linux/seccomp.h>
  #include <stddef.h>
  #include <sys/prctl.h>
  #include <sys/syscall.h>
  ${DLOPEN_HOST.replace(
    "void *library",
    `
    struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { 4, rules };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    void *library`,
  )}`;

test.serial(
  "a host whose threads cannot be stopped: functions without marks are refused, marked ones are patched",
  async (t) => {
    const shop = new Workshop(t);
    const both = (n: number) =>
      `#include "hotpatch.h"\nint plain(int x) { return x * ${n}; }\nstatic int (*volatile call)(int) = plain;\nHOTPATCH int value(int x) { return call(x) * 10 + ${n}; }`;
    const lib = await shop.library("libgame.so", both(2), ["-O0"]);
    const host = shop.start(await shop.host("host", SANDBOXED_HOST), [lib]);
    const output = new Lines(host.stdout);
    await output.next((line) => line === "value 22", "value 22");
    const tool = Tool.attach(shop, ["-l", lib, "-f", "plain", String(host.pid)]);
    const refused = await tool.next("warning", (e) => e.code === "entry-unsafe");
    t.regex(refused.message, /^plain /);
    t.regex(refused.detail, /could not be stopped.*ptrace refused/);
    await shop.library("libgame.so", both(3), ["-O0"]);
    await tool.switched(1);
    await output.next((line) => line === "value 33", "value 33");
    t.is(await tool.end(), 0);
    await output.next((line) => line === "value 22", "value 22", output.all.length + 1);
  },
);

/** Four threads call four functions without a pause; one line every 20 ms with all wrong results so far. */
const HAMMERING_HOST = `
  #include <dlfcn.h>
  #include <pthread.h>
  #include <stdatomic.h>
  #include <stdio.h>
  #include <unistd.h>
  static long (*leaf)(long), (*deep)(long);
  static double (*mix)(long, double);
  static atomic_long calls, wrong;
  static void *hammer(void *p) {
    for (;;) {
      for (int i = 0; i < 1000; i++) {
        long n = leaf(100) - 100;
        if (n < 0 || n > 3 || deep(9) != 9) wrong++;
        double d = mix(3, 0.5) - 1.5;
        if (d < 0 || d > 3 || d != (long)d) wrong++;
      }
      calls += 3000;
    }
    return p;
  }
  int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW);
    leaf = (long (*)(long))dlsym(library, "leaf");
    deep = (long (*)(long))dlsym(library, "deep");
    mix = (double (*)(long, double))dlsym(library, "mix");
    pthread_t thread;
    for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, hammer, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) { printf("calls %ld wrong %ld runs %ld\\n", calls, wrong, leaf(0)); usleep(20000); }
    return argc - 2;
  }`;

test.serial(
  "4 threads hammer functions without marks through 3 sessions, 9 loads and 60 switches: no crash, no wrong result",
  async (t) => {
    const shop = new Workshop(t);
    const flags = ["-O2", ...FOR_PATCHING.slice(1)];
    const hammered = (n: number) => `
    long leaf(long x) { return x + ${n}; }
    static long middle(long x) { return x + 1; }
    long deep(long x) { return x == 0 ? 0 : middle(deep(x - 1)); }
    double mix(long a, double b) { return a * b + ${n}; }`;
    const lib = await shop.library("libgame.so", hammered(0), flags);
    const host = shop.start(await shop.host("host", HAMMERING_HOST), [lib]);
    const output = new Lines(host.stdout);
    const runs = (n: number) => output.next((line) => line.endsWith(`runs ${n}`), `runs ${n}`, output.all.length + 1);
    await runs(0);
    for (let session = 0; session < 3; session++) {
      await shop.library("libgame.so", hammered(0), flags);
      const tool = Tool.attach(shop, ["-l", lib, "-f", "*", String(host.pid)]);
      await tool.ready();
      t.true(tool.events.some((e) => e.type === "library:found" && e.functions === 4));
      for (const n of [1, 2, 3]) {
        const from = tool.events.length;
        await shop.library("libgame.so", hammered(n), flags);
        await tool.next("generation:switched", () => true, from);
        await runs(n);
      }
      for (let i = 0; i < 20; i++) {
        const from = tool.events.length;
        tool.send({ command: "rollback", generation: (i * 7 + session) % 4 });
        await tool.next("generation:switched", () => true, from);
      }
      t.is(await tool.end(), 0);
      await runs(0);
    }
    const [, calls, wrong] = /calls (\d+) wrong (\d+)/.exec(output.all.at(-1) ?? "") ?? [];
    t.is(wrong, "0");
    t.true(Number(calls) > 100_000, `${calls} calls`);
    t.is(host.exitCode, null);
    t.is(host.signalCode, null);
  },
);
