/** A Rust program, and which of its functions each edit changes. */
import type { Edit } from "./edit.js";

/** Texts with a length instead of an end, places of panics, traits, matches. */
export const RUST_PROGRAM = `#![allow(static_mut_refs)]
use hotpatch_mark::hotpatch;

static PRIMES: [u32; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
static NAMES: [&str; 3] = ["anvil", "barrel", "candle"];

pub trait Shape { fn area(&self, n: i32) -> i32; }
pub struct Square(i32);
pub struct Round(i32);
impl Shape for Square { #[inline(never)] fn area(&self, n: i32) -> i32 { self.0 * n + 2 } }
impl Shape for Round { #[inline(never)] fn area(&self, n: i32) -> i32 { self.0 * n + 4 } }

#[inline(never)]
fn twice(x: i32) -> i32 { std::hint::black_box(x) * 2 }
#[inline(never)]
fn fourfold(x: i32) -> i32 { twice(x) + twice(x + 1) }
#[inline(never)]
fn scaled<T: Copy + std::ops::Mul<Output = T>>(x: T, by: T) -> T { std::hint::black_box(x) * by * by }

#[hotpatch] pub unsafe fn before_all(x: i32) -> i32 { x.wrapping_add(3) }
#[hotpatch] pub unsafe fn say(x: i32) { println!("the value is {x} now"); }
#[hotpatch] pub unsafe fn warn(x: i32) { println!("careful with that: {x}"); }
#[hotpatch] pub unsafe fn title() -> &'static str { "a plain title" }
#[hotpatch] pub unsafe fn prime(i: usize) -> u32 { PRIMES[i & 7] }
#[hotpatch] pub unsafe fn name_of(i: usize) -> &'static str { NAMES[i % 3] }
#[hotpatch] pub unsafe fn calls_twice(x: i32) -> i32 { twice(x).wrapping_add(1) }
#[hotpatch] pub unsafe fn calls_fourfold(x: i32) -> i32 { fourfold(x).wrapping_sub(1) }
#[hotpatch] pub unsafe fn scaled_float(x: f64) -> f64 { scaled(x, 1.25) }
#[hotpatch] pub unsafe fn scaled_int(x: i64) -> i64 { scaled(x, 3) }
#[hotpatch] pub unsafe fn square() -> Box<dyn Shape> { Box::new(Square(1)) }
#[hotpatch] pub unsafe fn circle() -> Box<dyn Shape> { Box::new(Round(1)) }
#[hotpatch] pub unsafe fn by_closure(x: i32) -> i32 { let add = |y: i32| y.wrapping_mul(9); add(x) }
#[hotpatch] pub unsafe fn word(x: u32) -> &'static str {
    match x { 0 => "zero point", 1 => "one and only", 2 => "two by two", 3 => "three of a kind", 4 => "four corners", _ => "very many" }
}
#[hotpatch] pub unsafe fn choose(x: u32, y: i32) -> i32 {
    match x { 0 => y.wrapping_add(11), 1 => y.wrapping_mul(7), 2 => twice(y), 3 => y ^ 9, 4 => y.wrapping_sub(5), _ => -1 }
}
#[hotpatch] pub unsafe fn expects(x: Option<i32>) -> i32 { x.expect("there is none of it") }
`;

export const RUST_EDITS: readonly Edit[] = [
  { what: "nothing", from: "y.wrapping_mul(9)", to: "y.wrapping_mul( 9 )", switched: [] },
  { what: "a text of the same length", from: "careful with that:", to: "be careful please:", switched: ["warn"] },
  { what: "a text that is returned", from: "a plain title", to: "a fancy title", switched: ["title"] },
  { what: "a longer text", from: "a plain title", to: "a very plain and much longer title", switched: ["title"] },
  { what: "an entry of a table", from: "17, 19]", to: "17, 23]", switched: ["prime"] },
  { what: "a text in a table", from: '"barrel"', to: '"bucket"', switched: ["name_of"] },
  {
    what: "a callee",
    from: "black_box(x) * 2 }",
    to: "black_box(x) * 5 }",
    switched: ["calls_twice", "calls_fourfold", "choose"],
    reasons: { calls_twice: "calls changed edited::twice" },
  },
  {
    what: "a callee's callee is another",
    from: "twice(x) + twice(x + 1)",
    to: "twice(x) - twice(x + 1)",
    switched: ["calls_fourfold"],
  },
  { what: "a float constant", from: "1.25", to: "1.75", switched: ["scaled_float"] },
  {
    what: "a generic function",
    from: "black_box(x) * by * by",
    to: "black_box(x) * by * by * by",
    switched: ["scaled_float", "scaled_int"],
  },
  { what: "a trait's method", from: "self.0 * n + 4", to: "self.0 * n + 6", switched: ["circle"] },
  { what: "a closure", from: "y.wrapping_mul(9)", to: "y.wrapping_mul(8)", switched: ["by_closure"] },
  { what: "a text of a match", from: "four corners", to: "four squares", switched: ["word"] },
  { what: "an arm of a match", from: "3 => y ^ 9", to: "3 => y ^ 8", switched: ["choose"] },
  {
    what: "an arm is added to a match",
    from: "4 => y.wrapping_sub(5),",
    to: "4 => y.wrapping_sub(5), 5 => y.wrapping_add(77),",
    switched: ["choose"],
  },
  { what: "the message of a panic", from: "there is none of it", to: "it is not there yet", switched: ["expects"] },
  {
    what: "the first marked function grows",
    from: "{ x.wrapping_add(3) }",
    to: '{ let mut s = 0; for i in 0..x { println!("{i} of {x}, {}", i ^ 5); s ^= i; } s }',
    switched: ["before_all"],
  },
  {
    what: "a new function before the others",
    from: "#[hotpatch] pub unsafe fn before_all",
    to: 'pub fn unused(x: i32) -> String { format!("{x} of many") } #[hotpatch] pub unsafe fn before_all',
    switched: [],
  },
];
