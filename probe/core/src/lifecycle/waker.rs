//! The waker that is put around tokio's.
//!
//! Every clone, wake and drop is counted, and the stack at each clone is taken: any
//! future that waits must clone the waker, so that stack is the *await stack*, whatever
//! the future. One that has a clone already makes no other as long as `Waker::will_wake`
//! says that it is the same. So the pointer to the task, which is the data of its wakers,
//! bears the number of the poll as a mark, and each poll's waker is another one to
//! `will_wake`: whatever a poll waits for, it clones the waker of that poll, and there
//! the task is. All of them wake the same task, and are counted together.

use std::{
    mem::ManuallyDrop,
    sync::{Arc, atomic::Ordering},
    task::{RawWaker, RawWakerVTable, Waker},
};

use crate::{
    context,
    detect::by_place,
    lifecycle::scope,
    platform::{
        clock, options,
        stack::{self, Extent},
        sync::lock as guard,
    },
    record::task::{
        Task, TaskEnd, Wait,
        waker_counts::{MARKS, MAX_WAITS, address_of_task, mark_of},
    },
};

/// The address of the table that all wakers of ours have; their data is the address of
/// the task.
pub(crate) fn table() -> usize {
    std::ptr::from_ref(&VTABLE).addr()
}

/// The waker of a poll of a task, which is kept alive beside it, and which is not
/// dropped.
pub(crate) fn borrowed(task: &Arc<Task>, poll: u64) -> ManuallyDrop<Waker> {
    let data = Arc::as_ptr(task).cast::<()>().map_addr(|address| address | mark_of(poll));
    // SAFETY: the pointer is an `Arc`'s with a mark, which the table expects. The waker is
    // never dropped, and who has it keeps the task alive.
    ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) })
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone_waker, wake, wake_by_ref, drop_waker);

/// The task, and the mark of the poll.
///
/// # Safety
///
/// `data` comes from an `Arc<Task>`, with a mark in its low bits.
unsafe fn owned(data: *const ()) -> (Arc<Task>, usize) {
    let mark = data.addr() & (MARKS - 1);
    // SAFETY: see above; the caller has a count to give away.
    (unsafe { Arc::from_raw(data.map_addr(address_of_task).cast()) }, mark)
}

/// # Safety
///
/// `data` comes from an `Arc<Task>` whose count includes the waker's own, with a mark
/// in its low bits.
unsafe fn borrow(data: *const ()) -> (ManuallyDrop<Arc<Task>>, usize) {
    // SAFETY: see above; `ManuallyDrop` leaves the count as it is.
    let (task, mark) = unsafe { owned(data) };
    (ManuallyDrop::new(task), mark)
}

#[inline(never)]
unsafe fn clone_waker(data: *const ()) -> RawWaker {
    // SAFETY: the table's functions are called with a waker's data only.
    let (task, mark) = unsafe { borrow(data) };
    let _ = Arc::into_raw(Arc::clone(&task));
    let waker = RawWaker::new(data, &VTABLE);
    task.clones.fetch_add(1, Ordering::Release);
    task.recent.change(mark, |count| Some(count + 1));
    task.is_unsettled.store(false, Ordering::Relaxed);
    scope::note_waker();
    let (resource, operation) =
        scope::current().map_or((None, ""), |(resource, operation)| (Some(resource), operation));
    let wait = Wait {
        stack: stack::capture(Extent::Task),
        resource,
        operation,
        since_ns: clock::now_ns(),
        poll: task.polls(),
    };
    task.awaits_at(wait.stack);
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

/// It was woken by itself, so often: looked at from the threshold on, and whenever that many
/// times has doubled.
fn note_self_wake(task: &Arc<Task>, count: u64) {
    let least = options::get().self_wakes.max(1);
    if count < least || (count != least && !count.is_power_of_two()) {
        return;
    }
    let (wakes, self_wakes) = task.wakes();
    if self_wakes.saturating_mul(2) > wakes {
        let is_new = !task.is_self_waking.swap(true, Ordering::Relaxed);
        by_place::self_waking(task, stack::capture(Extent::Task), is_new);
    }
}

fn woken(task: &Arc<Task>) {
    task.wakes.fetch_add(1, Ordering::Relaxed);
    let current = context::current_task();
    // Whoever was the first had it run.
    if !task.is_scheduled() {
        let dropped = current.as_deref().filter(|current| current.is_being_dropped());
        task.woken_by_drop_of.store(dropped.map_or(0, |dropped| dropped.id), Ordering::Relaxed);
    }
    if task.is_running() && current.is_some_and(|current| Arc::ptr_eq(&current, task)) {
        let count = task.self_wakes.fetch_add(1, Ordering::Relaxed) + 1;
        note_self_wake(task, count);
    }
    task.is_woken_by_message();
    task.last_wake_ns.store(clock::now_ns(), Ordering::Relaxed);
    if task.end() == TaskEnd::Alive {
        task.is_scheduled.store(true, Ordering::Relaxed);
    }
    task.wake_inner();
}

impl Task {
    /// A poll of it is over in which it went on after the last clone. It is polled once
    /// more, with another waker, so as to know where it waits.
    #[cold]
    #[inline(never)]
    pub(crate) fn settle(&self) {
        self.is_settling.store(true, Ordering::Relaxed);
        if self.is_scheduled.load(Ordering::Relaxed) {
            // It will be anyway.
            return;
        }
        self.woken_by_drop_of.store(0, Ordering::Relaxed);
        self.last_wake_ns.store(clock::now_ns(), Ordering::Relaxed);
        self.is_scheduled.store(true, Ordering::Relaxed);
        self.wake_inner();
    }

    /// Wakes it by tokio's own waker.
    fn wake_inner(&self) {
        let inner = guard(&self.inner).clone();
        // Not under our lock: tokio may run whatever it likes in here.
        if let Some(inner) = inner {
            inner.wake();
        }
    }
}

#[inline(never)]
unsafe fn wake(data: *const ()) {
    // SAFETY: the waker is consumed, and its count with it.
    let (task, mark) = unsafe { owned(data) };
    woken(&task);
    task.recent.change(mark, |count| count.checked_sub(1));
    task.drops.fetch_add(1, Ordering::Release);
}

#[inline(never)]
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the table's functions are called with a waker's data only.
    let (task, _) = unsafe { borrow(data) };
    woken(&task);
}

#[inline(never)]
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the waker is consumed, and its count with it.
    let (task, mark) = unsafe { owned(data) };
    task.recent.change(mark, |count| count.checked_sub(1));
    let drops = task.drops.fetch_add(1, Ordering::SeqCst) + 1;
    if drops == task.clones.load(Ordering::SeqCst) {
        task.last_waker_dropped();
    }
}
