/** Stacks that are unwound through copies: exceptions (libpulp: exception_handling) and cancellation (libpulp: cancel). */

import { has } from "../../cli/binary/fixtures.js";
import { AskedHost } from "../../support/asked-host.js";
import test from "../../support/test.js";
import { Tool } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";

const LIBRARY = (n: number) => `
#include "hotpatch.h"
#include <cstdio>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <unistd.h>
struct guard {
  const char *what;
  ~guard() { std::printf("%s ended by ${n}, ", what); }
};
extern "C" HOTPATCH void inner() { throw std::runtime_error("thrown by ${n}"); }
extern "C" HOTPATCH void outer(void (*meanwhile)()) {
  guard g{"outer"};
  try {
    guard h{"try"};
    meanwhile();
    inner();
  } catch (const std::exception &e) {
    std::printf("%s caught by ${n}, ", e.what());
    throw;
  }
}
extern "C" HOTPATCH void wait_for_ever(int fd) {
  guard g{"wait"};
  char c;
  write(fd, "w", 1);
  for (;;) pause();
}
`;

const HOST = `
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>
static void (*outer)(void (*)());
static void (*wait_for_ever)(int);
static int told[2];
static void nothing() {}
static void wait_for_line() { char line[64]; std::puts("in the middle"); std::fgets(line, sizeof line, stdin); }
static void *cancelled(void *) { wait_for_ever(told[1]); return nullptr; }
static void throws(void (*meanwhile)()) {
  try { outer(meanwhile); } catch (const std::runtime_error &e) { std::printf("%s caught in main\\n", e.what()); }
}
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  outer = reinterpret_cast<void (*)(void (*)())>(dlsym(library, "outer"));
  wait_for_ever = reinterpret_cast<void (*)(int)>(dlsym(library, "wait_for_ever"));
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (pipe(told) != 0) return 1;
  pthread_t id{};
  for (char line[64]; std::fgets(line, sizeof line, stdin);) {
    char c;
    if (!std::strncmp(line, "throw", 5)) throws(nothing);
    if (!std::strncmp(line, "slow throw", 10)) throws(wait_for_line);
    if (!std::strncmp(line, "start", 5)) {
      pthread_create(&id, nullptr, cancelled, nullptr);
      std::puts(read(told[0], &c, 1) == 1 ? "waits" : "?");
    }
    if (!std::strncmp(line, "cancel", 6)) {
      void *result = nullptr;
      pthread_cancel(id);
      pthread_join(id, &result);
      std::puts(result == PTHREAD_CANCELED ? "cancelled" : "?");
    }
  }
  return argc - 2;
}
`;

const thrown = (by: number, caught: number) =>
  `try ended by ${caught}, thrown by ${by} caught by ${caught}, outer ended by ${caught}, thrown by ${by} caught in main`;

for (const compiler of ["g++", "clang++"].filter(has))
  test(`exceptions and pthread_cancel unwind through bodies of different generations (${compiler})`, async (t) => {
    const shop = new Workshop(t);
    const build = (n: number) => shop.library("libgame.so", LIBRARY(n), [], compiler);
    const lib = await build(1);
    const program = await shop.compile("host", [shop.write("host.cpp", HOST), "-ldl", "-lpthread"], "g++");
    const host = new AskedHost(shop, program, [lib]);
    const tool = Tool.attach(shop, [String(host.pid)]);
    await tool.ready();
    t.is(await host.ask("throw"), thrown(1, 1));
    t.is(await host.ask("start"), "waits");
    t.is(await host.ask("slow throw"), "in the middle");
    await build(2);
    await tool.switched(1);
    t.is(await host.ask("go on"), thrown(2, 1), "the old body catches what the new one throws");
    t.is(await host.ask("cancel"), "wait ended by 1, cancelled");
    t.is(await host.ask("throw"), thrown(2, 2));
    t.is(await host.ask("start"), "waits");
    tool.send({ command: "rollback", generation: 0 });
    await tool.switched(0);
    t.is(await host.ask("cancel"), "wait ended by 2, cancelled");
    t.is(await host.ask("throw"), thrown(1, 1));
    t.is(await tool.end(), 0);
    t.is(await host.ask("throw"), thrown(1, 1));
  });
