//! Whether somebody watches the console, for whose sake the process stays.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::platform::{clock, options};

pub(crate) static WATCHERS: AtomicUsize = AtomicUsize::new(0);

static RELEASED: AtomicBool = AtomicBool::new(false);

/// It has stayed for the sake of a console.
static KEPT: AtomicBool = AtomicBool::new(false);

/// The auditor lets this process go: it stays for no console from now on. Returns
/// whether it had.
pub fn release() -> bool {
    RELEASED.store(true, Ordering::Release);
    KEPT.load(Ordering::Acquire)
}

/// Whether the auditor has let this process go.
#[must_use]
pub fn is_released() -> bool {
    RELEASED.load(Ordering::Acquire)
}

/// Whether a process that has been done since `since_ns` should stay for the sake
/// of a console: one is attached, or none has been and the time for it is not
/// over. The auditor itself is the first to watch, and does not count.
pub fn is_kept_for_console(since_ns: u64) -> bool {
    static WAS_ATTACHED: AtomicBool = AtomicBool::new(false);
    let wait = options::get().console_wait;
    if wait == 0 || is_released() {
        return false;
    }
    let is_attached = WATCHERS.load(Ordering::Relaxed) > 1;
    if is_attached {
        WAS_ATTACHED.store(true, Ordering::Relaxed);
    }
    let is_kept = is_attached
        || !WAS_ATTACHED.load(Ordering::Relaxed) && clock::now_ns().saturating_sub(since_ns) < wait;
    KEPT.fetch_or(is_kept, Ordering::Release);
    is_kept
}
