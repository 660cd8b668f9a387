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
    resource::ScopePtr,
    stack::{Bounds, CACHE_SIZE, Cache, StackId},
    task::Task,
};

const MAX_TASKS: usize = 16;
const MAX_SCOPES: usize = 32;

/// The state of one thread.
pub(crate) struct Context {
    pub(crate) stack_bounds: Cell<Bounds>,
    /// Frame pointer of the function that polls the current task; 0: none.
    pub(crate) poll_frame: Cell<usize>,
    pub(crate) stack_cache: Cache,
    /// The resource whose operation was granted last on this thread; tells a
    /// `lock().await` from a `try_lock`.
    pub(crate) granted: Cell<u64>,
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
            granted: Cell::new(0),
            tasks: [const { Cell::new(std::ptr::null()) }; MAX_TASKS],
            task_depth: Cell::new(0),
            scopes: [const { Cell::new(ScopePtr::NONE) }; MAX_SCOPES],
            scope_depth: Cell::new(0),
        }
    };
    /// Frees the thread's own record when it ends.
    static THREAD: RefCell<Option<Arc<Task>>> = const { RefCell::new(None) };
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
    });
}

/// Undoes the last [`push_task`].
pub(crate) fn pop_task() {
    with(|context| context.task_depth.set(context.task_depth.get().saturating_sub(1)));
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

/// The task that this thread is polling, or the thread itself.
pub(crate) fn current_actor() -> Option<Arc<Task>> {
    current_task().or_else(|| {
        THREAD
            .try_with(|thread| {
                let mut thread = thread.try_borrow_mut().ok()?;
                Some(thread.get_or_insert_with(Task::for_this_thread).clone())
            })
            .ok()
            .flatten()
    })
}

/// Numbers the threads as they are first met.
pub(crate) fn thread_id() -> u64 {
    thread_local!(static ID: Cell<u64> = const { Cell::new(0) });
    ID.with(|id| {
        if id.get() == 0 {
            id.set(crate::next_id());
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
