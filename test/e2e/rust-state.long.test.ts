/** What lives on in Rust libraries and what starts anew: state, hooks, statics, thread-locals, std's own, the logger. */
import { Crate, cargoTest, OPTIMISED } from "../support/cargo.js";
import { DLOPEN_HOST } from "../support/programs.js";
import { Tool } from "../support/tool.js";
import { Workshop } from "../support/workshop.js";

const counting = (n: number) => `
use hotpatch_mark::{hotpatch, is_hotpatched, state};
use std::sync::{Mutex, Once, atomic::{AtomicI32, AtomicU32, Ordering}};

state! {
    static SCORE: AtomicI32 = AtomicI32::new(100);
    static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    /// Counted by a thread of generation 0.
    pub static TICKS: AtomicU32 = AtomicU32::new(0);
}

#[hotpatch]
unsafe fn rule(x: i32) -> i32 {
    NAMES.lock().unwrap().push("of ${n}".to_owned());
    ${n} * 1_000_000 + SCORE.fetch_add(x, Ordering::Relaxed)
}

#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    static START: Once = Once::new();
    START.call_once(|| drop(std::thread::spawn(|| loop { TICKS.fetch_add(1, Ordering::Relaxed); std::thread::sleep(std::time::Duration::from_millis(1)) })));
    let result = unsafe { rule(x) };
    // The host's own code sees what the newest generation wrote.
    let seen = SCORE.load(Ordering::Relaxed) == result % 1_000_000 + 1;
    let named = NAMES.lock().unwrap().last().is_some_and(|name| name == &format!("of {}", result / 1_000_000));
    if seen && named { result } else { -1 }
}

extern "C" fn look() {
    let [score, ticks] = [SCORE.load(Ordering::Relaxed), TICKS.load(Ordering::Relaxed) as i32];
    println!("constructor: copy {} score {score} ticks {ticks}", is_hotpatched());
}
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;
`;

for (const build of [{ what: "dev" }, OPTIMISED])
  cargoTest(`state is one for the host, all generations, their threads and constructors (${build.what})`, async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game", build);
    const lib = await crate.build(counting(1));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    t.is((await tool.next("library:found")).state, 3);
    await tool.prints("constructor: copy false score 100 ticks 0");
    await tool.prints("value 1000100");
    let last = 100;
    const goesOn = async (generation: number) => {
      const line = await tool.prints(new RegExp(`^value ${generation + 1}\\d{6}$`), tool.output.all.length);
      const score = Number(line.slice(6)) % 1_000_000;
      t.true(score > last, `${line} after ${last}`);
      last = score;
    };
    for (const generation of [1, 2]) {
      await crate.build(counting(generation + 1));
      await tool.switched(generation);
      await goesOn(generation);
    }
    const [, score, ticks] = /score (\d+) ticks (\d+)/.exec(await tool.prints(/^constructor: copy true/)) ?? [];
    t.true(Number(score) > 100 && Number(ticks) > 0);
    for (const generation of [1, 0, 2]) {
      tool.send({ command: "rollback", generation });
      await tool.switched(generation, tool.events.length);
      await goesOn(generation);
    }
    t.false(tool.output.all.includes("value -1"));
    t.is(await tool.end(), 0);
  });

cargoTest("hooks are called around each switch, and a panic ends the hook and nothing else", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game");
  const source = (n: number) => `
use hotpatch_mark::{after_switch, before_switch, hotpatch};
before_switch!(|from, to| { println!("g${n} before {from} {to}"); if ${n} == 2 { panic!("in a hook") } });
after_switch!(|from, to| { println!("g${n} after {from} {to}"); });
#[hotpatch]
unsafe fn rule(x: i32) -> i32 { x * ${n} }
#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 { unsafe { rule(x) } }
`;
  const lib = await crate.build(source(0));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("value 0");
  await crate.build(source(1));
  await tool.prints("value 1");
  await crate.build(source(2));
  await tool.prints("value 2");
  t.is(await tool.end(), 0);
  t.deepEqual(
    tool.output.all.filter((line) => /^g\d/.test(line)),
    ["g1 before 0 1", "g1 after 0 1", "g2 before 1 2", "g2 after 1 2", "g0 before 2 0", "g0 after 2 0"],
  );
  t.true(
    tool.output.all.some((line) => line.includes("in a hook")),
    "the panic hook told it",
  );
});

