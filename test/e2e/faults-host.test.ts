/** What the host itself does while it is patched: forks, closes the library, opens others like it. */
import { mkdirSync } from "node:fs";
import type { ExecutionContext } from "ava";
import { AskedHost } from "../support/asked-host.js";
import { library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { isAlive, Workshop } from "../support/workshop.js";

/**
 * Does what a line says and answers with a line. argv: the library, another file of the same name. After "fork" the
 * child answers what the parent is told to "tell" it.
 */
const HOST = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
typedef int (*function)(int);
static void *library, *other;
static function value, second;
static FILE *to_child, *from_child;
static int child;
static void answer(char **argv, const char *line) {
  if (strcmp(line, "value") == 0) printf("%d\\n", value(1));
  else if (strcmp(line, "second") == 0) printf("%d\\n", second(1));
  else if (strcmp(line, "close") == 0) printf("%d\\n", dlclose(library));
  else if (strcmp(line, "open same name") == 0 || strcmp(line, "open namespace") == 0) {
    other = line[5] == 's' ? dlopen(argv[2], RTLD_NOW) : dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
    second = other == NULL ? NULL : (function)dlsym(other, "value");
    printf("%s\\n", other == NULL ? dlerror() : "opened");
  } else if (strcmp(line, "load") == 0) printf("%d\\n", dlopen("libresolv.so.2", RTLD_NOW) != NULL);
  else if (strcmp(line, "fork") == 0) {
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) exit(3);
    child = fork();
    if (child == 0) {
      dup2(down[0], 0), dup2(up[1], 1);
      close(down[1]), close(up[0]);
      __fpurge(stdin);
      printf("child\\n");
      return;
    }
    to_child = fdopen(down[1], "w"), from_child = fdopen(up[0], "r");
    char said[64];
    printf("%d %s", child, fgets(said, sizeof said, from_child));
  } else if (strncmp(line, "tell ", 5) == 0) {
    char said[64];
    fprintf(to_child, "%s\\n", line + 5), fflush(to_child);
    printf("%s", fgets(said, sizeof said, from_child));
  } else if (strcmp(line, "end") == 0) exit(7);
  else if (strcmp(line, "wait") == 0) {
    int status;
    fprintf(to_child, "end\\n"), fflush(to_child);
    waitpid(child, &status, 0);
    printf("%d %d\\n", WIFEXITED(status), WEXITSTATUS(status));
  }
}
int main(int argc, char **argv) {
  char line[64];
  setvbuf(stdout, NULL, _IOLBF, 0);
  library = dlopen(argv[1], RTLD_NOW);
  value = (function)dlsym(library, "value");
  printf("ready\\n");
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\\n")] = 0;
    answer(argv, line);
  }
  return argc - 3;
}
`;

async function hosted(t: ExecutionContext) {
  const shop = new Workshop(t);
  mkdirSync(shop.path("other"));
  const lib = await shop.library("libgame.so", library(1));
  const host = new AskedHost(shop, await shop.host("host", HOST), [lib, shop.path("other/libgame.so")]);
  t.is(await host.greeting(), "ready");
  const attach = async (pid = host.pid) => {
    const tool = Tool.attach(shop, [String(pid)]);
    await tool.ready();
    return tool;
  };
  return { shop, lib, host, attach };
}

test("a forked child keeps what runs, whatever its parent's session does, and can be attached to beside it", async (t) => {
  const { shop, host, attach } = await hosted(t);
  const parents = await attach();
  await shop.library("libgame.so", library(2));
  await parents.switched(1);
  const [child = "", said] = (await host.ask("fork")).split(" ");
  t.is(said, "child");
  shop.owns(Number(child));
  t.is(await host.ask("tell value"), "2");
  t.is(await host.ask("tell load"), "1"); // the loader's hooks of Frida's are in the child, its threads are not
  await shop.library("libgame.so", library(3));
  await parents.switched(2);
  t.is(await host.ask("value"), "3");
  t.is(await host.ask("tell value"), "2");
  const childs = await attach(Number(child));
  // Its own generation 2, of the build that is there.
  await childs.switched(2);
  t.is(await host.ask("tell value"), "3");
  t.is(await parents.end(), 0);
  t.is(await host.ask("value"), "1");
  t.is(await host.ask("tell value"), "3");
  t.is(await childs.end(true), 0);
  t.is(await host.ask("tell value"), "3");
  t.is(await host.ask("tell load"), "1");
  t.is(await host.ask("wait"), "1 7");
});

for (const keep of [false, true])
  test(`a library that the host closes stays where it is, during a session and after ${keep ? "a kept" : "its"} end`, async (t) => {
    const { shop, host, attach } = await hosted(t);
    const tool = await attach();
    t.is(await host.ask("close"), "0");
    t.is(await host.ask("value"), "1");
    await shop.library("libgame.so", library(2));
    await tool.switched(1);
    t.is(await host.ask("value"), "2");
    t.is(await tool.end(keep), 0);
    t.is(await host.ask("value"), keep ? "2" : "1");
    t.true(isAlive(host.pid));
  });

test("a second library of the same file name is patched as a library of its own", async (t) => {
  const { shop, host, attach } = await hosted(t);
  const tool = await attach();
  await shop.library("other/libgame.so", library(10));
  t.is(await host.ask("open same name"), "opened");
  const found = await tool.next("library:found", (e) => e.path === shop.path("other/libgame.so"));
  await shop.library("other/libgame.so", library(20));
  t.is((await tool.switched(1)).library, found.library);
  t.is(await host.ask("second"), "20");
  t.is(await host.ask("value"), "1");
  const from = tool.events.length;
  await shop.library("libgame.so", library(2));
  await tool.switched(1, from);
  t.is(await host.ask("second"), "20");
  t.is(await host.ask("value"), "2");
  t.is(await tool.end(), 0);
  t.is(await host.ask("second"), "10");
  t.is(await host.ask("value"), "1");
});

test("the same library in a namespace of its own (dlmopen) keeps the host's own code, and the host lives", async (t) => {
  const { shop, host, attach } = await hosted(t);
  const tool = await attach();
  t.is(await host.ask("open namespace"), "opened");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  t.is(await host.ask("value"), "2");
  t.is(await host.ask("second"), "1");
  t.is(await tool.end(), 0);
  t.is(await host.ask("value"), "1");
  t.is(await host.ask("second"), "1");
});
