//! Panics between generations. Each copy has its own `std`, and one cannot catch a panic of another: it is a foreign
//! exception there, and aborts. So a panic becomes a value before it leaves its copy, and goes on in its caller's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What an entry returns: the result, or the payload of a panic.
pub type Outcome<T> = std::thread::Result<T>;

/// Runs a body. Without a panic this costs nothing but the `Ok`.
pub fn catch<T>(body: impl FnOnce() -> T) -> Outcome<T> {
    // What a panic leaves half done is as visible as it would be without this detour: `resume` follows.
    catch_unwind(AssertUnwindSafe(body))
}

/// Lets a panic go on. The panic hook has run already, in the copy that panicked.
#[cold]
pub fn resume(panic: Box<dyn core::any::Any + Send>) -> ! {
    resume_unwind(panic)
}

/// Runs a switch hook. A panic ends the hook and nothing else: its caller is hotpatch, where no panic may arrive.
pub fn hook(body: impl FnOnce()) {
    drop(catch(body));
}
