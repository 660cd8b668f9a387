//! Between the generic code of this crate and the core: nothing here is generic,
//! so all of it is compiled here, optimised.

use concaudit_core::{
    is_active,
    label::{How, Intent, Label},
    lock::Mode,
    thread::{self, Blocking},
};

/// A lock that this thread holds, until this is dropped: before the real lock is
/// released, so it comes before the real guard among the fields of a guard.
#[derive(Debug)]
pub struct Holding<'a> {
    label: &'a Label,
    mode: Mode,
}

/// A lock is about to be taken.
#[inline(never)]
pub fn intend(label: &Label, mode: Mode, how: How) -> Intent {
    label.intend(mode, how)
}

/// The lock is taken.
#[inline(never)]
pub fn acquired(label: &Label, mode: Mode, intent: Intent) -> Holding<'_> {
    label.acquired(intent);
    Holding { label, mode }
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
    label: &Label,
    intent: &Intent,
    operation: &'static str,
    place: core::ops::Range<usize>,
) -> Option<Blocking> {
    is_active().then(|| label.wait_to_be_notified(intent, operation, place))
}

impl<'a> Holding<'a> {
    /// The lock is about to be released.
    pub fn release(self) -> &'a Label {
        self.label
    }

    /// The writer is about to become a reader.
    pub fn downgrade(mut self) -> Self {
        self.label.converted(self.mode, Mode::Shared);
        self.mode = Mode::Shared;
        self
    }
}

impl Drop for Holding<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        self.label.released(self.mode);
    }
}
