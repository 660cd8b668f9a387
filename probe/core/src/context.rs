//! What this thread is doing: which task it polls, and within which resource
//! and operation tokio says it is.
//!
//! Plain cells without a destructor, so that it can be used while a thread
//! ends, and costs no registration.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use crate::{
    platform::{busy::Busy, stack::StackId, thread_number},
    record::{
        held_locks::{Held, HeldLocks},
        lock::Acquisition,
        operation::{Operation, ScopePtr},
        resource::Resource,
        task::Task,
        thread_records,
        vector_clock::{Clock, is_any},
    },
};

const MAX_TASKS: usize = 16;

const MAX_SCOPES: usize = 32;

/// Nestings of locks that a thread goes through over and over.
const ORDERS: usize = 256;

/// The state of one thread.
pub(crate) struct Context {
    /// Nestings of locks that were recorded, by their hash: the tick when.
    orders: [Cell<(u64, u64)>; ORDERS],
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
    tasks: [Cell<*const Task>; MAX_TASKS],
    task_depth: Cell<usize>,
    scopes: [Cell<ScopePtr>; MAX_SCOPES],
    scope_depth: Cell<usize>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            orders: [const { Cell::new((0, 0)) }; ORDERS],
            held: Cell::new(None),
            thread: Cell::new(std::ptr::null()),
            is_ending: Cell::new(false),
            held_outside: Cell::new(0),
            granted: Cell::new((0, true)),
            blocked: Cell::new((0, 0, 0)),
            pending: Cell::new(0),
            tasks: [const { Cell::new(std::ptr::null()) }; MAX_TASKS],
            task_depth: Cell::new(0),
            scopes: [const { Cell::new(ScopePtr::NONE) }; MAX_SCOPES],
            scope_depth: Cell::new(0),
        }
    };
    /// Frees the thread's own record when it ends.
    static THREAD: RefCell<Option<Record>> = const { RefCell::new(None) };
    /// Gives back [`Context::held`] when the thread ends.
    static LENT: RefCell<Option<LentRows>> = const { RefCell::new(None) };
}

/// A thread's own record, in its context as long as this lives.
struct Record(Arc<Task>);

impl Record {
    fn new(record: Arc<Task>) -> Self {
        with(|context| context.thread.set(Arc::as_ptr(&record)));
        thread_records::note_record(&record);
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
        thread_records::forget_record();
    }
}

impl Context {
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
        LENT.try_with(|slot| {
            let held = HeldLocks::lend(thread_number::current(), current_thread());
            *slot.try_borrow_mut().ok()? = Some(LentRows(held));
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
            None => thread_number::current(),
        }
    }

    /// Reads the task that this thread polls, or else the thread's own record, if it has
    /// one. Neither allocates nor locks.
    #[inline]
    fn known_actor<R>(&self, read: impl FnOnce(&Task) -> R) -> Option<R> {
        let top = self.task_depth.get().checked_sub(1).and_then(|top| self.tasks.get(top));
        let actor = top.map_or(self.thread.get(), Cell::get);
        // SAFETY: null, or what whoever pushed it borrows an `Arc` for as long as it is
        // pushed; the thread's own record is there as long as it is set.
        unsafe { actor.as_ref() }.map(read)
    }

    /// Tells the epochs of all actors apart, see [`crate::lifecycle::happens_before`].
    #[inline]
    pub(crate) fn actor_epoch(&self) -> u64 {
        self.known_actor(Task::moment_key).unwrap_or_else(thread_number::current)
    }

    /// A hash of the locks that the task holds which this thread polls, or the
    /// thread itself, as actors that may pass them on; 0: none.
    #[inline]
    pub(crate) fn carried_key(&self) -> u64 {
        let key = |actor: &Task| if actor.holds_locks() { actor.held_key() } else { 0 };
        self.known_actor(key).unwrap_or(0)
    }
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
    with(|context| context.known_actor(read))
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
                Record::new(Task::for_this_thread(inherited()))
            });
            Some(Arc::clone(&record.0))
        })
        .ok()
        .flatten()
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

/// The rows that a thread has until it ends.
#[derive(Debug)]
struct LentRows(&'static HeldLocks);

impl Drop for LentRows {
    fn drop(&mut self) {
        with(|context| {
            context.held.set(None);
            context.is_ending.set(true);
        });
        self.0.give_back();
    }
}

/// The locks that this thread holds from row `from` on, appended.
pub(crate) fn append_held(from: usize, to: &mut Vec<Acquisition>) {
    if let Some(held) = with(Context::held) {
        to.extend(held.iter(from).map(|held| held.acquisition()));
    }
}

/// Makes the locks that the thread holds from row `from` on the task's own, who
/// keeps them over an await.
pub(crate) fn take_held(from: usize) -> Vec<Held> {
    with(Context::held).map_or_else(Vec::new, |held| held.take(from))
}

/// What the current actor, if it is known, may tell.
pub(crate) fn told_here() -> Option<Arc<Clock>> {
    with_known_actor(Task::tell).flatten()
}

/// The current actor knows this from now on.
pub(crate) fn learn_here(clock: Arc<Clock>) {
    if let Some(actor) = current_actor() {
        actor.learn(clock);
    }
}

/// What an actor knows that is being spawned here and now.
pub(crate) fn inherited() -> Option<Arc<Clock>> {
    if is_any() { told_here() } else { None }
}
