//! A program that knows nothing of hotpatch: it opens a library and asks it for a line ten times a second.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{Write, stdout};
use std::thread::sleep;
use std::time::Duration;

// libc's, which every Rust program on Linux is linked with.
unsafe extern "C" {
    fn dlopen(path: *const c_char, mode: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}
const RTLD_NOW: c_int = 2;
const TICK: Duration = Duration::from_millis(100);

/// Moves everything on, and writes one line of at most `size` bytes to `line`. Returns its length.
type Tick = unsafe extern "C" fn(line: *mut u8, size: usize) -> usize;

fn open(path: &str) -> Option<Tick> {
    let path = CString::new(path).ok()?;
    // SAFETY: both are C strings; the library's `tick` has the type that is written above.
    unsafe {
        let library = dlopen(path.as_ptr(), RTLD_NOW);
        let tick = if library.is_null() { library } else { dlsym(library, c"tick".as_ptr()) };
        (!tick.is_null()).then(|| std::mem::transmute::<*mut c_void, Tick>(tick))
    }
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_default();
    let Some(tick) = open(&path) else {
        eprintln!("usage: host LIBRARY: there is no library with a function `tick` at \"{path}\"");
        std::process::exit(1);
    };
    let mut line = [0; 256];
    // Until the reader of the lines is gone.
    loop {
        // SAFETY: the library writes no more than it is given room for.
        let length = unsafe { tick(line.as_mut_ptr(), line.len()) };
        if writeln!(stdout(), "{}", String::from_utf8_lossy(&line[..length])).is_err() {
            return;
        }
        sleep(TICK);
    }
}
