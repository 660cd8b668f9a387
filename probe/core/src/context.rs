//! What this thread is doing: which task it polls, and within which resource
//! and operation tokio says it is.
//!
//! Plain cells without a destructor, so that it can be used while a thread
//! ends, and costs no registration.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    held::{HeldLocks, Lease},
    is_active,
    resource::{Operation, Resource, ScopePtr},
    roster,
    stack::{Bounds, CACHE_SIZE, Cache, StackId},
    storms::{self, SpawnSite},
    task::Task,
};

const MAX_TASKS: usize = 16;
const MAX_SCOPES: usize = 32;
/// Nestings of locks that a thread goes through over and over.
const ORDERS: usize = 256;

/// A critical section of the probe, in [`Context::busy`].
const BUSY: u32 = 1;
/// One in which nothing of the program's is called but its allocator.
const AT_WORK: u32 = BUSY | 1 << 12;
/// A lock of the program's allocator that is held; as many as fit.
const ALLOCATING: u32 = 1 << 24;

/// The state of one thread.
pub(crate) struct Context {
    pub(crate) stack_bounds: Cell<Bounds>,
    /// Frame pointer of the function that polls the current task; 0: none.
    pub(crate) poll_frame: Cell<usize>,
    pub(crate) stack_cache: Cache,
    /// As [`Context::stack_cache`], by [`crate::stack::capture_again`]'s key.
    pub(crate) quick_cache: Cache,
    /// Nestings of locks that were recorded, by their hash: the tick when.
    orders: [Cell<(u64, u64)>; ORDERS],
    /// How many of the probe's critical sections this thread is in, each counted as
    /// [`BUSY`] or [`AT_WORK`], and how many locks of the allocator it holds, each
    /// counted as [`ALLOCATING`].
    busy: Cell<u32>,
    /// The std and parking_lot locks that this thread holds.
    held: Cell<Option<&'static HeldLocks>>,
    /// The thread's own record, if it has one.
    thread: Cell<*const Task>,
    /// The thread is ending, and has given back what it had.
    is_ending: Cell<bool>,
    /// How many of the locks held do not belong to the task that is polled.
    pub(crate) held_outside: Cell<usize>,
    /// The resource whose operation was granted last on this thread, and whether
    /// the guard is owned; tells a `lock().await` from a `try_lock`.
    pub(crate) granted: Cell<(u64, bool)>,
    /// The last call that blocked this thread for long: since when, for how long,
    /// and where.
    pub(crate) blocked: Cell<(u64, u64, StackId)>,
    /// The operation that was the last to have to wait, in what is polled here now;
    /// 0: none.
    pub(crate) pending: Cell<u64>,
    pub(crate) spawn_sites: [Cell<Option<(u64, &'static SpawnSite)>>; storms::CACHE_SIZE],
    tasks: [Cell<*const Task>; MAX_TASKS],
    task_depth: Cell<usize>,
    scopes: [Cell<ScopePtr>; MAX_SCOPES],
    scope_depth: Cell<usize>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            stack_bounds: Cell::new(Bounds::UNKNOWN),
            poll_frame: Cell::new(0),
            stack_cache: [const { Cell::new((0_u64, 0 as StackId)) }; CACHE_SIZE],
            quick_cache: [const { Cell::new((0_u64, 0 as StackId)) }; CACHE_SIZE],
            orders: [const { Cell::new((0, 0)) }; ORDERS],
            busy: Cell::new(0),
            held: Cell::new(None),
            thread: Cell::new(std::ptr::null()),
            is_ending: Cell::new(false),
            held_outside: Cell::new(0),
            granted: Cell::new((0, true)),
            blocked: Cell::new((0, 0, 0)),
            pending: Cell::new(0),
            spawn_sites: [const { Cell::new(None) }; storms::CACHE_SIZE],
            tasks: [const { Cell::new(std::ptr::null()) }; MAX_TASKS],
            task_depth: Cell::new(0),
            scopes: [const { Cell::new(ScopePtr::NONE) }; MAX_SCOPES],
            scope_depth: Cell::new(0),
        }
    };
    /// Frees the thread's own record when it ends.
    static THREAD: RefCell<Option<Record>> = const { RefCell::new(None) };
    /// Gives back [`Context::held`] when the thread ends.
    static LEASE: RefCell<Option<Lease>> = const { RefCell::new(None) };
}

/// A thread's own record, in its context as long as this lives.
struct Record(Arc<Task>);

impl Record {
    fn new(record: Arc<Task>) -> Self {
        with(|context| context.thread.set(Arc::as_ptr(&record)));
        roster::note_record(&record);
        Self(record)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        with(|context| {
            if context.thread.get() == Arc::as_ptr(&self.0) {
                context.thread.set(std::ptr::null());
            }
        });
    }
}

