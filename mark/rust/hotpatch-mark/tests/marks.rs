//! Marked functions where no tool is at work: they are what they were without the mark.
#![allow(clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks)]

use hotpatch_mark::{HotpatchLayout, hotpatch, is_hotpatched};
use std::panic::catch_unwind;

#[derive(HotpatchLayout, Debug, PartialEq, Clone, Copy)]
struct Point {
    x: f32,
    y: f64,
}

/// Documented, and quiet about its many arguments.
#[hotpatch]
#[allow(clippy::too_many_arguments)]
#[must_use]
unsafe fn many(
    a: u8,
    b: u16,
    c: u32,
    d: u64,
    e: i128,
    f: f32,
    g: f64,
    h: bool,
    mut i: char,
    (j, k): (i8, Point),
) -> String {
    i = i.to_ascii_uppercase();
    format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k:?}")
}

#[hotpatch]
unsafe fn longest<'a, 'b: 'a>(a: &'a str, b: &'b str) -> &'a str {
    if a.len() < b.len() { b } else { a }
}

#[hotpatch]
unsafe fn elided(points: &mut [Point], scale: fn(f32) -> f32) -> Option<&mut Point> {
    let first = points.first_mut()?;
    first.x = scale(first.x);
    Some(first)
}

#[hotpatch]
unsafe fn nothing() {}

#[hotpatch]
unsafe fn never(code: i32) -> ! {
    panic!("code {code}")
}

#[hotpatch]
unsafe fn recurse(n: u64) -> u64 {
    if n < 2 {
        n
    } else {
        unsafe { recurse(n - 1) + recurse(n - 2) }
    }
}

#[hotpatch]
unsafe extern "C" fn doubled(x: i32) -> i32 {
    x * 2
}

#[hotpatch]
unsafe fn r#match(r#in: i32) -> i32 {
    r#in + 1
}

#[hotpatch]
unsafe fn calls(f: for<'x> fn(&'x str) -> &'x str, text: &'static str) -> Box<dyn Iterator<Item = char> + '_> {
    Box::new(f(text).chars())
}

struct Cat;
struct Dog;
trait Animal {
    unsafe fn name(loud: bool) -> String;
}
impl Animal for Cat {
    #[hotpatch(name = "Cat::name")]
    unsafe fn name(loud: bool) -> String {
        if loud { "CAT" } else { "cat" }.to_owned()
    }
}
impl Animal for Dog {
    #[hotpatch(name = "Dog::name")]
    unsafe fn name(loud: bool) -> String {
        if loud { "DOG" } else { "dog" }.to_owned()
    }
}
impl Cat {
    #[hotpatch]
    pub unsafe fn meow(times: usize) -> String {
        "meow ".repeat(times)
    }
}

macro_rules! made {
    ($name:ident, $ty:ty) => {
        #[hotpatch]
        unsafe fn $name(x: $ty) -> $ty {
            x + 1
        }
    };
}
made!(made_by_a_macro, i64);

#[test]
fn arguments_and_results_pass_as_without_the_mark() {
    unsafe {
        let point = Point { x: 1.5, y: -2.0 };
        let text = many(1, 2, 3, 4, -5, 6.5, 7.25, true, 'i', (-8, point));
        assert_eq!(text, "1 2 3 4 -5 6.5 7.25 true I -8 Point { x: 1.5, y: -2.0 }");
        assert_eq!(longest("ab", "abc"), "abc");
        assert_eq!(elided(&mut [point], |x| x * 2.0), Some(&mut Point { x: 3.0, y: -2.0 }));
        assert_eq!(elided(&mut [], |x| x), None);
        nothing();
        assert_eq!(recurse(20), 6765);
        assert_eq!(doubled(4), 8);
        assert_eq!(r#match(1), 2);
        assert_eq!(calls(|text| &text[1..], "abc").collect::<String>(), "bc");
        assert_eq!(
            (Cat::name(true), Dog::name(false)),
            ("CAT".to_owned(), "dog".to_owned())
        );
        assert_eq!(Cat::meow(2), "meow meow ");
        assert_eq!(made_by_a_macro(1), 2);
    }
}

#[test]
fn a_panic_leaves_the_function_with_its_payload() {
    let panic = catch_unwind(|| unsafe { never(7) }).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), "code 7");
}

#[test]
fn function_pointers_lead_to_marked_functions() {
    let pointer: unsafe fn(u64) -> u64 = recurse;
    assert_eq!(unsafe { pointer(10) }, 55);
    let exported: unsafe extern "C" fn(i32) -> i32 = doubled;
    assert_eq!(unsafe { exported(21) }, 42);
}

#[test]
fn this_is_no_copy() {
    assert!(!is_hotpatched());
}
