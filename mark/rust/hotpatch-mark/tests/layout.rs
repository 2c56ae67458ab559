//! Hashes of layouts: the same for the same layout, others for another one of the same size.

#![allow(dead_code)]

use hotpatch_mark::__private::{Known, Unknown as _};
use hotpatch_mark::HotpatchLayout;

mod before {
    use super::HotpatchLayout;
    #[derive(HotpatchLayout)]
    pub struct Inner {
        pub speed: u32,
    }
    #[derive(HotpatchLayout)]
    pub struct Outer<'a> {
        pub name: &'a str,
        pub inner: Option<Box<Inner>>,
    }
    #[derive(HotpatchLayout)]
    pub enum Kind {
        One,
        Two(u32, Option<char>),
    }
    #[derive(HotpatchLayout)]
    pub struct Node {
        pub next: Option<Box<Node>>,
        pub all: Vec<Inner>,
    }
    #[derive(HotpatchLayout)]
    pub struct Pair<T>(pub T, pub T);
    #[derive(HotpatchLayout)]
    #[repr(C)]
    pub union Bits {
        pub whole: u32,
        pub bytes: [u8; 4],
    }
}

mod after {
    use super::HotpatchLayout;
    #[derive(HotpatchLayout)]
    pub struct Inner {
        pub speed: f32,
    }
    #[derive(HotpatchLayout)]
    pub struct Outer<'a> {
        pub name: &'a str,
        pub inner: Option<Box<Inner>>,
    }
    #[derive(HotpatchLayout)]
    pub enum Kind {
        One,
        Two(u32, Option<u32>),
    }
    #[derive(HotpatchLayout)]
    pub struct Node {
        pub next: Option<Box<Node>>,
        pub all: Vec<Inner>,
    }
}

macro_rules! hash {
    ($ty:ty) => {
        Known::<$ty>::THREE
    };
}

#[test]
fn a_field_of_another_type_changes_everything_that_holds_it_or_leads_to_it() {
    assert_ne!(hash!(before::Inner), hash!(after::Inner));
    assert_ne!(hash!(before::Outer<'_>), hash!(after::Outer<'_>));
    assert_ne!(hash!(&mut [before::Inner; 2]), hash!(&mut [after::Inner; 2]));
    assert_ne!(hash!(before::Kind), hash!(after::Kind));
    assert_ne!(hash!(before::Node), hash!(after::Node));
    assert_ne!(hash!(before::Pair<before::Inner>), hash!(before::Pair<after::Inner>));
    assert_ne!(hash!(before::Bits), 0);
}

#[test]
fn pointers_are_followed_three_deep_and_no_deeper() {
    assert_ne!(hash!(&&&before::Inner), hash!(&&&after::Inner));
    assert_eq!(hash!(&&&&before::Inner), hash!(&&&&after::Inner));
}

#[test]
fn a_type_that_derives_nothing_has_no_hash() {
    struct Plain;
    assert_eq!(hash!(Plain), 0);
    assert_eq!(hash!(&Plain), 0);
    assert_eq!(hash!(&dyn Send), 0);
    assert_ne!(hash!((i32, &str)), 0);
}
