//! The waker that is put around tokio's.
//!
//! Every clone, wake and drop is counted, and the stack at each clone is taken: any
//! future that waits must clone the waker, so that stack is the *await stack*, whatever
//! the future. All clones of a task's waker share one data pointer, the task itself, so
//! that `Waker::will_wake` answers as it would without us.

use std::{
    mem::ManuallyDrop,
    sync::{Arc, atomic::Ordering},
    task::{RawWaker, RawWakerVTable, Waker},
};

use super::{Task, TaskEnd, Wait};
use crate::{
    clock, context, resource,
    stack::{self, Extent},
    sync::lock as guard,
};

/// Distinct await stacks that are kept per task: the branches of a `select!`.
pub(super) const MAX_WAITS: usize = 8;

/// The address of the table that all wakers of ours have; their data is the address of
/// the task.
pub(crate) fn table() -> usize {
    std::ptr::from_ref(&VTABLE).addr()
}

/// The waker of a task, which is kept alive beside it, and which is not dropped.
pub(super) fn borrowed(task: &Arc<Task>) -> ManuallyDrop<Waker> {
    // SAFETY: the pointer is an `Arc`'s, which the table expects. The waker is never
    // dropped, and who has it keeps the task alive.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(Arc::as_ptr(task).cast(), &VTABLE)) })
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// `data` comes from an `Arc<Task>` whose count includes the waker's own.
unsafe fn borrow(data: *const ()) -> ManuallyDrop<Arc<Task>> {
    // SAFETY: see above; `ManuallyDrop` leaves the count as it is.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast()) })
}

#[inline(never)]
unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: the table's functions are called with a waker's data only.
    let task = unsafe { borrow(data) };
    let waker = RawWaker::new(Arc::into_raw(Arc::clone(&task)).cast(), &VTABLE);
    task.clones.fetch_add(1, Ordering::Release);
    resource::note_waker();
    let (resource, operation) =
        resource::current().map_or((None, ""), |(resource, operation)| (Some(resource), operation));
    let wait = Wait {
        stack: stack::capture(Extent::Task),
        resource,
        operation,
        since_ns: clock::now_ns(),
    };
    let mut waits = guard(&task.waits);
    let replaced = if let Some(index) = waits.iter().position(|known| known.stack == wait.stack) {
        Some(waits.remove(index))
    } else if waits.len() >= MAX_WAITS {
        Some(waits.remove(0))
    } else {
        None
    };
    waits.push(wait);
    drop(waits);
    // After the lock is released: it may be the last of a resource.
    drop(replaced);
    waker
}

fn woken(task: &Task) {
    task.wakes.fetch_add(1, Ordering::Relaxed);
    let current = context::current_task();
    // Whoever was the first had it run.
    if !task.is_scheduled() {
        let dropped = current.as_deref().filter(|current| current.is_being_dropped());
        task.woken_by_drop_of.store(dropped.map_or(0, |dropped| dropped.id), Ordering::Relaxed);
    }
    if task.is_running() && current.is_some_and(|current| std::ptr::eq(&raw const *current, task)) {
        task.self_wakes.fetch_add(1, Ordering::Relaxed);
    }
    task.last_wake_ns.store(clock::now_ns(), Ordering::Relaxed);
    if task.end() == TaskEnd::Alive {
        task.is_scheduled.store(true, Ordering::Relaxed);
    }
    let inner = guard(&task.inner).clone();
    // Not under our lock: tokio may run whatever it likes in here.
    if let Some(inner) = inner {
        inner.wake();
    }
}

#[inline(never)]
unsafe fn wake(data: *const ()) {
    // SAFETY: the waker is consumed, and its count with it.
    let task: Arc<Task> = unsafe { Arc::from_raw(data.cast()) };
    woken(&task);
    task.drops.fetch_add(1, Ordering::Release);
}

#[inline(never)]
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the table's functions are called with a waker's data only.
    let task = unsafe { borrow(data) };
    woken(&task);
}

#[inline(never)]
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker is consumed, and its count with it.
    let task: Arc<Task> = unsafe { Arc::from_raw(data.cast()) };
    let drops = task.drops.fetch_add(1, Ordering::SeqCst) + 1;
    if drops == task.clones.load(Ordering::SeqCst) {
        task.last_waker_dropped();
    }
}
