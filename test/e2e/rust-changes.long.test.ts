/** Changes that a Rust build may not bring while old callers and live data are there: refused, with the change named. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Build, Crate, cargoTest } from "../support/cargo.js";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

interface Parts {
  /** Of Stats. */
  readonly fields?: string;
  /** Of Player, which `rule` is given. */
  readonly player?: string;
  readonly argument?: string;
  readonly lifetime?: string;
  readonly result?: string;
  readonly more?: string;
}

/** A library whose value(1) is `n`, unless `result` says something else. */
const library = (n: number, parts: Parts = {}) => `
use hotpatch_mark::{HotpatchLayout, hotpatch};

#[derive(HotpatchLayout, Default)]
struct Stats { ${parts.fields ?? "name: &'static str, hp: u32"} }
#[derive(HotpatchLayout, Default)]
struct Player { level: u8, ${parts.player ?? "stats: Vec<Stats>"} }

#[hotpatch]
unsafe fn rule${parts.lifetime ?? ""}(player: &mut Player, x: ${parts.argument ?? "i32"}) -> i32 {
    player.level = ${n};
    ${parts.result ?? `x as i32 * ${n}`}
}

${parts.more ?? ""}

#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 { unsafe { rule(&mut Player::default(), x as ${parts.argument ?? "i32"}) } }
`;

/** Records are all there is. */
const UNTOLD: Build = { what: "no debug information", env: { CARGO_PROFILE_DEV_DEBUG: "0" } };

cargoTest("what other tools accept is refused: a changed signature, and a changed layout of equal size", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game", UNTOLD);
  const lib = await crate.build(library(1));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");

  await crate.build(library(2, { argument: "f32" }));
  const signature = await tool.next("generation:refused");
  t.is(signature.code, "signature-changed");
  t.is(signature.detail, "game::rule: unsafe fn(&mut Player, i32) -> i32 -> unsafe fn(&mut Player, f32) -> i32");
  t.deepEqual(signature.functions, [
    {
      name: "game::rule",
      status: "refused",
      reason: "unsafe fn(&mut Player, i32) -> i32 -> unsafe fn(&mut Player, f32) -> i32",
      check: "record",
    },
  ]);
  t.is(signature.running, 0);

  const from = tool.events.length;
  await crate.build(library(2, { fields: "name: &'static str, hp: f32" }));
  const layout = await tool.next("generation:refused", () => true, from);
  t.is(layout.code, "layout-changed");
  t.regex(layout.detail, /^game::rule: argument 1: laid out differently/);
  t.regex(layout.detail, /game::Stats: field hp: u32 at (\d+) -> f32 at \1/);
  await tool.prints("value 1", tool.output.all.length);

  // What only looks different may come: another lifetime, another argument's name, another order of the source.
  await crate.build(
    library(3, { lifetime: "<'a>" }).replace("(player: &mut", "(someone: &'a mut").replace("player.", "someone."),
  );
  const { functions } = await tool.switched(1);
  t.deepEqual(functions, [{ name: "game::rule", status: "switched", check: "record" }]);
  await tool.prints("value 3");
  tool.send({ command: "status" });
  const { libraries } = await tool.next("status");
  t.deepEqual(
    libraries[0]?.functions.map(({ name, check }) => [name, check]),
    [["game::rule", "record"]],
  );
  t.is(await tool.end(), 0);
});

cargoTest(
  "debug information and records see what the other does not, and signatures are told in the author's words",
  async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game");
    const lib = await crate.build(library(1));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 1");
    await crate.build(library(2, { argument: "f32" }));
    const signature = await tool.next("generation:refused");
    t.is(signature.code, "signature-changed");
    t.is(signature.functions[0]?.check, "dwarf");
    t.is(signature.detail, "game::rule: unsafe fn(&mut Player, i32) -> i32 -> unsafe fn(&mut Player, f32) -> i32");
    const from = tool.events.length;
    await crate.build(library(2, { fields: "name: &'static str, hp: f32" }));
    const layout = await tool.next("generation:refused", () => true, from);
    // A Vec's elements are behind a pointer to bytes; what it was made with names them.
    t.is(layout.functions[0]?.check, "dwarf");
    t.regex(layout.detail, /game::Stats: field hp: u32 at (\d+) -> f32 at \1/);
    await tool.prints("value 1", tool.output.all.length);
    await crate.build(library(3));
    t.deepEqual((await tool.switched(1)).functions, [{ name: "game::rule", status: "switched", check: "dwarf" }]);
    await tool.prints("value 3");
    t.is(await tool.end(), 0);
  },
);

