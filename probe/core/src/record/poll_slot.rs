//! What a thread polls, for other threads to read.
//!
//! A poll writes three words at its beginning and at its end, and that is all that it
//! costs. Who reads them (`polls.rs`) is interested in those that stay for long.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use crate::platform::{clock, sample::Target};

/// A thread's, as a part of [`crate::record::held_locks::HeldLocks`].
#[derive(Debug, Default)]
pub(crate) struct PollSlot {
    /// The thread's number for the system.
    os_thread: AtomicU32,
    /// Where its stack ends.
    high: AtomicUsize,
    /// The innermost task that it polls; 0: none.
    task: AtomicU64,
    /// Frame pointer of the function that polls it.
    base: AtomicUsize,
    /// Since when it polls that task and no other one within; 0: it polls none.
    since_ns: AtomicU64,
    /// For how long calls that `blocking-call` tells of have blocked the thread.
    in_calls_ns: AtomicU64,
    /// The call that blocks it now, since when; 0: none that the probe knows.
    call_since_ns: AtomicU64,
    /// It is one of tokio's threads for blocking tasks.
    is_of_pool: AtomicBool,
    /// As such, it waits for another task.
    is_idle: AtomicBool,
}

/// A poll as it was seen in a [`PollSlot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) task: u64,
    pub(crate) since_ns: u64,
    base: usize,
}

impl PollSlot {
    /// The thread's number for the system; 0: nobody has it.
    pub(crate) fn os_thread(&self) -> u32 {
        self.os_thread.load(Ordering::Relaxed)
    }

    /// The thread whose it is from now on.
    pub(crate) fn give_to(&self, os_thread: u32, high: usize) {
        self.os_thread.store(os_thread, Ordering::Relaxed);
        self.high.store(high, Ordering::Relaxed);
        self.in_calls_ns.store(0, Ordering::Relaxed);
        self.call_since_ns.store(0, Ordering::Relaxed);
        self.is_of_pool.store(false, Ordering::Relaxed);
        self.is_idle.store(false, Ordering::Relaxed);
        self.change(0, 0, 0);
    }

    /// The thread begins to poll a task, or goes on with one (0: none) after a poll
    /// within.
    #[inline]
    pub(crate) fn change(&self, task: u64, base: usize, since_ns: u64) {
        self.task.store(task, Ordering::Relaxed);
        self.base.store(base, Ordering::Relaxed);
        self.since_ns.store(if task == 0 { 0 } else { since_ns }, Ordering::Release);
    }

    /// The task that is polled; 0: none. By the thread itself.
    #[inline]
    pub(crate) fn task(&self) -> u64 {
        self.task.load(Ordering::Relaxed)
    }

    /// The poll that goes on. One that begins at this moment may be taken for a
    /// mixture with the one before; it is another one at the next look.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let since_ns = self.since_ns.load(Ordering::Acquire);
        let task = self.task.load(Ordering::Relaxed);
        let base = self.base.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let is_whole = self.since_ns.load(Ordering::Relaxed) == since_ns;
        (since_ns != 0 && task != 0 && is_whole).then_some(Seen { task, since_ns, base })
    }

    /// Where to look for what that poll does.
    pub(crate) fn target(&self, seen: Seen) -> Target {
        Target {
            os_thread: self.os_thread.load(Ordering::Relaxed),
            high: self.high.load(Ordering::Relaxed),
            base: seen.base,
        }
    }

    /// The thread runs a blocking task.
    pub(crate) fn note_blocking_task(&self) {
        self.is_of_pool.store(true, Ordering::Relaxed);
    }

    /// tokio parks the thread for some time, or no longer does. By the thread itself.
    pub(crate) fn park_for_some_time(&self, is_parked: bool) {
        let is_idle = self.is_of_pool.load(Ordering::Relaxed) && self.task() == 0;
        self.is_idle.store(is_parked && is_idle, Ordering::Release);
    }

    /// It does nothing until it is given a blocking task.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    /// A call that the probe knows begins to block the thread.
    pub(crate) fn call_begins(&self, now_ns: u64) {
        self.call_since_ns.store(now_ns, Ordering::Relaxed);
    }

    /// And has done so for this long, if that is worth telling.
    pub(crate) fn call_ends(&self, told_ns: u64) {
        self.call_since_ns.store(0, Ordering::Relaxed);
        self.in_calls_ns.fetch_add(told_ns, Ordering::Relaxed);
    }

    /// A call that the probe knows blocks the thread now.
    pub(crate) fn is_in_call(&self) -> bool {
        self.call_since_ns.load(Ordering::Relaxed) != 0
    }

    /// For how long such calls have blocked it that are over.
    pub(crate) fn in_past_calls_ns(&self) -> u64 {
        self.in_calls_ns.load(Ordering::Relaxed)
    }

    /// For how long such calls have blocked it, the one that goes on included.
    pub(crate) fn in_calls_ns(&self) -> u64 {
        let since = self.call_since_ns.load(Ordering::Relaxed);
        let now = if since == 0 { 0 } else { clock::now_ns().saturating_sub(since) };
        self.in_past_calls_ns() + now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_within_another_one_is_seen_and_then_the_outer_one_again() {
        let slot = PollSlot::default();
        assert!(slot.seen().is_none());
        slot.change(7, 0x1000, 5);
        let outer = slot.seen().expect("it polls");
        slot.change(8, 0x2000, 6);
        assert_eq!(slot.seen().map(|seen| (seen.task, seen.since_ns)), Some((8, 6)));
        slot.change(7, 0x1000, 9);
        assert_ne!(slot.seen(), Some(outer), "it has not gone on without a break");
        slot.change(0, 0, 10);
        assert!(slot.seen().is_none());
    }

    #[test]
    fn a_thread_of_the_pool_is_idle_only_while_it_is_parked_without_a_task() {
        let slot = PollSlot::default();
        slot.park_for_some_time(true);
        assert!(!slot.is_idle(), "it is none of the pool");
        slot.note_blocking_task();
        slot.park_for_some_time(true);
        assert!(slot.is_idle());
        slot.park_for_some_time(false);
        slot.change(7, 0x1000, 5);
        slot.park_for_some_time(true);
        assert!(!slot.is_idle(), "its task parks it");
    }

    #[test]
    fn calls_that_are_not_worth_telling_do_not_add_up() {
        let slot = PollSlot::default();
        slot.call_begins(1);
        assert!(slot.is_in_call());
        slot.call_ends(30);
        slot.call_begins(2);
        slot.call_ends(0);
        assert_eq!((slot.in_past_calls_ns(), slot.is_in_call()), (30, false));
    }
}
