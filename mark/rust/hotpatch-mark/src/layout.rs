//! Hashes of layouts, computed at build time. Equal hashes mean the same fields of the same types at the same offsets.

use core::marker::PhantomData;

/// A type whose layout is known; see the derive macro of this name, which is the only way to implement it.
///
/// Pointers are followed to a limited depth, with one constant per depth, because a type may contain a pointer to itself.
#[diagnostic::on_unimplemented(
    message = "the layout of `{Self}` is not known to hotpatch",
    note = "write #[derive(HotpatchLayout)] before it"
)]
pub trait HotpatchLayout {
    /// No pointer is followed.
    #[doc(hidden)]
    const FLAT: u64;
    #[doc(hidden)]
    const ONE: u64;
    #[doc(hidden)]
    const TWO: u64;
    /// The value in records.
    #[doc(hidden)]
    const THREE: u64;
}

/// `Known::<T>::THREE` is the hash of `T` where `T: HotpatchLayout`: an inherent constant, which is preferred to that of
/// [`Unknown`]. So a type need not derive anything to be an argument.
pub struct Known<T: ?Sized>(PhantomData<T>);

#[allow(missing_docs)]
impl<T: HotpatchLayout + ?Sized> Known<T> {
    pub const FLAT: u64 = T::FLAT;
    pub const ONE: u64 = T::ONE;
    pub const TWO: u64 = T::TWO;
    pub const THREE: u64 = T::THREE;
}

/// For all other types: only size and alignment are known.
#[allow(missing_docs)]
pub trait Unknown {
    const FLAT: u64 = 0;
    const ONE: u64 = 0;
    const TWO: u64 = 0;
    const THREE: u64 = 0;
}

impl<T: ?Sized> Unknown for Known<T> {}

/// FNV-1a, 64 bits.
#[derive(Clone, Copy)]
pub struct Hash(u64);

impl Hash {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;

    /// Starts with a type's size and alignment, to which the rest is added.
    pub const fn of<T>() -> Self {
        Self(Self::START)
            .number(size_of::<T>() as u64)
            .number(align_of::<T>() as u64)
    }

    /// Starts with a kind of type.
    const fn kind(name: &str) -> Self {
        Self(Self::START).text(name)
    }

    /// Adds a number.
    pub const fn number(self, number: u64) -> Self {
        let bytes = number.to_le_bytes();
        let (mut hash, mut i) = (self.0, 0);
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(Self::PRIME);
            i += 1;
        }
        Self(hash)
    }

    /// Adds a text and its length.
    pub const fn text(self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let (mut hash, mut i) = (self.0, 0);
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u64).wrapping_mul(Self::PRIME);
            i += 1;
        }
        Self(hash).number(bytes.len() as u64)
    }

    /// Never 0, which means unknown.
    pub const fn value(self) -> u64 {
        if self.0 == 0 { 1 } else { self.0 }
    }
}

/// The same at every depth.
macro_rules! plain {
    ($($ty:ty),*) => {$(
        impl HotpatchLayout for $ty {
            const FLAT: u64 = Hash::kind(stringify!($ty)).value();
            const ONE: u64 = Self::FLAT;
            const TWO: u64 = Self::FLAT;
            const THREE: u64 = Self::FLAT;
        }
    )*};
}
plain!(
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    f32,
    f64,
    bool,
    char,
    (),
    str,
    String
);

/// Pointers to a `T`: followed one level less deep.
macro_rules! pointers {
    ($($name:literal $ty:ty),*) => {$(
        impl<T: HotpatchLayout + ?Sized> HotpatchLayout for $ty {
            const FLAT: u64 = Hash::kind($name).value();
            const ONE: u64 = Hash::kind($name).number(T::FLAT).value();
            const TWO: u64 = Hash::kind($name).number(T::ONE).value();
            const THREE: u64 = Hash::kind($name).number(T::TWO).value();
        }
    )*};
}
pointers!("&" &T, "&mut" &mut T, "*const" *const T, "*mut" *mut T, "Box" Box<T>);
pointers!("Rc" std::rc::Rc<T>, "Arc" std::sync::Arc<T>);

macro_rules! sized_pointers {
    ($($name:literal $ty:ty),*) => {$(
        impl<T: HotpatchLayout> HotpatchLayout for $ty {
            const FLAT: u64 = Hash::kind($name).value();
            const ONE: u64 = Hash::kind($name).number(T::FLAT).value();
            const TWO: u64 = Hash::kind($name).number(T::ONE).value();
            const THREE: u64 = Hash::kind($name).number(T::TWO).value();
        }
    )*};
}
sized_pointers!("Vec" Vec<T>);

/// Types that contain `T`s.
macro_rules! holders {
    ($([$($t:ident)+] $ty:ty, $start:expr;)*) => {$(
        impl<$($t: HotpatchLayout),+> HotpatchLayout for $ty {
            const FLAT: u64 = $start$(.number($t::FLAT))+.value();
            const ONE: u64 = $start$(.number($t::ONE))+.value();
            const TWO: u64 = $start$(.number($t::TWO))+.value();
            const THREE: u64 = $start$(.number($t::THREE))+.value();
        }
    )*};
}
holders! {
    [T] [T], Hash::kind("[]");
    [T] Option<T>, Hash::of::<Self>().text("Option");
    [T E] Result<T, E>, Hash::of::<Self>().text("Result");
    [T] core::cell::Cell<T>, Hash::of::<Self>().text("Cell");
    [T] core::cell::RefCell<T>, Hash::of::<Self>().text("RefCell");
    [T] std::sync::Mutex<T>, Hash::of::<Self>().text("Mutex");
    [T] std::sync::RwLock<T>, Hash::of::<Self>().text("RwLock");
    [A] (A,), Hash::of::<Self>();
    [A B] (A, B), Hash::of::<Self>();
    [A B C] (A, B, C), Hash::of::<Self>();
    [A B C D] (A, B, C, D), Hash::of::<Self>();
    [A B C D E] (A, B, C, D, E), Hash::of::<Self>();
    [A B C D E F] (A, B, C, D, E, F), Hash::of::<Self>();
}

impl<T: HotpatchLayout, const N: usize> HotpatchLayout for [T; N] {
    const FLAT: u64 = Hash::kind("[N]").number(N as u64).number(T::FLAT).value();
    const ONE: u64 = Hash::kind("[N]").number(N as u64).number(T::ONE).value();
    const TWO: u64 = Hash::kind("[N]").number(N as u64).number(T::TWO).value();
    const THREE: u64 = Hash::kind("[N]").number(N as u64).number(T::THREE).value();
}
