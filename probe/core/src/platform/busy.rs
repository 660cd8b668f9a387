//! Whether this thread is in the middle of the probe's own doings, or of the program's
//! allocator.

use std::cell::Cell;

use super::process::is_active;

thread_local! {
    /// How many of the probe's critical sections this thread is in, each counted as
    /// [`BUSY`] or [`AT_WORK`], and how many locks of the allocator it holds, each
    /// counted as [`ALLOCATING`].
    static COUNT: Cell<u32> = const { Cell::new(0) };
}

/// A critical section of the probe, in `COUNT`.
const BUSY: u32 = 1;

/// One in which nothing of the program's is called but its allocator.
const AT_WORK: u32 = BUSY | 1 << 12;

/// A lock of the program's allocator that is held; as many as fit.
const ALLOCATING: u32 = 1 << 24;

/// The probe's own doings: what locks do meanwhile on this thread is not looked
/// at.
#[derive(Debug)]
pub(crate) struct Busy(u32);

impl Busy {
    #[inline]
    pub(crate) fn begin() -> Self {
        Self::with(BUSY)
    }

    /// The same, where whatever lock is taken meanwhile is one of the program's
    /// allocator: under a lock of the probe's, nothing else of the program's is called.
    #[inline]
    pub(crate) fn begin_work() -> Self {
        Self::with(AT_WORK)
    }

    #[inline]
    fn with(count: u32) -> Self {
        COUNT.with(|busy| busy.set(busy.get() + count));
        Self(count)
    }
}

/// This thread is the probe's, and nothing that it does is looked at.
pub fn is_ours() {
    std::mem::forget(Busy::begin());
}

impl Drop for Busy {
    #[inline]
    fn drop(&mut self) {
        COUNT.with(|busy| busy.set(busy.get() - self.0));
    }
}

/// Whether this thread is in the middle of the probe's own doings, or of the
/// program's allocator.
#[inline]
pub(crate) fn is_busy() -> bool {
    COUNT.with(Cell::get) > 0
}

/// Whether a lock that is taken on this thread now must be one of the program's
/// allocator.
pub(crate) fn allocates() -> bool {
    COUNT.with(Cell::get) >= AT_WORK
}

/// This thread has taken a lock of the allocator: until it is released, the probe
/// neither allocates nor locks on this thread.
pub(crate) fn allocation_begins() {
    COUNT.with(|busy| busy.set(busy.get().checked_add(ALLOCATING).unwrap_or(busy.get())));
}

/// Undoes the last [`allocation_begins`], if there is one.
pub(crate) fn allocation_ends() {
    COUNT.with(|busy| busy.set(busy.get().checked_sub(ALLOCATING).unwrap_or(busy.get())));
}

/// Whether what this thread does is the program's, and is to be watched.
#[inline]
pub(crate) fn watches() -> bool {
    is_active() && !is_busy()
}
