//! Who holds what, since when; in which order locks are taken; which holds are
//! long. Reduced as Linux lockdep does it: every pair (lock held, where) →
//! (lock acquired, where) is kept once, and seeing it again costs a look-up.

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    causality::{Clock, Moment},
    clock, context, counters,
    events::{self, RecursionKey},
    hash::{FastMap, fold},
    held,
    label::Parties,
    next_id, options, outbox,
    resource::{Resource, writer_word},
    stack::{self, Extent, StackId},
    sync::{Sharded, lock as guard},
    task::Task,
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
    mode: Mode,
}

/// Who waits for a lock, and who did so for long enough to be remembered.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    pending: Vec<Waiter>,
    past: Vec<Waiter>,
}

/// Somebody who waits, or waited, for a lock.
#[derive(Debug, Clone)]
pub struct Waiter {
    operation: u64,
    /// Who.
    pub actor: Arc<Task>,
    /// Where.
    pub stack: StackId,
    /// Since when.
    pub since_ns: u64,
    /// Until when; 0: still.
    pub until_ns: u64,
    /// Of that, where it is over, what the machine withheld.
    withheld_ns: u64,
    parties: Parties,
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
const MAX_WAITERS: usize = 8;

/// `actor` found the lock that it wants taken, perhaps by itself.
pub(crate) fn wait_begins(
    operation: u64,
    wanted: &Acquisition,
    actor: &Arc<Task>,
    since_ns: u64,
) -> Option<RecursionKey> {
    waits(operation, wanted, actor, since_ns, Parties::default());
    if wanted.mode == Mode::Exclusive {
        wanted.resource.note_writers(writer_word(actor.actor_id()));
    }
    let held = held_by_task(actor);
    let again = held.iter().find(|mine| mine.resource.id == wanted.resource.id);
    let recursion = again
        .filter(|mine| !mine.is_movable)
        .map(|mine| events::recursion(actor, mine, wanted, true));
    record_edges(actor, &held, wanted, since_ns, true);
    recursion
}

/// As [`wait_begins`], for a lock whose orders are written down already.
pub(crate) fn waits(
    operation: u64,
    wanted: &Acquisition,
    actor: &Arc<Task>,
    since_ns: u64,
    parties: Parties,
) {
    guard(&wanted.resource.waiters).pending.push(Waiter {
        operation,
        actor: Arc::clone(actor),
        stack: wanted.stack,
        since_ns,
        until_ns: 0,
        withheld_ns: 0,
        parties,
    });
}

/// What a task holds that waits, or takes a lock, within its poll on this thread: the
/// locks of its own, and those of the thread that are its.
fn held_by_task(actor: &Task) -> Vec<Acquisition> {
    let mut held = carried_by(actor);
    held::append_acquisitions(context::with(|context| context.held_outside.get()), &mut held);
    held
}

/// Locks of one task that orders are written down of, the newest ones. Each acquisition
/// looks at each pair of them.
const MAX_CARRIED: usize = 48;

/// The locks that a task keeps over its awaits, oldest first.
pub(crate) fn carried_by(actor: &Task) -> Vec<Acquisition> {
    if actor.held_count.load(Ordering::Relaxed) == 0 {
        return Vec::new();
    }
    let held = guard(&actor.held);
    let left_out = held.len().saturating_sub(MAX_CARRIED);
    counters::DROPPED_ORDER_EDGES.add(left_out as u64);
    held[left_out..].iter().map(|hold| hold.acquisition.clone()).collect()
}

/// The wait is over, one way or the other.
pub(crate) fn wait_ends(operation: u64, resource: &Resource) {
    let mut waiters = guard(&resource.waiters);
    let Some(index) = waiters.pending.iter().position(|waiter| waiter.operation == operation)
    else {
        return;
    };
    let mut waiter = waiters.pending.swap_remove(index);
    waiter.until_ns = clock::now_ns();
    // The holder reports its release only after the lock has been passed on, so
    // a wait worth telling outlives its end here.
    if waiter.until_ns.saturating_sub(waiter.since_ns) >= options::get().wait {
        // Files are read for that: not for the many short waits.
        waiter.withheld_ns = waiter.parties.withheld_ns();
        if waiters.past.len() >= MAX_WAITERS {
            waiters.past.remove(0);
        }
        waiters.past.push(waiter);
    }
}

/// The current actor holds `resource` from now on.
pub(crate) fn acquired(resource: &Arc<Resource>, mode: Mode, is_try: bool, is_movable: bool) {
    let Some(actor) = context::current_actor() else { return };
    counters::ACQUISITIONS.add(1);
    let now = clock::now_ns();
    let acquisition = Acquisition {
        resource: Arc::clone(resource),
        mode,
        stack: stack::capture(Extent::Task),
        is_try,
        is_movable,
    };
    if mode == Mode::Exclusive {
        resource.note_writers(writer_word(actor.actor_id()));
    }
    if !is_try {
        let held = held_by_task(&actor);
        let again = held.iter().find(|mine| mine.resource.id == resource.id);
        if let Some(mine) = again.filter(|mine| mine.mode.admits(mode) && !mine.is_movable) {
            events::recursion(&actor, mine, &acquisition, false);
        }
        record_edges(&actor, &held, &acquisition, now, false);
    }
    hold(&actor, Hold::new(acquisition, now, clock::starved_ns()));
}

/// Writes down that `actor` holds a lock.
fn hold(actor: &Arc<Task>, hold: Hold) {
    let Acquisition { resource, mode, .. } = &hold.acquisition;
    guard(&resource.holders).push(Holder { actor: Arc::clone(actor), mode: *mode });
    let mut held = guard(&actor.held);
    held.push(hold);
    actor.held_count.store(held.len() as u32, Ordering::Relaxed);
}

/// The poll of `task` returns `Pending` with std or parking_lot locks held, which
/// this thread took in it: they are the task's from now on.
#[cold]
pub(crate) fn carry(task: &Arc<Task>, from: usize) {
    let await_stack = task.await_stack();
    for held in held::carry(from) {
        let carried = held.hold();
        events::across_await(task, &carried.acquisition, await_stack);
        hold(task, carried);
    }
}

/// The current actor let go of `resource`, which it may have been handed.
pub(crate) fn released(resource: &Arc<Resource>, mode: Mode) {
    let current = context::current_actor();
    let holder = {
        let mut holders = guard(&resource.holders);
        let is_mine = |holder: &Holder| {
            current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &holder.actor))
        };
        let index = holders
            .iter()
            .position(|holder| holder.mode == mode && is_mine(holder))
            .or_else(|| holders.iter().position(|holder| holder.mode == mode));
        let Some(index) = index else { return };
        let holder = holders.remove(index);
        if !is_mine(&holder) {
            resource.hand_over();
        }
        holder.actor
    };
    let hold = {
        let mut held = guard(&holder.held);
        let index = held.iter().rposition(|hold| {
            hold.acquisition.resource.id == resource.id && hold.acquisition.mode == mode
        });
        let Some(index) = index else { return };
        let hold = held.remove(index);
        holder.held_count.store(held.len() as u32, Ordering::Relaxed);
        hold
    };
    hold_ended(hold, holder);
}

