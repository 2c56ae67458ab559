//! Edit this file while the host runs: a number in `pull`, the signs in `draw`. The next line shows it, and the pendulum
//! swings on from where it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg_attr(feature = "hotpatch", derive(hotpatch_mark::HotpatchLayout))]
struct Pendulum {
    /// -1 to 1: where it hangs.
    place: f32,
    speed: f32,
    ticks: u32,
}

const START: Pendulum = Pendulum { place: -0.9, speed: 0.0, ticks: 0 };

// Survives edits. Without hotpatch it is a static like any other.
#[cfg(feature = "hotpatch")]
hotpatch_mark::state! {
    static PENDULUM: Mutex<Pendulum> = Mutex::new(START);
}
#[cfg(not(feature = "hotpatch"))]
static PENDULUM: Mutex<Pendulum> = Mutex::new(START);

/// The force that pulls the pendulum to the middle.
#[cfg_attr(feature = "hotpatch", hotpatch_mark::hotpatch)]
unsafe fn pull(pendulum: &Pendulum) -> f32 {
    -0.08 * pendulum.place
}

#[cfg_attr(feature = "hotpatch", hotpatch_mark::hotpatch)]
unsafe fn draw(pendulum: &Pendulum) -> String {
    let bob = position(pendulum.place);
    let track: String = (0..=WIDTH).map(|x| if x == bob { 'o' } else { ' ' }).collect();
    format!("|{track}| {}", pendulum.ticks)
}

const WIDTH: usize = 40;

/// Not marked: it follows an edit too, because every copy of the library is bound to its own functions.
fn position(place: f32) -> usize {
    let middle = WIDTH as f32 / 2.0;
    (middle + place * middle).clamp(0.0, WIDTH as f32) as usize
}

/// What the host calls.
///
/// # Safety
/// `line` has room for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tick(line: *mut u8, size: usize) -> usize {
    let mut pendulum = live();
    if pendulum.ticks == 0 {
        start_logging();
    }
    // SAFETY: the marked functions get the arguments they were built for: hotpatch checks their records.
    let text = unsafe {
        pendulum.speed += pull(&pendulum);
        draw(&pendulum)
    };
    pendulum.place += pendulum.speed;
    pendulum.ticks += 1;
    let length = text.len().min(size);
    // SAFETY: the caller's promise.
    unsafe { line.copy_from_nonoverlapping(text.as_ptr(), length) };
    length
}

/// A panic elsewhere leaves nothing half done here.
fn live() -> MutexGuard<'static, Pendulum> {
    PENDULUM.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Logger;
static LOGGER: Logger = Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }
    fn log(&self, record: &log::Record) {
        println!("# {}", record.args());
    }
    fn flush(&self) {}
}

/// Each copy of the library has its own `log`. An error says only that this one is set up already.
fn start_logging() {
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(log::LevelFilter::Info);
}

#[cfg(feature = "hotpatch")]
hotpatch_mark::before_switch!(|from, to| {
    start_logging();
    log::info!("generation {to} follows {from} at tick {}", live().ticks);
});
