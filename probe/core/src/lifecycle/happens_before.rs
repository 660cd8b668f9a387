//! Something passes from one task or thread to another: a message, a notification, the end
//! of what it joins. What came before that is over for who gets it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    context::{self, learn_here, told_here},
    platform::{
        busy::{Busy, watches},
        hash::FastMap,
        process::next_id,
        sync::{Sharded, lock as guard},
    },
    record::{
        meeting::Meeting,
        task::{Task, TaskKind},
        vector_clock::{Clock, is_any, merge_into},
    },
};

/// Clocks that are on their way to somebody.
const MAX_UNDER_WAY: usize = 4096;

impl Task {
    /// It goes on: what it was told meanwhile it knows now.
    #[inline]
    pub(crate) fn take_notice(&self) {
        if self.knowledge.has_incoming.swap(false, Ordering::Acquire) {
            let _busy = Busy::begin();
            let incoming = guard(&self.knowledge.state).incoming.take();
            if let Some(clock) = incoming {
                self.learn(clock);
            }
        }
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
        let _busy = Busy::begin();
        if let Some(clock) = told_here() {
            self.is_told(clock);
        }
    }

    /// It is over: who joins it may know what it knew.
    pub(crate) fn ends_for_joiners(&self, future: usize) {
        if !is_any() {
            return;
        }
        let _busy = Busy::begin();
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

    /// What is at this address, for others to find it there, too.
    fn get(&self, address: usize) -> Option<Arc<Clock>> {
        guard(&self.by_address).get(&address).cloned()
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
    let _busy = Busy::begin();
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
    if !watches() {
        return;
    }
    let _busy = Busy::begin();
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
    if !watches() {
        return;
    }
    let _busy = Busy::begin();
    if let Some(clock) = MESSAGES.take(address, 1) {
        learn_here(clock);
    }
}

/// The current actor has waited for the end of this thread.
pub fn joined(thread: &Task) {
    if is_any() {
        let _busy = Busy::begin();
        if let Some(clock) = thread.tell() {
            learn_here(clock);
        }
    }
}

/// The end of the scope at this address has waited for all of its threads.
pub fn scope_ended(scope: usize) {
    if is_any_finished() {
        let _busy = Busy::begin();
        if let Some(clock) = FINISHED.take(scope, 1) {
            learn_here(clock);
        }
    }
}

/// The current actor leaves what it knows.
#[inline]
pub fn leave(meeting: &Meeting) {
    if !is_any() {
        return;
    }
    let _busy = Busy::begin();
    if let Some(clock) = told_here() {
        meeting.add(clock);
    }
}

/// The current actor picks up what was left.
#[inline]
pub fn pick_up(meeting: &Meeting) {
    if !is_any() {
        return;
    }
    let _busy = Busy::begin();
    if let Some(clock) = meeting.get() {
        learn_here(clock);
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
        if !watches() {
            return;
        }
        let _busy = Busy::begin();
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
        if !watches() {
            return;
        }
        let _busy = Busy::begin();
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

/// By the number of the condition variable.
static NOTIFICATIONS: Post = Post::new();

/// Beside a condition variable: what those know who have notified, for who finds that it need
/// not wait. It has no destructor, since a condition variable of std has none: what is left is
/// kept to the end of the process, of so many of them at most.
#[derive(Debug, Default)]
pub struct Notified(AtomicU64);

impl Notified {
    /// Nobody has.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The current actor is about to notify.
    #[inline]
    pub fn leave(&self) {
        if is_any() {
            self.leave_knowledge();
        }
    }

    #[cold]
    #[inline(never)]
    fn leave_knowledge(&self) {
        if !watches() {
            return;
        }
        let _busy = Busy::begin();
        let Some(clock) = told_here() else { return };
        let fresh = next_id();
        let known = self.0.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed);
        NOTIFICATIONS.put(known.map_or_else(|known| known, |_| fresh) as usize, clock);
    }

    /// The current actor has found that it need not wait.
    #[inline]
    pub fn pick_up(&self) {
        let number = self.0.load(Ordering::Relaxed);
        if number != 0 && watches() {
            let _busy = Busy::begin();
            if let Some(clock) = NOTIFICATIONS.get(number as usize) {
                learn_here(clock);
            }
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
    if !watches() {
        return Listening(condvar, None);
    }
    let _busy = Busy::begin();
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
        let _busy = Busy::begin();
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
    if !watches() {
        return;
    }
    let _busy = Busy::begin();
    let (Some(all), Some(clock)) = (AT_CONDVARS.get(), told_here()) else { return };
    let waiting = guard(all.shard(condvar as u64 >> 4)).get(&condvar).cloned().unwrap_or_default();
    for actor in waiting {
        actor.is_told(Arc::clone(&clock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        platform::thread_number,
        record::vector_clock::{MAX_ENTRIES, Moment, merge},
    };

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
        assert_ne!(spawned.thread(), thread_number::current());
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
