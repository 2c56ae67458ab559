//! Variables that survive all generations: section hp_state, version 1 (docs/marks.md).

use core::cell::UnsafeCell;
use core::ops::Deref;
use core::ptr::null;

use crate::record::text;

/// The record of a variable, which dereferences to the live value. Made by [`state!`](crate::state).
#[repr(C, align(8))]
pub struct State<T: 'static> {
    magic: [u8; 8],
    bytes: u32,
    reserved: u32,
    size: u64,
    align: u64,
    /// hotpatch writes the address of the first owner's storage here, in the file of each copy.
    owner: UnsafeCell<*const T>,
    own: &'static Storage<T>,
    name: *const u8,
    ty: *const u8,
}

// SAFETY: the record is never written once the file is loaded, and it gives shared references to a `T` only.
unsafe impl<T: Sync> Sync for State<T> {}

impl<T> State<T> {
    #[doc(hidden)]
    pub const fn new(name: &'static str, ty: &'static str, own: &'static Storage<T>) -> Self {
        Self {
            magic: *b"HPSTATE1",
            bytes: size_of::<Self>() as u32,
            reserved: 0,
            size: size_of::<T>() as u64,
            align: align_of::<T>() as u64,
            owner: UnsafeCell::new(null()),
            own,
            name: text(name),
            ty: text(ty),
        }
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: hotpatch gives the address of a variable of this name, type text, size and alignment, in a library that is
        // never unloaded. Volatile, because the file's bytes may differ from those that were compiled.
        unsafe {
            let owner = self.owner.get().read_volatile();
            if owner.is_null() { &*self.own.0.get() } else { &*owner }
        }
    }
}

/// A variable's storage in this copy. In writable memory whatever its type is: another copy may use it.
#[repr(transparent)]
pub struct Storage<T>(UnsafeCell<T>);

// SAFETY: only `State` looks inside, and gives shared references.
unsafe impl<T: Sync> Sync for Storage<T> {}

impl<T> Storage<T> {
    #[doc(hidden)]
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }
}

/// Declares statics that survive all generations, rollbacks and restores.
///
/// ```
/// use std::sync::Mutex;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// hotpatch_mark::state! {
///     /// Points so far.
///     pub static SCORE: AtomicU32 = AtomicU32::new(0);
///     static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// }
///
/// SCORE.fetch_add(5, Ordering::Relaxed);
/// NAMES.lock().unwrap().push("ada".to_owned());
/// # assert_eq!(SCORE.load(Ordering::Relaxed), 5);
/// ```
///
/// The first generation that has a variable owns it: all others use its storage, constructors of a copy included. Its type
/// must be [`Sync`], so that threads of all generations may use it at once. Name, type as written, size and alignment must
/// stay, and the layout of types in it that derive [`HotpatchLayout`](crate::HotpatchLayout).
///
/// ```compile_fail,E0277
/// hotpatch_mark::state! {
///     static SCORE: std::cell::Cell<i32> = std::cell::Cell::new(0); // not Sync
/// }
/// ```
#[macro_export]
macro_rules! state {
    ($($(#[$attribute:meta])* $visibility:vis static $name:ident: $ty:ty = $value:expr;)*) => {$(
        $(#[$attribute])*
        #[used]
        #[unsafe(link_section = "hp_state")]
        $visibility static $name: $crate::State<$ty> = {
            static OWN: $crate::__private::Storage<$ty> = $crate::__private::Storage::new($value);
            $crate::State::new(
                concat!(module_path!(), "::", stringify!($name), "\0"),
                concat!(stringify!($ty), "\0"),
                &OWN,
            )
        };
    )*};
}