const perCopy = (n: number, hook = "") => `
use hotpatch_mark::hotpatch;
use std::cell::Cell;
use std::sync::{Once, atomic::{AtomicI32, Ordering}};

static PLAIN: AtomicI32 = AtomicI32::new(0);
thread_local! { static LOCAL: Cell<i32> = const { Cell::new(0) }; }

struct Logger;
impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata) -> bool { true }
    fn log(&self, record: &log::Record) { println!("logged: {}", record.args()) }
    fn flush(&self) {}
}
static LOGGER: Logger = Logger;
${hook}

#[hotpatch]
unsafe fn rule(x: i32) -> i32 {
    let plain = PLAIN.fetch_add(x, Ordering::Relaxed);
    LOCAL.set(LOCAL.get() + x);
    println!("g${n} plain {plain} local {}", LOCAL.get());
    log::info!("from g${n}");
    let _ = std::panic::catch_unwind(|| panic!("g${n} panics"));
    ${n}
}

#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&LOGGER).unwrap();
        log::set_max_level(log::LevelFilter::Info);
        std::panic::set_hook(Box::new(|info| println!("own hook: {}", info.payload_as_str().unwrap_or(""))));
    });
    unsafe { rule(x) }
}
`;

cargoTest("statics, thread-locals, std's panic hook and the log crate's logger start anew in each copy", async (t) => {
  const shop = new Workshop(t);
  const crate = new Crate(shop, "game", { what: "dev" }, 'log = "=0.4.35"');
  const lib = await crate.build(perCopy(0));
  const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
  await tool.prints("g0 plain 5 local 6");
  await tool.prints("logged: from g0");
  await tool.prints("own hook: g0 panics");

  await crate.build(perCopy(1));
  await tool.prints("g1 plain 0 local 1");
  await tool.prints(/panicked at src.lib\.rs/);
  await tool.prints("g1 plain 3 local 4");
  t.false(tool.output.all.includes("logged: from g1"));
  t.false(tool.output.all.includes("own hook: g1 panics"));

  const lines = `let _ = log::set_logger(&LOGGER);
    log::set_max_level(log::LevelFilter::Info);`;
  await crate.build(perCopy(2, `hotpatch_mark::before_switch!(|_from, _to| { ${lines} });`));
  await tool.prints("logged: from g2");
  for (const generation of [1, 2]) {
    tool.send({ command: "rollback", generation });
    await tool.switched(generation, tool.events.length);
  }
  await tool.prints("logged: from g2", tool.output.all.length);
  t.is(await tool.end(), 0);
});

cargoTest(
  "a global allocator with data of its own is one per copy, and is given what another one allocated",
  async (t) => {
    const shop = new Workshop(t);
    const crate = new Crate(shop, "game");
    const source = (n: number) => `
use hotpatch_mark::{hotpatch, state};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, atomic::{AtomicI32, Ordering}};

/** Writes its number before each block. */
struct Numbered(usize);
static LAST: AtomicI32 = AtomicI32::new(-1);
unsafe impl GlobalAlloc for Numbered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = unsafe { System.alloc(Layout::from_size_align_unchecked(layout.size() + 64, 64)) };
        unsafe { block.cast::<usize>().write(self.0) };
        block.wrapping_add(64)
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let block = at.wrapping_sub(64);
        let owner = unsafe { block.cast::<usize>().read() };
        if owner != self.0 { LAST.store(owner as i32, Ordering::Relaxed) }
        unsafe { System.dealloc(block, Layout::from_size_align_unchecked(layout.size() + 64, 64)) }
    }
}
#[global_allocator]
static ALLOCATOR: Numbered = Numbered(${n});

state! { static KEPT: Mutex<Option<Box<i32>>> = Mutex::new(None); }

#[hotpatch]
unsafe fn rule(x: i32) -> i32 {
    *KEPT.lock().unwrap() = Some(Box::new(x));
    LAST.load(Ordering::Relaxed)
}
#[unsafe(no_mangle)]
pub extern "C" fn value(x: i32) -> i32 { unsafe { rule(x) } }
`;
    const lib = await crate.build(source(7));
    const tool = Tool.spawn(shop, ["--", await shop.host("host", DLOPEN_HOST), lib]);
    await tool.prints("value -1");
    await crate.build(source(8));
    await tool.switched(1);
    await tool.prints("value 7");
    t.is(await tool.end(), 0);
  },
);
