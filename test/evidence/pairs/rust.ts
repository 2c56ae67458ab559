/** Pairs in Rust. */
import { type Expectation, type Pair, pairsOf, type Row } from "./pair.js";
import { CORE, type Edit, MORE } from "./rust-edits.js";

const HEAD = "#![allow(warnings)]\nuse hotpatch_mark::{HotpatchLayout, hotpatch};\nuse std::collections::*;";

/** A way to reach `E` from a marked function. */
interface Way {
  readonly name: string;
  readonly cause: string;
  readonly around: (declare: string, use: string) => string;
  readonly hidden?: string;
}

const mark = (declare: string, argument: string, get: string, use: string): string =>
  `${declare}\n#[hotpatch]\npub unsafe fn f(p: ${argument}) -> i64 { let e: &E = ${get}; ${use} }`;
const way = (
  name: string,
  cause: string,
  argument: string,
  get: string,
  more: { declare?: string; hidden?: string } = {},
): Way => ({
  name,
  cause,
  around: (declare, use) => mark(`${declare}\n${more.declare ?? ""}`, argument, get, use),
  ...(more.hidden !== undefined && { hidden: more.hidden }),
});
const held = (type: string, get: string): Way =>
  way(`a ${type}`, `Rust ${type.split("<")[0]}`, "&S", get, { declare: `pub struct S { n: i32, m: ${type} }` });

const WAYS: readonly Way[] = [
  way("a reference", "Rust struct", "&E", "p"),
  way("value", "by value", "E", "&p"),
  way("a raw pointer", "pointer", "*mut E", "unsafe { &*p }"),
  way("a field", "nested", "&mut S", "&p.e", { declare: "#[repr(C)] pub struct S { n: i32, e: E, after: i32 }" }),
  way("a slice", "array", "&[E]", "&p[1]"),
  way("an array", "array", "&[E; 4]", "&p[1]"),
  way("an Option of a Box", "pointer", "Option<Box<E>>", "p.as_deref().unwrap()"),
  held("Vec<E>", "&p.m[1]"),
  held("Vec<Box<E>>", "&p.m[1]"),
  held("HashMap<i32, E>", "&p.m[&1]"),
  held("BTreeMap<i32, E>", "&p.m[&1]"),
  held("VecDeque<E>", "&p.m[1]"),
  held("std::rc::Rc<E>", "&p.m"),
  held("std::sync::Arc<E>", "&p.m"),
  held("std::cell::RefCell<E>", "&*p.m.borrow()"),
  held("std::sync::Mutex<E>", "&*p.m.lock().unwrap()"),
  held("(i32, E)", "&p.m.1"),
  held("Result<E, String>", "p.m.as_ref().ok().unwrap()"),
  held("fn(i32) -> &'static E", "(p.m)(1)"),
  way("a generic", "template argument", "&Pool<E>", "&p.value", { declare: "pub struct Pool<T> { n: i32, value: T }" }),
  way("an enum's data", "Rust enum", "&Shape", "match p { Shape::Full(e) => e, _ => return 0 }", {
    declare: "pub enum Shape { Empty, Full(Box<E>) }",
  }),
  way("a trait object", "Rust trait object", "&dyn Look", "p.look()", {
    declare: "pub trait Look { fn look(&self) -> &E; }",
    hidden: "nothing describes the methods of a trait",
  }),
  way(
    "dyn Any",
    "Rust trait object",
    "&dyn std::any::Any",
    "unsafe { &*(p as *const dyn std::any::Any as *const E) }",
    { hidden: "dyn Any does not say what it holds" },
  ),
  way("a void pointer", "void pointer", "*mut std::ffi::c_void", "unsafe { &*(p as *const E) }", {
    hidden: "a void pointer does not say where it leads",
  }),
  way("a pointer to bytes", "byte buffer", "&S", "unsafe { &*(p.raw as *const E) }", {
    declare: "pub struct S { n: i32, raw: *mut u8 }",
    hidden: "bytes do not say what lies in them",
  }),
  {
    name: "state",
    cause: "state",
    around: (declare, use) =>
      `${declare}\nhotpatch_mark::state! { static WORLD: std::sync::Mutex<Option<E>> = std::sync::Mutex::new(None); }\n#[hotpatch]\npub unsafe fn f() -> i64 { let guard = WORLD.lock().unwrap(); let e: &E = guard.as_ref().unwrap(); ${use} }`,
  },
  {
    name: "state with a Vec",
    cause: "state",
    around: (declare, use) =>
      `${declare}\nhotpatch_mark::state! { static WORLD: std::sync::Mutex<Vec<E>> = std::sync::Mutex::new(Vec::new()); }\n#[hotpatch]\npub unsafe fn f() -> i64 { let guard = WORLD.lock().unwrap(); let e: &E = &guard[0]; ${use} }`,
  },
];

