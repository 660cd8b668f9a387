//! What has yet to leave the process.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering},
};

use crate::{
    detect::{
        by_place,
        knots::{self, Knot},
        lock_order, long_polls, standstill,
    },
    platform::{console::WATCHERS, counters, hash::FastMap, sync::lock as guard},
    record::{
        lock::LongHold,
        order::OrderEdge,
        task::{Task, TaskEnd},
    },
};

/// Unfinished tasks that are kept until they are sent.
const MAX_TASKS: usize = 20_000;

/// Of unfinished tasks that are alike, so many are told of: a suite may drop hundreds of
/// thousands, each of which would say the same.
const MAX_ALIKE: u32 = 1000;

/// Kinds of unfinished tasks that are told apart for that.
const MAX_KINDS: usize = 4096;

/// Long holds that are kept until they are sent.
const MAX_HOLDS: usize = 4096;

/// Finished tasks that are kept for whoever watches the console.
const MAX_FINISHED: usize = 1024;

#[derive(Debug)]
struct Outbox {
    ended: Vec<Arc<Task>>,
    /// How many of each kind were to be told of, see [`Task::likeness`].
    kinds: Option<FastMap<u64, u32>>,
    holds: Vec<LongHold>,
}

static OUTBOX: Mutex<Outbox> =
    Mutex::new(Outbox { ended: Vec::new(), kinds: None, holds: Vec::new() });

impl Outbox {
    /// Whether enough tasks are told of that are like this one; else it is counted.
    fn has_enough_of(&mut self, kind: u64) -> bool {
        let kinds = self.kinds.get_or_insert_default();
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            return false;
        }
        let told = kinds.entry(kind).or_default();
        if *told < MAX_ALIKE {
            *told += 1;
            return false;
        }
        true
    }
}

/// What the auditor has not been told.
#[derive(Debug, Default)]
pub struct Batch {
    /// Tasks that were dropped unfinished or panicked.
    pub ended: Vec<Arc<Task>>,
    /// Long holds that are over.
    pub holds: Vec<LongHold>,
    /// New order edges, and known ones with new actors.
    pub edges: Vec<Arc<OrderEdge>>,
    /// What happens at places of the program.
    pub events: by_place::News,
    /// Actors that can never go on.
    pub knots: Vec<Arc<Knot>>,
    /// When the whole process was found to rest; 0: it was not.
    pub still_ns: u64,
}

impl Batch {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty()
            && self.holds.is_empty()
            && self.edges.is_empty()
            && self.events.is_empty()
            && self.knots.is_empty()
            && self.still_ns == 0
    }
}

/// Takes everything that is new.
#[must_use]
pub fn take() -> Batch {
    batch(lock_order::unsent_edges(), by_place::take())
}

fn batch(edges: Vec<Arc<OrderEdge>>, events: by_place::News) -> Batch {
    let (ended, holds) = {
        let mut outbox = guard(&OUTBOX);
        (std::mem::take(&mut outbox.ended), std::mem::take(&mut outbox.holds))
    };
    Batch { ended, holds, edges, events, knots: knots::take(), still_ns: standstill::take() }
}

/// Takes everything that is new, and every order edge once more, since the
/// times of those sent may be out of date.
#[must_use]
pub fn take_last() -> Batch {
    long_polls::finish();
    batch(lock_order::all_edges(), by_place::take_last())
}

pub(crate) fn task_ended(task: &Arc<Task>, end: TaskEnd) {
    if task.kind.is_thread() {
        return;
    }
    if WATCHERS.load(Ordering::Relaxed) > 0 {
        let mut finished = guard(&FINISHED);
        if finished.len() >= MAX_FINISHED {
            finished.pop_front();
        }
        finished.push_back(Arc::clone(task));
    }
    if end == TaskEnd::Completed && !task.ended_late() {
        return;
    }
    let likeness = if task.ended_late() { None } else { task.likeness() };
    let mut outbox = guard(&OUTBOX);
    if likeness.is_some_and(|kind| outbox.has_enough_of(kind)) {
        counters::ALIKE_TASKS.add(1);
    } else if outbox.ended.len() < MAX_TASKS {
        outbox.ended.push(Arc::clone(task));
    } else {
        counters::DROPPED_TASKS.add(1);
    }
}

pub(crate) fn long_hold(hold: LongHold) {
    let mut outbox = guard(&OUTBOX);
    if outbox.holds.len() < MAX_HOLDS {
        outbox.holds.push(hold);
    } else {
        counters::DROPPED_HOLDS.add(1);
    }
}

static FINISHED: Mutex<VecDeque<Arc<Task>>> = Mutex::new(VecDeque::new());

/// Somebody watches the console while this lives: tasks that finish are kept
/// for a while, so that those too short-lived to be met alive are shown.
#[derive(Debug)]
pub struct ConsoleWatch(());

impl ConsoleWatch {
    /// Begins to keep.
    #[must_use]
    pub fn begin() -> Self {
        WATCHERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// The tasks that finished lately, oldest first.
    #[must_use]
    pub fn finished(&self) -> Vec<Arc<Task>> {
        guard(&FINISHED).iter().cloned().collect()
    }
}

impl Drop for ConsoleWatch {
    fn drop(&mut self) {
        if WATCHERS.fetch_sub(1, Ordering::Relaxed) == 1 {
            guard(&FINISHED).clear();
        }
    }
}
