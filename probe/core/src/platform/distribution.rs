//! How long polls, waits and holds took.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is shorter is not counted: it is the usual, and a shared counter would be what takes
/// the time.
const LEAST_NS: u64 = 1_000_000;

/// The longest of each class but the last, which has no end.
const BOUNDS_NS: [u64; CLASSES - 1] =
    [5_000_000, 10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000, 5_000_000_000];

/// How many classes there are.
pub const CLASSES: usize = 8;

/// Counts by class of length, of what took at least a millisecond.
#[derive(Debug)]
pub struct Distribution {
    counts: [AtomicU64; CLASSES],
    longest_ns: AtomicU64,
}

impl Distribution {
    const fn new() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; CLASSES], longest_ns: AtomicU64::new(0) }
    }

    /// Counts one that took so long.
    #[inline]
    pub(crate) fn note(&self, took_ns: u64) {
        if took_ns >= LEAST_NS {
            self.note_long(took_ns);
        }
    }

    #[cold]
    fn note_long(&self, took_ns: u64) {
        let class = BOUNDS_NS.iter().take_while(|bound| took_ns > **bound).count();
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        self.longest_ns.fetch_max(took_ns, Ordering::Relaxed);
    }

    /// The counts, the shortest first.
    pub fn counts(&self) -> [u64; CLASSES] {
        std::array::from_fn(|class| self.counts[class].load(Ordering::Relaxed))
    }

    /// Of all that were counted, in nanoseconds; 0 where there is none.
    pub fn longest_ns(&self) -> u64 {
        self.longest_ns.load(Ordering::Relaxed)
    }
}

/// Polls of tasks, and of the futures of `block_on`.
pub static POLLS: Distribution = Distribution::new();
/// Waits for locks.
pub static LOCK_WAITS: Distribution = Distribution::new();
/// Holds of locks.
pub static LOCK_HOLDS: Distribution = Distribution::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_the_class_that_it_fits() {
        let distribution = Distribution::new();
        for took_ns in [0, 999_999, 1_000_000, 5_000_000, 5_000_001, 60_000_000_000] {
            distribution.note(took_ns);
        }
        assert_eq!(distribution.counts(), [2, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(distribution.longest_ns(), 60_000_000_000);
    }
}
