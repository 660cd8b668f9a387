//! When the last drain began.

use std::sync::atomic::{AtomicU64, Ordering};

static LAST_STARTED: AtomicU64 = AtomicU64::new(0);

/// When the last drain began; 0: there was none. A task that was polled later
/// than that had its chance.
pub fn last_started_ns() -> u64 {
    LAST_STARTED.load(Ordering::Relaxed)
}

/// A drain begins.
pub(crate) fn note_start(now_ns: u64) {
    LAST_STARTED.store(now_ns, Ordering::Relaxed);
}
