/** Panics of Rust libraries: between generations, through C, with `panic = "abort"`, and where they end the host. */
import { Crate, cargoTest, OPTIMISED } from "../support/cargo.js";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

/** `rule` is marked; `value` is generation 0's and catches what `call` throws at it. */
const library = (rule: string, call = "unsafe { rule(x) }", more = "") => `
use hotpatch_mark::hotpatch;
use std::panic::{catch_unwind, panic_any};

pub struct Code(i32);
${more}

#[hotpatch]
unsafe fn rule(x: i32) -> i32 { if false { panic_any(Code(x)) } ${rule} }

#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    match catch_unwind(|| ${call}) {
        Ok(result) => result,
        Err(payload) => {
            if let Some(text) = payload.downcast_ref::<String>() { 100 + text.len() as i32 }
            else if let Some(text) = payload.downcast_ref::<&str>() { 200 + text.len() as i32 }
            else if let Some(Code(code)) = payload.downcast_ref() { 300 + code }
            else { -1 }
        }
    }
}
`;

for (const build of [{ what: "dev" }, OPTIMISED])
  cargoTest(`a panic of generation N is caught in generation 0 with its payload (${build.what})`, async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game", build);
    const lib = await crate.build(library("x"));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value 1");
    const cases = [
      { rule: 'panic!("code {x}")', line: "value 106" },
      { rule: 'panic!("static")', line: "value 206" },
      { rule: "panic_any(Code(x + 6))", line: "value 307" },
      { rule: "x * 5", line: "value 5" },
    ];
    for (const { rule, line } of cases) {
      await crate.build(library(rule));
      await tool.prints(line);
    }
    t.is(await tool.end(), 0);
  });

cargoTest("a panic of generation 1 flies through a C function of the host to generation 0", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game");
  const source = (rule: string) =>
    library(
      rule,
      "unsafe { through(call); 0 }",
      `unsafe extern "C-unwind" { fn through(f: extern "C-unwind" fn()); }
       extern "C-unwind" fn call() { unsafe { rule(1) }; }`,
    );
  const lib = await crate.build(source("x"));
  const host = `${DLOPEN_HOST}\nvoid through(void (*f)(void)) { f(); putchar('+'); }`;
  const tool = Tool.spawn(shop, [
    "--",
    await shop.host("host", host, ["-fexceptions", "-rdynamic", "-fno-optimize-sibling-calls"]),
    lib,
  ]);
  await tool.prints("+value 0");
  await crate.build(source('panic!("code {x}")'));
  await tool.prints("value 106");
  t.is(await tool.end(), 0);
});

cargoTest('with panic = "abort" a panic ends the host, as it would without hotpatch', async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game", { what: "abort", env: { CARGO_PROFILE_DEV_PANIC: "abort" } });
  const lib = await crate.build(library("x"));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 1");
  await crate.build(library('panic!("code {x}")'));
  t.is((await tool.next("target:exited")).signal, "SIGABRT");
  t.is((await tool.ended).code, 128 + 6);
  t.true(tool.output.all.some((line) => line.includes("panicked at")));
});

const DEADLY = [
  { what: "a panic of an unmarked closure that another generation made", rule: 'Box::new(|| panic!("from afar"))' },
  {
    what: "a C++ exception that passes through a marked Rust function",
    rule: "{ unsafe { thrower() }; Box::new(|| 0) }",
  },
];

for (const { what, rule } of DEADLY)
  cargoTest(`${what} ends the host: std aborts`, async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game");
    const source = (rule: string) => `
use hotpatch_mark::hotpatch;
unsafe extern "C-unwind" { fn thrower(); }
#[used] static THROWER: unsafe extern "C-unwind" fn() = thrower;
#[hotpatch]
unsafe fn rule(x: i32) -> Box<dyn Fn() -> i32> { ${rule} }
#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    std::panic::catch_unwind(|| unsafe { rule(x) }()).unwrap_or(-1)
}
`;
    const lib = await crate.build(source("Box::new(move || x)"));
    shop.write("thrower.cpp", 'extern "C" void thrower() { throw 1; }');
    await shop.compile("thrower.o", ["-c", shop.path("thrower.cpp")], "g++");
    const args = [shop.path("thrower.o"), "-rdynamic", "-lstdc++"];
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST, args), lib]);
    await tool.prints("value 1");
    await crate.build(source(rule));
    t.is((await tool.next("target:exited")).signal, "SIGABRT");
    t.true(tool.output.all.some((line) => line.includes("Rust cannot catch foreign exceptions")));
  });