/// Ships a hold that is over, if it was long.
pub(crate) fn hold_ended(hold: Hold, holder: Arc<Task>) {
    let now = clock::now_ns();
    let options = options::get();
    let held_ns = now.saturating_sub(hold.acquired_ns);
    if held_ns < options.contended_hold.min(options.long_hold) {
        return;
    }
    let waiters = waiters_during(&hold.acquisition.resource, hold.acquired_ns, now, options.wait);
    let starved_ns = hold.starved_ns();
    let is_long = if waiters.is_empty() {
        held_ns >= options.long_hold
    } else {
        held_ns >= options.contended_hold
    };
    if is_long {
        outbox::long_hold(LongHold { hold, holder, released_ns: now, starved_ns, waiters });
    }
}

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

/// While `from` was held, `to` was acquired or waited for.
#[derive(Debug)]
pub struct OrderEdge {
    /// Unique in this process.
    pub id: u64,
    /// What was held.
    pub from: Acquisition,
    /// What was wanted.
    pub to: Acquisition,
    /// The other locks that the actor held.
    pub gates: Vec<(Arc<Resource>, Mode)>,
    /// Somebody had to wait for `to`.
    pub contended: bool,
    actors: Mutex<Vec<EdgeActor>>,
}

impl OrderEdge {
    /// Who took it; one actor several times in a row, at most 4.
    pub fn actors(&self) -> Vec<EdgeActor> {
        guard(&self.actors).clone()
    }
}

/// Who took an edge, and when. An actor that takes it again and knows more by then, or
/// has told others of it, is written down again.
#[derive(Debug, Clone)]
pub struct EdgeActor {
    /// Who.
    pub actor: Arc<Task>,
    /// First.
    pub first_ns: u64,
    /// And last.
    pub last_ns: u64,
    /// What was over for it when it was first.
    pub known: Option<Arc<Clock>>,
    /// The epoch in which it was last.
    pub epoch: u32,
}

impl EdgeActor {
    fn new(actor: &Arc<Task>, now: u64, moment: Moment) -> Self {
        Self {
            actor: Arc::clone(actor),
            first_ns: now,
            last_ns: now,
            known: moment.known,
            epoch: moment.epoch,
        }
    }

    fn is_at(&self, moment: &Moment) -> bool {
        let id = |known: &Option<Arc<Clock>>| known.as_ref().map(|clock| clock.id);
        self.epoch == moment.epoch && id(&self.known) == id(&moment.known)
    }
}

