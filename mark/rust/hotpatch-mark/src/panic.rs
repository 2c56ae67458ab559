//! Panics between generations. Each copy has its own `std`, and one cannot catch a panic of another: it is a foreign
//! exception there, and aborts. So a panic becomes a value before it leaves its copy, and resumes in its caller's.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What an entry returns: the result, or the payload of a panic.
pub type Outcome<T> = std::thread::Result<T>;

/// Runs a body. Without a panic this costs nothing but the `Ok`.
pub fn catch<T>(body: impl FnOnce() -> T) -> Outcome<T> {
    // State left half done by a panic is as visible as without this detour: `resume` follows.
    catch_unwind(AssertUnwindSafe(body))
}

/// Resumes a panic. The panic hook has already run, in the copy that panicked.
#[cold]
pub fn resume(panic: Box<dyn core::any::Any + Send>) -> ! {
    resume_unwind(panic)
}

/// Runs a switch hook. A panic ends the hook and nothing else: its caller is hotpatch, where no panic may arrive.
pub fn hook(body: impl FnOnce()) {
    drop(catch(body));
}
