//! Wakers of the last poll, and the pointers by which wakers name their task.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::record::task::Task;

/// Distinct await stacks that are kept per task: the branches of a `select!`.
pub(crate) const MAX_WAITS: usize = 8;

/// Marks of polls that a pointer to a task has room for.
pub(crate) const MARKS: usize = align_of::<Task>();

/// The address of the task whose waker has this address as its data.
pub(crate) fn address_of_task(data: usize) -> usize {
    data & !(MARKS - 1)
}

/// The mark of a poll.
pub(crate) fn mark_of(poll: u64) -> usize {
    poll as usize & (MARKS - 1)
}

/// How many clones that a task's last poll made are still out.
#[derive(Debug, Default)]
pub(crate) struct Recent(AtomicU64);

impl Recent {
    const COUNT: u32 = 24;

    pub(crate) fn begin(&self, poll: u64) {
        self.0.store(poll << Self::COUNT, Ordering::Release);
    }

    /// The last poll, and how many.
    pub(crate) fn get(&self) -> (u64, u64) {
        let word = self.0.load(Ordering::Acquire);
        (word >> Self::COUNT, word & ((1 << Self::COUNT) - 1))
    }

    /// Changes the count, if the mark is the last poll's.
    pub(crate) fn change(&self, mark: usize, f: impl Fn(u64) -> Option<u64>) {
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
            let (poll, count) = (word >> Self::COUNT, word & ((1 << Self::COUNT) - 1));
            let count =
                f(count).filter(|count| mark_of(poll) == mark && *count >> Self::COUNT == 0)?;
            Some(poll << Self::COUNT | count)
        });
    }
}

/// See [`table`].
static TABLE: AtomicUsize = AtomicUsize::new(0);

/// The address of the table that all wakers of ours have; their data is the address of
/// the task.
pub(crate) fn table() -> usize {
    TABLE.load(Ordering::Relaxed)
}

/// Makes it known, once.
pub(crate) fn set_table(address: usize) {
    TABLE.store(address, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_for_the_poll_whose_mark_they_bear() {
        let recent = Recent::default();
        recent.begin(3);
        recent.change(mark_of(3), |count| Some(count + 1));
        recent.change(mark_of(3), |count| Some(count + 1));
        recent.change(mark_of(2), |count| Some(count + 1));
        assert_eq!(recent.get(), (3, 2));
        recent.begin(4);
        recent.change(mark_of(3), |count| count.checked_sub(1));
        assert_eq!(recent.get(), (4, 0), "a clone of an earlier poll is none of this one's");
        recent.change(mark_of(4), |count| count.checked_sub(1));
        assert_eq!(recent.get(), (4, 0), "never below zero");
    }

    #[test]
    fn the_mark_leaves_the_address() {
        let address = 0x7f00_0000_0040;
        assert_eq!(address_of_task(address | mark_of(13)), address);
        assert_eq!(mark_of(3), mark_of(3 + MARKS as u64));
    }
}
