//! Tasks whose last waker was dropped without a wake.
//!
//! A task that waits without a waker is in `pending()`, or in a future that forgot to
//! keep one; these cannot be told apart. One whose waker was there as its last poll
//! ended, and goes between two polls, is lost for certain.

use std::sync::atomic::{Ordering, fence};

use crate::{
    platform::{
        clock,
        stack::{self, Extent},
    },
    record::task::{Task, TaskEnd},
};

impl Task {
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
