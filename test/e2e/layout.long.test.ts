/** Changed signatures and layouts: refused with the change named while the host goes on, and what overrides that. */
import { execFileSync } from "node:child_process";
import type { ExecutionContext } from "ava";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** Lays out a struct itself, and gives it to both functions of its library. */
const HOST = `
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
struct inner { int id, x, hp; };
int main(int argc, char **argv) {
  void *library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) { fprintf(stderr, "%s\\n", dlerror()); return 1; }
  int (*damage)(struct inner *, int) = (int (*)(struct inner *, int))dlsym(library, "damage");
  int (*plain)(int) = (int (*)(int))dlsym(library, "plain");
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct inner one = {1, 2, 100};
  for (int i = 0; i < 30000; i++) { printf("damage %d plain %d\\n", damage(&one, 5), plain(1)); usleep(20000); }
  return argc > 5;
}
`;
const INNER = "int id, x, hp;";
const GROWN = "int id, x, armour, hp;";

/** damage() gives hp less `n` times the amount; plain() calls nothing and gives `n`, or what `plain` says. */
const source = (n: number, fields = INNER, plain = `return x * ${n};`) => `
#include "hotpatch.h"
struct inner { ${fields} };
HOTPATCH int damage(struct inner *p, int amount) { return p->hp - ${n} * amount; }
HOTPATCH int plain(int x) { ${plain} }
`;

async function begin(t: ExecutionContext, args: readonly string[] = [], flags: readonly string[] = []) {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(1), flags);
  const tool = Tool.spawn(shop, [...args, "--", await shop.host("host", HOST), lib]);
  await tool.prints("damage 95 plain 1");
  const build = (text: string, compiler?: string) => shop.library("libgame.so", text, flags, compiler);
  return { shop, lib, tool, build };
}
const of = (functions: readonly { name: string; status: string; check: string }[]) =>
  functions.map(({ name, status, check }) => `${name} ${status} ${check}`).sort();

test("a struct that has grown is refused with the field named, the old code goes on, and an undone change is taken", async (t) => {
  const { tool, build } = await begin(t);
  await build(source(2, GROWN));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.is(
    refused.detail,
    "damage: struct inner: size 12 -> 16; field hp: int at 8 -> int at 12; field armour: int at 8 added",
  );
  t.is(refused.running, 0);
  t.deepEqual(of(refused.functions), ["damage refused dwarf", "plain refused dwarf"]);
  const names = new Map(refused.functions.map(({ name, reason }) => [name, reason]));
  t.regex(names.get("damage") ?? "", /field hp: int at 8 -> int at 12/);
  t.is(names.get("plain"), "layout-changed");
  await tool.prints("damage 95 plain 1", tool.output.all.length);
  await build(source(3));
  const { functions, override } = await tool.switched(1);
  t.deepEqual(of(functions), ["damage switched dwarf", "plain switched dwarf"]);
  t.is(override, undefined);
  await tool.prints("damage 85 plain 3");
  t.is(await tool.end(), 0);
});

