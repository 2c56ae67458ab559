//! The flag that tells code whether it runs in a copy.

use core::cell::UnsafeCell;

/// 15 bytes, including the NUL, by which hotpatch finds the flag in the file, then the flag: hotpatch writes 1 into each
/// copy before it is loaded, so that it is valid from the first instruction on.
#[repr(C, align(16))]
struct Flag(UnsafeCell<[u8; 16]>);

// SAFETY: nothing writes to it once the file is loaded.
unsafe impl Sync for Flag {}

#[used]
#[unsafe(link_section = "hp_flag")]
static FLAG: Flag = Flag(UnsafeCell::new(*b"HOTPATCH-FLAG1\0\0"));

/// Whether this code is a copy that hotpatch loaded: false in the file that the host itself loaded. Valid in constructors
/// too: check it before start-up work that must happen only once.
#[inline(never)]
pub fn is_hotpatched() -> bool {
    // SAFETY: in bounds; volatile, because the file's bytes may differ from those that were compiled.
    unsafe { FLAG.0.get().cast::<u8>().add(15).read_volatile() != 0 }
}
