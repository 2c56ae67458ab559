//! Variables where no tool is at work: they use their own storage.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};

hotpatch_mark::state! {
    /// Points.
    pub static SCORE: AtomicU32 = AtomicU32::new(5);
    static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| vec![1, 2, 3]);
    static LIMIT: u64 = 9;
}

#[test]
fn a_variable_is_used_through_its_name() {
    SCORE.fetch_add(1, Ordering::Relaxed);
    assert_eq!(SCORE.load(Ordering::Relaxed), 6);
    NAMES.lock().unwrap().push("ada".to_owned());
    assert_eq!(*NAMES.lock().unwrap(), ["ada"]);
    assert_eq!(TABLE.len(), 3);
    assert_eq!(*LIMIT, 9);
}
