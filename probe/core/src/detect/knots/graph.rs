//! Who waits for what, and who is certain never to go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    detect::{joins, threads},
    platform::{sample, stack::StackId},
    record::{
        call::{self, Awaited},
        held_locks,
        lock::{AcquireKind, Acquisition, Hold, Mode},
        operation,
        resource::Resource,
        task::{Task, TaskEnd, TaskKind, live},
    },
};

/// A wait of a candidate.
#[derive(Debug)]
pub(super) struct Wait {
    /// Of the call or the operation.
    pub id: u64,
    pub target: Target,
    pub stack: StackId,
    pub operation: &'static str,
    pub since_ns: u64,
}

#[derive(Debug)]
pub(super) enum Target {
    Lock(Acquisition, AcquireKind),
    /// Permits of a semaphore.
    Permits(Acquisition),
    /// Room in a bounded channel.
    Room(Acquisition),
    /// The end of all of these tasks or threads.
    Ends(Vec<Arc<Task>>),
    /// The only thread that can poll it, which this task blocks.
    Thread(Arc<Task>),
}

/// An actor that may be stuck.
#[derive(Debug)]
pub(super) struct Candidate {
    pub actor: Arc<Task>,
    pub waits: Vec<Wait>,
    /// Per wait: the candidates that may have what is waited for.
    pub blockers: Vec<Vec<Blocker>>,
}

/// Who has what is waited for, as far as that is certain.
#[derive(Debug, Clone)]
pub(super) struct Blocker {
    /// A key of the candidates.
    pub candidate: u64,
    pub held: Option<(Acquisition, u64)>,
    /// See [`Hold::first_await`].
    pub first_await: StackId,
    pub is_granted: bool,
    /// It alone can let go of that. Permits, and guards that can be sent, may be with
    /// somebody else by now, or be given by anybody.
    pub is_certain: bool,
}

