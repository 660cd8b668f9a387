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
    clock, context,
    hash::fold,
    held, joins,
    label::How,
    lock::{Acquisition, Hold},
    next_id,
    resource::{self, Resource},
    stack::StackId,
    sync::lock as guard,
    task::{self, Task, TaskEnd, TaskKind},
    thread::{self, Awaited},
};

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
    pub parties: Vec<Party>,
    /// Further actors that wait for one of these.
    pub behind: u32,
}

/// A part of a [`Knot`].
#[derive(Debug)]
pub struct Party {
    /// Who.
    pub actor: Arc<Task>,
    /// The lock that it waits for; `None`: the end of a task or thread.
    pub wanted: Option<Acquisition>,
    /// Where.
    pub stack: StackId,
    /// How.
    pub operation: &'static str,
    /// Since when.
    pub since_ns: u64,
    /// What it has that the party before it waits for; `None` where that one waits
    /// for its end.
    pub held: Option<Acquisition>,
    /// Since when.
    pub held_since_ns: u64,
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

    fn look(&mut self) -> bool {
        let _busy = context::Busy::begin();
        let mut suspects = BTreeMap::new();
        let mut is_found = false;
        for (key, knot) in knots() {
            let times = self.suspects.get(&key).copied().unwrap_or(0) + 1;
            suspects.insert(key, times);
            if times > LOOKS && self.told.insert(key) {
                guard(&UNSENT).push(Arc::new(knot));
                IS_PENDING.store(true, Ordering::Relaxed);
                is_found = true;
            }
        }
        suspects.retain(|key, _| !self.told.contains(key));
        self.suspects = suspects;
        is_found
    }
}

/// A wait of a candidate.
#[derive(Debug)]
struct Wait {
    /// Of the call or the operation.
    id: u64,
    target: Target,
    stack: StackId,
    operation: &'static str,
    since_ns: u64,
}

#[derive(Debug)]
enum Target {
    Lock(Acquisition, How),
    /// The end of a task or a thread.
    End(Arc<Task>),
}

/// An actor that may be stuck.
#[derive(Debug)]
struct Candidate {
    actor: Arc<Task>,
    waits: Vec<Wait>,
    /// Per wait: the candidates that may have what is waited for.
    blockers: Vec<Vec<Blocker>>,
}

/// Who has what is waited for, as far as that is certain.
#[derive(Debug, Clone)]
struct Blocker {
    /// A key of the candidates.
    candidate: u64,
    held: Option<(Acquisition, u64)>,
    is_granted: bool,
}

/// Tasks that wait: for what, and how many of the clones of their wakers that
/// accounts for.
type Waiting = BTreeMap<u64, (Arc<Task>, Vec<Wait>, u64)>;

/// Whether it is alive, and neither runs nor is about to.
fn rests(task: &Task) -> bool {
    !task.is_running() && !task.is_scheduled() && task.end() == TaskEnd::Alive
}

/// Adds what is waited for in `JoinHandle`s, by those that have wakers out that nothing
/// else accounts for.
fn add_joins(tasks: &mut Waiting) {
    let mut waiters = BTreeMap::new();
    for task in task::live_tasks() {
        let (clones, drops) = task.wakers();
        let owned = tasks.get(&task.id).map_or(0, |(_, _, owned)| *owned);
        let is_task = !matches!(task.kind, TaskKind::Thread | TaskKind::Worker);
        if is_task && clones.saturating_sub(drops) > owned && rests(&task) {
            waiters.insert(Arc::as_ptr(&task).addr(), task);
        }
    }
    if waiters.is_empty() {
        return;
    }
    for (address, joined) in joins::of(|address| waiters.contains_key(&address)) {
        let Some(waiter) = waiters.get(&address) else { continue };
        let mut places = waiter.waits();
        places.retain(|wait| wait.resource.is_none());
        let entry = tasks.entry(waiter.id).or_insert_with(|| (Arc::clone(waiter), Vec::new(), 0));
        entry.2 += joined.len() as u64;
        for (at, awaited) in joined.into_iter().enumerate() {
            let place = places.get(at).or_else(|| places.last());
            entry.1.push(Wait {
                id: awaited.id,
                stack: place.map_or(0, |place| place.stack),
                operation: "JoinHandle::await",
                since_ns: place.map_or(awaited.created_ns, |place| place.since_ns),
                target: Target::End(awaited),
            });
        }
    }
}

#[derive(Debug, Default)]
struct Graph {
    candidates: BTreeMap<u64, Candidate>,
    /// By thread: the candidate that it cannot go on without, and since when.
    driven: BTreeMap<u64, (u64, u64)>,
    /// By task that is being polled by such a thread, below the candidate: that one.
    hosted: BTreeMap<u64, u64>,
    /// By lock: the futures that were granted it and have not been polled since.
    granted: BTreeMap<u64, Vec<Blocker>>,
}

