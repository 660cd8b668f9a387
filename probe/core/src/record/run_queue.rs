//! For how long the machine kept a CPU from those who take part in a wait for a lock.

use crate::{
    platform::{process::os_thread, sample},
    record::held_locks,
};

/// A thread, and for how long it had waited for a CPU at some moment.
#[derive(Debug, Clone, Copy)]
struct Queued {
    os_thread: u32,
    before_ns: u64,
}

impl Queued {
    fn now(os_thread: u32) -> Option<Self> {
        Some(Self { os_thread, before_ns: sample::times(os_thread)?.1 })
    }

    fn since_ns(self) -> u64 {
        sample::times(self.os_thread).map_or(0, |(_, now)| now.saturating_sub(self.before_ns))
    }
}

/// Who takes part in a wait for a lock that begins: the thread that waits, and those that
/// hold the lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parties {
    waiter: Option<Queued>,
    holders: Vec<Queued>,
}

impl Parties {
    pub(crate) fn of(id: u64) -> Self {
        Self {
            waiter: Queued::now(os_thread()),
            holders: held_locks::numbers_of_holders_of(id)
                .into_iter()
                .filter_map(Queued::now)
                .collect(),
        }
    }

    /// For how long the machine kept a CPU from the holders, and then from the waiter, who
    /// was to go on: that is not the holders' doing.
    pub(crate) fn withheld_ns(&self) -> u64 {
        let of_holders = self.holders.iter().map(|queued| queued.since_ns()).max();
        of_holders.unwrap_or(0) + self.waiter.map_or(0, Queued::since_ns)
    }
}