/** Those whose types may be made Sync by nothing but what they hold. */
const isShared = (one: Edit): boolean => !/Rc<|Cell<|\*const|\*mut/.test(one.old + one.new);

const derived = (declare: string): string =>
  declare.replace(/((?:#\[repr\([^)]*\)\] )?pub (?:struct|enum) (?:E|In|Kind)\b)/g, "#[derive(HotpatchLayout)] $1");

function along(one: Edit, { name, cause, around, hidden }: Way, derives: boolean): Row {
  const { what, expect, why, old, new: now, use } = one;
  const uses = typeof use === "string" ? [use, use] : use;
  const isHidden = expect === "refuse" && hidden !== undefined;
  const declare = (text: string) => (derives ? derived(text) : text);
  return {
    what: `${one.cause}, ${what}, by ${name}${derives ? ", derived" : ""}`,
    cause: isHidden || one.cause === "Rust struct" ? cause : one.cause,
    expect: isHidden ? "not-seen" : expect,
    why: isHidden ? `${why}; ${hidden}` : why,
    old: around(declare(old), uses[0] ?? ""),
    new: around(declare(now), uses[1] ?? ""),
  };
}

const fits = (one: Edit, { cause }: Way): boolean => cause !== "state" || isShared(one);

const product: readonly Row[] = CORE.flatMap((one) =>
  WAYS.filter((to) => fits(one, to)).map((to) => along(one, to, false)),
);
const derivedRows: readonly Row[] = [...CORE, ...MORE]
  .filter(({ derives }) => derives === true)
  .map((one) => along(one, WAYS[0] as Way, true));
const turns: readonly Row[] = MORE.flatMap((one, i) => {
  const fitting = WAYS.filter((to) => fits(one, to));
  const taken = new Set([fitting[0], fitting[(i * 5 + 1) % fitting.length], fitting[(i * 5 + 11) % fitting.length]]);
  return [...taken].flatMap((to) => (to === undefined ? [] : [along(one, to, false)]));
});

const row = (cause: string, what: string, expect: Expectation, why: string, before: string, after: string): Row => ({
  what: `${cause}, ${what}`,
  cause,
  expect,
  why,
  old: before,
  new: after,
});
const marked = (text: string): string => `#[hotpatch]\npub unsafe ${text}`;
const signature = (
  what: string,
  why: string,
  before: string,
  after: string,
  expect: Expectation = "refuse",
  head: readonly [string, string] = ["", ""],
): Row => row("signature", what, expect, why, `${head[0]}${marked(before)}`, `${head[1]}${marked(after)}`);

const SIGNATURES: readonly Row[] = [
  signature(
    "argument added",
    "old callers pass nothing for it",
    "fn f(a: i32) -> i32 { a }",
    "fn f(a: i32, b: i32) -> i32 { a + b }",
  ),
  signature(
    "argument's kind",
    "old callers pass it in another register",
    "fn f(a: i32) -> i32 { a }",
    "fn f(a: f32) -> i32 { a as i32 }",
  ),
  signature(
    "argument's sign",
    "a negative number arrives as a large one",
    "fn f(a: i32) -> i64 { a as i64 }",
    "fn f(a: u32) -> i64 { a as i64 }",
  ),
  signature(
    "arguments swapped",
    "each arrives as the other",
    "fn f(a: i32, b: i64) -> i64 { a as i64 - b }",
    "fn f(b: i64, a: i32) -> i64 { a as i64 - b }",
  ),
  signature(
    "reference to value",
    "an address arrives as a number",
    "fn f(a: &i64) -> i64 { *a }",
    "fn f(a: i64) -> i64 { a }",
  ),
  signature(
    "result's kind",
    "old callers read another register",
    "fn f(a: i32) -> i32 { a }",
    "fn f(a: i32) -> f32 { a as f32 }",
  ),
  signature(
    "result removed",
    "old callers read what was left there",
    "fn f(a: &mut i32) -> i32 { *a }",
    "fn f(a: &mut i32) { *a = 1 }",
  ),
  signature(
    "str to String",
    "two words are read as three",
    "fn f(a: &'static str) -> usize { a.len() }",
    "fn f(a: String) -> usize { a.len() }",
  ),
  signature(
    "Option of a reference to a reference",
    "old callers pass null for None",
    "fn f(a: Option<&i32>) -> i32 { a.copied().unwrap_or(0) }",
    "fn f(a: &i32) -> i32 { *a }",
  ),
  signature(
    "a mark becomes extern C",
    "Rust passes a large argument by its address, C on the stack",
    "fn f(a: [u64; 3]) -> u64 { a[2] }",
    'extern "C" fn f(a: [u64; 3]) -> u64 { a[2] }',
  ),
  signature(
    "argument renamed",
    "callers do not name it",
    "fn f(a: i32) -> i32 { a }",
    "fn f(amount: i32) -> i32 { amount }",
    "same",
  ),
  signature(
    "argument made mut",
    "mut binds only the body",
    "fn f(a: i32) -> i32 { a }",
    "fn f(mut a: i32) -> i32 { a += 1; a }",
    "same",
  ),
  signature(
    "lifetime named",
    "lifetimes are for the compiler only",
    "fn f(a: &i32, b: &i32) -> i32 { *a + *b }",
    "fn f<'a>(a: &'a i32, b: &'a i32) -> i32 { *a + *b }",
    "same",
  ),
  signature(
    "alias of an argument",
    "another name for i32",
    "fn f(a: i32) -> i32 { a }",
    "fn f(a: Amount) -> Amount { a }",
    "same",
    ["", "pub type Amount = i32;\n"],
  ),
  signature(
    "alias of a container",
    "another name for the same Vec",
    "fn f(a: &Vec<i32>) -> i32 { a[0] }",
    "fn f(a: &Items) -> i32 { a[0] }",
    "same",
    ["", "pub type Items = Vec<i32>;\n"],
  ),
  signature(
    "path spelled out",
    "the same type",
    "fn f(a: &Vec<i32>) -> i32 { a[0] }",
    "fn f(a: &std::vec::Vec<i32>) -> i32 { a[0] }",
    "same",
  ),
  signature(
    "imported by another name",
    "the same type",
    "fn f(a: &HashMap<i32, i32>) -> i32 { a[&0] }",
    "fn f(a: &Dict<i32, i32>) -> i32 { a[&0] }",
    "same",
    ["", "use std::collections::HashMap as Dict;\n"],
  ),
  signature(
    "transparent newtype of an argument",
    "it is passed like what it wraps",
    "fn f(a: i32) -> i32 { a }",
    "fn f(a: Amount) -> i32 { a.0 }",
    "same",
    ["", "#[repr(transparent)] pub struct Amount(pub i32);\n"],
  ),
  signature(
    "transparent newtype behind a reference",
    "it lies like what it wraps",
    "fn f(a: &mut i64) -> i64 { *a }",
    "fn f(a: &mut Gold) -> i64 { a.0 }",
    "same",
    ["", "#[repr(transparent)] pub struct Gold(pub i64);\n"],
  ),
  signature(
    "transparent newtype of a float",
    "it is passed like what it wraps",
    "fn f(a: f64) -> f64 { a }",
    "fn f(a: Metres) -> f64 { a.0 }",
    "same",
    ["", "#[repr(transparent)] pub struct Metres(pub f64);\n"],
  ),
  signature(
    "an argument's type renamed",
    "its fields are the same",
    "fn f(a: &Old) -> i32 { a.x }",
    "fn f(a: &New) -> i32 { a.x }",
    "same",
    ["pub struct Old { x: i32 }\n", "pub struct New { x: i32 }\n"],
  ),
  signature(
    "& to *const",
    "both are an address",
    "fn f(a: &i32) -> i32 { *a }",
    "fn f(a: *const i32) -> i32 { unsafe { *a } }",
    "same",
  ),
];

const object = (what: string, expect: Expectation, why: string, before: string, after: string, use = "p.one(1)"): Row =>
  row(
    "Rust trait object",
    what,
    expect,
    why,
    `${before}\n#[hotpatch]\npub unsafe fn f(p: &dyn Look) -> i32 { ${use} }`,
    `${after}\n#[hotpatch]\npub unsafe fn f(p: &dyn Look) -> i32 { ${use} }`,
  );
const [ONE, TWO] = ["fn one(&self, n: i32) -> i32;", "fn two(&self, n: i32) -> i32;"];
const LIVE = "live values keep their vtables, in which another method is in the slot";
/** A type of the library that has the methods, so that their vtable is in the library. */
const implemented = (methods: string, supers = ""): string => {
  const bodies = methods.replace(/;/g, " { Default::default() }");
  return `pub trait Look${supers === "" ? "" : `: ${supers}`} { ${methods} }\npub struct Mine(i32); ${supers === "" ? "" : `impl ${supers} for Mine { fn above(&self) -> i32 { 7 } } `}impl Look for Mine { ${bodies} }\n#[unsafe(no_mangle)] pub fn make() -> Box<dyn Look> { Box::new(Mine(1)) }`;
};
const OBJECTS: readonly Row[] = [
  ...[
    // Nothing describes the methods of a trait: only those of an implementation.
    ["declared only", "not-seen", (methods: string) => `pub trait Look { ${methods} }`] as const,
    ["implemented here", "refuse", (methods: string) => implemented(methods)] as const,
  ].flatMap(([place, harmful, of]) => [
    object(`methods swapped, ${place}`, harmful, LIVE, of(`${ONE} ${TWO}`), of(`${TWO} ${ONE}`)),
    object(`method added first, ${place}`, "refuse", LIVE, of(ONE), of(`${TWO} ${ONE}`)),
    object(
      `method added last, ${place}`,
      "refuse",
      "the vtables of live values end before it",
      of(ONE),
      of(`${ONE} ${TWO}`),
    ),
    object(`method removed, ${place}`, "refuse", LIVE, of(`${TWO} ${ONE}`), of(ONE)),
    object(
      `argument's type, ${place}`,
      harmful,
      "the live method takes an integer",
      of(ONE),
      of("fn one(&self, n: f32) -> i32;"),
      "p.one(1 as _)",
    ),
    object(
      `result's type, ${place}`,
      harmful,
      "the live method returns an integer",
      of(ONE),
      of("fn one(&self, n: i32) -> f32;"),
      "p.one(1) as i32",
    ),
    object(`body, ${place}`, "same", "only code has changed", of(ONE), `${of(ONE)}\nfn other() {}`),
    object(`argument renamed, ${place}`, "same", "callers do not name it", of(ONE), of(ONE.replace("n:", "amount:"))),
  ]),
  object(
    "a supertrait added",
    "refuse",
    "its methods come first in the vtable",
    implemented(ONE),
    `pub trait Above { fn above(&self) -> i32; }\n${implemented(ONE, "Above")}`,
  ),
  object(
    "a default body added",
    "same",
    "the slot is the same",
    `pub trait Look { ${ONE} }`,
    "pub trait Look { fn one(&self, n: i32) -> i32 { n } }",
  ),
  object(
    "an associated constant added",
    "same",
    "it has no slot",
    `pub trait Look { ${ONE} }`,
    `pub trait Look { ${ONE} fn make() -> i32 where Self: Sized { 3 } }`,
  ),
  row(
    "Rust trait object",
    "another trait",
    "refuse",
    "the live vtable is of the other trait",
    `pub trait A { ${ONE} } pub trait B { ${TWO} ${ONE} }\n${marked("fn f(p: &dyn A) -> i32 { p.one(1) }")}`,
    `pub trait A { ${ONE} } pub trait B { ${TWO} ${ONE} }\n${marked("fn f(p: &dyn B) -> i32 { p.one(1) }")}`,
  ),
  row(
    "Rust trait object",
    "closure's argument",
    "refuse",
    "the live closure takes an integer",
    marked("fn f(p: &dyn Fn(i32) -> i32) -> i32 { p(1) }"),
    marked("fn f(p: &dyn Fn(f64) -> i32) -> i32 { p(1.0) }"),
  ),
  row(
    "Rust trait object",
    "closure's argument in a field",
    "refuse",
    "the live closure takes an integer",
    `pub struct S { on: Box<dyn Fn(i32) -> i32> }\n${marked("fn f(p: &S) -> i32 { (p.on)(1) }")}`,
    `pub struct S { on: Box<dyn Fn(f64) -> i32> }\n${marked("fn f(p: &S) -> i32 { (p.on)(1.0) }")}`,
  ),
  row(
    "Rust trait object",
    "methods swapped behind a Vec",
    "not-seen",
    LIVE,
    `pub trait Look { ${ONE} ${TWO} }\n${marked("fn f(p: &Vec<Box<dyn Look>>) -> i32 { p[0].one(1) }")}`,
    `pub trait Look { ${TWO} ${ONE} }\n${marked("fn f(p: &Vec<Box<dyn Look>>) -> i32 { p[0].one(1) }")}`,
  ),
  row(
    "Rust trait object",
    "methods swapped behind a field",
    "not-seen",
    LIVE,
    `pub trait Look { ${ONE} ${TWO} } pub struct S { n: i32, look: Box<dyn Look> }\n${marked("fn f(p: &S) -> i32 { p.look.one(1) }")}`,
    `pub trait Look { ${TWO} ${ONE} } pub struct S { n: i32, look: Box<dyn Look> }\n${marked("fn f(p: &S) -> i32 { p.look.one(1) }")}`,
  ),
];

const stateful = (what: string, expect: Expectation, why: string, before: string, after: string): Row => {
  const source = (type: string) =>
    `hotpatch_mark::state! { pub static KEPT: ${type}; }\n${marked("fn f() -> usize { &*KEPT as *const _ as usize }")}`;
  return row("state", what, expect, why, source(before), source(after));
};
const STATE: readonly Row[] = [
  stateful(
    "integer to float",
    "refuse",
    "the bits of an integer are read as a float",
    "std::sync::Mutex<i32> = std::sync::Mutex::new(1)",
    "std::sync::Mutex<f32> = std::sync::Mutex::new(1.0)",
  ),
  stateful(
    "atomic's sign",
    "refuse",
    "a negative number is read as a large one",
    "std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(1)",
    "std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1)",
  ),
  stateful(
    "Vec's elements",
    "refuse",
    "the elements are integers",
    "std::sync::Mutex<Vec<i32>> = std::sync::Mutex::new(Vec::new())",
    "std::sync::Mutex<Vec<f32>> = std::sync::Mutex::new(Vec::new())",
  ),
  stateful(
    "map's values",
    "refuse",
    "the values are integers",
    "std::sync::Mutex<BTreeMap<i32, i32>> = std::sync::Mutex::new(BTreeMap::new())",
    "std::sync::Mutex<BTreeMap<i32, f32>> = std::sync::Mutex::new(BTreeMap::new())",
  ),
  stateful("array's length", "refuse", "the live one is shorter", "[u8; 8] = [0; 8]", "[u8; 16] = [0; 16]"),
  stateful(
    "initialiser",
    "same",
    "the live value stays",
    "std::sync::Mutex<i32> = std::sync::Mutex::new(1)",
    "std::sync::Mutex<i32> = std::sync::Mutex::new(2)",
  ),
];

const HARMLESS: readonly Row[] = [
  row(
    "declaration",
    "functions reordered",
    "same",
    "functions are known by name",
    `${marked("fn f(a: &i32) -> i32 { *a }")}\n${marked("fn g(a: &i32) -> i32 { -*a }")}`,
    `${marked("fn g(a: &i32) -> i32 { -*a }")}\n${marked("fn f(a: &i32) -> i32 { *a }")}`,
  ),
  row(
    "declaration",
    "a mark added",
    "same",
    "nobody calls it yet",
    marked("fn f(a: &i32) -> i32 { *a }"),
    `${marked("fn f(a: &i32) -> i32 { *a }")}\n${marked("fn g(a: f64) -> i32 { a as i32 }")}`,
  ),
  row(
    "body",
    "a panic added",
    "same",
    "only code has changed",
    marked("fn f(a: &[i32]) -> i32 { a.len() as i32 }"),
    marked('fn f(a: &[i32]) -> i32 { if a.is_empty() { panic!("empty") } a[0] }'),
  ),
  row(
    "body",
    "formatting",
    "same",
    "only code has changed",
    marked("fn f(a: i32) -> String { String::new() }"),
    marked('fn f(a: i32) -> String { format!("{a:?}") }'),
  ),
  row(
    "body",
    "a local map",
    "same",
    "locals live as long as the call",
    marked("fn f(a: i32) -> i32 { a }"),
    marked("fn f(a: i32) -> i32 { let mut m = HashMap::new(); m.insert(a, 2); m[&a] }"),
  ),
  row(
    "body",
    "an iterator",
    "same",
    "only code has changed",
    marked("fn f(a: &[i32]) -> i32 { a[0] }"),
    marked("fn f(a: &[i32]) -> i32 { a.iter().map(|x| x * 2).sum() }"),
  ),
  row(
    "unrelated",
    "a static's type edited",
    "same",
    "statics start afresh",
    `static N: std::sync::Mutex<i32> = std::sync::Mutex::new(1);\n${marked("fn f() -> i32 { *N.lock().unwrap() }")}`,
    `static N: std::sync::Mutex<f64> = std::sync::Mutex::new(1.0);\n${marked("fn f() -> i32 { *N.lock().unwrap() as i32 }")}`,
  ),
  row(
    "by value",
    "Drop added",
    "same",
    "Rust passes by layout; who drops it has not changed",
    `pub struct V { a: i32, b: i32 }\n${marked("fn f(v: V) -> i32 { v.a + v.b }")}`,
    `pub struct V { a: i32, b: i32 } impl Drop for V { fn drop(&mut self) { self.a = 0 } }\n${marked("fn f(v: V) -> i32 { v.a + v.b }")}`,
  ),
  row(
    "by value",
    "Copy derived",
    "same",
    "Rust passes by layout",
    `pub struct V { a: i32, b: i32 }\n${marked("fn f(v: V) -> i32 { v.a + v.b }")}`,
    `#[derive(Clone, Copy)] pub struct V { a: i32, b: i32 }\n${marked("fn f(v: V) -> i32 { v.a + v.b }")}`,
  ),
];

/** All pairs in Rust. */
export const RUST_PAIRS: readonly Pair[] = pairsOf("Rust", HEAD, [
  ...product,
  ...derivedRows,
  ...turns,
  ...SIGNATURES,
  ...OBJECTS,
  ...STATE,
  ...HARMLESS,
]);