impl Graph {
    fn gather() -> Self {
        let mut graph = Self::default();
        for call in thread::blocked() {
            let target = match &call.awaited {
                Awaited::Lock { resource, mode, how } if *how != How::Timed => Target::Lock(
                    Acquisition {
                        resource: Arc::clone(resource),
                        mode: *mode,
                        stack: call.stack,
                        is_try: false,
                        is_movable: false,
                    },
                    *how,
                ),
                Awaited::Thread(record) => Target::End(Arc::clone(record)),
                Awaited::Lock { .. } | Awaited::Event => continue,
            };
            // A thread that is blocked in the middle of a poll is its task.
            let actor = call.task.as_ref().unwrap_or(&call.thread);
            graph.driven.insert(call.thread.thread(), (actor.id, call.since_ns));
            let wait = Wait {
                id: call.id,
                target,
                stack: call.stack,
                operation: call.operation,
                since_ns: call.since_ns,
            };
            let candidate =
                Candidate { actor: Arc::clone(actor), waits: vec![wait], blockers: Vec::new() };
            graph.candidates.insert(actor.id, candidate);
        }
        graph.gather_tasks();
        graph
    }

    fn gather_tasks(&mut self) {
        let mut tasks = Waiting::new();
        for operation in resource::waiting_operations() {
            let (Some(mode), Some(wait)) = (operation.mode, operation.wait()) else { continue };
            let wanted = Acquisition {
                resource: Arc::clone(&operation.resource),
                mode,
                stack: wait.stack,
                is_try: false,
                is_movable: false,
            };
            if operation.is_granted() {
                self.granted.entry(wanted.resource.id).or_default().push(Blocker {
                    candidate: wait.actor.id,
                    held: Some((wanted, wait.since_ns)),
                    is_granted: true,
                });
                continue;
            }
            if matches!(wait.actor.kind, TaskKind::Thread) {
                continue;
            }
            let entry = tasks
                .entry(wait.actor.id)
                .or_insert_with(|| (Arc::clone(&wait.actor), Vec::new(), 0));
            // Those under a waker of ours first: the others may belong to a set of
            // futures that nobody polls.
            let owns_waker = operation.owns_waker();
            let place = if owns_waker { 0 } else { entry.1.len() };
            entry.1.insert(
                place,
                Wait {
                    id: operation.id,
                    target: Target::Lock(wanted, How::Wait),
                    stack: wait.stack,
                    operation: operation.source,
                    since_ns: wait.since_ns,
                },
            );
            entry.2 += u64::from(owns_waker);
        }
        add_joins(&mut tasks);
        for (id, (actor, waits, owned)) in tasks {
            let (clones, drops) = actor.wakers();
            let may_be_woken = clones.saturating_sub(drops) != owned;
            if may_be_woken || owned == 0 || !rests(&actor) {
                continue;
            }
            self.candidates.entry(id).or_insert_with(|| Candidate {
                actor,
                waits,
                blockers: Vec::new(),
            });
        }
        // A thread in a `block_on` goes on when its root does.
        task::all_live(|task| {
            if task.kind == TaskKind::BlockOn
                && let Some(candidate) = self.candidates.get(&task.id)
            {
                let since = (candidate.actor.id, task.created_ns);
                self.driven.entry(task.thread()).or_insert(since);
            }
            true
        });
        self.gather_hosts();
    }

    /// A task in a poll that blocks its thread goes on when the thread does; one
    /// that is polled by a root's thread meanwhile goes on by itself, and the thread
    /// with it.
    fn gather_hosts(&mut self) {
        let mut busy = BTreeSet::new();
        task::all_live(|task| {
            if !task.is_running() || self.candidates.contains_key(&task.id) {
                return true;
            }
            if let Some((candidate, since)) = self.driven.get(&task.thread()) {
                if task.poll_started_ns() < *since {
                    self.hosted.insert(task.id, *candidate);
                } else {
                    busy.insert(task.thread());
                }
            }
            true
        });
        self.driven.retain(|thread, _| !busy.contains(thread));
    }

    /// The candidate that stands for an actor that holds something.
    fn stand_in(&self, holder: &Task) -> u64 {
        if self.candidates.contains_key(&holder.id) {
            return holder.id;
        }
        let stand_in = if holder.kind == TaskKind::Thread {
            self.driven.get(&holder.thread()).map(|(candidate, _)| *candidate)
        } else {
            self.hosted.get(&holder.id).copied()
        };
        stand_in.unwrap_or(holder.id)
    }

