//! Tasks and threads: what is written down of each.

pub mod children;

pub mod drained;

pub mod ending;

pub mod join_handle;

pub mod knowledge;

pub mod last_waker;

pub mod live;

pub mod spawn_site;
mod state;

pub mod waker_counts;

pub use join_handle::Body;
pub use state::{State, TaskEnd, TaskKind, Wait};

use join_handle::{Window, Words};

use waker_counts::{MAX_WAITS, Recent};

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use crate::{
    platform::{
        clock,
        hash::{FastMap, fold},
        process::next_id,
        stack::StackId,
        sync::lock as guard,
        thread_number,
    },
    record::{
        held_locks,
        lock::{Acquisition, Hold},
        resource::Site,
        task::{
            children::{Children, Handles},
            ending::Ending,
            last_waker::LastWaker,
            spawn_site::SpawnSite,
        },
        vector_clock::{Clock, Knowledge},
    },
};

/// A task, or a thread as far as it holds locks.
///
/// Its alignment leaves room for a mark in the wakers' pointers to it, see `waker.rs`.
#[derive(Debug)]
#[repr(align(64))]
pub struct Task {
    /// Unique in this process.
    pub id: u64,
    /// What kind.
    pub kind: TaskKind,
    /// As given to tokio's task builder, or empty.
    pub name: Box<str>,
    /// tokio's own id, or 0.
    pub tokio_id: u64,
    /// Where it was spawned, as tokio tells.
    pub site: Option<Site>,
    /// Where it was spawned.
    pub spawn_stack: StackId,
    /// Who spawned it: its parent, the parent's parent, and so on.
    pub ancestors: Box<[u64]>,
    /// The thread on which it was spawned, if it is one that was spawned itself; else 0.
    pub spawned_on: u64,
    /// What kind of task its parent is, where there is one.
    pub parent_kind: Option<TaskKind>,
    /// When it was spawned.
    pub created_ns: u64,
    pub(crate) ended_ns: AtomicU64,
    pub(crate) end: AtomicU8,
    /// The thread that last polled it.
    pub(crate) thread: AtomicU64,
    pub(crate) polls: AtomicU64,
    pub(crate) busy_ns: AtomicU64,
    pub(crate) scheduled_ns: AtomicU64,
    pub(crate) first_poll_ns: AtomicU64,
    pub(crate) poll_started_ns: AtomicU64,
    pub(crate) poll_ended_ns: AtomicU64,
    pub(crate) last_wake_ns: AtomicU64,
    pub(crate) is_scheduled: AtomicBool,
    pub(crate) is_running: AtomicBool,
    /// Its future is being dropped unfinished.
    pub(crate) is_dropping: AtomicBool,
    /// Of a thread: nobody is seen to have spawned it.
    pub(crate) is_foreign: bool,
    /// Of a thread: see [`Task::note_panic_is_noticed`].
    pub(crate) is_panic_noticed: AtomicBool,
    /// Of a thread of a `thread::scope`: where that is, else 0.
    pub(crate) scope: AtomicUsize,
    pub(crate) woken_by_drop_of: AtomicU64,
    pub(crate) wakes: AtomicU64,
    pub(crate) self_wakes: AtomicU64,
    /// It was told to wake itself over and over.
    pub(crate) is_self_waking: AtomicBool,
    pub(crate) clones: AtomicU64,
    pub(crate) drops: AtomicU64,
    /// Clones that the last poll made and that are still out.
    pub(crate) recent: Recent,
    /// See [`Task::place_is_left`].
    pub(crate) is_unsettled: AtomicBool,
    /// Its next poll is one that the probe asked for.
    pub(crate) is_settling: AtomicBool,
    pub(crate) last_waker: LastWaker,
    pub(crate) spawn_site: Option<&'static SpawnSite>,
    pub(crate) children: Mutex<Children>,
    pub(crate) handles: Handles,
    /// See [`crate::lifecycle::happens_before`].
    pub(crate) knowledge: Knowledge,
    pub(crate) inner: Mutex<Option<Waker>>,
    pub(crate) joins: Window,
    pub(crate) waits: Mutex<Vec<Wait>>,
    /// See [`Task::parked_for`].
    pub(crate) parked_for: AtomicU64,
    /// The operations of tokio's that wait in it.
    pub(crate) operations: Mutex<FastMap<u64, Wait>>,
    pub(crate) held: Mutex<Vec<Hold>>,
    /// How many, to be read without the lock.
    pub(crate) held_count: AtomicU32,
    pub(crate) last_state: Mutex<Option<Box<State>>>,
    /// See [`crate::detect::late_ends`].
    pub(crate) ending: Ending,
    /// Of a thread, and of a blocking task, the thread that runs it: its number for
    /// the system; 0 where not known.
    pub(crate) os_thread: AtomicU32,
    /// Of these: where the stack ends.
    pub(crate) stack_high: AtomicUsize,
}

