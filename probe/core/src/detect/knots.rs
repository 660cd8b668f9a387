//! Actors that can never go on.
//!
//! A task can run again only if one of its wakers can still fire, a thread that
//! waits for a lock only if the lock can be released. So a thread is *stuck* when
//! it waits without limit for a lock that a stuck actor holds, or for the end of a
//! stuck one. A task is stuck when it is pending, not scheduled, and each of the
//! clones of its waker that are out belongs to an operation that waits for a lock
//! which a stuck actor holds, or to the handle of a stuck task. A waker in any other
//! hand (a timer, a socket, a channel) may fire, and then the task is not stuck.
//!
//! It is the greatest set for which that holds: a knot in a wait-for graph in which
//! tasks wait for any of several things and threads for one (Holt, "Some deadlock
//! properties of computer systems", 1972). Nothing within it can change, so it is
//! looked at again, and what is told was the same each time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    platform::{
        busy::Busy, clock, hash::fold, process::next_id, stack::StackId, sync::lock as guard,
    },
    record::{lock::Acquisition, task::Task},
};

mod graph;

use graph::{Blocker, Graph, Target};

/// Actors of which each waits for what the next one has.
#[derive(Debug)]
pub struct Knot {
    /// Unique in this process.
    pub id: u64,
    /// When the last of the waits began.
    pub closed_ns: u64,
    /// When it was certain.
    pub found_ns: u64,
    /// In their order.
    pub parties: Vec<KnotMember>,
    /// Further actors that wait for one of these.
    pub behind: u32,
    /// It is one if nobody else in the process goes on, which the auditor is to judge:
    /// none of its threads does anything, but somebody outside may wake one.
    pub is_at_rest: bool,
}

/// A part of a [`Knot`].
#[derive(Debug)]
pub struct KnotMember {
    /// Who.
    pub actor: Arc<Task>,
    /// The lock that it waits for; `None`: the end of a task or thread.
    pub wanted: Option<Acquisition>,
    /// Where.
    pub stack: StackId,
    /// By which operation.
    pub operation: &'static str,
    /// Since when.
    pub since_ns: u64,
    /// What it has that the party before it waits for; `None` where that one waits
    /// for its end.
    pub held: Option<Acquisition>,
    /// Since when.
    pub held_since_ns: u64,
    /// Where it began to wait right after it had acquired that, or 0.
    pub first_await: StackId,
    /// It has a place in the queue that was granted, and no guard.
    pub is_granted: bool,
}

/// Waits that began, or queues that moved, since the last look.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// Knots that the auditor has not been told.
static UNSENT: Mutex<Vec<Arc<Knot>>> = Mutex::new(Vec::new());

static IS_PENDING: AtomicBool = AtomicBool::new(false);

/// Something happened that may tie a knot.
#[inline]
pub(crate) fn note_wait() {
    CHANGES.fetch_add(1, Ordering::Relaxed);
}

/// Takes the knots that are new.
#[must_use]
pub fn take() -> Vec<Arc<Knot>> {
    if IS_PENDING.swap(false, Ordering::Relaxed) {
        std::mem::take(&mut *guard(&UNSENT))
    } else {
        Vec::new()
    }
}

/// Looks for knots from time to time.
#[derive(Debug, Default)]
pub struct Watch {
    changes: u64,
    /// Looks since the last change.
    looks: u32,
    /// No thread has done anything since then.
    is_at_rest: bool,
    /// What the last look found: by what it consists of, and how often in a row.
    suspects: BTreeMap<u64, u32>,
    told: BTreeSet<u64>,
    /// When the last look was over, and what it took.
    looked: Option<(Instant, Duration)>,
}

/// So many times what a look took passes until the next: where thousands of tasks
/// wait, knots are found later, and the program keeps its CPU.
const REST: u32 = 20;

/// Looks in a row that must find the same knot.
const LOOKS: u32 = 2;

/// The same where it is a knot only since nobody else in the process does anything.
const LOOKS_AT_ALL: u32 = 20;

/// A knot may close without a new wait, when a poll returns; so some looks are
/// taken at growing distances after a change, and at this one from then on.
const SELDOM: u32 = 32;

