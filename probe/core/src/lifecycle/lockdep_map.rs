//! The side of a std or parking_lot lock that the probe sees.
//!
//! A facade keeps a [`LockdepMap`] in each of its locks and tells it, in this order:
//! that the lock is about to be taken ([`LockdepMap::attempt`]), that this has to wait
//! ([`LockdepMap::wait`]), that it was taken ([`LockdepMap::acquired`]), and that it is
//! about to be released ([`LockdepMap::released`]). All of it happens on the thread
//! that does it.
//!
//! Whatever needs memory is done before the lock is taken: the lock may be the
//! one of the program's allocator. One that is is known by it that it is taken where
//! the probe allocates, which is tried before a lock is first taken. Nothing is told of
//! it, and where it is held, nothing of any other lock either: the probe's own locks
//! are held while it allocates, so whoever is within the allocator must not wait for
//! them.

use std::{
    marker::PhantomData,
    panic::Location,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use crate::{
    context::{self, Context},
    detect::{by_place, lock_order},
    lifecycle::{
        lock, pause, shake,
        thread::{self, Blocking},
    },
    platform::{
        busy::{Busy, allocates, allocation_begins, allocation_ends, is_busy},
        clock, counters, distribution,
        hash::fold,
        options,
        process::{is_active, next_id},
        stack::{self, StackId},
    },
    record::{
        call::Awaited,
        held_locks::{self, Held, HeldLocks},
        lock::{AcquireKind, Acquisition, Mode},
        resource::{self, NOBODY, Resource, ResourceKind, SEVERAL, Tracked},
        run_queue::Parties,
        task::TaskKind,
    },
};

/// The number of every lock of the program's allocator.
const ALLOCATORS: u64 = u64::MAX;

/// Beside every lock that a facade wraps: who it is. Costs nothing until the
/// lock is first used in an audited process.
#[derive(Debug)]
pub struct LockdepMap {
    kind: ResourceKind,
    is_sendable: bool,
    /// Who took it exclusively, or tried to.
    writer: AtomicU32,
    site: Option<&'static Location<'static>>,
    /// 0 until it is first used, [`ALLOCATORS`] as soon as it is known to be one.
    id: AtomicU64,
}

/// A lock about to be taken. Dropped without [`LockdepMap::acquired`], it was not.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    mode: Mode,
    how: AcquireKind,
    /// 0 or [`ALLOCATORS`]: not to be looked at.
    id: u64,
    stack: StackId,
}

/// The lock is taken, and this thread waits for it while this lives.
#[derive(Debug)]
#[must_use]
pub struct Waiting<'a>(Option<Wait>, PhantomData<&'a LockdepMap>);

#[derive(Debug)]
pub(crate) struct Wait {
    resource: Arc<Resource>,
    operation: u64,
    recursion: Option<by_place::RecursionKey>,
    _blocking: Blocking,
}

impl LockdepMap {
    /// The lockdep map of a lock that is created at `site`.
    #[must_use]
    pub const fn new(kind: ResourceKind, site: &'static Location<'static>) -> Self {
        Self { site: Some(site), ..Self::without_location(kind) }
    }

    /// The lockdep map of a lock whose constructor cannot tell where it was called.
    #[must_use]
    pub const fn without_location(kind: ResourceKind) -> Self {
        Self {
            kind,
            is_sendable: false,
            writer: AtomicU32::new(NOBODY),
            site: None,
            id: AtomicU64::new(0),
        }
    }

    /// The same lockdep map, of a lock whose guards can be sent to other threads: who
    /// took it last need not be who holds it.
    #[must_use]
    pub const fn sendable(self) -> Self {
        Self { is_sendable: true, ..self }
    }

    /// To be called before the lock is tried.
    #[inline]
    pub fn attempt(&self, mode: Mode, how: AcquireKind) -> Attempt {
        if is_active() {
            self.attempt_audited(mode, how)
        } else {
            Attempt { mode, how, id: 0, stack: 0 }
        }
    }

    /// To be called where this is a cell that is initialised once, has been, and is used:
    /// in another run this thread might have had to wait for the initialiser, with all
    /// that it holds. Nothing is taken.
    #[inline]
    pub fn passed(&self) {
        if is_active() {
            let holds = context::with(|context| {
                let count = context.held().map_or(0, HeldLocks::len);
                count > 0 || context.carried_key() != 0
            });
            if holds {
                // Dropped: it only tells the order.
                drop(self.attempt_audited(Mode::Shared, AcquireKind::Wait));
            }
        }
    }

