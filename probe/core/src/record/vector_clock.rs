//! What certainly came before what: through spawns and joins, messages, notifications
//! and barriers, all of which the program has asked for, and never by the clock.
//!
//! Two orders of locks make a deadlock only where they can be taken at one time. One
//! that came first by chance can come second in the next run, so only what the program
//! itself put in sequence is told apart. Each actor has a vector clock: for each other
//! actor the last *epoch* of its that is known to be over. An epoch ends when something
//! leaves its actor (a spawn, a message) after it took locks in some order. Locks
//! themselves tell nothing: who takes one first is chance.
//!
//! A clock names only those actors that take locks in some order, so most of what is
//! sent in most programs carries no clock at all, and costs a relaxed load.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use crate::platform::process::next_id;

/// Actors that a clock names, the newest ones.
pub(crate) const MAX_ENTRIES: usize = 256;

/// What somebody knows to be over.
#[derive(Debug)]
pub struct Clock {
    /// Unique in this process.
    pub id: u64,
    /// An actor, and the last epoch of its that is over; in the order of the actors.
    pub entries: Vec<(u64, u32)>,
    /// Further actors were left out to bound memory.
    pub is_cut: bool,
}

impl Clock {
    pub(crate) fn new(mut entries: Vec<(u64, u32)>, is_cut: bool) -> Arc<Self> {
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        // Ids rise with time.
        entries.drain(..surplus);
        Arc::new(Self { id: next_id(), entries, is_cut: is_cut || surplus > 0 })
    }

    pub(crate) fn epoch_of(&self, actor: u64) -> u32 {
        self.entries
            .binary_search_by_key(&actor, |entry| entry.0)
            .map_or(0, |at| self.entries[at].1)
    }

    /// Whether it tells all that `other` tells.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        (self.is_cut || !other.is_cut)
            && other.entries.iter().all(|&(actor, epoch)| self.epoch_of(actor) >= epoch)
    }
}

/// The earlier of both, where one covers the other.
pub(crate) fn merge(one: Arc<Clock>, other: Arc<Clock>) -> Arc<Clock> {
    if Arc::ptr_eq(&one, &other) || one.covers(&other) {
        return one;
    }
    if other.covers(&one) {
        return other;
    }
    let mut entries: BTreeMap<u64, u32> = one.entries.iter().copied().collect();
    for &(actor, epoch) in &other.entries {
        let known = entries.entry(actor).or_default();
        *known = epoch.max(*known);
    }
    Clock::new(entries.into_iter().collect(), one.is_cut || other.is_cut)
}

pub(crate) fn merge_into(slot: &mut Option<Arc<Clock>>, clock: Arc<Clock>) {
    *slot = Some(match slot.take() {
        Some(known) => merge(known, clock),
        None => clock,
    });
}

/// An order of locks was seen.
pub(crate) static IS_ANY: AtomicBool = AtomicBool::new(false);

/// Whether anybody knows anything.
#[inline]
#[must_use]
pub fn is_any() -> bool {
    IS_ANY.load(Ordering::Relaxed)
}

/// What an actor knows.
#[derive(Debug)]
pub(crate) struct Knowledge {
    pub(crate) epoch: AtomicU32,
    /// How often what it knows has changed, or its epoch.
    pub(crate) changes: AtomicU32,
    pub(crate) state: Mutex<State>,
    /// Something in [`State::incoming`].
    pub(crate) has_incoming: AtomicBool,
    /// Wakes to come that only pass a lock on.
    pub(crate) lock_wakes: AtomicU32,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) clock: Option<Arc<Clock>>,
    /// The last epoch in which it took locks in some order; 0: none.
    pub(crate) stamped: u32,
    /// What it told last, as long as that is all.
    pub(crate) told: Option<Arc<Clock>>,
    /// What it was told, and knows from its next poll on.
    pub(crate) incoming: Option<Arc<Clock>>,
}

/// A moment in the life of an actor.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) epoch: u32,
    pub(crate) known: Option<Arc<Clock>>,
}

impl Knowledge {
    /// Of an actor whose spawner knows this.
    pub(crate) fn new(clock: Option<Arc<Clock>>) -> Self {
        Self {
            epoch: AtomicU32::new(1),
            changes: AtomicU32::new(0),
            state: Mutex::new(State { clock, ..State::default() }),
            has_incoming: AtomicBool::new(false),
            lock_wakes: AtomicU32::new(0),
        }
    }

    /// The epoch that it is in: what it did in earlier ones may be over for others.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }
}
