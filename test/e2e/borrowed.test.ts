/** A thread that the bridge stops, to borrow it or to look at it, just as its system call ends: nothing is lost. */
import { join } from "node:path";
import test from "../support/test.js";
import { Lines, ROOT, Workshop } from "../support/workshop.js";

/** One thread sends numbers, one after the other, and the main thread sends them back. Ends when one is lost. */
const ECHO = `
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static int ends[2];
static void *asking(void *p) {
  for (long n = 0, answer = -1;; n++) {
    if (write(ends[1], &n, 8) != 8 || read(ends[1], &answer, 8) != 8 || answer != n) printf("asked %ld, answered %ld\\n", n, answer), _exit(2);
    if (n % 10000 == 0) printf("answered\\n");
  }
  return p;
}
int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  int poller = epoll_create1(0), waits = argc > 1 && strcmp(argv[1], "epoll_wait") == 0;
  epoll_ctl(poller, EPOLL_CTL_ADD, ends[0], &event);
  pthread_t thread;
  pthread_create(&thread, NULL, asking, NULL);
  for (long n;;) {
    if (waits && epoll_wait(poller, &event, 1, -1) != 1) return printf("epoll_wait ended: %m\\n"), 3;
    for (int first = 1; (first && !waits) || recv(ends[0], &n, 8, MSG_DONTWAIT) == 8; first = 0) {
      if (first && !waits && read(ends[0], &n, 8) != 8) return printf("read ended: %m\\n"), 4;
      if (write(ends[0], &n, 8) != 8) return 5;
    }
  }
}
`;

/** setuid() and its kin wait for all other threads to answer a signal. */
const SETUID = `
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *idle(void *p) {
  for (;;) pause();
  return p;
}
int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  pthread_t thread;
  for (int i = 0; i < 8; i++) pthread_create(&thread, NULL, idle, NULL);
  for (long n = 0;; n++) {
    if (seteuid(geteuid()) != 0) return printf("seteuid: %m\\n"), 2;
    if (n % 500 == 0) printf("answered\\n");
  }
}
`;

/** Threads that are ended at any moment, each of which has something to put in order. */
const CANCEL = `
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static volatile long ended;
static void end(int *p) { ended += *p; }
static void *idle(void *p) {
  int one __attribute__((cleanup(end))) = 1; /* as a destructor: by unwinding */
  for (;;) pause();
  return p;
}
int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (long n = 1;; n++) {
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, idle, NULL) != 0) return printf("pthread_create\\n"), 2;
    for (clock_t until = clock() + 6000; clock() < until;); /* busy, so that the other is borrowed */
    if (pthread_cancel(thread) != 0 || pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED || ended != n)
      return printf("thread %ld, %ld ended\\n", n, ended), 3;
    if (n % 10 == 0) printf("answered\\n");
  }
}
`;

/**
 * What the bridge does of a session's beginning and end, without Frida in between. On a busy machine a host may be refused:
 * it must live all the same.
 */
const ROUNDS = `
import sys, time
sys.path.insert(0, sys.argv[1])
import carrier
from grounds import NoCarrier
from ptrace import on_own_thread
carrier.VISIT_S = 0
made, until = 0, time.monotonic() + 60
while made < 60 and (made == 0 or time.monotonic() < until):
    try:
        found = carrier.carrier_in(int(sys.argv[2]))
    except NoCarrier:
        continue
    on_own_thread(found.leave)
    made += 1
`;

const HOSTS: readonly [string, string, ...string[]][] = [
  ["threads that are borrowed as their read ends lose no answer", ECHO, "read"],
  ["threads that are borrowed as their epoll_wait ends lose no answer", ECHO, "epoll_wait"],
  ["threads that are borrowed as they are to answer seteuid() do so", SETUID],
  ["threads that are borrowed as they are cancelled end in order", CANCEL],
];
for (const [title, source, ...args] of HOSTS)
  test(title, async (t) => {
    const shop = new Workshop(t);
    const host = shop.start(await shop.host("host", source, ["-D_GNU_SOURCE", "-fexceptions"]), args);
    const output = new Lines(host.stdout);
    await output.next((line) => line === "answered", "an answer");
    const rounds = shop.start("python3", ["-c", ROUNDS, join(ROOT, "dist/cli/frida/bridge"), String(host.pid)]);
    const said = new Lines(rounds.stderr);
    t.is(
      await new Promise((resolve) => rounds.once("close", resolve)),
      0,
      [...said.all, ...output.all.slice(-1)].join("\n"),
    );
    await output.next((line) => line === "answered", "an answer afterwards", output.all.length);
    t.deepEqual(new Set(output.all), new Set(["answered"]));
    t.is(host.exitCode, null);
  });
