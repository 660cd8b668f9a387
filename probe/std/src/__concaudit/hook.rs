//! Between the generic code of this crate and the core: nothing here is generic,
//! so all of it is compiled here, optimised.

use concaudit_core::{
    is_active,
    lifecycle::{
        lockdep_map::{Attempt, LockdepMap},
        thread::{self, Blocking},
    },
    record::lock::{AcquireKind, Mode},
};

/// A lock that this thread holds, until this is dropped: before the real lock is
/// released, so it comes before the real guard among the fields of a guard.
#[derive(Debug)]
pub struct Holding<'a> {
    lockdep: &'a LockdepMap,
    mode: Mode,
}

/// A lock is about to be taken.
#[inline(never)]
pub fn attempt(lockdep: &LockdepMap, mode: Mode, how: AcquireKind) -> Attempt {
    lockdep.attempt(mode, how)
}

/// The lock is taken.
#[inline(never)]
pub fn acquired(lockdep: &LockdepMap, mode: Mode, attempt: Attempt) -> Holding<'_> {
    lockdep.acquired(attempt);
    Holding { lockdep, mode }
}

/// A call that blocks, if anybody wants to know.
#[inline(never)]
pub fn blocking(operation: &'static str) -> Option<Blocking> {
    is_active().then(|| thread::blocking(operation))
}

/// The end of a `thread::scope` at this address.
#[inline(never)]
pub fn leaving_scope(scope: usize) -> Option<Blocking> {
    is_active().then(|| thread::leaving_scope(scope))
}

/// A wait on a `Condvar`, for which a lock at this place was released.
#[inline(never)]
pub fn wait_to_be_notified(
    lockdep: &LockdepMap,
    attempt: &Attempt,
    operation: &'static str,
    place: core::ops::Range<usize>,
) -> Option<Blocking> {
    is_active().then(|| lockdep.wait_to_be_notified(attempt, operation, place))
}

impl<'a> Holding<'a> {
    /// The lock is about to be released.
    pub fn release(self) -> &'a LockdepMap {
        self.lockdep
    }

    /// The writer is about to become a reader.
    pub fn downgrade(mut self) -> Self {
        self.lockdep.converted(self.mode, Mode::Shared);
        self.mode = Mode::Shared;
        self
    }
}

impl Drop for Holding<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        self.lockdep.released(self.mode);
    }
}
