/**
 * What a project's build may do between two saves (jet-live: NewCompilationUnit, NewHeaderDependency, LostModification,
 * UndefinedSymbol, UndefinedSymbolDeep, MultipleDefinitions, StaticVariableSameName, FailedCompilationCrash,
 * ReloadAfterFailedCompilation, OneFrameCompileReload; libpulp: numserv_bsymbolic, endbr64, hidden, relative_path;
 * libhotpatch: patch_test_lib).
 */
import { once } from "node:events";
import { copyFileSync, mkdirSync } from "node:fs";
import { LINKED_HOST } from "../../support/programs.js";
import test from "../../support/test.js";
import { Tool } from "../../support/tool.js";
import { HEADERS, Workshop } from "../../support/workshop.js";

const MAKEFILE = `
SOURCES := $(wildcard src/*.c)
libgame.so: $(SOURCES:src/%.c=obj/%.o)
	gcc -shared -o $@.tmp $^ && mv $@.tmp $@
obj/%.o: src/%.c
	@mkdir -p obj
	gcc -g -O2 -fPIC -MMD -I${HEADERS} -c -o $@ $<
-include $(wildcard obj/*.d)
`;

test("new files, new headers, a unit that comes late, statics of one name and failing builds, by one project's make", async (t) => {
  const shop = new Workshop(t);
  mkdirSync(shop.path("src"));
  shop.write("Makefile", MAKEFILE);
  const one = (before: string, body: string) =>
    shop.write("src/one.c", `#include "hotpatch.h"\n${before}\nHOTPATCH int value(int x) { ${body} }\n`);
  one("", "return 12 * x;");
  const lib = shop.path("libgame.so");
  const [code] = await once(shop.start("make", ["-s", "-C", shop.folder]), "exit");
  t.is(code, 0);
  const host = await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`]);
  const make = ["--build", `make -s -C ${shop.folder}`, "--watch", shop.path("src"), "--library", lib];
  const tool = Tool.spawn(shop, [...make, "--", host]);
  await tool.ready();
  await tool.prints("value 12");

  // A call of a unit that does not exist yet: it links, and the target's loader refuses it.
  one("int second(int);", "return second(x);");
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "load-failed");
  t.regex(refused.detail, /undefined symbol: second/);
  await tool.prints("value 12", tool.output.all.length);

  // The unit comes, with a header of its own: both changes are in.
  shop.write("src/two.h", "enum { NUMBER = 30 };");
  shop.write("src/two.c", '#include "two.h"\nint second(int x) { return NUMBER + 4 * x; }');
  await tool.switched(1);
  await tool.prints("value 34");

  // The header alone.
  shop.write("src/two.h", "enum { NUMBER = 60 };");
  await tool.switched(2);
  await tool.prints("value 64");

  // A failing build, then units that call each other, each with a static of the same name.
  one("", "return second(x) +;");
  t.regex((await tool.next("build:failed")).output, /one\.c:\d+:\d+: error/);
  await tool.prints("value 64", tool.output.all.length);
  shop.write(
    "src/two.c",
    "static int same = 500; int first(int);\nint second(int x) { return x > 5 ? same++ : first(x + 1); }",
  );
  one(
    "static int same = 7000; int second(int);\nint first(int x) { return second(x + 1); }",
    "return second(x) + same++ * 0 + same;",
  );
  await tool.switched(3);
  await tool.prints("value 7501");

  // A build and a look at the artifact asked for in one breath.
  const from = tool.events.length;
  tool.send('{"command":"build"}\n{"command":"reload"}');
  await tool.next("artifact:unchanged", () => true, from);
  await tool.next("build:finished", () => true, from);
  t.is(await tool.end(), 0);
});

test("a library with -Bsymbolic, -fcf-protection and hidden names, named by a relative path beside the loaded one", async (t) => {
  const shop = new Workshop(t);
  for (const folder of ["loaded", "build"]) mkdirSync(shop.path(folder));
  const source = (n: number) => `
    #include "hotpatch.h"
    __attribute__((visibility("default"))) int helper(int x) { return x * ${n}; }
    HOTPATCH int value(int x) { return helper(x); }`;
  const flags = ["-Wl,-Bsymbolic", "-fcf-protection=full", "-fvisibility=hidden", "-Wl,-soname,libgame.so"];
  const built = await shop.library("build/libgame.so", source(1), flags);
  copyFileSync(built, shop.path("loaded/libgame.so"));
  const host = await shop.host("host", LINKED_HOST, [built, `-Wl,-rpath,${shop.path("loaded")}`]);
  const tool = Tool.spawn(shop, ["--library", "./build/../build/libgame.so", "--", host]);
  t.is((await tool.next("library:found")).path, shop.path("loaded/libgame.so"));
  await tool.prints("value 1");
  for (const generation of [1, 2]) {
    await shop.library("build/libgame.so", source(generation + 1), flags);
    await tool.switched(generation);
    await tool.prints(`value ${generation + 1}`);
  }
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  await tool.prints("value 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});
