/** --plain, as a person, a log or a screen reader follows it, and what is chosen where there is no terminal. */
import { spawnSync } from "node:child_process";
import test from "../support/test.js";
import { CLI } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

const HOST = `
#include <stdio.h>
#include <unistd.h>
int value(int);
int main(void) { setvbuf(stdout, NULL, _IOLBF, 0); for (int i = 0; i < 30000; i++) { printf("value %d\\n", value(1)); usleep(20000); } }
`;
const source = (n: number) => `#include "hotpatch.h"\nHOTPATCH int value(int x) { return x * ${n}; }\n`;

test("lines say what the screen would, by the names of the source, and end with what it came to", async (t) => {
  const shop = new Workshop(t);
  const make = (n: number) => shop.library("libgame.so", source(n), [], "g++");
  const lib = await make(1);
  shop.write("main.cpp", HOST);
  const host = await shop.compile("host", ["main.cpp", lib, `-Wl,-rpath,${shop.folder}`], "g++");
  const tool = shop.start(process.execPath, [CLI, "spawn", "--", host], { env: { ...process.env, TMPDIR: shop.temp } });
  const lines = new Lines(tool.stdout);
  const says = (fits: RegExp) => lines.next((line) => fits.test(line), String(fits));
  shop.owns(Number(/pid (\d+)/.exec(await says(/hotpatch .*host \(pid \d+\)/))?.[1]));
  await says(/^host \| value 1$/);
  await make(2);
  await says(/libgame\.so: generation 1 runs \(was 0; artifact\) after .*1 switched \(value\(int\)\)/);
  await says(/^host \| value 2$/);
  const ended = new Promise((resolve) => tool.once("exit", resolve));
  tool.kill("SIGINT");
  t.is(await ended, 0);
  t.regex(
    lines.all.at(-1) ?? "",
    /in this session: 0 builds \(0 failed\); 1 new generation, 0 refused; libgame\.so has 2 generations/,
  );
});

test("attach without a target is a usage error where no list can be shown", (t) => {
  const { status, stderr } = spawnSync(process.execPath, [CLI, "attach"], { encoding: "utf8" });
  t.is(status, 2);
  t.regex(stderr, /missing required argument 'target'/);
});
