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
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    context,
    hash::FastMap,
    next_id,
    sync::{Sharded, lock as guard},
    task::{Task, TaskKind},
};

/// Actors that a clock names, the newest ones.
const MAX_ENTRIES: usize = 256;
/// Clocks that are on their way to somebody.
const MAX_UNDER_WAY: usize = 4096;

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
    fn new(mut entries: Vec<(u64, u32)>, is_cut: bool) -> Arc<Self> {
        let surplus = entries.len().saturating_sub(MAX_ENTRIES);
        // Ids rise with time.
        entries.drain(..surplus);
        Arc::new(Self { id: next_id(), entries, is_cut: is_cut || surplus > 0 })
    }

    fn epoch_of(&self, actor: u64) -> u32 {
        self.entries
            .binary_search_by_key(&actor, |entry| entry.0)
            .map_or(0, |at| self.entries[at].1)
    }

    /// Whether it tells all that `other` tells.
    fn covers(&self, other: &Self) -> bool {
        (self.is_cut || !other.is_cut)
            && other.entries.iter().all(|&(actor, epoch)| self.epoch_of(actor) >= epoch)
    }
}

/// The earlier of both, where one covers the other.
fn merge(one: Arc<Clock>, other: Arc<Clock>) -> Arc<Clock> {
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

fn merge_into(slot: &mut Option<Arc<Clock>>, clock: Arc<Clock>) {
    *slot = Some(match slot.take() {
        Some(known) => merge(known, clock),
        None => clock,
    });
}

/// An order of locks was seen.
static IS_ANY: AtomicBool = AtomicBool::new(false);

/// Whether anybody knows anything.
#[inline]
#[must_use]
pub fn is_any() -> bool {
    IS_ANY.load(Ordering::Relaxed)
}

/// What an actor knows.
#[derive(Debug)]
pub(crate) struct Knowledge {
    epoch: AtomicU32,
    /// How often what it knows has changed, or its epoch.
    changes: AtomicU32,
    state: Mutex<State>,
    /// Something in [`State::incoming`].
    has_incoming: AtomicBool,
    /// Wakes to come that only pass a lock on.
    lock_wakes: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    clock: Option<Arc<Clock>>,
    /// The last epoch in which it took locks in some order; 0: none.
    stamped: u32,
    /// What it told last, as long as that is all.
    told: Option<Arc<Clock>>,
    /// What it was told, and knows from its next poll on.
    incoming: Option<Arc<Clock>>,
}

/// A moment in the life of an actor.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) epoch: u32,
    pub(crate) known: Option<Arc<Clock>>,
}

impl Knowledge {
    /// Of an actor that is being spawned here and now.
    pub(crate) fn inherited() -> Self {
        let clock = if is_any() { told_here() } else { None };
        Self {
            epoch: AtomicU32::new(1),
            changes: AtomicU32::new(0),
            state: Mutex::new(State { clock, ..State::default() }),
            has_incoming: AtomicBool::new(false),
            lock_wakes: AtomicU32::new(0),
        }
    }

    /// The epoch that it is in: what it did in earlier ones may be over for others.
    fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }
}

impl Task {
    /// Another one whenever it has told something, or was told.
    #[inline]
    pub(crate) fn moment_key(&self) -> u64 {
        self.id << 24 ^ u64::from(self.knowledge.changes.load(Ordering::Relaxed))
    }

    /// It takes locks in some order, at this moment.
    pub(crate) fn stamp(&self) -> Moment {
        IS_ANY.store(true, Ordering::Relaxed);
        let mut state = guard(&self.knowledge.state);
        let epoch = self.knowledge.epoch();
        if state.stamped != epoch {
            state.stamped = epoch;
            state.told = None;
        }
        Moment { epoch, known: state.clock.clone() }
    }

    /// Something leaves it: what whoever gets that may know.
    fn tell(&self) -> Option<Arc<Clock>> {
        let mut state = guard(&self.knowledge.state);
        if state.told.is_none() {
            let mut clock = state.clock.clone();
            if state.stamped != 0 {
                let own = Clock::new(vec![(self.id, state.stamped)], false);
                merge_into(&mut clock, own);
            }
            if state.stamped == self.knowledge.epoch() {
                self.knowledge.epoch.fetch_add(1, Ordering::Relaxed);
                self.knowledge.changes.fetch_add(1, Ordering::Relaxed);
            }
            state.told = clock;
        }
        state.told.clone()
    }