test("a changed signature of a C function is refused, and told as such", async (t) => {
  const { tool, build } = await begin(t);
  await build(source(2).replace("plain(int x)", "plain(double x)"));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "signature-changed");
  t.is(refused.detail, "plain: signature: int (int) -> int (double)");
  await tool.prints("damage 95 plain 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});

test("--force switches what would be refused, and says so", async (t) => {
  const { tool, build } = await begin(t, ["--force"]);
  // The new hp is behind the live struct's end on the host's stack, so only what the function does without it is shown.
  await build(source(2, GROWN).replace("return p->hp - 2 * amount", "return p->armour + 1000"));
  const { functions, override } = await tool.switched(1);
  t.is(override, "force");
  t.deepEqual(of(functions), ["damage switched dwarf", "plain switched dwarf"]);
  t.regex(functions.find(({ name }) => name === "damage")?.reason ?? "", /struct inner: size 12 -> 16/);
  await tool.prints("damage 1100 plain 2"); // armour is where the live struct has its hp of 100
  t.is(await tool.end(), 0);
});

test("--partial keeps the body of a refused function and switches the rest; the new copy's own calls use its own", async (t) => {
  const { tool, build } = await begin(t, ["--partial"]);
  const own = "struct inner mine = {1, 2, 3, 50}; return damage(&mine, 5) * 1000 + x;";
  await build(source(2, GROWN, own));
  const { functions, override } = await tool.switched(1);
  t.is(override, "partial");
  // plain() was edited beside a type that changed, which a call may bring in.
  t.deepEqual(of(functions), ["damage refused dwarf", "plain switched partly"]);
  // Called by the host: the old damage(), 100 - 5. Called by the new plain(), which was built for it: the new, 50 - 10.
  await tool.prints("damage 95 plain 40001");
  tool.send({ command: "status" });
  const { libraries } = await tool.next("status");
  const runs = libraries[0]?.functions.map(({ name, generation }) => `${name} ${generation}`);
  t.deepEqual(runs?.sort(), ["damage 0", "plain 1"]);
  // Compared with the body that runs: still generation 0's.
  await build(source(3, GROWN));
  t.deepEqual(of((await tool.switched(2)).functions), ["damage refused dwarf", "plain switched dwarf"]);
  await tool.prints("damage 95 plain 3");
  await build(source(4));
  const whole = await tool.switched(3);
  t.is(whole.override, undefined);
  await tool.prints("damage 80 plain 4");
  t.is(await tool.end(), 0);
});

test("--partial has nothing to switch when every function is refused", async (t) => {
  const { tool, build } = await begin(t, ["--partial"]);
  await build(source(2, GROWN).replace("plain(int x)", "plain(double x)"));
  t.is((await tool.next("generation:refused")).code, "signature-changed");
  await tool.prints("damage 95 plain 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});

test("a renamed field is switched with a remark", async (t) => {
  const { tool, build } = await begin(t);
  await build(source(2, "int id, x, health;").replace("p->hp", "p->health"));
  const { functions } = await tool.switched(1);
  t.is(functions.find(({ name }) => name === "damage")?.reason, "struct inner: field hp is now named health");
  await tool.prints("damage 90 plain 2");
  t.is(await tool.end(), 0);
});

test("a stripped library is switched unchecked, with the reason", async (t) => {
  const { tool, build } = await begin(t, [], ["-s"]);
  await build(source(2));
  const { functions } = await tool.switched(1);
  t.deepEqual(of(functions), ["damage switched unchecked", "plain switched unchecked"]);
  for (const { reason } of functions) t.regex(reason ?? "", /no debug information: build with -g/);
  await tool.prints("damage 90 plain 2");
  t.is(await tool.end(), 0);
});

test("debug information in a file beside the library counts, and only that of the same build", async (t) => {
  const shop = new Workshop(t);
  const split = async (name: string, text: string, debug: string) => {
    const path = await shop.library(name, text, ["-Wl,--build-id"]);
    execFileSync("objcopy", ["--only-keep-debug", path, shop.path(debug)]);
    execFileSync("objcopy", ["--strip-debug", `--add-gnu-debuglink=${shop.path(debug)}`, path], { cwd: shop.folder });
    return path;
  };
  const lib = await split("libgame.so", source(1), "game.debug");
  const tool = Tool.spawn(shop, ["--", await shop.host("host", HOST), lib]);
  // What runs is read once it is found, and commands are answered after that: its debug file is about to be replaced.
  await tool.next("library:found");
  tool.send({ command: "status" });
  await tool.next("status");
  const place = (path: string) => execFileSync("mv", [path, lib]);
  place(await split("next.so", source(2, GROWN), "game.debug"));
  const refused = await tool.next("generation:refused");
  t.regex(refused.detail, /field hp: int at 8 -> int at 12/);
  // The third build's debug file is named as the second's, and was never written: the second's must not be believed.
  const third = await split("third.so", source(3, GROWN), "other.debug");
  execFileSync("objcopy", ["--remove-section=.gnu_debuglink", third]);
  execFileSync("objcopy", [`--add-gnu-debuglink=${shop.path("game.debug")}`, third], { cwd: shop.folder });
  place(third);
  const { functions } = await tool.switched(1);
  t.deepEqual(of(functions), ["damage switched unchecked", "plain switched unchecked"]);
  t.regex(functions[0]?.reason ?? "", /the new build: its debug information is in game\.debug, which was not found/);
  t.is(await tool.end(), 0);
});

test("a base class that has grown is refused for the methods of the class that derives from it", async (t) => {
  const shop = new Workshop(t);
  const cpp = (n: number, fields: string) => `
    #include "hotpatch.h"
    struct thing { ${fields} };
    struct fish : thing { int size = 7; HOTPATCH int weight(); };
    HOTPATCH int fish::weight() { return size * ${n}; }
    static fish one;
    extern "C" HOTPATCH int damage(void *, int) { return one.weight(); }
    extern "C" HOTPATCH int plain(int x) { return x; }
  `;
  const lib = await shop.library("libfish.so", cpp(1, "int x = 1;"), [], "g++");
  const tool = Tool.spawn(shop, ["--", await shop.host("host", HOST), lib]);
  await tool.prints("damage 7 plain 1");
  await shop.library("libfish.so", cpp(2, "int x = 1, y = 2;"), [], "g++");
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.regex(refused.detail, /struct fish: size 8 -> 12; field size: int at 4 -> int at 8/);
  t.regex(refused.detail, /struct thing: size 4 -> 8; field y: int at 4 added/);
  await tool.prints("damage 7 plain 1", tool.output.all.length);
  await shop.library("libfish.so", cpp(3, "int x = 1;"), [], "g++");
  await tool.switched(1);
  await tool.prints("damage 21 plain 1");
  t.is(await tool.end(), 0);
});

test("what persistent state leads to is compared too", async (t) => {
  const shop = new Workshop(t);
  const state = (n: number, type: string) => `
    #include "hotpatch.h"
    #include <stdlib.h>
    struct node { ${type} value; };
    struct world { struct node *first; };
    HOTPATCH_STATE(struct world, here, {0});
    HOTPATCH int damage(void *p, int x) {
      if (HOTPATCH_GET(here).first == 0) { HOTPATCH_GET(here).first = calloc(1, 64); HOTPATCH_GET(here).first->value = 40; }
      return HOTPATCH_GET(here).first->value + ${n};
    }
    HOTPATCH int plain(int x) { return x; }
  `;
  const lib = await shop.library("libworld.so", state(1, "int"));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", HOST), lib]);
  await tool.prints("damage 41 plain 1");
  await shop.library("libworld.so", state(2, "double"));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.is(refused.detail, "state here: struct node: size 4 -> 8; field value: int at 0 -> double at 0");
  await tool.prints("damage 41 plain 1", tool.output.all.length);
  await shop.library("libworld.so", state(3, "int"));
  await tool.switched(1);
  await tool.prints("damage 43 plain 1");
  t.is(await tool.end(), 0);
});

test("a later session compares with what was forced to run, and rolls back all the same", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(1));
  const host = shop.start(await shop.host("host", HOST), [lib]);
  const first = Tool.attach(shop, ["--force", "--keep", String(host.pid)]);
  await first.ready();
  const forced = (n: number) => source(n, GROWN).replace(`return p->hp - ${n} * amount`, `return p->armour + ${n}`);
  await shop.library("libgame.so", forced(2));
  t.is((await first.switched(1)).override, "force");
  t.is(await first.end(), 0);
  const second = Tool.attach(shop, [String(host.pid)]);
  await second.ready();
  await shop.library("libgame.so", source(3));
  t.regex(
    (await second.next("generation:refused")).detail,
    /struct inner: size 16 -> 12; field hp: int at 12 -> int at 8/,
  );
  await shop.library("libgame.so", forced(4));
  t.is((await second.switched(2)).override, undefined);
  second.send({ command: "rollback", generation: 1 });
  t.is((await second.switched(1, second.events.length)).why, "rollback");
  t.is(await second.end(), 0);
});

test("a type that only unmarked functions use is not compared, and the check says so", async (t) => {
  const { tool, build } = await begin(t);
  const hidden = (n: number, fields: string) => `
    #include "hotpatch.h"
    struct inner { ${fields} };
    static int left(void *p, int amount) { return ((struct inner *)p)->hp - ${n} * amount; }
    HOTPATCH int damage(void *p, int amount) { return left(p, amount); }
    HOTPATCH int plain(int x) { return x * ${n}; }
  `;
  await build(hidden(2, INNER));
  // The first build names the struct, and a pointer to anything is another type: told once, then nothing is known of it.
  t.regex(
    (await tool.next("generation:refused")).detail,
    /damage: signature: int \(inner\*, int\) -> int \(void\*, int\)/,
  );
  t.is(await tool.end(), 0);

  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", hidden(1, INNER));
  const blind = Tool.spawn(shop, ["--", await shop.host("host", HOST), lib]);
  await blind.prints("damage 95 plain 1");
  await shop.library("libgame.so", hidden(2, "int id, hp, x;"));
  const { functions } = await blind.switched(1);
  t.deepEqual(of(functions), ["damage switched partly", "plain switched dwarf"]);
  t.is(functions[0]?.reason, "struct inner changed, and void * (argument 1) may lead there");
  await blind.prints("damage -8 plain 2"); // 2, which is the live struct's x, less 2 * 5
  t.is(await blind.end(), 0);
});

test("an inline variable lives on in every copy, so its type counts; status says how it was checked", async (t) => {
  const shop = new Workshop(t);
  const code = (n: number, fields: string) => `
    #include "hotpatch.h"
    struct score { ${fields} };
    inline score best{100, 7};
    extern "C" HOTPATCH int damage(void *, int) { return best.hp++; }
    extern "C" HOTPATCH int plain(int x) { return x * ${n}; }
  `;
  const flags = ["-std=c++17"];
  const lib = await shop.library("libscore.so", code(1, "int hp, armour;"), flags, "g++");
  const tool = Tool.spawn(shop, ["--", await shop.host("host", HOST), lib]);
  await tool.next("library:found");
  await tool.prints("damage 103 plain 1");
  await shop.library("libscore.so", code(2, "int hp, armour;"), flags, "g++");
  await tool.switched(1);
  tool.send({ command: "status" });
  t.deepEqual((await tool.next("status")).libraries[0]?.state, [{ name: "best", check: "dwarf" }]);
  const line = (await tool.prints(/^damage \d+ plain 2$/)).split(" ");
  t.true(Number(line[1]) > 103, "it went on counting");
  await shop.library("libscore.so", code(3, "int armour, hp;"), flags, "g++");
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.regex(refused.detail, /best: struct score: field hp: int at 0 -> int at 4/);
  t.is(await tool.end(), 0);
});
