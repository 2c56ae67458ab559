/** Each sample does what its README says: its three commands are taken from there, and an edit arrives in its host. */
import { execFile } from "node:child_process";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ExecutionContext } from "ava";
import test from "../support/test.js";
import { Tool } from "../support/tool.js";
import { ROOT, Workshop } from "../support/workshop.js";

const run = promisify(execFile);

/** A clone with this sample built as its README says, and a session as its README starts one. */
async function follow(t: ExecutionContext, sample: string): Promise<{ tool: Tool; edit: Edit }> {
  const shop = new Workshop(t);
  cpSync(join(ROOT, sample), shop.path(sample), {
    recursive: true,
    filter: (path) => !/\/(build|target)$/.test(path),
  });
  for (const name of ["mark", "dist", "package.json"]) symlinkSync(join(ROOT, name), shop.path(name));
  const readme = readFileSync(shop.path(`${sample}/README.md`), "utf8");
  const [first, make = "", session = "", ...more] = /```\n([^`]*)```/.exec(readme)?.[1]?.trim().split("\n") ?? [];
  t.deepEqual([first, more], ["npm run build", []], "three commands, of which the first builds hotpatch");
  await run("sh", ["-c", make], { cwd: shop.folder });
  const words = (await run("sh", ["-c", `printf '%s\\n' ${session}`])).stdout.trim().split("\n");
  t.deepEqual(words.slice(0, 3), ["node", "dist/cli/main.js", "spawn"]);
  const tool = Tool.spawn(shop, words.slice(3));
  await tool.ready();
  return {
    tool,
    edit: (file, before, after) => {
      const path = shop.path(join(sample, file));
      const text = readFileSync(path, "utf8");
      t.true(text.includes(before), `${file} has ${before}`);
      writeFileSync(path, text.replace(before, after));
    },
  };
}
type Edit = (file: string, before: string, after: string) => void;

test("samples/c: an edited number is in the host's next line", async (t) => {
  const { tool, edit } = await follow(t, "samples/c");
  await tool.prints(/^tick \d+ damage 10 /);
  edit("game.c", "return 10;", "return 25;");
  await tool.prints(/^tick \d+ damage 25 /);
  t.is(await tool.end(), 0);
});

test("samples/cpp: shapes, sea and speed change while the same fish swim on", async (t) => {
  const { tool, edit } = await follow(t, "samples/cpp");
  const steps = (line: string) => Number.parseInt(line, 10);
  const before = await tool.prints(/^\d+ \|.*><>.*\|$/);
  edit("aquarium.cpp", '"><>"', '">O>"');
  edit("aquarium.cpp", "'~'", "'.'");
  const after = await tool.prints(/^\d+ \|\.+.*>O>.*\|$/);
  t.true(steps(after) > steps(before), "the tank that generation 0 made is still the one");
  const lines = tool.output.all.map(steps).filter((n) => n > 0);
  t.deepEqual(
    lines,
    [...lines].sort((a, b) => a - b),
  );
  t.is(await tool.end(), 0);
});
