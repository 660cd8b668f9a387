//! The audited process: whether it is one, and numbers that are unique in it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Whether this process is audited. Where it is not, every entry point of the
/// probe returns at once.
#[inline]
pub fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// It is, from now on.
pub(crate) fn activate() {
    ACTIVE.store(true, Ordering::Release);
}

/// An id that is unique in this process; never 0.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The calling thread's number for the system; 0 where it has none.
pub(crate) fn os_thread() -> u32 {
    #[cfg(target_os = "linux")]
    // SAFETY: reads the thread's number.
    return unsafe { libc::gettid() }.cast_unsigned();
    #[cfg(not(target_os = "linux"))]
    0
}
