/** The rows of docs/layout.md that only Rust has, by the real compiler. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { has, workFolder } from "../binary/fixtures.js";
import { checkKinds, layoutsOf, sourceOf } from "./builds.js";
import type { Kind } from "./kinds.js";

const take = (types: string, argument: string): string =>
  `${types} #[no_mangle] pub extern "C" fn f$(p: ${argument}) -> usize { core::mem::size_of_val(&p) + $ }`;
const both = (before: string, after: string, argument: string) => ({
  before: take(before, argument),
  after: take(after, argument),
});

/** A trait with an implementation that makes the compiler write a vtable. */
const trait = (methods: string): string =>
  `pub trait T$ { ${methods} } impl T$ for u32 { fn one(&self) -> u32 { *self } fn two(&self) -> u32 { *self + $ } }
   #[no_mangle] pub extern "C" fn make$() -> *mut Box<dyn T$> { Box::into_raw(Box::new(Box::new(3u32))) }`;

const KINDS: readonly Kind[] = [
  { what: "nothing", ...both("pub struct S$ { a: i32, b: String }", "pub struct S$ { a: i32, b: String }", "&S$") },
  {
    what: "a field's type",
    ...both("#[repr(C)] pub struct S$ { a: i32 }", "#[repr(C)] pub struct S$ { a: f32 }", "&S$"),
    changed: ["struct lib::S$: field a: i32 at 0 -> f32 at 0"],
  },
  {
    what: "a field more",
    ...both("#[repr(C)] pub struct S$ { a: i32 }", "#[repr(C)] pub struct S$ { b: i32, a: i32 }", "&mut S$"),
    changed: ["struct lib::S$: size 4 -> 8; field a: i32 at 0 -> i32 at 4; field b: i32 at 0 added"],
  },
  {
    what: "a variant's data",
    ...both("pub enum E$ { A(u8), B { x: u32 } }", "pub enum E$ { A(u8), B { x: f32 } }", "&E$"),
    changed: ["struct lib::E$::B: field x: u32 at 4 -> f32 at 4"],
  },
  {
    what: "a variant more behind the others",
    ...both("#[repr(u8)] pub enum E$ { A(u8), B(u32) }", "#[repr(u8)] pub enum E$ { A(u8), B(u32), C }", "&E$"),
    remarked: ["enum lib::E$: variant C added"],
  },
  {
    what: "a variant more before the others",
    ...both("#[repr(u8)] pub enum E$ { A(u8), B(u32) }", "#[repr(u8)] pub enum E$ { Z, A(u8), B(u32) }", "&E$"),
    changed: ["enum lib::E$: variant A: discriminant 0 -> 1; variant B: discriminant 1 -> 2"],
  },
  {
    what: "a variant less",
    ...both("pub enum E$ { A(u8), B(u32) }", "pub enum E$ { B(u32), C(u8) }", "&E$"),
    changed: ["enum lib::E$: variant A removed; variant B: discriminant 1 -> 0"],
  },
  {
    what: "an enum without data: a value that is none any more",
    ...both("pub enum E$ { A, B, C }", "pub enum E$ { A, B }", "&E$"),
    changed: ["enum lib::E$: C = 2 removed"],
  },
  {
    what: "an enum without data: a value more",
    ...both("pub enum E$ { A, B }", "pub enum E$ { A, B, C }", "&E$"),
    remarked: ["enum lib::E$: C = 2 added"],
  },
  {
    what: "a tuple",
    ...both("", "", "&(u8, u64)"),
    after: take("", "&(u8, u32)"),
    changed: ["signature: usize ((u8, u64)*) -> usize ((u8, u32)*)"],
  },
  {
    what: "what an Option and a Box hold",
    ...both("pub struct S$ { a: u32 }", "pub struct S$ { a: u64 }", "Option<Box<S$>>"),
    changed: ["struct lib::S$: size 4 -> 8; alignment 4 -> 8; field a: u32 at 0 -> u64 at 0"],
  },
  {
    what: "a slice's elements",
    before: take("", "&[u32]"),
    after: take("", "&[u64]"),
    changed: ["signature: usize (&[u32]) -> usize (&[u64])"],
  },
  {
    what: "what a Vec keeps",
    ...both("pub struct S$ { a: u32, b: f32 }", "pub struct S$ { b: f32, a: u64 }", "&Vec<S$>"),
    changed: [
      "struct lib::S$: size 8 -> 16; alignment 4 -> 8; field a: u32 at 0 -> u64 at 0; field b: f32 at 4 -> f32 at 8",
    ],
  },
  {
    what: "what a marker stands for",
    ...both(
      "pub struct S$ { a: u32 } pub struct P$ { at: usize, of: core::marker::PhantomData<S$> }",
      "pub struct S$ { a: f32 } pub struct P$ { at: usize, of: core::marker::PhantomData<S$> }",
      "&P$",
    ),
    changed: ["struct lib::S$: field a: u32 at 0 -> f32 at 0"],
  },
  {
    what: "the order of a trait's methods behind dyn",
    ...both(
      trait("fn one(&self) -> u32; fn two(&self) -> u32;"),
      trait("fn two(&self) -> u32; fn one(&self) -> u32;"),
      "&dyn T$",
    ),
    changed: ["struct dyn lib::T$: methods u32 one(), u32 two() -> u32 two(), u32 one()"],
  },
  {
    what: "another implementation of a trait",
    ...both(
      trait("fn one(&self) -> u32; fn two(&self) -> u32;"),
      `${trait("fn one(&self) -> u32; fn two(&self) -> u32;")} impl T$ for u8 { fn two(&self) -> u32 { 5 } fn one(&self) -> u32 { 6 } } pub fn more$() -> Box<dyn T$> { Box::new(7u8) }`,
      "&dyn T$",
    ),
  },
  {
    what: "how a function pointer is called",
    ...both('pub struct S$ { call: extern "C" fn(i32) }', "pub struct S$ { call: fn(i32) }", "&S$"),
    changed: ['struct lib::S$: field call: extern "C" -> the platform\'s calls'],
  },
  {
    what: "a number that got a type of its own",
    ...both("pub struct S$ { a: f32 }", "pub struct M$(f32); pub struct S$ { a: M$ }", "&S$"),
    remarked: ["struct lib::S$: field a: f32 at 0 is now lib::M$ at 0"],
  },
  { what: "an alias", ...both("pub struct S$ { a: f32 }", "pub type M$ = f32; pub struct S$ { a: M$ }", "&S$") },
];

for (const level of ["0", "2"])
  (has("rustc") ? test : test.skip)(
    `each kind of change in Rust is told as documented (opt-level ${level})`,
    async (t) => {
      const folder = await workFolder(t);
      const [before, after] = (["before", "after"] as const).map((side) => {
        const path = join(folder, side);
        writeFileSync(`${path}.rs`, sourceOf(KINDS, side, "#![allow(warnings)]"));
        const flags = [
          "--crate-type",
          "cdylib",
          "--crate-name",
          "lib",
          "-C",
          "debuginfo=2",
          "-C",
          `opt-level=${level}`,
        ];
        execFileSync("rustc", [...flags, "-o", `${path}.so`, `${path}.rs`], { stdio: ["ignore", "ignore", "pipe"] });
        return layoutsOf(`${path}.so`, /^f\d+$/);
      });
      if (before !== undefined && after !== undefined) checkKinds(t, KINDS, before, after);
    },
  );