impl Context {
    /// Whether this thread is in the middle of the probe's own doings, or of the
    /// program's allocator.
    #[inline]
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.get() > 0
    }

    /// Whether a lock that is taken on this thread now must be one of the program's
    /// allocator.
    pub(crate) fn allocates(&self) -> bool {
        self.busy.get() >= AT_WORK
    }

    /// This thread has taken a lock of the allocator: until it is released, the probe
    /// neither allocates nor locks on this thread.
    pub(crate) fn allocation_begins(&self) {
        let busy = self.busy.get();
        self.busy.set(busy.checked_add(ALLOCATING).unwrap_or(busy));
    }

    /// Undoes the last [`Self::allocation_begins`], if there is one.
    pub(crate) fn allocation_ends(&self) {
        let busy = self.busy.get();
        self.busy.set(busy.checked_sub(ALLOCATING).unwrap_or(busy));
    }

    /// The locks that this thread holds, if it ever held one.
    #[inline]
    pub(crate) fn held(&self) -> Option<&'static HeldLocks> {
        self.held.get()
    }

    /// The locks that this thread holds; `None` only where it is ending.
    #[inline]
    pub(crate) fn held_or_new(&self) -> Option<&'static HeldLocks> {
        self.held.get().or_else(|| self.lease())
    }

    #[cold]
    fn lease(&self) -> Option<&'static HeldLocks> {
        if self.is_ending.get() {
            return None;
        }
        let _busy = Busy::begin();
        LEASE
            .try_with(|slot| {
                let lease = Lease::new(thread_id());
                let held = lease.locks();
                *slot.try_borrow_mut().ok()? = Some(lease);
                self.held.set(Some(held));
                Some(held)
            })
            .ok()
            .flatten()
    }

    /// Whether this nesting was recorded within this tick of the clock.
    #[inline]
    pub(crate) fn knows_order(&self, hash: u64, tick: u64) -> bool {
        self.orders[(hash >> 56) as usize % ORDERS].get() == (hash, tick)
    }

    pub(crate) fn learn_order(&self, hash: u64, tick: u64) {
        self.orders[(hash >> 56) as usize % ORDERS].set((hash, tick));
    }

    /// The task that this thread polls, or what stands for the thread itself.
    #[inline]
    pub(crate) fn actor_id(&self) -> u64 {
        match self.task_depth.get().checked_sub(1).and_then(|top| self.tasks.get(top)) {
            // SAFETY: whoever pushed the pointer borrows an `Arc` for as long as
            // it is pushed.
            Some(task) => unsafe { (*task.get()).id },
            None => thread_id(),
        }
    }

    /// Tells the epochs of all actors apart, see [`crate::causality`].
    #[inline]
    pub(crate) fn actor_epoch(&self) -> u64 {
        let top = self.task_depth.get().checked_sub(1).and_then(|top| self.tasks.get(top));
        let actor = top.map_or(self.thread.get(), Cell::get);
        // SAFETY: null, or as above; the thread's own record is there as long as
        // it is set.
        match unsafe { actor.as_ref() } {
            Some(actor) => actor.moment_key(),
            None => thread_id(),
        }
    }

    /// A hash of the locks that the task holds which this thread polls, or the
    /// thread itself, as actors that may pass them on; 0: none.
    #[inline]
    pub(crate) fn carried_key(&self) -> u64 {
        let top = self.task_depth.get().checked_sub(1).and_then(|top| self.tasks.get(top));
        let actor = top.map_or(self.thread.get(), Cell::get);
        // SAFETY: null, or as above; the thread's own record is there as long as
        // it is set.
        match unsafe { actor.as_ref() } {
            Some(actor) if actor.held_count.load(Ordering::Relaxed) > 0 => actor.held_key(),
            _ => 0,
        }
    }
}

/// The thread's [`Lease`] is over.
pub(crate) fn end_lease() {
    with(|context| {
        context.held.set(None);
        context.is_ending.set(true);
    });
}

/// The probe's own doings: what locks do meanwhile on this thread is not looked
/// at.
#[derive(Debug)]
pub(crate) struct Busy(u32);

impl Busy {
    #[inline]
    pub(crate) fn begin() -> Self {
        Self::with(BUSY)
    }

    /// The same, where whatever lock is taken meanwhile is one of the program's
    /// allocator: under a lock of the probe's, nothing else of the program's is called.
    #[inline]
    pub(crate) fn begin_work() -> Self {
        Self::with(AT_WORK)
    }

    #[inline]
    fn with(count: u32) -> Self {
        with(|context| context.busy.set(context.busy.get() + count));
        Self(count)
    }
}

/// This thread is the probe's, and nothing that it does is looked at.
pub fn is_ours() {
    std::mem::forget(Busy::begin());
}

impl Drop for Busy {
    #[inline]
    fn drop(&mut self) {
        with(|context| context.busy.set(context.busy.get() - self.0));
    }
}

/// Whether what this thread does is the program's, and is to be watched.
#[inline]
pub(crate) fn watches() -> bool {
    is_active() && !with(Context::is_busy)
}

