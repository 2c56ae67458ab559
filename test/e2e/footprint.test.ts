/** What a session itself takes of the machine. */
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { DLOPEN_HOST, library } from "../support/programs.js";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

/** MB of its files that a process has in memory. */
const filesOf = (pid: number): number =>
  Number(/^RssFile:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

test("the bridge gives back the pages of Frida's module that it has done with, and goes on working", async (t) => {
  const shop = new Workshop(t);
  const lib = await shop.library("libgame.so", library(1));
  const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
  const output = new Lines(host.stdout);
  await output.next((line) => line.includes("1"), "generation 0");
  const tool = Tool.attach(shop, [String(host.pid)]);
  await tool.ready();
  const bridge = tool.bridge();
  for (let i = 0; i < 500 && filesOf(bridge) > 40; i++) await wait(20);
  t.true(filesOf(bridge) <= 40, `${filesOf(bridge)} MB`);
  await shop.library("libgame.so", library(2));
  await tool.switched(1);
  t.is(await tool.end(), 0);
});