cargoTest("a changed layout of a type that live state holds is refused, although its size is the same", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game", UNTOLD);
  const state =
    "hotpatch_mark::state! { static WORLD: std::sync::Mutex<Option<Stats>> = std::sync::Mutex::new(None); }";
  const source = (n: number, hp: string) =>
    library(n, { fields: `hp: ${hp}`, player: "", more: state, result: `*WORLD.lock().unwrap() = None; x * ${n}` });
  const lib = await crate.build(source(1, "u32"));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  t.is((await tool.next("library:found")).state, 1);
  await tool.prints("value 1");
  await crate.build(source(2, "f32"));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.is(refused.detail, "state game::WORLD: game::Stats: field hp: u32 at 0 -> f32 at 0");
  await crate.build(source(3, "u32"));
  await tool.switched(1);
  await tool.prints("value 3");
  t.is(await tool.end(), 0);
});

cargoTest("two marks of one name are refused with both places, until one has a name of its own", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game");
  const methods = (attribute: string) => `
struct Cat; struct Dog;
trait Animal { unsafe fn legs(x: i32) -> i32; }
impl Animal for Cat {
    #[hotpatch(name = "Cat::legs")]
    unsafe fn legs(x: i32) -> i32 { x * 4 }
}
impl Animal for Dog {
    ${attribute}
    unsafe fn legs(x: i32) -> i32 { x * 3 }
}
impl Dog {
    #[hotpatch]
    unsafe fn bark(x: i32) -> i32 { x * 100 }
}
impl Cat {
    #[hotpatch]
    unsafe fn bark(x: i32) -> i32 { x * 1000 }
}`;
  const clash = methods('#[hotpatch(name = "Dog::legs")]');
  const unique = clash.replace("#[hotpatch]", '#[hotpatch(name = "Dog::bark")]');
  const source = (more: string) =>
    library(1, { more, result: "unsafe { Cat::legs(Dog::legs(Dog::bark(Cat::bark(x)))) }" });
  const lib = await crate.build(source(unique));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  t.is((await tool.next("library:found")).functions, 5);
  await tool.prints("value 1200000");
  await crate.build(source(clash));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "ambiguous-name");
  t.is(refused.detail, "2 marked functions have this name: src/lib.rs:27, src/lib.rs:31");
  await crate.build(source(unique.replace("x * 4", "x * 5")));
  const { functions } = await tool.switched(1);
  t.deepEqual(functions.map((f) => f.name).sort(), [
    "game::Cat::legs",
    "game::Dog::bark",
    "game::Dog::legs",
    "game::bark",
    "game::rule",
  ]);
  await tool.prints("value 1500000");
  t.is(await tool.end(), 0);
});

/** A built library, and a way to put others like it in its place. */
async function placed(shop: Workshop) {
  const built = readFileSync(await new Crate(shop, "game").build(library(1)));
  const lib = shop.path("libgame.so");
  const place = (bytes: Buffer) => {
    writeFileSync(`${lib}.new`, bytes);
    renameSync(`${lib}.new`, lib);
  };
  place(built);
  /** The library with one text in it written over by another of the same length. */
  const other = (from: string, to: string): Buffer => {
    const bytes = Buffer.from(built);
    bytes.write(to, bytes.indexOf(from), "latin1");
    return bytes;
  };
  return { lib, place, other };
}

cargoTest("a build of another rustc is refused: it may lay the same types out differently", async (t) => {
  const shop = new Workshop(t);
  const { lib, place, other } = await placed(shop);
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  place(other("rustc version 1.", "rustc version 0."));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "layout-changed");
  t.regex(refused.detail, /^game::rule: built by rustc version 1\S+ .* -> rustc version 0\S+ .*$/);
  await tool.prints("value 1", tool.output.all.length);
  t.is(await tool.end(), 0);
});

cargoTest("records of another version are refused with both versions named, and told of the host's own", async (t) => {
  const shop = new Workshop(t);
  const { lib, place, other } = await placed(shop);
  const says = "a record of hp_marks has version 2; this hotpatch reads version 1";
  const host = await shop.host("host", DLOPEN_HOST);
  const tool = Tool.spawn(shop, ["--", host, lib]);
  await tool.prints("value 1");
  place(other("HPMARKS1", "HPMARKS2"));
  const refused = await tool.next("generation:refused");
  t.is(refused.code, "artifact-invalid");
  t.is(refused.detail, says);
  t.is(await tool.end(), 0);

  const second = Tool.spawn(shop, ["--", host, lib]);
  const warning = await second.next("warning");
  t.is(warning.code, "artifact-invalid");
  t.is(warning.detail, says);
  t.is(await second.end(), 0);
});