    /// Those that are certain to have a lock, but for what threads hold of std's and
    /// the like.
    fn holders(&self, lock: &Resource) -> Vec<Blocker> {
        let mut holders = Vec::new();
        for holder in lock.holders() {
            let hold = holder.holds().into_iter().find(|hold| {
                hold.acquisition.resource.id == lock.id && !hold.acquisition.is_movable
            });
            holders.extend(hold.map(|Hold { acquisition, acquired_ns, .. }| Blocker {
                candidate: self.stand_in(&holder),
                held: Some((acquisition, acquired_ns)),
                is_granted: false,
            }));
        }
        holders.extend(self.granted.get(&lock.id).into_iter().flatten().cloned());
        holders
    }

    /// Who stands in the way of a wait. `of_locks` keeps the [`Self::holders`] of those
    /// that were asked for before.
    fn blockers(
        &self,
        candidate: &Candidate,
        wait: &Wait,
        of_locks: &mut BTreeMap<u64, Vec<Blocker>>,
    ) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        match &wait.target {
            Target::End(record) => {
                let candidate = self.stand_in(record);
                blockers.push(Blocker { candidate, held: None, is_granted: false });
            }
            Target::Lock(wanted, how) => {
                let lock = &wanted.resource;
                let known = of_locks.entry(lock.id).or_insert_with(|| self.holders(lock));
                blockers.extend(known.iter().cloned());
                for (record, row) in held::holders_of(lock.id) {
                    let Some(&(driven, _)) = self.driven.get(&record.thread()) else { continue };
                    let is_own = driven == candidate.actor.id;
                    if row.lock.is_sendable || (is_own && *how == How::Upgrade) {
                        continue;
                    }
                    blockers.push(Blocker {
                        candidate: driven,
                        held: Some((row.acquisition(), row.acquired_ns)),
                        is_granted: false,
                    });
                }
            }
        }
        blockers.retain(|blocker| self.candidates.contains_key(&blocker.candidate));
        blockers
    }

    /// Leaves those that are stuck.
    fn reduce(&mut self) {
        let mut of_locks = BTreeMap::new();
        let mut blockers: BTreeMap<u64, Vec<Vec<Blocker>>> = BTreeMap::new();
        // By candidate: the waits that it stands in the way of. By wait: how many do.
        let mut blocked: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        let mut counts: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        let mut free = Vec::new();
        for (id, candidate) in &self.candidates {
            for (at, wait) in candidate.waits.iter().enumerate() {
                let of_wait = self.blockers(candidate, wait, &mut of_locks);
                for blocker in &of_wait {
                    blocked.entry(blocker.candidate).or_default().push((*id, at));
                }
                counts.insert((*id, at), of_wait.len());
                if of_wait.is_empty() {
                    free.push(*id);
                }
                blockers.entry(*id).or_default().push(of_wait);
            }
        }
        while let Some(id) = free.pop() {
            if self.candidates.remove(&id).is_none() {
                continue;
            }
            for wait in blocked.remove(&id).unwrap_or_default() {
                if let Some(count) = counts.get_mut(&wait) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(wait.0);
                    }
                }
            }
        }
        for (id, candidate) in &mut self.candidates {
            candidate.blockers = blockers.remove(id).unwrap_or_default();
        }
    }

    /// The first of the candidate's waits, and who stands in its way.
    fn next<'a>(&self, candidate: &'a Candidate) -> Option<(&'a Wait, &'a Blocker)> {
        candidate.waits.iter().zip(&candidate.blockers).find_map(|(wait, blockers)| {
            let blocker =
                blockers.iter().find(|one| self.candidates.contains_key(&one.candidate))?;
            Some((wait, blocker))
        })
    }
}

/// Every knot there is now, with what tells it from one of another moment.
fn knots() -> Vec<(u64, Knot)> {
    let mut graph = Graph::gather();
    graph.reduce();
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
        knots.push(tell(&graph, &path[begin..]));
    }
    knots
}

fn tell(graph: &Graph, cycle: &[u64]) -> (u64, Knot) {
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
        parties.push(Party {
            actor: Arc::clone(&candidate.actor),
            wanted: match &wait.target {
                Target::Lock(wanted, _) => Some(wanted.clone()),
                Target::End(_) => None,
            },
            stack: wait.stack,
            operation: wait.operation,
            since_ns: wait.since_ns,
            held: had.held.as_ref().map(|(held, _)| held.clone()),
            held_since_ns: had.held.as_ref().map_or(0, |(_, since)| *since),
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
    };
    (key, knot)
}