    #[inline(never)]
    fn attempt_audited(&self, mode: Mode, how: AcquireKind) -> Attempt {
        context::with(|context| {
            let mut attempt = Attempt { mode, how, id: 0, stack: 0 };
            if is_busy() {
                attempt.id = self.busy_id();
                return attempt;
            }
            let id = self.id();
            if id == ALLOCATORS {
                attempt.id = id;
                return attempt;
            }
            shake::perhaps_delay();
            let Some(held) = context.held_or_new() else { return attempt };
            attempt.id = id;
            attempt.stack = stack::capture_again();
            if mode == Mode::Exclusive {
                let known = self.writer.load(Ordering::Relaxed);
                if known != SEVERAL && known != resource::writer_word(context.actor_id()) {
                    self.note_writer(attempt.id, context.actor_id());
                }
            }
            if how.is_try() {
                return attempt;
            }
            let carried = context.carried_key();
            if held.len() == 0 && carried == 0 {
                return attempt;
            }
            let mut hash = fold(fold(carried, context.actor_epoch()), attempt.id);
            hash = fold(hash, u64::from(attempt.stack) << 8 | mode.word());
            for at in 0..held.len() {
                let (id, word) = held.key(at);
                hash = fold(fold(hash, id), word);
            }
            let tick = clock::coarse_ns() >> 22;
            if !context.knows_order(hash, tick) {
                self.record(&attempt);
                context.learn_order(hash, tick);
            }
            attempt
        })
    }

    /// Writes down in which order the locks are taken, and whether this one is
    /// held already.
    #[inline(never)]
    fn record(&self, attempt: &Attempt) {
        let Some(actor) = context::current_actor() else { return };
        let _busy = Busy::begin();
        let mut held = lock::carried_by(&actor);
        context::append_held(0, &mut held);
        let wanted = self.acquisition(attempt);
        if attempt.how == AcquireKind::Wait
            && let Some(mine) = held.iter().find(|mine| mine.resource.id == attempt.id)
            && mine.mode.admits(attempt.mode)
        {
            by_place::recursion(&actor, mine, &wanted, false);
        }
        lock_order::record_edges(&actor, &held, &wanted, clock::now_ns(), false);
    }

    fn acquisition(&self, attempt: &Attempt) -> Acquisition {
        Acquisition {
            resource: self.resource(attempt.id, attempt.stack),
            mode: attempt.mode,
            stack: attempt.stack,
            is_try: attempt.how.is_try(),
            is_movable: self.is_sendable,
        }
    }

