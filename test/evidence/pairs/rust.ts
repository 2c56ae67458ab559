/** Pairs in Rust. */
import { type Expectation, type Pair, pairsOf, type Row } from "./pair.js";

const HEAD = "#![allow(warnings)]\nuse hotpatch_mark::{HotpatchLayout, hotpatch};\nuse std::collections::*;";

/** An edit of a type `E`. */
interface Edit {
  readonly what: string;
  readonly cause: string;
  readonly expect: Exclude<Expectation, "not-seen">;
  readonly why: string;
  readonly old: string;
  readonly new: string;
  /** A number made of all that `e`, a reference to it, leads to. */
  readonly use: string | readonly [string, string];
  /** All its types may derive HotpatchLayout, which covers names too. */
  readonly derives?: true;
}

const edit = (
  expect: Edit["expect"],
  cause: string,
  what: string,
  why: string,
  before: string,
  after: string,
  use: Edit["use"],
  derives?: true,
): Edit => ({ what, cause, expect, why, old: before, new: after, use, ...(derives && { derives }) });

const ID = "#[repr(C)] pub struct E { pub id: i32, pub hp: f32, pub gold: i64 }";
const SUM = "e.id as i64 + e.hp as i64 + e.gold";

/** Each of these is judged along every way. */
const CORE: readonly Edit[] = [
  edit(
    "refuse",
    "Rust struct",
    "swapped",
    "each field is read from another place",
    ID,
    "#[repr(C)] pub struct E { pub gold: i64, pub hp: f32, pub id: i32 }",
    SUM,
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "swapped alike",
    "two numbers of one type change places",
    "#[repr(C)] pub struct E { pub id: i32, pub hp: i32 }",
    "#[repr(C)] pub struct E { pub hp: i32, pub id: i32 }",
    "(e.id * 3 + e.hp) as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "other kind",
    "an integer is read as a float",
    ID,
    ID.replace("id: i32", "id: f32"),
    SUM,
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "inserted",
    "the fields behind it have moved",
    ID,
    ID.replace("pub hp", "pub armour: i64, pub hp"),
    SUM,
    true,
  ),
  edit("same", "body", "body", "only code has changed", ID, ID, [SUM, `7 * (${SUM})`], true),
  edit("same", "rename", "field renamed", "offset and type are the same", ID, ID.replace("id:", "key:"), [
    SUM,
    SUM.replace("id", "key"),
  ]),
];

