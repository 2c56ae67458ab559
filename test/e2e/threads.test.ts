/** Threads still inside old bodies, as `status` counts them. */
import { readdirSync, readFileSync } from "node:fs";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** Two threads call `wait_in` and then `value` for ever, one that spins in `spin`; each line says what they got. */
const HOST = `
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
static int (*waits)(void), (*spins)(void);
static void *waiter(void *arg) { for (;;) { printf("waited %d\\n", waits()); usleep(20000); } return arg; }
static void *spinner(void *arg) { for (;;) { printf("spun %d\\n", spins()); usleep(20000); } return arg; }
static void *listener(void *arg) {
  struct epoll_event e;
  int fd = epoll_create1(0);
  for (;;) if (epoll_wait(fd, &e, 1, 60000) < 0) printf("interrupted\\n");
  return arg;
}
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  waits = (int (*)(void))dlsym(library, "waits");
  spins = (int (*)(void))dlsym(library, "spins");
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_t t;
  for (int i = 0; i < 2; i++) pthread_create(&t, NULL, waiter, NULL);
  pthread_create(&t, NULL, spinner, NULL);
  pthread_create(&t, NULL, listener, NULL);
  for (;;) pause();
}
`;
/** `waits` blocks in the kernel and `spins` in a loop, while their files exist. */
const source = (n: number) => `
#include "hotpatch.h"
#include <unistd.h>
static int helper(const char *file) { while (access(file, F_OK) == 0) usleep(5000); return ${n}; }
static volatile int stop;
HOTPATCH int waits(void) { return helper("wait") + 0 * ${n}; }
HOTPATCH int spins(void) { for (long i = 1; !stop; i++) if (i % 50000000 == 0 && access("spin", F_OK) != 0) break; return ${n}; }
`;

for (const compiler of ["gcc", "clang"])
  test(`threads inside an old body of ${compiler}'s are counted, blocked or running, until they have returned`, async (t) => {
    const shop = new Workshop(t);
    shop.write("wait", "");
    shop.write("spin", "");
    const lib = await shop.library("libgame.so", source(1), [], compiler);
    const tool = Tool.spawn(shop, ["--cwd", shop.folder, "--library", lib, "--", await shop.host("host", HOST), lib]);
    await tool.next("library:found");
    const counts = async () => {
      const from = tool.events.length;
      tool.send({ command: "status" });
      const { libraries } = await tool.next("status", () => true, from);
      return Object.fromEntries(libraries[0]?.functions.map((f) => [f.name, f.oldThreads]) ?? []);
    };
    t.deepEqual(await counts(), { waits: 0, spins: 0 }, "generation 0 runs: nothing is old");
    await started(tool.pid, 4);
    await shop.library("libgame.so", source(2), [], compiler);
    await tool.switched(1);
    t.deepEqual(await counts(), { waits: 2, spins: 1 });
    t.deepEqual(await counts(), { waits: 2, spins: 1 }, "the same at every look");

    shop.remove("wait");
    await tool.prints("waited 1");
    await tool.prints("waited 2");
    t.deepEqual(await counts(), { waits: 0, spins: 1 });
    shop.remove("spin");
    await tool.prints("spun 1");
    await tool.prints("spun 2");
    t.deepEqual(await counts(), { waits: 0, spins: 0 });
    t.false(tool.output.all.includes("interrupted"), "no waiting thread's system call was disturbed");
    t.is(await tool.end(), 0);
  });

/** The host's own threads have been started: the kernel shows as many that carry the host's name. */
async function started(pid: number, threads: number): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    const names = readdirSync(`/proc/${pid}/task`).map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, "utf8"));
    if (names.filter((name) => name.trim() === "host").length > threads) return;
    if (Date.now() > until) throw new Error(`the host's threads did not start: ${names.join(" ")}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a thread that loops in old code without a mark is told of, and no marked function is blamed for it", async (t) => {
  const shop = new Workshop(t);
  const code = (n: number) => `
    #include "hotpatch.h"
    #include <pthread.h>
    #include <stdio.h>
    #include <unistd.h>
    HOTPATCH int value(int x) { return x + ${n}; }
    static void *worker(void *arg) { for (;;) { printf("works %d\\n", value(0) * 0 + ${n}); usleep(20000); } return arg; }
    void start(void) { pthread_t t; pthread_create(&t, NULL, worker, NULL); }`;
  const host = `
    #include <dlfcn.h>
    #include <stdio.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      void *library = dlopen(argv[argc - 1], RTLD_NOW);
      setvbuf(stdout, NULL, _IOLBF, 0);
      ((void (*)(void))dlsym(library, "start"))();
      for (;;) pause();
    }`;
  const lib = await shop.library("libgame.so", code(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", host), lib]);
  await tool.next("library:found");
  await tool.prints("works 1");
  const other = async () => {
    const from = tool.events.length;
    tool.send({ command: "status" });
    const [status] = (await tool.next("status", () => true, from)).libraries;
    return [status?.otherThreads, status?.functions.map(({ oldThreads }) => oldThreads)];
  };
  t.deepEqual(await other(), [0, [0]], "generation 0 runs: nothing is old");
  await shop.library("libgame.so", code(2));
  await tool.switched(1);
  t.deepEqual(await other(), [1, [0]]);
  await tool.prints("works 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});
