/** Rust libraries: built by cargo in every usual way, edited live, rolled back. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspectLibrary } from "../../cli/commands/inspect.js";
import { type Build, Crate, cargoTest } from "../support/cargo.js";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Lines, Workshop } from "../support/workshop.js";

const BUILDS: readonly Build[] = [
  { what: "dev" },
  { what: "release", args: ["--release"] },
  {
    what: 'release, lto = "fat", stripped',
    args: ["--release"],
    env: {
      CARGO_PROFILE_RELEASE_LTO: "fat",
      CARGO_PROFILE_RELEASE_STRIP: "true",
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "1",
    },
  },
  { what: 'panic = "abort"', env: { CARGO_PROFILE_DEV_PANIC: "abort" } },
  { what: "packed relocations", linkArg: "-Wl,-z,pack-relative-relocs" },
];

const library = (n: number, more = "") => `
use hotpatch_mark::{HotpatchLayout, hotpatch, state};
use std::sync::atomic::{AtomicI32, Ordering};

state! { static CALLS: AtomicI32 = AtomicI32::new(0); }

#[derive(HotpatchLayout)]
struct Rule { factor: i32 }

fn unmarked() -> i32 { ${more} ${n} }

mod rules {
    use super::*;
    #[hotpatch]
    pub unsafe fn apply(rule: &mut Rule, x: i32) -> Option<i32> {
        rule.factor = unmarked();
        // Later generations go on counting where the first one was.
        if CALLS.fetch_add(1, Ordering::Relaxed) == 0 && unmarked() > 1 { return None }
        Some(rule.factor * x)
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    unsafe { rules::apply(&mut Rule { factor: 0 }, x) }.unwrap_or(-1)
}
`;

for (const build of BUILDS)
  cargoTest(`a marked function is switched through generations and rolled back (${build.what})`, async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game", build);
    const lib = await crate.build(library(1));
    const tool = Tool.spawn(shop, ["-l", lib, "--", await shop.host("host", DLOPEN_HOST), lib]);
    t.is((await tool.next("library:found")).functions, 1);
    if (build.linkArg !== undefined) t.true(readFileSync(lib).includes(".relr.dyn"), "relocations are packed");
    await tool.prints("value 1");
    for (const generation of [1, 2]) {
      await crate.build(library(generation + 1));
      const { functions } = await tool.switched(generation);
      // cargo's release profile leaves debug information out.
      const check = build.args?.includes("--release") ? "record" : "dwarf";
      t.deepEqual(
        functions.map(({ name, status, check }) => ({ name, status, check })),
        [{ name: "game::rules::apply", status: "switched", check }],
      );
      await tool.prints(`value ${generation + 1}`);
    }
    for (const generation of [1, 0, 2]) {
      const from = tool.output.all.length;
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, tool.events.length);
      await tool.prints(`value ${generation + 1}`, from);
    }
    t.false(tool.output.all.includes("value -1"));
    t.is(await tool.end(), 0);
    t.deepEqual(shop.leftovers(), []);
  });

cargoTest(
  "a stripped library is adopted by its records in memory when its file was replaced before hotpatch came",
  async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game", { what: "stripped", env: { CARGO_PROFILE_DEV_STRIP: "true" } });
    const lib = await crate.build(library(1));
    const host = shop.start(await shop.host("host", DLOPEN_HOST), [lib]);
    const lines = new Lines(host.stdout);
    await lines.next((line) => line === "value 1", "value 1");
    await crate.build(library(2));
    await crate.build(library(3));
    const tool = Tool.attach(shop, ["-l", lib, String(host.pid)]);
    t.is((await tool.next("library:found")).functions, 1);
    // Built while nobody watched: it counts as the first change.
    const { functions } = await tool.switched(1);
    t.deepEqual(
      functions.map(({ name, status }) => [name, status]),
      [["game::rules::apply", "switched"]],
    );
    await lines.next((line) => line === "value 3", "value 3");
    t.is(await tool.end(), 0);
    await lines.next((line) => line === "value 1", "value 1 again", lines.all.length);
  },
);

cargoTest("marks of a crate that the library depends on are switched as its own", async (t) => {
  const shop = new Workshop(t);
  const rules = new Crate(shop, "rules");
  rules.write("Cargo.toml", readFileSync(join(rules.folder, "Cargo.toml"), "utf8").replace("cdylib", "rlib"));
  const rule = (n: number) => `
    #[hotpatch_mark::hotpatch]
    pub unsafe fn apply(x: i32) -> i32 { x * ${n} }`;
  const crate = new Crate(shop, "game", { what: "dev" }, `rules = { path = "../rules" }`);
  const source = '#[unsafe(no_mangle)] pub extern "C" fn value(x: i32) -> i32 { unsafe { rules::apply(x) } }';
  rules.write("src/lib.rs", rule(1));
  const lib = await crate.build(source);
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  rules.write("src/lib.rs", rule(2));
  await crate.build(source);
  t.deepEqual((await tool.switched(1)).functions, [{ name: "rules::apply", status: "switched", check: "dwarf" }]);
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
});

cargoTest(
  "inspect tells a Rust library's marks and state, and of its statics those that the author wrote",
  async (t) => {
    const shop = new Workshop(t);
    const counter = "static COUNT: AtomicI32 = AtomicI32::new(0); COUNT.fetch_add(1, Ordering::Relaxed);";
    const { functions, state, notes, flag } = inspectLibrary(await new Crate(shop, "game").build(library(1, counter)));
    t.deepEqual(
      functions.map(({ demangled, patchable }) => [demangled, patchable]),
      [["game::rules::apply", true]],
    );
    t.deepEqual(
      state.map(({ name, type }) => [name, type]),
      [["game::CALLS", "AtomicI32"]],
    );
    t.true(flag);
    t.deepEqual(
      notes.map((note) => note.what),
      ["statics start afresh in each generation: game::unmarked::COUNT"],
    );
  },
);
