//! What was seen, and what of it could not be kept.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tasks that were spawned, roots and blocking ones aside.
pub static TASKS_SPAWNED: Counter = Counter::new();
/// Locks that were created, or used for the first time.
pub static LOCKS_SEEN: Counter = Counter::new();
/// tokio's locks acquired; others are counted by thread, see `held`.
pub(crate) static ACQUISITIONS: Counter = Counter::new();
/// Locks of the program's allocator, which are not looked at.
pub static ALLOCATOR_LOCKS: Counter = Counter::new();
/// Roots that were held back.
pub static DRAINS: Counter = Counter::new();
/// For how long, in nanoseconds.
pub static DRAIN_NS: Counter = Counter::new();
/// Order edges that were not kept.
pub static DROPPED_ORDER_EDGES: Counter = Counter::new();
/// Stacks that were not kept.
pub static DROPPED_STACKS: Counter = Counter::new();
/// Tasks that ended unfinished and were not kept.
pub static DROPPED_TASKS: Counter = Counter::new();
/// Tasks that ended unfinished and were not kept since enough are told of that are like
/// them.
pub static ALIKE_TASKS: Counter = Counter::new();
/// Long holds that were not kept.
pub static DROPPED_HOLDS: Counter = Counter::new();

/// Threads spawned through `std::thread`.
pub static THREADS_SPAWNED: Counter = Counter::new();
/// Blocking calls, guards across awaits and recursions that were not kept.
pub static DROPPED_EVENTS: Counter = Counter::new();

static ALIVE: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

pub(crate) fn task_born() {
    TASKS_SPAWNED.add(1);
    let alive = ALIVE.fetch_add(1, Ordering::Relaxed) + 1;
    if alive > PEAK.load(Ordering::Relaxed) {
        PEAK.fetch_max(alive, Ordering::Relaxed);
    }
}

pub(crate) fn task_died() {
    ALIVE.fetch_sub(1, Ordering::Relaxed);
}

/// Tasks alive now, roots and blocking ones aside.
#[inline]
pub fn tasks_alive() -> u64 {
    ALIVE.load(Ordering::Relaxed)
}

/// The most that were alive at once.
pub fn peak_tasks() -> u64 {
    PEAK.load(Ordering::Relaxed)
}
