//! What is known of the last of a task's wakers.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::{platform::stack::StackId, record::task::Task};

/// What is known of the last of a task's wakers.
#[derive(Debug, Default)]
pub(crate) struct LastWaker {
    /// Clones that were made before its last poll.
    clones_before: AtomicU64,
    /// Its last poll has cloned its waker.
    pub(crate) is_registered: AtomicBool,
    /// The last one was dropped after so many polls; 0: none was.
    pub(crate) lost_at_polls: AtomicU64,
    pub(crate) stack: AtomicU32,
    pub(crate) lost_ns: AtomicU64,
}

impl LastWaker {
    pub(crate) fn poll_begins(&self, clones: u64) {
        self.clones_before.store(clones, Ordering::Relaxed);
    }

    pub(crate) fn poll_ends(&self, clones: u64) {
        let is_registered = clones > self.clones_before.load(Ordering::Relaxed);
        self.is_registered.store(is_registered, Ordering::Relaxed);
    }
}

impl Task {
    /// Where and when its last waker was dropped between two polls, if nothing has
    /// happened to it since; else zeros.
    pub(crate) fn lost_waker(&self) -> (StackId, u64) {
        let last = &self.last_waker;
        let polls = last.lost_at_polls.load(Ordering::Acquire);
        let (clones, drops) = self.wakers();
        let is_lost = polls != 0
            && polls == self.polls()
            && clones == drops
            && !self.is_running()
            && !self.is_scheduled();
        if !is_lost {
            return (0, 0);
        }
        (last.stack.load(Ordering::Relaxed), last.lost_ns.load(Ordering::Relaxed))
    }
}
