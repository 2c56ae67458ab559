/** Shapes of arguments in Rust (libhotpatch: proc_macro; hot-lib-reloader: lib-loader-test), across generations. */
import { Crate, cargoTest } from "../../support/cargo.js";
import { DLOPEN_HOST } from "../../support/programs.js";
import { Tool } from "../../support/tool.js";
import { Workshop } from "../../support/workshop.js";

const library = (n: number) => `
use hotpatch_mark::{HotpatchLayout, hotpatch};

#[derive(HotpatchLayout)]
pub struct Add { a: i32, b: i32 }
#[derive(HotpatchLayout)]
#[repr(C)]
pub struct Pair<A, B>(A, B);

#[hotpatch]
unsafe fn tuple((a, b): (i32, i32)) -> i32 { (a + b) * ${n} }
#[hotpatch]
unsafe fn fields(Add { a, b }: Add) -> i32 { (a + b) * ${n} }
#[hotpatch]
unsafe fn generic(Pair(a, b): Pair<i32, i32>) -> i32 { (a + b) * ${n} }
#[hotpatch]
unsafe fn borrowed<'a>(numbers: &'a [i32; 3]) -> &'a i32 { &numbers[${n} - 1] }
#[hotpatch]
unsafe fn boxed(f: Box<dyn Fn() -> i32>) -> i32 { f() + ${n} }
#[hotpatch]
unsafe fn text(before: String) -> String { format!("{before}{}", ${n}) }

// Not marked: the host runs generation 0's to the end, and all that differs comes from marked functions.
#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    let four = 4 * x;
    unsafe {
        tuple((x, 2)) + fields(Add { a: x, b: 2 }) + generic(Pair(x, 2)) + borrowed(&[10, 20, 30])
            + boxed(Box::new(move || four))
            + 100 * text("a text that is longer than any inline buffer ".to_string())[45..].parse::<i32>().unwrap_or(-9)
    }
}
`;

cargoTest("tuples, fields, generics, borrows, closures and strings pass through every generation", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game");
  const lib = await crate.build(library(1));
  const tool = Tool.spawn(shop, ["-l", lib, "--", await shop.host("host", DLOPEN_HOST), lib]);
  t.is((await tool.next("library:found")).functions, 6);
  await tool.ready();
  await tool.prints("value 124");
  for (const generation of [1, 2]) {
    await crate.build(library(generation + 1));
    await tool.switched(generation);
    await tool.prints(`value ${120 * (generation + 1) + 4}`);
  }
  tool.send({ command: "rollback", generation: 0 });
  await tool.switched(0);
  await tool.prints("value 124", tool.output.all.length);
  t.is(await tool.end(), 0);
});