impl Blocker {
    /// It has that for certain, and only somebody who goes on could give the like. The
    /// place that a future was granted is nobody else's until that is polled or dropped.
    pub fn is_certain_at_rest(&self) -> bool {
        self.is_certain || self.is_granted
    }
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
    for task in live::live_tasks() {
        let (clones, drops) = task.wakers();
        let owned = tasks.get(&task.id).map_or(0, |(_, _, owned)| *owned);
        if !task.kind.is_thread() && clones.saturating_sub(drops) > owned && rests(&task) {
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
        let of_handles = joined.handles.into_iter().map(|awaited| vec![awaited]);
        let groups = of_handles
            .map(|group| ("JoinHandle::await", group))
            .chain(joined.sets.into_iter().map(|group| ("JoinSet::join_next", group)));
        for (at, (operation, group)) in groups.enumerate() {
            entry.2 += 1;
            let place = places.get(at).or_else(|| places.last());
            entry.1.extend(group.into_iter().map(|awaited| Wait {
                id: awaited.id,
                stack: place.map_or(0, |place| place.stack),
                operation,
                since_ns: place.map_or(awaited.created_ns, |place| place.since_ns),
                target: Target::Ends(vec![awaited]),
            }));
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    pub candidates: BTreeMap<u64, Candidate>,
    /// By thread: the candidate that it cannot go on without, and since when.
    driven: BTreeMap<u64, (u64, u64)>,
    /// Of those threads, the ones that are blocked, and not merely in a `block_on` that
    /// waits.
    blocked: BTreeSet<u64>,
    /// By task that is being polled by such a thread, below the candidate: that one.
    hosted: BTreeMap<u64, u64>,
    /// By lock: the futures that were granted it and have not been polled since.
    granted: BTreeMap<u64, Vec<Blocker>>,
    /// There is a runtime whose tasks any of its threads may poll.
    has_workers: bool,
    /// By thread: since when it has been in its latest `block_on`.
    roots: BTreeMap<u64, u64>,
}

impl Graph {
    pub(super) fn gather() -> Self {
        let mut graph = Self::default();
        for call in call::blocked() {
            let target = match &call.awaited {
                Awaited::Lock { resource, mode, how } if *how != AcquireKind::Timed => {
                    Target::Lock(
                        Acquisition {
                            resource: Arc::clone(resource),
                            mode: *mode,
                            stack: call.stack,
                            is_try: false,
                            is_movable: false,
                        },
                        *how,
                    )
                }
                Awaited::Thread(record) => Target::Ends(vec![Arc::clone(record)]),
                Awaited::Scope(scope) => Target::Ends(call::threads_of_scope(*scope)),
                // It blocks where the lock is taken again: it has been notified.
                Awaited::Condvar { wanted, place }
                    if !held_locks::holders_of(wanted.resource.id).is_empty()
                        && sample::waits_at(call.thread.os_thread.load(Ordering::Relaxed))
                            .is_some_and(|word| place.contains(&word)) =>
                {
                    Target::Lock(wanted.clone(), AcquireKind::Wait)
                }
                Awaited::Lock { .. } | Awaited::Condvar { .. } | Awaited::Event => continue,
            };
            // A thread that is blocked in the middle of a poll is its task.
            let actor = call.task.as_ref().unwrap_or(&call.thread);
            let wait = Wait {
                id: call.id,
                target,
                stack: call.stack,
                operation: call.operation,
                since_ns: call.since_ns,
            };
            graph.add_blocked(call.thread.thread(), actor, wait);
        }
        graph.gather_tasks();
        graph
    }

    /// Adds an actor that blocks its `thread`.
    fn add_blocked(&mut self, thread: u64, actor: &Arc<Task>, wait: Wait) {
        self.driven.insert(thread, (actor.id, wait.since_ns));
        self.blocked.insert(thread);
        let candidate =
            Candidate { actor: Arc::clone(actor), waits: vec![wait], blockers: Vec::new() };
        self.candidates.insert(actor.id, candidate);
    }

    fn gather_tasks(&mut self) {
        let mut tasks = Waiting::new();
        for operation in operation::waiting_operations() {
            let Some(wait) = operation.wait() else { continue };
            let is_permit = operation.acquires_permits() || operation.takes_room();
            let Some(mode) = operation.mode.or(is_permit.then_some(Mode::Exclusive)) else {
                continue;
            };
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
                    first_await: 0,
                    is_granted: true,
                    is_certain: !is_permit,
                });
                continue;
            }
            let actor = wait.actor;
            let wait = Wait {
                id: operation.id,
                target: if operation.takes_room() {
                    Target::Room(wanted)
                } else if is_permit {
                    Target::Permits(wanted)
                } else {
                    Target::Lock(wanted, AcquireKind::Wait)
                },
                stack: wait.stack,
                operation: operation.source,
                since_ns: wait.since_ns,
            };
            if actor.parked_for() == operation.id {
                self.add_blocked(actor.thread(), &actor, wait);
                continue;
            }
            if matches!(actor.kind, TaskKind::Thread) {
                continue;
            }
            let entry =
                tasks.entry(actor.id).or_insert_with(|| (Arc::clone(&actor), Vec::new(), 0));
            // Those under a waker of ours first: the others may belong to a set of
            // futures that nobody polls.
            let owns_waker = operation.owns_waker();
            let place = if owns_waker { 0 } else { entry.1.len() };
            entry.1.insert(place, wait);
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
        live::all_live(|task| {
            self.has_workers |= task.kind == TaskKind::Worker;
            if task.kind == TaskKind::BlockOn {
                let began = self.roots.entry(task.thread()).or_default();
                *began = task.created_ns.max(*began);
                if let Some(candidate) = self.candidates.get(&task.id) {
                    let since = (candidate.actor.id, task.created_ns);
                    self.driven.entry(task.thread()).or_insert(since);
                }
            }
            true
        });
        self.gather_hosts();
    }

    /// A task in a poll that blocks its thread goes on when the thread does, and so does
    /// one that no other thread can poll; one that is polled by a root's thread meanwhile
    /// goes on by itself, and the thread with it.
    fn gather_hosts(&mut self) {
        let mut busy = BTreeSet::new();
        let mut bound = Vec::new();
        live::all_live(|task| {
            if self.candidates.contains_key(&task.id) {
                return true;
            }
            if !task.is_running() {
                if self.blocked.contains(&task.thread()) && self.is_bound_to_its_thread(task) {
                    bound.push(Arc::clone(task));
                }
            } else if let Some((candidate, since)) = self.driven.get(&task.thread()) {
                if task.poll_started_ns() < *since {
                    self.hosted.insert(task.id, *candidate);
                } else {
                    busy.insert(task.thread());
                }
            }
            true
        });
        self.driven.retain(|thread, _| !busy.contains(thread));
        for task in bound {
            self.add_bound(task);
        }
    }

    /// Adds a task that only a blocked thread can poll. Others need only be known where
    /// they have something.
    fn add_bound(&mut self, task: Arc<Task>) {
        let Some(&(blocks, since_ns)) = self.driven.get(&task.thread()) else { return };
        let Some(blocker) = self.candidates.get(&blocks).map(|one| Arc::clone(&one.actor)) else {
            return;
        };
        if !task.holds_locks() {
            self.hosted.insert(task.id, blocks);
            return;
        }
        let wait = Wait {
            id: task.id,
            target: Target::Thread(blocker),
            stack: task.await_stack(),
            operation: "",
            since_ns,
        };
        let candidate =
            Candidate { actor: Arc::clone(&task), waits: vec![wait], blockers: Vec::new() };
        self.candidates.insert(task.id, candidate);
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

    /// Whether nobody but the thread that polled it last can poll it again: a root; a task
    /// of a `LocalSet` or of a runtime without workers, for as long as the root lives
    /// that the thread was in when it polled the task.
    fn is_bound_to_its_thread(&self, task: &Task) -> bool {
        match task.kind {
            TaskKind::BlockOn => true,
            TaskKind::Local => self.is_in_its_root(task),
            TaskKind::Task => !self.has_workers && self.is_in_its_root(task),
            TaskKind::Thread | TaskKind::Blocking | TaskKind::Worker => false,
        }
    }

    fn is_in_its_root(&self, task: &Task) -> bool {
        let root = self.roots.get(&task.thread());
        root.is_some_and(|began_ns| *began_ns <= task.poll_started_ns())
    }

    /// Those that are certain to have a lock, but for what threads hold of std's and
    /// the like.
    fn holders(&self, lock: &Resource) -> Vec<Blocker> {
        let mut holders = Vec::new();
        for holder in lock.holders() {
            let hold =
                holder.holds().into_iter().find(|hold| hold.acquisition.resource.id == lock.id);
            holders.extend(hold.map(|Hold { acquisition, acquired_ns, first_await, .. }| {
                Blocker {
                    first_await,
                    candidate: self.stand_in(&holder),
                    is_certain: !acquisition.is_movable,
                    held: Some((acquisition, acquired_ns)),
                    is_granted: false,
                }
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
            Target::Ends(records) => {
                blockers.extend(records.iter().map(|record| Blocker {
                    candidate: self.stand_in(record),
                    held: None,
                    first_await: 0,
                    is_granted: false,
                    is_certain: true,
                }));
            }
            Target::Thread(blocker) => blockers.push(Blocker {
                candidate: blocker.id,
                held: None,
                first_await: 0,
                is_granted: false,
                is_certain: true,
            }),
            Target::Permits(wanted) => {
                let semaphore = &wanted.resource;
                for holder in semaphore.permit_holders() {
                    let Some(actor) = holder.actor() else { continue };
                    let has = Acquisition { stack: holder.stack, ..wanted.clone() };
                    blockers.push(Blocker {
                        candidate: self.stand_in(&actor),
                        held: Some((has, holder.since_ns)),
                        first_await: 0,
                        is_granted: false,
                        is_certain: false,
                    });
                }
                blockers.extend(self.granted.get(&semaphore.id).into_iter().flatten().cloned());
            }
            Target::Room(wanted) => {
                let channel = &wanted.resource;
                blockers.extend(self.granted.get(&channel.id).into_iter().flatten().cloned());
                // Somebody else may have the receiver by now.
                blockers.extend(channel.giver().map(|receiver| Blocker {
                    candidate: self.stand_in(&receiver),
                    held: None,
                    first_await: 0,
                    is_granted: false,
                    is_certain: false,
                }));
            }
            Target::Lock(wanted, how) => {
                let lock = &wanted.resource;
                let known = of_locks.entry(lock.id).or_insert_with(|| self.holders(lock));
                blockers.extend(known.iter().cloned());
                for (record, row) in held_locks::holders_of(lock.id) {
                    let Some(&(driven, _)) = self.driven.get(&record.thread()) else { continue };
                    let is_own = driven == candidate.actor.id;
                    if is_own && *how == AcquireKind::Upgrade {
                        continue;
                    }
                    blockers.push(Blocker {
                        candidate: driven,
                        held: Some((row.acquisition(), row.acquired_ns)),
                        first_await: 0,
                        is_granted: false,
                        is_certain: !row.lock.is_sendable,
                    });
                }
            }
        }
        blockers.retain(|blocker| self.candidates.contains_key(&blocker.candidate));
        blockers
    }

    /// Leaves those that are stuck: those for whom `counts` says who stands in their way.
    pub(super) fn reduce(&mut self, counts_as_one: impl Fn(&Blocker) -> bool) {
        let mut of_locks = BTreeMap::new();
        let mut blockers: BTreeMap<u64, Vec<Vec<Blocker>>> = BTreeMap::new();
        // By candidate: the waits that it stands in the way of. By wait: how many do.
        let mut blocked: BTreeMap<u64, Vec<(u64, usize)>> = BTreeMap::new();
        let mut counts: BTreeMap<(u64, usize), usize> = BTreeMap::new();
        let mut free = Vec::new();
        for (id, candidate) in &self.candidates {
            for (at, wait) in candidate.waits.iter().enumerate() {
                let mut of_wait = self.blockers(candidate, wait, &mut of_locks);
                of_wait.retain(&counts_as_one);
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

    /// Whether one of those that are left may have what it waits for from somebody else.
    pub(super) fn is_uncertain(&self) -> bool {
        let is_certain = |blocker: &Blocker| {
            blocker.is_certain && self.candidates.contains_key(&blocker.candidate)
        };
        self.candidates
            .values()
            .any(|one| !one.blockers.iter().all(|blockers| blockers.iter().any(is_certain)))
    }

    /// Whether there is nobody in the process but those that are left: no other task, no
    /// thread that does anything or may do so by itself. Then nobody can give permits, or
    /// drop a guard that was passed on.
    pub(super) fn is_closed(&self) -> bool {
        let is_left = |id: &u64| self.candidates.contains_key(id);
        let is_driven =
            |thread: u64| self.driven.get(&thread).is_some_and(|(candidate, _)| is_left(candidate));
        let mut workers = BTreeSet::new();
        let mut is_closed = true;
        live::all_live(|task| {
            match task.kind {
                TaskKind::Worker => {
                    workers.insert(task.thread());
                }
                TaskKind::Thread => is_closed = is_driven(task.thread()),
                _ => {
                    is_closed = is_left(&task.id) || self.hosted.get(&task.id).is_some_and(is_left)
                }
            }
            is_closed
        });
        let idle = held_locks::idle_threads();
        let is_still =
            |thread| workers.contains(&thread) || idle.contains(&thread) || is_driven(thread);
        is_closed && threads::others_are_still(is_still)
    }

    /// The first of the candidate's waits, and who stands in its way.
    pub(super) fn next<'a>(&self, candidate: &'a Candidate) -> Option<(&'a Wait, &'a Blocker)> {
        candidate.waits.iter().zip(&candidate.blockers).find_map(|(wait, blockers)| {
            let blocker =
                blockers.iter().find(|one| self.candidates.contains_key(&one.candidate))?;
            Some((wait, blocker))
        })
    }
}