/** Each of these is judged along a few ways, which take turns. */
const MORE: readonly Edit[] = [
  edit(
    "refuse",
    "Rust struct",
    "appended",
    "live values end before it",
    ID,
    ID.replace(" }", ", pub mana: i64 }"),
    [SUM, `${SUM} + e.mana`],
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "removed",
    "the fields behind it have moved",
    ID.replace("pub hp", "pub old: i64, pub hp"),
    ID,
    SUM,
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "sign",
    "a negative number is read as a large one",
    ID,
    ID.replace("id: i32", "id: u32"),
    SUM,
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "i64 to f64",
    "the same size in another format",
    ID,
    ID.replace("gold: i64", "gold: f64"),
    [SUM, "e.id as i64 + e.hp as i64 + e.gold as i64"],
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "number to pointer",
    "a number would be followed",
    ID,
    ID.replace("gold: i64", "gold: *const i64"),
    [SUM, "e.id as i64 + e.hp as i64 + unsafe { *e.gold }"],
  ),
  edit(
    "refuse",
    "Rust struct",
    "u8 to bool",
    "only 0 and 1 may lie in a bool",
    "pub struct E { pub a: u8, pub b: i32 }",
    "pub struct E { pub a: bool, pub b: i32 }",
    "e.a as i64 + e.b as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "u32 to char",
    "not every u32 is a char",
    "pub struct E { pub a: u32 }",
    "pub struct E { pub a: char }",
    "e.a as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "a tuple struct's fields",
    "each is read as the other",
    "#[repr(C)] pub struct E(pub i32, pub f32);",
    "#[repr(C)] pub struct E(pub f32, pub i32);",
    "e.0 as i64 + e.1 as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "packed",
    "without padding, fields lie elsewhere",
    "#[repr(C)] pub struct E { pub a: u8, pub b: i32 }",
    "#[repr(C, packed)] pub struct E { pub a: u8, pub b: i32 }",
    "e.a as i64 + { e.b } as i64",
  ),
  edit(
    "refuse",
    "Rust struct",
    "aligned",
    "it has become larger, as each element of a slice has",
    "#[repr(C)] pub struct E { pub a: u8, pub b: i32 }",
    "#[repr(C, align(32))] pub struct E { pub a: u8, pub b: i32 }",
    "e.a as i64 + e.b as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust struct",
    "repr(C) removed",
    "rustc puts the larger field first",
    "#[repr(C)] pub struct E { pub a: u8, pub b: i64, pub c: u8 }",
    "pub struct E { pub a: u8, pub b: i64, pub c: u8 }",
    "e.a as i64 + e.b + e.c as i64",
    true,
  ),
  edit(
    "refuse",
    "nested",
    "a field's fields",
    "they have changed places inside",
    "#[repr(C)] pub struct In { pub x: i32, pub y: i32 } pub struct E { pub a: In, pub b: i32 }",
    "#[repr(C)] pub struct In { pub y: i32, pub x: i32 } pub struct E { pub a: In, pub b: i32 }",
    "(e.a.x - e.a.y) as i64 + e.b as i64",
    true,
  ),
  edit(
    "refuse",
    "nested",
    "behind a Box",
    "they have changed places behind it",
    "#[repr(C)] pub struct In { pub x: i32, pub y: i32 } pub struct E { pub a: Box<In>, pub b: i32 }",
    "#[repr(C)] pub struct In { pub y: i32, pub x: i32 } pub struct E { pub a: Box<In>, pub b: i32 }",
    "(e.a.x - e.a.y) as i64 + e.b as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust container",
    "in a Vec",
    "they have changed places in each element",
    "#[repr(C)] pub struct In { pub x: i32, pub y: i32 } pub struct E { pub a: Vec<In>, pub b: i32 }",
    "#[repr(C)] pub struct In { pub y: i32, pub x: i32 } pub struct E { pub a: Vec<In>, pub b: i32 }",
    "(e.a[0].x - e.a[0].y) as i64 + e.b as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust container",
    "Vec's elements",
    "the elements are integers",
    "pub struct E { pub a: Vec<i32> }",
    "pub struct E { pub a: Vec<f32> }",
    "e.a[0] as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust container",
    "HashMap's values",
    "the values are integers",
    "pub struct E { pub a: HashMap<i32, i32> }",
    "pub struct E { pub a: HashMap<i32, f32> }",
    "e.a[&1] as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "BTreeMap's keys",
    "the keys are unsigned",
    "pub struct E { pub a: BTreeMap<u32, i32> }",
    "pub struct E { pub a: BTreeMap<i32, i32> }",
    "e.a[&1] as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "Option's niche",
    "None is another number",
    "pub struct E { pub a: Option<std::num::NonZeroI32>, pub b: i32 }",
    "pub struct E { pub a: Option<bool>, pub b: i32, pub c: [u8; 3] }",
    "e.a.is_some() as i64 + e.b as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "Box to Rc",
    "the counts would be read in front of the value",
    "pub struct E { pub a: Box<i32> }",
    "pub struct E { pub a: std::rc::Rc<i32> }",
    "*e.a as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "Cell's value",
    "the value is an integer",
    "pub struct E { pub a: std::cell::Cell<i32> }",
    "pub struct E { pub a: std::cell::Cell<f32> }",
    "e.a.get() as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "Mutex's value",
    "the value is an integer",
    "pub struct E { pub a: std::sync::Mutex<i32> }",
    "pub struct E { pub a: std::sync::Mutex<f32> }",
    "*e.a.lock().unwrap() as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "VecDeque's elements",
    "the elements are integers",
    "pub struct E { pub a: VecDeque<i32> }",
    "pub struct E { pub a: VecDeque<f32> }",
    "e.a[0] as i64",
  ),
  edit(
    "refuse",
    "Rust container",
    "an array's length",
    "the live one is shorter",
    "pub struct E { pub a: [i32; 4] }",
    "pub struct E { pub a: [i32; 6] }",
    ["e.a[3] as i64", "e.a[5] as i64"],
    true,
  ),
  edit(
    "refuse",
    "Rust container",
    "a slice's elements",
    "each element has another size",
    "pub struct E { pub a: &'static [u16] }",
    "pub struct E { pub a: &'static [u32] }",
    "e.a[0] as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust container",
    "a tuple's fields",
    "each is read as the other",
    "pub struct E { pub a: (i32, f32) }",
    "pub struct E { pub a: (f32, i32) }",
    "e.a.0 as i64 + e.a.1 as i64",
  ),
  edit(
    "refuse",
    "Rust enum",
    "variants of a plain one swapped",
    "each is read as the other",
    "pub enum Kind { A, B } pub struct E { pub k: Kind, pub id: i32 }",
    "pub enum Kind { B, A } pub struct E { pub k: Kind, pub id: i32 }",
    "matches!(e.k, Kind::A) as i64 + e.id as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "variant of a plain one removed",
    "live values may be of it",
    "pub enum Kind { A, B, C } pub struct E { pub k: Kind, pub id: i32 }",
    "pub enum Kind { A, B } pub struct E { pub k: Kind, pub id: i32 }",
    "matches!(e.k, Kind::A) as i64 + e.id as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "other discriminants",
    "a live 1 is another variant",
    "#[repr(u8)] pub enum Kind { A = 1, B = 2 } pub struct E { pub k: Kind, pub id: i32 }",
    "#[repr(u8)] pub enum Kind { A = 2, B = 1 } pub struct E { pub k: Kind, pub id: i32 }",
    "matches!(e.k, Kind::A) as i64 + e.id as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "larger",
    "its neighbour has moved or is read with it",
    "#[repr(u8)] pub enum Kind { A, B } #[repr(C)] pub struct E { pub k: Kind, pub id: u8 }",
    "#[repr(u16)] pub enum Kind { A, B } #[repr(C)] pub struct E { pub k: Kind, pub id: u8 }",
    "matches!(e.k, Kind::A) as i64 + e.id as i64",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "data's kind",
    "the integer is read as a float",
    "#[repr(u8)] pub enum Kind { A(i32), B } pub struct E { pub k: Kind }",
    "#[repr(u8)] pub enum Kind { A(f32), B } pub struct E { pub k: Kind }",
    "match e.k { Kind::A(x) => x as i64, _ => 0 }",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "data's fields swapped",
    "each is read as the other",
    "#[repr(u8)] pub enum Kind { A { x: i32, y: i32 }, B } pub struct E { pub k: Kind }",
    "#[repr(u8)] pub enum Kind { A { y: i32, x: i32 }, B } pub struct E { pub k: Kind }",
    "match e.k { Kind::A { x, y } => (x - y) as i64, _ => 0 }",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "variants with data swapped",
    "the live tag means the other",
    "pub enum Kind { A(i32), B(f32) } pub struct E { pub k: Kind }",
    "pub enum Kind { B(f32), A(i32) } pub struct E { pub k: Kind }",
    "match e.k { Kind::A(x) => x as i64, Kind::B(y) => y as i64 }",
    true,
  ),
  edit(
    "refuse",
    "Rust enum",
    "larger data added",
    "the live value is shorter",
    "pub enum Kind { A(i32), B } pub struct E { pub k: Kind, pub id: i32 }",
    "pub enum Kind { A(i32), B, C(i64, i64) } pub struct E { pub k: Kind, pub id: i32 }",
    "match e.k { Kind::A(x) => x as i64, _ => e.id as i64 }",
    true,
  ),
  edit(
    "same",
    "Rust enum",
    "plain variant appended",
    "the old ones keep their discriminants",
    "pub enum Kind { A, B } pub struct E { pub k: Kind, pub id: i32 }",
    "pub enum Kind { A, B, C } pub struct E { pub k: Kind, pub id: i32 }",
    "matches!(e.k, Kind::A) as i64 + e.id as i64",
  ),
  edit(
    "same",
    "Rust enum",
    "variant with data appended",
    "the old ones keep discriminants and data",
    "#[repr(u8)] pub enum Kind { A(i32), B } pub struct E { pub k: Kind }",
    "#[repr(u8)] pub enum Kind { A(i32), B, C(i32) } pub struct E { pub k: Kind }",
    "match e.k { Kind::A(x) => x as i64, _ => 0 }",
  ),
  edit(
    "refuse",
    "function pointer",
    "argument's type",
    "the live function takes an integer",
    "pub struct E { pub on: fn(i32) -> i32 }",
    "pub struct E { pub on: fn(f64) -> i32 }",
    ["(e.on)(1) as i64", "(e.on)(1.0) as i64"],
  ),
  edit(
    "refuse",
    "function pointer",
    "argument added",
    "the live function does not know it",
    "pub struct E { pub on: fn(i32) -> i32 }",
    "pub struct E { pub on: fn(i32, i32) -> i32 }",
    ["(e.on)(1) as i64", "(e.on)(1, 2) as i64"],
  ),
  edit(
    "refuse",
    "function pointer",
    "a pointed-to argument's fields",
    "the live function reads the old places",
    "#[repr(C)] pub struct In { pub x: i32, pub y: i32 } pub struct E { pub on: fn(&In) -> i32 }",
    "#[repr(C)] pub struct In { pub y: i32, pub x: i32 } pub struct E { pub on: fn(&In) -> i32 }",
    "(e.on)(&In { x: 1, y: 2 }) as i64",
  ),
  edit(
    "refuse",
    "calling convention",
    "fn to extern C fn",
    "Rust passes a large argument by its address, C on the stack",
    "pub struct E { pub on: fn([u64; 3]) -> u64 }",
    'pub struct E { pub on: extern "C" fn([u64; 3]) -> u64 }',
    "(e.on)([1, 2, 3]) as i64",
  ),
  edit(
    "refuse",
    "calling convention",
    "extern C to win64",
    "arguments are in other registers",
    'pub struct E { pub on: extern "C" fn(i32, i32) -> i32 }',
    'pub struct E { pub on: extern "win64" fn(i32, i32) -> i32 }',
    "(e.on)(1, 2) as i64",
  ),
  edit(
    "refuse",
    "calling convention",
    "extern C to sysv64 and another argument",
    "the live function takes one argument",
    'pub struct E { pub on: extern "C" fn(i32) -> i32 }',
    'pub struct E { pub on: extern "sysv64" fn(f32) -> i32 }',
    ["(e.on)(1) as i64", "(e.on)(1.0) as i64"],
  ),
  edit(
    "refuse",
    "phantom pointer",
    "another type behind an address",
    "the address leads to the old type",
    "pub struct A { pub v: i32 } pub struct B { pub v: f32 } pub struct Ref<T> { raw: usize, _t: std::marker::PhantomData<T> } impl<T> Ref<T> { fn get(&self) -> &T { unsafe { &*(self.raw as *const T) } } } pub struct E { pub r: Ref<A> }",
    "pub struct A { pub v: i32 } pub struct B { pub v: f32 } pub struct Ref<T> { raw: usize, _t: std::marker::PhantomData<T> } impl<T> Ref<T> { fn get(&self) -> &T { unsafe { &*(self.raw as *const T) } } } pub struct E { pub r: Ref<B> }",
    "e.r.get().v as i64",
  ),
  edit(
    "refuse",
    "phantom pointer",
    "the type behind an address edited",
    "its fields have changed places",
    "#[repr(C)] pub struct A { pub v: i32, pub w: i32 } pub struct Ref<T> { raw: *mut u8, _t: std::marker::PhantomData<T> } impl<T> Ref<T> { fn get(&self) -> &T { unsafe { &*(self.raw as *const T) } } } pub struct E { pub r: Ref<A> }",
    "#[repr(C)] pub struct A { pub w: i32, pub v: i32 } pub struct Ref<T> { raw: *mut u8, _t: std::marker::PhantomData<T> } impl<T> Ref<T> { fn get(&self) -> &T { unsafe { &*(self.raw as *const T) } } } pub struct E { pub r: Ref<A> }",
    "e.r.get().v as i64",
  ),
  edit(
    "refuse",
    "phantom pointer",
    "the type behind an index edited",
    "its fields have changed places",
    "#[repr(C)] pub struct A { pub v: i32, pub w: i32 } pub struct Id<T>(u64, std::marker::PhantomData<fn() -> T>); impl<T> Id<T> { fn get(&self) -> &T { unsafe { &*(self.0 as *const T) } } } pub struct E { pub r: Id<A> }",
    "#[repr(C)] pub struct A { pub w: i32, pub v: i32 } pub struct Id<T>(u64, std::marker::PhantomData<fn() -> T>); impl<T> Id<T> { fn get(&self) -> &T { unsafe { &*(self.0 as *const T) } } } pub struct E { pub r: Id<A> }",
    "e.r.get().v as i64",
  ),
  edit(
    "same",
    "alias",
    "alias of a field",
    "another name for i32",
    ID,
    `type Id = i32; ${ID.replace("id: i32", "id: Id")}`,
    SUM,
  ),
  edit(
    "same",
    "alias",
    "transparent newtype of a field",
    "it lies and is passed like what it wraps",
    ID,
    `#[repr(transparent)] #[derive(Clone, Copy)] pub struct Id(pub i32); ${ID.replace("id: i32", "id: Id")}`,
    [SUM, SUM.replace("e.id", "e.id.0")],
  ),
  edit(
    "same",
    "alias",
    "transparent newtype removed",
    "it lay and was passed like what it wraps",
    `#[repr(transparent)] #[derive(Clone, Copy)] pub struct Gold(pub i64); ${ID.replace("gold: i64", "gold: Gold")}`,
    ID,
    [SUM.replace("e.gold", "e.gold.0"), SUM],
  ),
  edit(
    "same",
    "alias",
    "path spelled out",
    "the same type",
    "pub struct E { pub a: Vec<i32>, pub b: Option<Box<i32>> }",
    "pub struct E { pub a: std::vec::Vec<i32>, pub b: core::option::Option<std::boxed::Box<i32>> }",
    "e.a[0] as i64 + e.b.is_some() as i64",
  ),
  edit(
    "same",
    "alias",
    "usize to u64",
    "both have 64 bits here",
    "pub struct E { pub a: usize }",
    "pub struct E { pub a: u64 }",
    "e.a as i64",
  ),
  edit(
    "same",
    "rename",
    "a field's type renamed",
    "its fields are the same",
    "pub struct In { pub x: i32 } pub struct E { pub a: In, pub b: i32 }",
    "pub struct Inner { pub x: i32 } pub struct E { pub a: Inner, pub b: i32 }",
    "e.a.x as i64 + e.b as i64",
  ),
  edit(
    "same",
    "rename",
    "a module renamed",
    "its type has the same fields",
    "mod old { pub struct In { pub x: i32 } } pub struct E { pub a: old::In }",
    "mod new { pub struct In { pub x: i32 } } pub struct E { pub a: new::In }",
    "e.a.x as i64",
  ),
  edit(
    "same",
    "declaration",
    "fields without repr(C) reordered",
    "rustc lays them out by size, whatever the order",
    "pub struct E { pub a: u8, pub b: i64, pub c: i32 }",
    "pub struct E { pub b: i64, pub c: i32, pub a: u8 }",
    "e.a as i64 + e.b + e.c as i64",
  ),
  edit(
    "same",
    "declaration",
    "visibility",
    "fields lie where they lay",
    ID,
    ID.replaceAll("pub ", "").replace("struct", "pub struct"),
    SUM,
  ),
  edit(
    "same",
    "rename",
    "a lifetime and an alias",
    "lifetimes are for the compiler only",
    "pub struct E { pub a: &'static i32 }",
    "pub struct Held<'a> { pub a: &'a i32 } pub type E = Held<'static>;",
    "*e.a as i64",
  ),
  edit(
    "same",
    "method",
    "methods and constants",
    "neither is in the value",
    ID,
    `${ID} impl E { const MAX: i64 = 9; pub fn sum(&self) -> i64 { self.gold + Self::MAX } }`,
    [SUM, `${SUM} + e.sum()`],
  ),
  edit(
    "same",
    "method",
    "a trait implemented",
    "it is not in the value",
    ID,
    `${ID} trait Sum { fn sum(&self) -> i64; } impl Sum for E { fn sum(&self) -> i64 { self.gold } }`,
    [SUM, `${SUM} + e.sum()`],
  ),
  edit(
    "same",
    "method",
    "Debug and Clone derived",
    "they are not in the value",
    ID,
    `#[derive(Debug, Clone)] ${ID}`,
    SUM,
  ),
  edit(
    "same",
    "unrelated",
    "another type edited",
    "nothing leads there",
    `pub struct Other { a: i32 } static O: Other = Other { a: 1 }; ${ID}`,
    `pub struct Other { a: f64, b: u8 } static O: Other = Other { a: 1.0, b: 2 }; ${ID}`,
    SUM,
  ),
  edit("same", "unrelated", "a helper added", "only code has changed", ID, `fn twice(x: i64) -> i64 { 2 * x } ${ID}`, [
    SUM,
    `twice(${SUM})`,
  ]),
];

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
