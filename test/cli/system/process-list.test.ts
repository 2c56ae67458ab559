/** Which processes `attach` without a target offers, and which of their libraries it names. Real hosts. */
import { rmSync } from "node:fs";
import test from "ava";
import { attachable } from "../../../cli/system/process-list.js";
import { DLOPEN_HOST, library } from "../../support/programs.js";
import { Tool } from "../../support/tool.js";
import { Lines, Workshop } from "../../support/workshop.js";

const markedIn = (pid: number | undefined) => attachable().find((one) => one.pid === pid)?.marked;

test("a host is offered with its library, also after that was rebuilt or deleted; one without marks has none", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const plain = await shop.library("libplain.so", "int value(int x) { return x; }");
  const program = await shop.host("host", DLOPEN_HOST);
  const [host, other] = [lib, plain].map((one) => shop.start(program, [one]));
  for (const one of [host, other]) await new Lines(one?.stdout ?? null).next((line) => line === "value 1", "value 1");
  t.deepEqual(markedIn(host?.pid), ["libgame.so"]);
  t.deepEqual(markedIn(other?.pid), []);
  await shop.library("libgame.so", library(2)); // a new file under the old name
  t.deepEqual(markedIn(host?.pid), ["libgame.so"]);
  await shop.library("libplain.so", "int value(int x) { return x + 1; }");
  t.deepEqual(markedIn(other?.pid), []);
  if (process.getuid?.() !== 0) return; // only root may read what has no path any more
  rmSync(lib);
  t.deepEqual(markedIn(host?.pid), ["libgame.so"]);
});

test("a host whose library an earlier session has staged is offered with it, and not with its copies", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.next("library:found");
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  t.is(await tool.end(true), 0);
  t.deepEqual(markedIn(tool.pid), ["libgame.so"]);
});