impl Watch {
    /// To be called every few milliseconds. Returns whether a knot was found.
    pub fn tick(&mut self) -> bool {
        let changes = CHANGES.load(Ordering::Relaxed);
        if changes != self.changes {
            self.changes = changes;
            self.looks = 0;
            self.is_at_rest = false;
        }
        self.looks = self.looks.saturating_add(1);
        let is_due = self.looks <= 8 || self.looks.is_multiple_of(SELDOM);
        if !is_due && self.suspects.is_empty() {
            return false;
        }
        if self.looked.is_some_and(|(at, took)| at.elapsed() < took * REST) {
            // This one is yet to come.
            self.looks -= 1;
            return false;
        }
        let begun = Instant::now();
        let is_found = self.look();
        self.looked = Some((Instant::now(), begun.elapsed()));
        is_found
    }

    /// Looks at the next ticks, though nothing has begun to wait: none of the threads does
    /// anything.
    pub fn look_at_rest(&mut self) {
        self.looks = 0;
        self.is_at_rest = true;
    }

    fn look(&mut self) -> bool {
        let _busy = Busy::begin();
        let mut suspects = BTreeMap::new();
        let mut is_found = false;
        for (key, looks, knot) in knots(self.is_at_rest) {
            let times = self.suspects.get(&key).copied().unwrap_or(0) + 1;
            suspects.insert(key, times);
            if times > looks && self.told.insert(key) {
                is_found |= !knot.is_at_rest;
                guard(&UNSENT).push(Arc::new(knot));
                IS_PENDING.store(true, Ordering::Relaxed);
            }
        }
        suspects.retain(|key, _| !self.told.contains(key));
        self.suspects = suspects;
        is_found
    }
}

/// Every knot there is now, with what tells it from one of another moment, and in how
/// many looks in a row it must be found.
fn knots(is_at_rest: bool) -> Vec<(u64, u32, Knot)> {
    let mut graph = Graph::gather();
    graph.reduce(|_| true);
    let mut looks = LOOKS;
    let mut needs_rest = false;
    if graph.is_uncertain() {
        if graph.is_closed() {
            looks = LOOKS_AT_ALL;
        } else {
            graph = Graph::gather();
            graph.reduce(|blocker| blocker.is_certain);
            if is_at_rest && graph.candidates.is_empty() {
                graph = Graph::gather();
                graph.reduce(Blocker::is_certain_at_rest);
                (looks, needs_rest) = (LOOKS_AT_ALL, true);
            }
        }
    }
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut knots = Vec::new();
    for &start in graph.candidates.keys() {
        let mut path: Vec<u64> = Vec::new();
        let mut at = start;
        while !seen.contains(&at) {
            seen.insert(at);
            path.push(at);
            let Some((_, blocker)) = graph.candidates.get(&at).and_then(|one| graph.next(one))
            else {
                break;
            };
            at = blocker.candidate;
        }
        let Some(begin) = path.iter().position(|id| *id == at) else { continue };
        let (key, knot) = tell(&graph, &path[begin..], needs_rest);
        knots.push((key, looks, knot));
    }
    knots
}

fn tell(graph: &Graph, cycle: &[u64], is_at_rest: bool) -> (u64, Knot) {
    let mut key = 0;
    let mut parties = Vec::new();
    for (at, id) in cycle.iter().enumerate() {
        let before = cycle[(at + cycle.len() - 1) % cycle.len()];
        let (Some(candidate), Some(before)) =
            (graph.candidates.get(id), graph.candidates.get(&before))
        else {
            continue;
        };
        let (Some((wait, _)), Some((_, had))) = (graph.next(candidate), graph.next(before)) else {
            continue;
        };
        // The sum does not depend on where the cycle is entered.
        key = u64::wrapping_add(key, fold(fold(*id, wait.id), candidate.actor.polls()));
        parties.push(KnotMember {
            actor: Arc::clone(&candidate.actor),
            wanted: match &wait.target {
                Target::Lock(wanted, _) | Target::Permits(wanted) | Target::Room(wanted) => {
                    Some(wanted.clone())
                }
                Target::Ends(_) | Target::Thread(_) => None,
            },
            stack: wait.stack,
            operation: wait.operation,
            since_ns: wait.since_ns,
            held: had.held.as_ref().map(|(held, _)| held.clone()),
            held_since_ns: had.held.as_ref().map_or(0, |(_, since)| *since),
            first_await: had.first_await,
            is_granted: had.is_granted,
        });
    }
    let behind = graph.candidates.len().saturating_sub(cycle.len());
    let knot = Knot {
        id: next_id(),
        closed_ns: parties.iter().map(|party| party.since_ns).max().unwrap_or(0),
        found_ns: clock::now_ns(),
        parties,
        behind: u32::try_from(behind).unwrap_or(u32::MAX),
        is_at_rest,
    };
    (key, knot)
}