    /// To be called where the lock was found taken, before it is waited for.
    #[inline(never)]
    pub fn wait(&self, attempt: &Attempt) -> Waiting<'_> {
        if matches!(attempt.id, 0 | ALLOCATORS) || is_busy() {
            return Waiting(None, PhantomData);
        }
        let Some(actor) = context::current_actor() else { return Waiting(None, PhantomData) };
        let busy = Busy::begin();
        let wanted = self.acquisition(attempt);
        let resource = Arc::clone(&wanted.resource);
        let operation = next_id();
        let parties = Parties::of(attempt.id);
        lock::waits(operation, &wanted, &actor, clock::now_ns(), parties.clone());
        let mut recursion = None;
        if matches!(attempt.how, AcquireKind::Wait | AcquireKind::Recursive) {
            let mut held = lock::carried_by(&actor);
            context::append_held(0, &mut held);
            if let Some(mine) = held.iter().find(|mine| mine.resource.id == attempt.id)
                && (attempt.how == AcquireKind::Wait || !mine.mode.admits(attempt.mode))
            {
                recursion = Some(by_place::recursion(&actor, mine, &wanted, true));
            }
        }
        drop(busy);
        let blocking = {
            let (mode, how) = (attempt.mode, attempt.how);
            let awaited = Awaited::Lock { resource: Arc::clone(&resource), mode, how };
            thread::blocking_for_parties(self.operation(mode), awaited, parties)
        };
        let wait = Wait { resource, operation, recursion, _blocking: blocking };
        Waiting(Some(wait), PhantomData)
    }

    /// To be called where the lock was released for a wait on a `Condvar`, and will be
    /// taken again as `attempt` says. The lock is at this `place`.
    #[inline(never)]
    pub fn wait_to_be_notified(
        &self,
        attempt: &Attempt,
        operation: &'static str,
        place: std::ops::Range<usize>,
    ) -> Blocking {
        if matches!(attempt.id, 0 | ALLOCATORS) || is_busy() {
            return thread::blocking(operation);
        }
        let wanted = {
            let _busy = Busy::begin();
            self.acquisition(attempt)
        };
        thread::blocking_for(operation, Awaited::Condvar { wanted, place })
    }

    fn operation(&self, mode: Mode) -> &'static str {
        match (self.kind.concrete_type(), mode) {
            ("RwLock", Mode::Exclusive) => "RwLock::write",
            ("RwLock", Mode::Shared) => "RwLock::read",
            ("RwLock", Mode::Upgradable) => "RwLock::upgradable_read",
            ("Once", _) => "Once::call_once",
            ("OnceLock", _) => "OnceLock::get_or_init",
            ("LazyLock", _) => "LazyLock::force",
            _ => "Mutex::lock",
        }
    }

    /// The lock is this thread's from now on.
    #[inline]
    pub fn acquired(&self, attempt: Attempt) {
        if attempt.id != 0 {
            self.acquired_audited(&attempt);
        }
    }

    #[inline(never)]
    fn acquired_audited(&self, attempt: &Attempt) {
        if attempt.id == ALLOCATORS {
            return allocation_begins();
        }
        if let Some(held) = context::with(Context::held) {
            held.push(&Held {
                lock: self.tracked(attempt.id),
                mode: attempt.mode,
                is_try: attempt.how.is_try(),
                stack: attempt.stack,
                acquired_ns: clock::coarse_ns(),
                starved_at: clock::starved_ns(),
            });
        }
        pause::after_acquisition();
    }

    /// The hold goes on in another mode: a downgrade, or an upgrade that was
    /// granted.
    pub fn converted(&self, from: Mode, to: Mode) {
        let id = self.id.load(Ordering::Relaxed);
        if !matches!(id, 0 | ALLOCATORS)
            && let Some(held) = context::with(Context::held)
        {
            held.convert(id, from, to);
        }
    }

    /// The lock is about to be released, by whichever thread.
    #[inline]
    pub fn released(&self, mode: Mode) {
        let id = self.id.load(Ordering::Relaxed);
        if id != 0 {
            self.released_audited(id, mode);
        }
    }

    #[inline(never)]
    fn released_audited(&self, id: u64, mode: Mode) {
        context::with(|context| {
            if id == ALLOCATORS {
                // It may have been taken before it was known.
                let address = std::ptr::from_ref(self) as u64;
                if !context.held().is_some_and(|held| held.forget(address)) {
                    allocation_ends();
                }
                return;
            }
            if is_busy() {
                return;
            }
            let Some(row) = context.held().and_then(|held| held.remove(id, mode)) else {
                return released_elsewhere(id, mode);
            };
            let options = options::get();
            let held_ns = clock::coarse_ns().saturating_sub(row.acquired_ns);
            distribution::LOCK_HOLDS.note(held_ns);
            if held_ns >= options.contended_hold.min(options.long_hold) {
                released_late(&row);
            }
        });
    }

    #[inline]
    fn id(&self) -> u64 {
        let id = self.id.load(Ordering::Relaxed);
        if id == 0 { self.first_id() } else { id }
    }

    #[cold]
    fn first_id(&self) -> u64 {
        try_allocator();
        let id = next_id();
        match self.id.compare_exchange(0, id, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => {
                counters::LOCKS_SEEN.add(1);
                id
            }
            Err(others) => others,
        }
    }

    /// The number of the lock where it is taken in the middle of the probe's doings or
    /// of the allocator's.
    #[cold]
    fn busy_id(&self) -> u64 {
        if !allocates() {
            let id = self.id.load(Ordering::Relaxed);
            return if id == ALLOCATORS { id } else { 0 };
        }
        if self.id.swap(ALLOCATORS, Ordering::Relaxed) != ALLOCATORS {
            counters::ALLOCATOR_LOCKS.add(1);
        }
        ALLOCATORS
    }

    #[cold]
    fn note_writer(&self, id: u64, actor: u64) {
        resource::add_writer(&self.writer, resource::writer_word(actor));
        if let Some(resource) = resource::of_tracked(id) {
            resource.note_writers(self.writer.load(Ordering::Relaxed));
        }
    }

    fn tracked(&self, id: u64) -> Tracked {
        Tracked {
            id,
            kind: self.kind,
            site: self.site,
            address: std::ptr::from_ref(self) as u64,
            is_sendable: self.is_sendable,
        }
    }

    fn resource(&self, id: u64, taken: StackId) -> Arc<Resource> {
        let resource = self.tracked(id).resource(taken);
        resource.note_writers(self.writer.load(Ordering::Relaxed));
        resource
    }
}

/// Allocates a small piece and a large one: if the allocator takes the lock that is
/// about to be taken for the first time, it is known now, before the probe allocates
/// under a lock of its own.
fn try_allocator() {
    let _busy = Busy::begin_work();
    for size in [16, 4096] {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(size)));
    }
}

#[cold]
fn released_late(row: &Held) {
    let Some(holder) = context::current_actor() else { return };
    let _busy = Busy::begin();
    let mut hold = row.hold();
    let (since_ns, took_ns, stack) = context::with(|context| context.blocked.get());
    if holder.kind == TaskKind::Thread && since_ns >= hold.acquired_ns {
        (hold.awaited_ns, hold.await_stack) = (took_ns, stack);
    }
    lock::hold_ended(hold, holder);
}

/// The guard was kept over an await, or was sent here from another thread.
#[cold]
fn released_elsewhere(id: u64, mode: Mode) {
    let _busy = Busy::begin();
    if let Some(resource) = resource::of_tracked(id)
        && resource.is_held()
    {
        lock::released(&resource, mode);
    } else if let Some(row) = held_locks::take_from_any(id, mode) {
        row.lock.resource(row.stack).hand_over();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(wait) = self.0.take() else { return };
        let _busy = Busy::begin();
        lock::wait_ends(wait.operation, &wait.resource);
        if let Some(recursion) = wait.recursion {
            by_place::recursion_resolved(recursion);
        }
    }
}
