//! Tasks whose last waker was dropped without a wake.
//!
//! A task that waits without a waker is in `pending()`, or in a future that forgot to
//! keep one; these cannot be told apart. One whose waker was there as its last poll
//! ended, and goes between two polls, is lost for certain.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use crate::{
    clock,
    stack::{self, Extent, StackId},
    task::{Task, TaskEnd},
};

/// What is known of the last of a task's wakers.
#[derive(Debug, Default)]
pub(crate) struct LastWaker {
    /// Clones that were made before its last poll.
    clones_before: AtomicU64,
    /// Its last poll has cloned its waker.
    is_registered: AtomicBool,
    /// The last one was dropped after so many polls; 0: none was.
    lost_at_polls: AtomicU64,
    stack: AtomicU32,
    lost_ns: AtomicU64,
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

    /// The last of its wakers is dropped. What its last poll did not ask for is not what
    /// it waits for.
    #[cold]
    #[inline(never)]
    pub(crate) fn last_waker_dropped(&self) {
        let last = &self.last_waker;
        // First: a poll that begins after this makes it void.
        let polls = self.polls();
        fence(Ordering::SeqCst);
        let goes_on = self.is_scheduled() || self.is_running() || self.is_being_dropped();
        if goes_on || self.end() != TaskEnd::Alive || !last.is_registered.load(Ordering::Relaxed) {
            return;
        }
        last.stack.store(stack::capture(Extent::Thread), Ordering::Relaxed);
        last.lost_ns.store(clock::now_ns(), Ordering::Relaxed);
        last.lost_at_polls.store(polls, Ordering::Release);
    }
}
