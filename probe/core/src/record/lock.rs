//! Locks as tasks and threads take, hold and wait for them.

use std::sync::Arc;

use crate::{
    platform::{clock, stack::StackId, sync::lock as guard},
    record::{resource::Resource, run_queue::Parties, task::Task},
};

/// How a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A mutex, or a writer.
    Exclusive,
    /// A reader.
    Shared,
    /// A reader beside readers that excludes writers and others of its kind.
    Upgradable,
}

impl Mode {
    #[inline]
    pub(crate) fn word(self) -> u64 {
        match self {
            Self::Exclusive => 1,
            Self::Shared => 2,
            Self::Upgradable => 3,
        }
    }

    pub(crate) fn from_word(word: u64) -> Self {
        match word {
            2 => Self::Shared,
            3 => Self::Upgradable,
            _ => Self::Exclusive,
        }
    }

    /// Whether a lock held in this mode can be taken in the other one.
    pub(crate) fn admits(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Shared, Self::Shared)
                | (Self::Shared, Self::Upgradable)
                | (Self::Upgradable, Self::Shared)
        )
    }
}

/// A lock being taken.
#[derive(Debug, Clone)]
pub struct Acquisition {
    /// The lock.
    pub resource: Arc<Resource>,
    /// How.
    pub mode: Mode,
    /// Where.
    pub stack: StackId,
    /// Without waiting (`try_lock`).
    pub is_try: bool,
    /// Its guard can be given to another actor.
    pub is_movable: bool,
}

/// A lock that an actor holds.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Which, how, where.
    pub acquisition: Acquisition,
    /// Since when.
    pub acquired_ns: u64,
    /// [`clock::starved_ns`] at that time.
    starved_at: u64,
    /// The longest await of the holder since.
    pub awaited_ns: u64,
    /// Its await stack.
    pub await_stack: StackId,
    /// Where the holder began to wait for something right after it had acquired the lock;
    /// 0: it has not yet.
    pub first_await: StackId,
}

impl Hold {
    /// A hold that begins, without any await yet.
    pub(crate) fn new(acquisition: Acquisition, acquired_ns: u64, starved_at: u64) -> Self {
        Self { acquisition, acquired_ns, starved_at, awaited_ns: 0, await_stack: 0, first_await: 0 }
    }

    /// How much of the hold the machine withheld.
    pub fn starved_ns(&self) -> u64 {
        clock::starved_ns().saturating_sub(self.starved_at)
    }
}

/// An actor that holds a lock, seen from the lock.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) actor: Arc<Task>,
    pub(crate) mode: Mode,
}

/// Who waits for a lock, and who did so for long enough to be remembered.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    pub(crate) pending: Vec<Waiter>,
    pub(crate) past: Vec<Waiter>,
}

/// Somebody who waits, or waited, for a lock.
#[derive(Debug, Clone)]
pub struct Waiter {
    pub(crate) operation: u64,
    /// Who.
    pub actor: Arc<Task>,
    /// Where.
    pub stack: StackId,
    /// Since when.
    pub since_ns: u64,
    /// Until when; 0: still.
    pub until_ns: u64,
    /// Of that, where it is over, what the machine withheld.
    pub(crate) withheld_ns: u64,
    pub(crate) parties: Parties,
}

/// A hold that was long, or at which others waited for long.
#[derive(Debug)]
pub struct LongHold {
    /// The hold.
    pub hold: Hold,
    /// By whom.
    pub holder: Arc<Task>,
    /// Until when.
    pub released_ns: u64,
    /// See [`Hold::starved_ns`].
    pub starved_ns: u64,
    /// Who waited, and for how long within this hold.
    pub waiters: Vec<(Waiter, u64)>,
}

/// Others that are remembered per lock and shipped per hold.
pub(crate) const MAX_WAITERS: usize = 8;

/// Who waited for `resource` between `from` and `to` for at least `least`,
/// longest first.
pub fn waiters_during(resource: &Resource, from: u64, to: u64, least: u64) -> Vec<(Waiter, u64)> {
    let waiters = guard(&resource.waiters);
    let mut found: Vec<(Waiter, u64)> = waiters
        .pending
        .iter()
        .chain(&waiters.past)
        .filter_map(|waiter| {
            let until = if waiter.until_ns == 0 { to } else { waiter.until_ns.min(to) };
            let waited = until.saturating_sub(waiter.since_ns.max(from));
            if waited < least {
                return None;
            }
            // Who lets go of a lock tells so before whoever waits has it.
            let withheld = match waiter.until_ns {
                0 => waiter.parties.withheld_ns(),
                _ => waiter.withheld_ns,
            };
            let waited = waited.saturating_sub(withheld);
            (waited >= least && waited > 0).then(|| (waiter.clone(), waited))
        })
        .collect();
    found.sort_by_key(|(_, waited)| std::cmp::Reverse(*waited));
    found.truncate(MAX_WAITERS);
    found
}

/// How a lock is about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireKind {
    /// For as long as it takes.
    Wait,
    /// Until some moment at the latest: it makes nobody wait for ever.
    Timed,
    /// Now or not at all.
    Try,
    /// Like [`AcquireKind::Wait`], past queued writers if this thread is a reader
    /// already.
    Recursive,
    /// From [`Mode::Upgradable`], which this thread holds, to
    /// [`Mode::Exclusive`], for as long as it takes.
    Upgrade,
}

impl AcquireKind {
    pub(crate) fn is_try(self) -> bool {
        matches!(self, Self::Try | Self::Timed)
    }
}