    fn learn(&self, clock: Arc<Clock>) {
        let mut state = guard(&self.knowledge.state);
        if state.clock.as_ref().is_some_and(|known| known.covers(&clock)) {
            return;
        }
        merge_into(&mut state.clock, clock);
        state.told = None;
        self.knowledge.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// It will know this from its next poll (or from the end of its call that blocks) on.
    fn is_told(&self, clock: Arc<Clock>) {
        merge_into(&mut guard(&self.knowledge.state).incoming, clock);
        self.knowledge.has_incoming.store(true, Ordering::Release);
    }

    /// It goes on: what it was told meanwhile it knows now.
    #[inline]
    pub(crate) fn take_notice(&self) {
        if self.knowledge.has_incoming.swap(false, Ordering::Acquire) {
            let _busy = context::Busy::begin();
            let incoming = guard(&self.knowledge.state).incoming.take();
            if let Some(clock) = incoming {
                self.learn(clock);
            }
        }
    }

    /// It is about to be woken since a lock, or a permit that somebody had, was passed
    /// on to it. That is chance, and no message.
    pub(crate) fn gets_lock(&self) {
        self.knowledge.lock_wakes.fetch_add(1, Ordering::Relaxed);
    }

    /// The current actor wakes it.
    #[inline]
    pub(crate) fn is_woken_by_message(&self) {
        let wakes = &self.knowledge.lock_wakes;
        let is_of_lock = wakes.load(Ordering::Relaxed) > 0
            && wakes
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |wakes| wakes.checked_sub(1))
                .is_ok();
        if is_of_lock || !is_any() {
            return;
        }
        let _busy = context::Busy::begin();
        if let Some(clock) = told_here() {
            self.is_told(clock);
        }
    }

    /// It is over: who joins it may know what it knew.
    pub(crate) fn ends_for_joiners(&self, future: usize) {
        if !is_any() {
            return;
        }
        let _busy = context::Busy::begin();
        let Some(clock) = self.tell() else { return };
        match self.kind {
            TaskKind::BlockOn => {
                // Whoever called `block_on` goes on.
                learn_here(clock);
            }
            TaskKind::Thread | TaskKind::Worker => {
                let scope = self.scope();
                if scope != 0 {
                    FINISHED.put(scope, clock);
                }
            }
            TaskKind::Task | TaskKind::Local | TaskKind::Blocking => FINISHED.put(future, clock),
        }
    }
}

/// What the current actor, if it is known, may tell.
fn told_here() -> Option<Arc<Clock>> {
    context::with_known_actor(Task::tell).flatten()
}

/// The current actor knows this from now on.
fn learn_here(clock: Arc<Clock>) {
    if let Some(actor) = context::current_actor() {
        actor.learn(clock);
    }
}

/// Clocks that wait for somebody at an address.
#[derive(Debug)]
struct Post {
    count: AtomicUsize,
    by_address: Mutex<BTreeMap<usize, Arc<Clock>>>,
}

impl Post {
    const fn new() -> Self {
        Self { count: AtomicUsize::new(0), by_address: Mutex::new(BTreeMap::new()) }
    }

