/** What a rollback would change, asked before it does. */

import { DLOPEN_HOST, LINKED_HOST } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const source = (n: number) => `
#include "hotpatch.h"
HOTPATCH int value(int x) { return x * ${n}; }
HOTPATCH int same(int x) { return x; }
${n === 2 ? "HOTPATCH int added(int x) { return x; }" : ""}
`;

test("a preview names the functions that a rollback would change, and changes none", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", source(2));
  await tool.switched(1);
  await tool.prints("value 2");
  tool.send({ command: "preview", generation: 0 });
  const { library, generation, from, functions } = await tool.next("preview");
  t.deepEqual([library, generation, from], ["libgame.so", 0, 1]);
  t.deepEqual(Object.fromEntries(functions.map((f) => [f.name, f.status])), {
    value: "switched",
    same: "unchanged",
    added: "missing",
  });
  const seen = tool.output.all.length;
  await tool.prints("value 2", seen + 1);
  const at = tool.events.length;
  tool.send({ command: "preview", generation: 7 });
  t.is((await tool.next("error", () => true, at)).code, "no-such-generation");
  t.is(await tool.end(), 0);
});

test("commands that come before the session is ready are answered once it is", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", source(1));
  // Linked: it is there when the session is ready, whatever the host's own pace.
  const tool = Tool.spawn(shop, ["--", await shop.host("host", LINKED_HOST, [lib, `-Wl,-rpath,${shop.folder}`])]);
  tool.send({ command: "status" });
  tool.send({ command: "preview", generation: 0 });
  tool.send({ command: "rollback", generation: 7 });
  await tool.next("session:ready");
  await tool.next("preview");
  await tool.next("status");
  t.is((await tool.next("error")).code, "no-such-generation");
  t.is(await tool.end(), 0);
});
