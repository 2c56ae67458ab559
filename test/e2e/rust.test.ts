/** Rust libraries: built by cargo in every usual way, edited live, rolled back. */

import { type Build, Crate, cargoTest } from "../support/cargo.js";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

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
  { what: "packed relocations", env: { RUSTFLAGS: "-Clink-arg=-Wl,-z,pack-relative-relocs" } },
];

const library = (n: number) => `
use hotpatch_mark::{HotpatchLayout, hotpatch};

#[derive(HotpatchLayout)]
struct Rule { factor: i32 }

fn unmarked() -> i32 { ${n} }

mod rules {
    use super::*;
    #[hotpatch]
    pub unsafe fn apply(rule: &mut Rule, x: i32) -> Option<i32> {
        rule.factor = unmarked();
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
    await tool.prints("value 1");
    for (const generation of [1, 2]) {
      await crate.build(library(generation + 1));
      const { functions } = await tool.switched(generation);
      t.deepEqual(functions, [{ name: "game::rules::apply", status: "switched", check: "record" }]);
      await tool.prints(`value ${generation + 1}`);
    }
    for (const generation of [1, 0, 2]) {
      const from = tool.output.all.length;
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, tool.events.length);
      await tool.prints(`value ${generation + 1}`, from);
    }
    t.is(await tool.end(), 0);
    t.deepEqual(shop.leftovers(), []);
  });