impl Task {
    /// Of a blocking task: no thread has taken it up.
    pub(crate) fn has_yet_to_begin(&self) -> bool {
        self.kind == TaskKind::Blocking && self.first_poll_ns() == 0
    }

    /// One that begins here and now, of which the spawner knows what is `known`.
    pub(crate) fn new(
        kind: TaskKind,
        name: &str,
        tokio_id: u64,
        site: Option<Site>,
        known: Option<Arc<Clock>>,
    ) -> Self {
        Self {
            id: next_id(),
            kind,
            name: name.into(),
            tokio_id,
            site,
            spawn_stack: 0,
            ancestors: Box::default(),
            spawned_on: 0,
            parent_kind: None,
            created_ns: clock::now_ns(),
            ended_ns: AtomicU64::new(0),
            end: AtomicU8::new(TaskEnd::Alive as u8),
            thread: AtomicU64::new(thread_number::current()),
            polls: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            scheduled_ns: AtomicU64::new(0),
            first_poll_ns: AtomicU64::new(0),
            poll_started_ns: AtomicU64::new(0),
            poll_ended_ns: AtomicU64::new(0),
            last_wake_ns: AtomicU64::new(0),
            // tokio schedules a task as it is spawned.
            is_scheduled: AtomicBool::new(!matches!(kind, TaskKind::Thread)),
            is_running: AtomicBool::new(false),
            is_dropping: AtomicBool::new(false),
            is_foreign: false,
            is_panic_noticed: AtomicBool::new(false),
            scope: AtomicUsize::new(0),
            woken_by_drop_of: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            self_wakes: AtomicU64::new(0),
            is_self_waking: AtomicBool::new(false),
            clones: AtomicU64::new(0),
            drops: AtomicU64::new(0),
            recent: Recent::default(),
            is_unsettled: AtomicBool::new(false),
            is_settling: AtomicBool::new(false),
            last_waker: LastWaker::default(),
            spawn_site: None,
            children: Mutex::default(),
            handles: Handles::default(),
            knowledge: Knowledge::new(known),
            inner: Mutex::default(),
            joins: Window::default(),
            waits: Mutex::default(),
            parked_for: AtomicU64::new(0),
            operations: Mutex::default(),
            held: Mutex::default(),
            held_count: AtomicU32::new(0),
            last_state: Mutex::default(),
            ending: Ending::default(),
            os_thread: AtomicU32::new(0),
            stack_high: AtomicUsize::new(0),
        }
    }

    /// How it ended.
    pub fn end(&self) -> TaskEnd {
        match self.end.load(Ordering::Acquire) {
            1 => TaskEnd::Completed,
            2 => TaskEnd::Panicked,
            3 => TaskEnd::Dropped,
            _ => TaskEnd::Alive,
        }
    }

    /// When; 0: it has not.
    pub fn ended_ns(&self) -> u64 {
        self.ended_ns.load(Ordering::Relaxed)
    }

    /// The operation for which its thread is parked in the middle of what it does; 0:
    /// it is not.
    pub(crate) fn parked_for(&self) -> u64 {
        self.parked_for.load(Ordering::Acquire)
    }

    /// Of a thread: nobody is seen to have spawned it.
    pub(crate) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// Of a thread: how it ends cannot go unnoticed, or would in a way that is not seen.
    pub fn note_panic_is_noticed(&self) {
        self.is_panic_noticed.store(true, Ordering::Relaxed);
    }

    /// Of a thread: it belongs to the `thread::scope` at this address, which waits for
    /// its end and panics where it did.
    pub fn enter_scope(&self, scope: usize) {
        self.scope.store(scope, Ordering::Relaxed);
        self.note_panic_is_noticed();
    }

    /// The `thread::scope` of a thread; 0: none.
    pub(crate) fn scope(&self) -> usize {
        self.scope.load(Ordering::Relaxed)
    }

    pub(crate) fn is_panic_noticed(&self) -> bool {
        self.is_panic_noticed.load(Ordering::Relaxed)
    }

    /// As [`crate::context::Context::actor_id`] names it.
    pub(crate) fn actor_id(&self) -> u64 {
        if self.kind == TaskKind::Thread { self.thread() } else { self.id }
    }

    /// The thread that last polled it.
    pub fn thread(&self) -> u64 {
        self.thread.load(Ordering::Relaxed)
    }

    /// How often it was polled.
    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// For how long its polls ran.
    pub fn busy_ns(&self) -> u64 {
        self.busy_ns.load(Ordering::Relaxed)
    }

