//! What is known of a task that was told to stop.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::{
    platform::{options, stack::StackId},
    record::task::Task,
};

/// What is known of a task that was told to stop.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) aborted_ns: AtomicU64,
    pub(crate) waited_ns: AtomicU64,
    pub(crate) waiter_stack: AtomicU32,
    calls: AtomicU32,
}

impl Ending {
    /// Of a thread or a blocking task: it makes a call that blocks.
    pub(crate) fn note_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// How many such calls it has made.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Task {
    /// When it was seen that it had been aborted; 0: it was not.
    pub fn aborted_ns(&self) -> u64 {
        self.ending.aborted_ns.load(Ordering::Relaxed)
    }

    /// Of a blocking task that has ended: for how long the last root had been over
    /// by then, and the stack of that root's thread, which tells whether it waited
    /// for the task. (0, 0) where that is not known.
    pub fn was_waited_for(&self) -> (u64, StackId) {
        let waited = self.ending.waited_ns.load(Ordering::Relaxed);
        (waited, self.ending.waiter_stack.load(Ordering::Relaxed))
    }

    /// Whether it ended only after it had been told to stop.
    pub(crate) fn ended_late(&self) -> bool {
        let aborted = self.aborted_ns();
        let is_late = aborted != 0 && self.ended_ns().saturating_sub(aborted) >= least();
        is_late || self.was_waited_for().1 != 0
    }
}

/// From when on it counts: as long as a task may take after a root.
pub(crate) fn least() -> u64 {
    options::get().drain_max
}
