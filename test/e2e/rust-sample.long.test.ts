/** samples/rust by the commands of its README: edited live, its state kept, wherever the library was loaded from. */
import { copyFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import { cargo, cargoTest, fetch, RUST, targetFolder } from "../support/cargo.js";
import { Tool } from "../support/tool.js";
import { ROOT, Workshop } from "../support/workshop.js";

const SAMPLE = join(ROOT, "samples/rust");
const LIBRARY = "pendulum/src/lib.rs";

/** The README's commands of this program, word by word. */
const commands = (program: string): string[][] =>
  readFileSync(join(SAMPLE, "README.md"), "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith(`${program} `))
    .map((line) => (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', "")));

/** A copy of the sample to edit; the README's paths lead to it. */
async function begin(t: ExecutionContext) {
  const shop = new Workshop(t);
  const folder = shop.path("rust");
  cpSync(SAMPLE, folder, { recursive: true, filter: (path) => !path.startsWith(join(SAMPLE, "target")) });
  const manifest = join(folder, "pendulum/Cargo.toml");
  writeFileSync(manifest, readFileSync(manifest, "utf8").replace("../../../mark/rust", RUST));
  await fetch(folder);
  const here = (word: string): string =>
    word
      .replace(/^\/tmp\//, `${shop.folder}/`)
      .replaceAll("samples/rust/target", targetFolder())
      .replaceAll("samples/rust", folder)
      .replace("cargo build", "cargo build --offline");
  const [, ...args] = (commands("cargo")[0] ?? []).map(here);
  await cargo(shop.folder, ["--offline", ...args]);
  /** Starts the README's command of this number. */
  const start = (number: number): Tool => {
    const [, , , ...args] = (commands("node")[number] ?? []).map(here);
    return Tool.spawn(shop, args, { CARGO_TARGET_DIR: targetFolder() });
  };
  const edit = (from: string, to: string): void => {
    const path = join(folder, LIBRARY);
    const text = readFileSync(path, "utf8");
    t.true(text.includes(from), from);
    writeFileSync(path, text.replace(from, to));
  };
  return { shop, start, edit };
}

/** The host's lines are one after the other, whichever generation drew them. */
function swingsOn(t: ExecutionContext, tool: Tool): void {
  const ticks = tool.output.all.flatMap((line) => /^\|.{41}\| (\d+)$/.exec(line)?.[1] ?? []).map(Number);
  t.true(ticks.length > 5);
  t.deepEqual(
    ticks,
    ticks.map((_, i) => i),
  );
}

cargoTest("the pendulum is edited live, and swings on from where it is", async (t) => {
  const { start, edit } = await begin(t);
  const tool = start(0);
  await tool.prints(/^\| *o *\| 3$/);
  edit("'o'", "'#'");
  await tool.prints(/^# generation 1 follows 0 at tick \d+$/);
  const { functions } = await tool.switched(1);
  t.deepEqual(functions.map((f) => [f.name, f.check]).sort(), [
    ["pendulum::draw", "dwarf"],
    ["pendulum::pull", "dwarf"],
  ]);
  await tool.prints(/^\| *# *\| \d+$/);

  edit("ticks: u32", "ticks: i32");
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.regex(refused.detail, /pendulum::Pendulum: field ticks: u32 at 8 -> i32 at 8/);
  edit("ticks: i32", "ticks: u32");
  await tool.prints(/^\| *# *\| \d+$/, tool.output.all.length);

  edit("middle + place", "0.0 * place"); // in an unmarked function
  await tool.prints(/^\|# {40}\| \d+$/);
  t.is(await tool.end(), 0);
  swingsOn(t, tool);
});

cargoTest("the same for a library that was loaded from outside the build folder", async (t) => {
  const { shop, start, edit } = await begin(t);
  copyFileSync(join(targetFolder(), "debug/libpendulum.so"), shop.path("libpendulum.so"));
  const tool = start(1);
  const { path } = await tool.next("library:found");
  t.is(path, shop.path("libpendulum.so"));
  await tool.prints(/^\| *o *\| 3$/);
  edit("'o'", "'#'");
  await tool.prints(/^\| *# *\| \d+$/);
  t.is(await tool.end(), 0);
  swingsOn(t, tool);
});

cargoTest("without its feature the sample holds no marks", async (t) => {
  const { shop } = await begin(t);
  const manifest = join(shop.path("rust"), "Cargo.toml");
  await cargo(shop.folder, ["build", "--offline", "--no-default-features", "--manifest-path", manifest]);
  const library = readFileSync(join(targetFolder(), "debug/libpendulum.so"));
  for (const trace of ["HPMARKS1", "HPSTATE1", "HOTPATCH-FLAG1"]) t.false(library.includes(trace), trace);
});