    /// For how long it was woken and not yet polled.
    pub fn scheduled_ns(&self) -> u64 {
        self.scheduled_ns.load(Ordering::Relaxed)
    }

    /// When it was first polled; 0: never.
    pub fn first_poll_ns(&self) -> u64 {
        self.first_poll_ns.load(Ordering::Relaxed)
    }

    /// When its last poll began; 0: never polled.
    pub fn poll_started_ns(&self) -> u64 {
        self.poll_started_ns.load(Ordering::Relaxed)
    }

    /// When its last poll ended; 0: never.
    pub fn poll_ended_ns(&self) -> u64 {
        self.poll_ended_ns.load(Ordering::Relaxed)
    }

    /// When it was last woken; 0: never.
    pub fn last_wake_ns(&self) -> u64 {
        self.last_wake_ns.load(Ordering::Relaxed)
    }

    /// Woken (or just spawned) and not polled since.
    pub fn is_scheduled(&self) -> bool {
        self.is_scheduled.load(Ordering::Relaxed)
    }

    /// Being polled.
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Its future is being dropped unfinished.
    pub(crate) fn is_being_dropped(&self) -> bool {
        self.is_dropping.load(Ordering::Relaxed)
    }

    /// How often it was woken, and how often of that by itself.
    pub fn wakes(&self) -> (u64, u64) {
        (self.wakes.load(Ordering::Relaxed), self.self_wakes.load(Ordering::Relaxed))
    }

    /// Clones of its waker that were made, and that are gone.
    pub fn wakers(&self) -> (u64, u64) {
        // The later number first, or a clone between the two would count as
        // dropped.
        let drops = self.drops.load(Ordering::Acquire);
        (self.clones.load(Ordering::Acquire), drops)
    }

    /// What it waits for, newest first: the await stacks of the last poll, no more of
    /// them than wakers of that poll are out; and what tokio says is waited for under a
    /// waker that is not ours (a set of futures gives each a waker of its own).
    ///
    /// A future that the last poll left alone is not waited for, though its waker may
    /// be out. Only where that poll left no waker, they are what there is.
    pub fn waits(&self) -> Vec<Wait> {
        let (clones, drops) = self.wakers();
        let (poll, recent) = self.recent.get();
        let is_of_last_poll = recent > 0;
        let out = if is_of_last_poll { recent } else { clones.saturating_sub(drops) };
        let out = out.min(MAX_WAITS as u64) as usize;
        let is_live = |wait: &&Wait| !is_of_last_poll || wait.poll == poll || wait.poll == 0;
        let mut waits: Vec<Wait> =
            guard(&self.waits).iter().rev().filter(is_live).take(out).cloned().collect();
        let resource = |wait: &Wait| wait.resource.as_ref().map(|resource| resource.id);
        for wait in guard(&self.operations).values().filter(is_live) {
            let is_known =
                |known: &Wait| known.stack == wait.stack || resource(known) == resource(wait);
            if waits.len() < MAX_WAITS && !waits.iter().any(is_known) {
                waits.push(wait.clone());
            }
        }
        waits
    }

    /// Where it waited last.
    pub(crate) fn await_stack(&self) -> StackId {
        guard(&self.waits).last().map_or(0, |wait| wait.stack)
    }