    fn put(&self, address: usize, clock: Arc<Clock>) {
        let mut all = guard(&self.by_address);
        let mut slot = all.remove(&address);
        merge_into(&mut slot, clock);
        if let Some(clock) = slot.filter(|_| all.len() < MAX_UNDER_WAY) {
            all.insert(address, clock);
        }
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// What is at these addresses.
    fn take(&self, address: usize, size: usize) -> Option<Arc<Clock>> {
        let mut all = guard(&self.by_address);
        let (&found, _) = all.range(address..address.saturating_add(size.max(1))).next()?;
        let clock = all.remove(&found);
        self.count.store(all.len(), Ordering::Relaxed);
        clock
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

/// By the future of the task that has ended, or the scope of the thread.
static FINISHED: Post = Post::new();
/// By the place of the message in its channel.
static MESSAGES: Post = Post::new();

/// Whether the output of any task that has ended may be taken out.
#[inline]
#[must_use]
pub fn is_any_finished() -> bool {
    !FINISHED.is_empty()
}

/// The value at this address, of this size, is taken out by the current actor: perhaps
/// what a task has become.
#[cold]
#[inline(never)]
pub fn taken(address: usize, size: usize) {
    let _busy = context::Busy::begin();
    if let Some(clock) = FINISHED.take(address, size) {
        learn_here(clock);
    }
}

/// A future of another task is at this address.
pub(crate) fn replaced(future: usize) {
    if is_any_finished() {
        drop(FINISHED.take(future, 1));
    }
}

/// A value is put at this address, maybe into a channel.
#[cold]
#[inline(never)]
pub fn put(address: usize) {
    if !context::watches() {
        return;
    }
    let _busy = context::Busy::begin();
    if let Some(clock) = told_here() {
        MESSAGES.put(address, clock);
    }
}

/// Whether a message is under way.
#[inline]
#[must_use]
pub fn is_any_put() -> bool {
    !MESSAGES.is_empty()
}

/// A value is taken from this address, maybe out of a channel.
#[cold]
#[inline(never)]
pub fn got(address: usize) {
    if !context::watches() {
        return;
    }
    let _busy = context::Busy::begin();
    if let Some(clock) = MESSAGES.take(address, 1) {
        learn_here(clock);
    }
}

/// The current actor has waited for the end of this thread.
pub fn joined(thread: &Task) {
    if is_any() {
        let _busy = context::Busy::begin();
        if let Some(clock) = thread.tell() {
            learn_here(clock);
        }
    }
}

/// The end of the scope at this address has waited for all of its threads.
pub fn scope_ended(scope: usize) {
    if is_any_finished() {
        let _busy = context::Busy::begin();
        if let Some(clock) = FINISHED.take(scope, 1) {
            learn_here(clock);
        }
    }
}

/// Where actors leave what others pick up: a oneshot, a barrier.
#[derive(Debug, Default)]
pub struct Meeting(Mutex<Option<Arc<Clock>>>);

impl Meeting {
    /// One at which nobody was.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The current actor leaves what it knows.
    #[inline]
    pub fn leave(&self) {
        if !is_any() {
            return;
        }
        let _busy = context::Busy::begin();
        if let Some(clock) = told_here() {
            merge_into(&mut guard(&self.0), clock);
        }
    }

    /// The current actor picks up what was left.
    #[inline]
    pub fn pick_up(&self) {
        if !is_any() {
            return;
        }
        let _busy = context::Busy::begin();
        let clock = guard(&self.0).clone();
        if let Some(clock) = clock {
            learn_here(clock);
        }
    }
}

/// Beside a channel of messages that come out in the order in which they went in: what
/// goes with each.
#[derive(Debug, Default)]
pub struct Route {
    sent: AtomicU64,
    received: AtomicU64,
    is_used: AtomicBool,
    /// By the number of the message.
    under_way: Mutex<VecDeque<(u64, Arc<Clock>)>>,
}

impl Route {
    /// The current actor is about to send a message.
    #[inline]
    pub fn sends(&self) {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if is_any() {
            self.sends_knowledge(number);
        }
    }

    #[cold]
    #[inline(never)]
    fn sends_knowledge(&self, number: u64) {
        if !context::watches() {
            return;
        }
        let _busy = context::Busy::begin();
        let Some(clock) = told_here() else { return };
        let mut under_way = guard(&self.under_way);
        if under_way.len() < MAX_UNDER_WAY {
            under_way.push_back((number, clock));
            self.is_used.store(true, Ordering::Release);
        }
    }

    /// The current actor has received the next message.
    #[inline]
    pub fn receives(&self) {
        let number = self.received.fetch_add(1, Ordering::Relaxed);
        if self.is_used.load(Ordering::Acquire) {
            self.receives_knowledge(number);
        }
    }

    #[cold]
    #[inline(never)]
    fn receives_knowledge(&self, number: u64) {
        if !context::watches() {
            return;
        }
        let _busy = context::Busy::begin();
        let mut under_way = guard(&self.under_way);
        let mut clock = None;
        while under_way.front().is_some_and(|(sent, _)| *sent <= number)
            && let Some((_, of_message)) = under_way.pop_front()
        {
            merge_into(&mut clock, of_message);
        }
        drop(under_way);
        if let Some(clock) = clock {
            learn_here(clock);
        }
    }
}

static AT_CONDVARS: std::sync::OnceLock<Sharded<FastMap<usize, Vec<Arc<Task>>>>> =
    std::sync::OnceLock::new();

/// The current actor waits for a notification, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Listening(usize, Option<Arc<Task>>);

/// The current actor begins to wait at the condition variable of this address.
pub fn listening(condvar: usize) -> Listening {
    if !context::watches() {
        return Listening(condvar, None);
    }
    let _busy = context::Busy::begin();
    let actor = context::current_actor();
    if let Some(actor) = &actor {
        let all = AT_CONDVARS.get_or_init(Sharded::default);
        guard(all.shard(condvar as u64 >> 4)).entry(condvar).or_default().push(Arc::clone(actor));
    }
    Listening(condvar, actor)
}

impl Drop for Listening {
    fn drop(&mut self) {
        let (condvar, Some(actor)) = (self.0, self.1.take()) else { return };
        let _busy = context::Busy::begin();
        let mut gone = None;
        if let Some(all) = AT_CONDVARS.get() {
            let mut all = guard(all.shard(condvar as u64 >> 4));
            if let Some(waiting) = all.get_mut(&condvar) {
                if let Some(at) = waiting.iter().position(|known| known.id == actor.id) {
                    gone = Some(waiting.swap_remove(at));
                }
                if waiting.is_empty() {
                    all.remove(&condvar);
                }
            }
        }
        // Outside of our lock: it may be the last of its task.
        drop(gone);
        actor.take_notice();
    }
}

/// The current actor notifies who waits at the condition variable of this address.
#[inline]
pub fn notifies(condvar: usize) {
    if is_any() {
        notifies_audited(condvar);
    }
}

#[cold]
#[inline(never)]
fn notifies_audited(condvar: usize) {
    if !context::watches() {
        return;
    }
    let _busy = context::Busy::begin();
    let (Some(all), Some(clock)) = (AT_CONDVARS.get(), told_here()) else { return };
    let waiting = guard(all.shard(condvar as u64 >> 4)).get(&condvar).cloned().unwrap_or_default();
    for actor in waiting {
        actor.is_told(Arc::clone(&clock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Task;

    fn actor() -> Arc<Task> {
        Task::spawn(TaskKind::Task, "", 0, None)
    }

    fn knows(actor: &Task, other: &Task, moment: &Moment) -> bool {
        let known = actor.stamp().known;
        known.is_some_and(|clock| clock.epoch_of(other.id) >= moment.epoch)
    }

    #[test]
    fn what_is_told_is_over_and_what_comes_later_is_not() {
        let (one, other) = (actor(), actor());
        let before = one.stamp();
        other.learn(one.tell().unwrap());
        let after = one.stamp();
        assert!(knows(&other, &one, &before));
        assert!(!knows(&other, &one, &after));
        assert!(!knows(&one, &other, &other.stamp()));
    }

    #[test]
    fn what_was_told_is_told_on() {
        let (one, through, other) = (actor(), actor(), actor());
        let moment = one.stamp();
        through.is_told(one.tell().unwrap());
        assert!(through.tell().is_none(), "it has not been polled since");
        through.take_notice();
        other.learn(through.tell().unwrap());
        assert!(knows(&other, &one, &moment));
    }

    #[test]
    fn a_thread_that_has_yet_to_begin_is_not_the_one_that_spawns_it() {
        let spawned = Task::spawning_thread("");
        assert_ne!(spawned.thread(), context::thread_id());
    }

    #[test]
    fn clocks_merge_and_are_bounded() {
        let clock = |from: u64, to: u64| Clock::new((from..to).map(|at| (at, 1)).collect(), false);
        let merged = merge(clock(1, 100), clock(50, 200));
        assert_eq!((merged.entries.len(), merged.is_cut), (199, false));
        let cut = merge(merged, clock(1000, 1200));
        assert_eq!((cut.entries.len(), cut.is_cut), (MAX_ENTRIES, true));
        assert_eq!(cut.epoch_of(1199), 1);
    }
}