/// Makes `record` the calling thread's own.
pub(crate) fn set_thread(record: Arc<Task>) {
    let _ = THREAD.try_with(|thread| {
        if let Ok(mut thread) = thread.try_borrow_mut() {
            *thread = Some(Record::new(record));
        }
    });
}

#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&Context) -> R) -> R {
    CONTEXT.with(f)
}

/// Makes `task` the current one. Tasks nest: a root inside a blocking task.
pub(crate) fn push_task(task: &Arc<Task>) {
    with(|context| {
        let depth = context.task_depth.get();
        if let Some(slot) = context.tasks.get(depth) {
            slot.set(Arc::as_ptr(task));
        }
        context.task_depth.set(depth + 1);
        context.pending.set(0);
    });
}

/// Undoes the last [`push_task`].
pub(crate) fn pop_task() {
    with(|context| {
        context.task_depth.set(context.task_depth.get().saturating_sub(1));
        context.pending.set(0);
    });
}

/// How many tasks this thread is in the middle of.
pub(crate) fn task_depth() -> usize {
    with(|context| context.task_depth.get())
}

/// The task that this thread is polling.
pub(crate) fn current_task() -> Option<Arc<Task>> {
    let task = with(|context| {
        let depth = context.task_depth.get();
        context.tasks.get(depth.checked_sub(1)?).map(Cell::get)
    })?;
    // SAFETY: whoever pushed the pointer borrows an `Arc` for as long as it is
    // pushed, so the count is at least one.
    unsafe {
        Arc::increment_strong_count(task);
        Some(Arc::from_raw(task))
    }
}

/// Reads the task that this thread polls, or else the thread's own record, if it has
/// one. Neither allocates nor locks.
pub(crate) fn with_known_actor<R>(read: impl FnOnce(&Task) -> R) -> Option<R> {
    with(|context| {
        let top = context.task_depth.get().checked_sub(1).and_then(|top| context.tasks.get(top));
        let actor = top.map_or(context.thread.get(), Cell::get);
        // SAFETY: null, or what whoever pushed it borrows an `Arc` for as long as it
        // is pushed; the thread's own record is there as long as it is set.
        unsafe { actor.as_ref() }.map(read)
    })
}

/// Reads the thread's own record, if it has one. Neither allocates nor locks.
pub(crate) fn with_own_record<R: Default>(read: impl FnOnce(&Task) -> R) -> R {
    with(|context| {
        // SAFETY: null, or the thread's own record, which is there as long as it is set.
        unsafe { context.thread.get().as_ref() }.map(read).unwrap_or_default()
    })
}

/// The task that this thread is polling, or the thread itself.
pub(crate) fn current_actor() -> Option<Arc<Task>> {
    current_task().or_else(current_thread)
}

/// The record of this thread; `None` only where it is ending.
pub(crate) fn current_thread() -> Option<Arc<Task>> {
    THREAD
        .try_with(|thread| {
            let mut thread = thread.try_borrow_mut().ok()?;
            let record = thread.get_or_insert_with(|| {
                let _busy = Busy::begin();
                Record::new(Task::for_this_thread())
            });
            Some(Arc::clone(&record.0))
        })
        .ok()
        .flatten()
}

/// Numbers the threads as they are first met.
pub(crate) fn thread_id() -> u64 {
    thread_local!(static ID: Cell<u64> = const { Cell::new(0) });
    ID.with(|id| {
        if id.get() == 0 {
            id.set(crate::next_id());
            roster::enter(id.get());
        }
        id.get()
    })
}

/// Enters a resource or an operation.
#[inline]
pub(crate) fn push_scope(scope: ScopePtr) {
    with(|context| {
        let depth = context.scope_depth.get();
        if let Some(slot) = context.scopes.get(depth) {
            slot.set(scope);
        }
        context.scope_depth.set(depth + 1);
    });
}

/// Undoes the last [`push_scope`].
#[inline]
pub(crate) fn pop_scope() {
    with(|context| context.scope_depth.set(context.scope_depth.get().saturating_sub(1)));
}

/// The operation of `resource` that is the innermost one below the innermost scope.
pub(crate) fn operation_around(resource: *const Resource) -> Option<*const Operation> {
    with(|context| {
        let depth = context.scope_depth.get().min(MAX_SCOPES);
        let below = context.scopes.get(..depth.saturating_sub(1))?;
        let operation = below.iter().rev().find_map(|scope| match scope.get() {
            ScopePtr::Operation(operation) => Some(operation),
            ScopePtr::Resource(_) | ScopePtr::None => None,
        })?;
        // SAFETY: a scope is left before its operation is let go of.
        let is_of_it = unsafe { std::ptr::eq(Arc::as_ptr(&(*operation).resource), resource) };
        is_of_it.then_some(operation)
    })
}

/// The innermost scope.
#[inline]
pub(crate) fn scope() -> ScopePtr {
    with(|context| {
        let depth = context.scope_depth.get();
        depth
            .checked_sub(1)
            .and_then(|top| context.scopes.get(top))
            .map_or(ScopePtr::NONE, Cell::get)
    })
}