    /// When the first of its timers is due, by what tokio says.
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        let due = |wait: &Wait| wait.resource.as_ref().map_or(0, |resource| resource.due_ns());
        guard(&self.operations).values().map(due).filter(|due| *due != 0).min()
    }

    pub(crate) fn operation_begins(&self, id: u64, wait: Wait) {
        guard(&self.operations).insert(id, wait);
    }

    /// An operation of its waits on, at this place.
    pub(crate) fn operation_moves(&self, id: u64, resource: u64, stack: StackId, poll: u64) {
        self.is_unsettled.store(false, Ordering::Relaxed);
        if let Some(wait) = guard(&self.operations).get_mut(&id) {
            wait.stack = stack;
            wait.poll = poll;
        }
        let is_of_it =
            |wait: &Wait| wait.resource.as_ref().is_some_and(|known| known.id == resource);
        let mut waits = guard(&self.waits);
        if let Some(at) = waits.iter().rposition(is_of_it) {
            let wait = waits.remove(at);
            waits.push(Wait { stack, ..wait });
        }
    }

    /// In a poll of it an operation has ended: it goes on, and may wait at another place
    /// for what it has polled in this poll already. That has a clone of this poll's waker
    /// and makes none again, so that nobody tells where it is.
    pub(crate) fn place_is_left(&self) {
        if self.is_running() && self.recent.get().1 > 0 {
            self.is_unsettled.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn operation_ends(&self, id: u64) {
        let wait = guard(&self.operations).remove(&id);
        // Outside of our lock: it may be the last of its resource.
        drop(wait);
    }

    /// Whether it holds locks that are told of by task: tokio's, and others across an
    /// await.
    pub(crate) fn holds_locks(&self) -> bool {
        self.held_count.load(Ordering::Relaxed) > 0
    }

    /// It begins to wait at this place. Where it has acquired a lock in this poll, that
    /// shows whether the future which did is still there.
    pub(crate) fn awaits_at(&self, stack: StackId) {
        if !self.holds_locks() {
            return;
        }
        for hold in guard(&self.held).iter_mut().filter(|hold| hold.first_await == 0) {
            hold.first_await = stack;
        }
    }

    /// The locks that it holds.
    pub fn holds(&self) -> Vec<Hold> {
        let mut holds = guard(&self.held).clone();
        if self.kind == TaskKind::Thread {
            holds.extend(held_locks::of_thread(self.thread()));
            let now = clock::now_ns();
            for wait in guard(&self.operations).values() {
                for hold in holds.iter_mut().filter(|hold| wait.since_ns >= hold.acquired_ns) {
                    hold.awaited_ns = now.saturating_sub(wait.since_ns);
                    hold.await_stack = wait.stack;
                }
            }
        }
        holds
    }

    /// Tells what it holds from what else it may hold; 0: nothing.
    pub(crate) fn held_key(&self) -> u64 {
        guard(&self.held).iter().fold(0, |key, hold| {
            let Acquisition { resource, mode, stack, .. } = &hold.acquisition;
            fold(fold(key, resource.id), u64::from(*stack) << 8 | mode.word())
        })
    }

    /// The first word of tokio's own record of it; `None` where it has none now.
    pub(crate) fn tokio_state(&self) -> Option<usize> {
        if !matches!(self.kind, TaskKind::Task | TaskKind::Local | TaskKind::Blocking) {
            return None;
        }
        let inner = guard(&self.inner);
        let header = inner.as_ref()?.data().cast::<AtomicUsize>();
        if header.is_null() || !header.is_aligned() {
            return None;
        }
        // SAFETY: tokio's waker for a task points at the task's header, which
        // begins with its state, an `AtomicUsize`, from tokio 1.20 to 1.54; the
        // waker, which is kept from being dropped by our lock, keeps the header.
        Some(unsafe { (*header).load(Ordering::Acquire) })
    }

    /// Those words of tokio's record of it where the waker of who waits for its end is;
    /// `None` where nobody does.
    pub(crate) fn join_window(&self) -> Option<Words> {
        if !self.has_join_waker() {
            return None;
        }
        // Once more, for then the record has been there all the while.
        self.joins.read().filter(|_| self.has_join_waker())
    }

    /// What it is about now.
    pub fn state(&self) -> State {
        let drain = drained::last_started_ns();
        let lost_waker = self.lost_waker();
        let is_scheduled = self.is_scheduled();
        let woken_by_drop_of = self.woken_by_drop_of.load(Ordering::Relaxed);
        let had_waker = lost_waker.1 != 0 || (is_scheduled && woken_by_drop_of != 0);
        let mut waits = self.waits();
        if had_waker && waits.is_empty() {
            waits.extend(guard(&self.waits).last().cloned());
        }
        State {
            waits,
            lost_waker,
            holds: self.holds(),
            is_scheduled,
            wakers: self.wakers(),
            woken_by_drop_of,
            had_grace: drain >= self.created_ns,
            is_drained: drain != 0 && self.poll_started_ns() >= drain,
            drop_stack: 0,
        }
    }

    /// By what it is told from tasks that ended unfinished in the same way: where it was
    /// spawned, what it waited for, and where it was dropped. `None`: there is more to it,
    /// as it held locks, or others stand below it.
    pub(crate) fn likeness(&self) -> Option<u64> {
        if guard(&self.children).were_there() {
            return None;
        }
        let state = guard(&self.last_state);
        let state = state.as_ref().filter(|state| state.holds.is_empty())?;
        let key = fold(u64::from(self.spawn_stack), u64::from(state.drop_stack));
        Some(state.waits.iter().fold(key, |key, wait| fold(key, u64::from(wait.stack))))
    }

    /// What it was about when it was dropped unfinished.
    pub fn last_state(&self) -> Option<Box<State>> {
        guard(&self.last_state).clone()
    }
}

impl Task {
    /// The record of the calling thread, which was not spawned through `std::thread`.
    pub(crate) fn for_this_thread(known: Option<Arc<Clock>>) -> Arc<Self> {
        let thread = Self::new(TaskKind::Thread, "", 0, None, known);
        Arc::new(Self { is_foreign: true, ..thread })
    }
}
