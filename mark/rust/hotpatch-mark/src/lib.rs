//! What the author of a Rust library writes so that hotpatch can edit the library inside a running process.
//!
//! ```
//! use hotpatch_mark::{HotpatchLayout, hotpatch};
//!
//! #[derive(HotpatchLayout)]
//! pub struct Player {
//!     pub health: i32,
//! }
//!
//! #[hotpatch]
//! pub unsafe fn damage(player: &mut Player, amount: i32) -> i32 {
//!     player.health -= amount;
//!     player.health
//! }
//! # assert_eq!(unsafe { damage(&mut Player { health: 10 }, 3) }, 7);
//! ```
//!
//! The library is built as a `cdylib` and followed by the `hotpatch` command line. The crate has no run-time part: what
//! hotpatch must know is in the library's own file (docs/marks.md of hotpatch has it byte by byte). Release builds can
//! leave everything out: `#[cfg_attr(feature = "hotpatch", hotpatch_mark::hotpatch)]`.
//!
//! Linux on x86_64, `std`, Rust 1.88 or later.

mod flag;
mod hooks;
mod layout;
mod panic;
mod record;
mod state;

pub use flag::is_hotpatched;
pub use layout::HotpatchLayout;
pub use state::State;

/// Marks a function: every call, through whatever pointer, reaches the body of the running generation.
///
/// ```
/// # use hotpatch_mark::hotpatch;
/// #[hotpatch]
/// unsafe fn greet(name: &str) -> String {
///     format!("hello, {name}")
/// }
///
/// struct Cat;
/// impl Cat {
///     #[hotpatch(name = "Cat::greet")] // two functions of one name in a module need names of their own
///     unsafe fn greet(cat: &Cat) -> String {
///         "meow".to_owned()
///     }
/// }
/// # assert_eq!(unsafe { greet("you") }, "hello, you");
/// # assert_eq!(unsafe { Cat::greet(&Cat) }, "meow");
/// ```
///
/// The mark's name is `crate::module::function`; `name` replaces its last part. The function must be `unsafe`: its callers
/// promise that what they pass, and the data behind it, is still what a later build takes it for. hotpatch checks that as
/// far as it can see: the signature as written, the size and alignment of every argument and of the result, and the layout
/// of types that derive [`HotpatchLayout`].
///
/// It cannot be `const`, `async`, `extern "Rust"` or variadic, use `self`, `Self` or `impl Trait`, or have generic
/// parameters other than lifetimes. A panic leaves the function as it would without the mark, even if caller and body are
/// from different generations.
pub use hotpatch_mark_macros::hotpatch;

/// Lets hotpatch detect that a type's layout differs in a new build, even if its size is the same.
///
/// Covers field names, types and offsets, and the contents of fields and pointers, three levels deep, as far as those types
/// derive it too. A generic type needs its parameters to derive it:
///
/// ```compile_fail,E0277
/// # use hotpatch_mark::HotpatchLayout;
/// #[derive(HotpatchLayout)]
/// struct Pair<T>(T, T);
/// struct Plain;
/// fn known<T: HotpatchLayout>() {}
/// known::<Pair<i32>>();
/// known::<Pair<Plain>>(); // Plain does not derive it
/// ```
pub use hotpatch_mark_macros::HotpatchLayout;

/// For the macros' code only.
#[doc(hidden)]
pub mod __private {
    pub use crate::layout::{Hash, Known, Unknown};
    pub use crate::panic::{Outcome, catch, hook, resume};
    pub use crate::record::{FunctionRecord, Layout, NO_OFFSET, Part, TypeRecord};
    pub use crate::state::Storage;
}