/// As many as the verdict needs: two parties, and some to choose from.
const MAX_ACTORS: usize = 4;
/// How often one actor is written down.
const MAX_MOMENTS: usize = 4;
/// Edges that are kept.
const MAX_EDGES: u64 = 100_000;
/// Edges that are kept between two sites: pairs of instances.
const MAX_EDGES_PER_SITE: u32 = 20_000;

#[derive(Debug, Default)]
struct Edges {
    by_key: FastMap<u64, Arc<OrderEdge>>,
    per_site: FastMap<u64, u32>,
}

static EDGES: OnceLock<Sharded<Edges>> = OnceLock::new();
static EDGE_COUNT: AtomicU64 = AtomicU64::new(0);
/// Edges that are new, or have a new actor, since the auditor was told.
static UNSENT: Mutex<Vec<Arc<OrderEdge>>> = Mutex::new(Vec::new());

/// While `held` were held by `actor`, `to` was taken or waited for.
pub(crate) fn record_edges(
    actor: &Arc<Task>,
    held: &[Acquisition],
    to: &Acquisition,
    now: u64,
    contended: bool,
) {
    for (index, from) in held.iter().enumerate() {
        if from.resource.id == to.resource.id {
            continue;
        }
        let gates = || {
            held.iter()
                .enumerate()
                .filter(move |(other, _)| *other != index)
                .map(|(_, acquisition)| acquisition)
        };
        // The edges of two sites share a shard, where they are counted.
        let site = fold(fold(1, u64::from(from.stack)), u64::from(to.stack));
        let mut key = fold(fold(site, from.resource.id), to.resource.id);
        key = fold(key, from.mode.word() << 8 | to.mode.word());
        for gate in gates() {
            key = fold(key, gate.resource.id << 2 | gate.mode.word());
        }
        let mut edges = guard(EDGES.get_or_init(Sharded::default).shard(site));
        if let Some(edge) = edges.by_key.get(&key) {
            let edge = Arc::clone(edge);
            drop(edges);
            note_actor(&edge, actor, now);
            continue;
        }
        let per_site = edges.per_site.entry(site).or_default();
        if *per_site >= MAX_EDGES_PER_SITE || EDGE_COUNT.load(Ordering::Relaxed) >= MAX_EDGES {
            counters::DROPPED_ORDER_EDGES.add(1);
            continue;
        }
        *per_site += 1;
        EDGE_COUNT.fetch_add(1, Ordering::Relaxed);
        let edge = Arc::new(OrderEdge {
            id: next_id(),
            from: from.clone(),
            to: to.clone(),
            gates: gates().map(|gate| (Arc::clone(&gate.resource), gate.mode)).collect(),
            contended,
            actors: Mutex::new(vec![EdgeActor::new(actor, now, actor.stamp())]),
        });
        edges.by_key.insert(key, Arc::clone(&edge));
        drop(edges);
        guard(&UNSENT).push(edge);
    }
}

fn note_actor(edge: &Arc<OrderEdge>, actor: &Arc<Task>, now: u64) {
    let mut actors = guard(&edge.actors);
    let is_own = |known: &EdgeActor| Arc::ptr_eq(&known.actor, actor);
    let times = actors.iter().filter(|known| is_own(known)).count();
    if times == 0 {
        let mut others: Vec<u64> = actors.iter().map(|known| known.actor.id).collect();
        others.dedup();
        if others.len() >= MAX_ACTORS {
            return;
        }
    }
    let moment = actor.stamp();
    if let Some(last) = actors.iter_mut().rfind(|known| is_own(known)) {
        last.last_ns = now;
        if last.is_at(&moment) {
            return;
        }
        if times >= MAX_MOMENTS {
            last.epoch = moment.epoch;
            return;
        }
    }
    let at = actors.iter().rposition(is_own).map_or(actors.len(), |last| last + 1);
    actors.insert(at, EdgeActor::new(actor, now, moment));
    drop(actors);
    guard(&UNSENT).push(Arc::clone(edge));
}

/// The edges of which the auditor does not know, or not every actor.
pub(crate) fn unsent_edges() -> Vec<Arc<OrderEdge>> {
    let mut edges = std::mem::take(&mut *guard(&UNSENT));
    edges.sort_by_key(|edge| edge.id);
    edges.dedup_by_key(|edge| edge.id);
    edges
}

/// Every edge, with the times as they are now.
pub(crate) fn all_edges() -> Vec<Arc<OrderEdge>> {
    EDGES.get().map_or_else(Vec::new, |edges| {
        edges
            .iter()
            .flat_map(|shard| guard(shard).by_key.values().cloned().collect::<Vec<_>>())
            .collect()
    })
}
