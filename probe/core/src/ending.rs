//! Tasks that go on though they were told to stop: they were aborted, or their
//! runtime was shut down.
//!
//! `abort`, and the drop of a `JoinSet`, set a bit in tokio's record of the task. An
//! idle task is dropped then; one in the middle of a poll goes on until the poll
//! returns, and a blocking task (one long poll) to its end. The drop of a runtime
//! waits for both.

use std::sync::{
    Mutex,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use crate::{
    clock, context,
    handle::Handle,
    options, sample,
    stack::{self, StackId},
    sync::lock as guard,
    task::{self, Task, TaskKind},
};

/// What is known of a task that was told to stop.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    aborted_ns: AtomicU64,
    waited_ns: AtomicU64,
    waiter_stack: AtomicU32,
    calls: AtomicU32,
}

impl Ending {
    /// Of a thread or a blocking task: it makes a call that blocks.
    pub(crate) fn note_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// How many such calls it has made.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Task {
    /// When it was seen that it had been aborted; 0: it was not.
    pub fn aborted_ns(&self) -> u64 {
        self.ending.aborted_ns.load(Ordering::Relaxed)
    }

    /// Of a blocking task that has ended: for how long the last root had been over
    /// by then, and the stack of that root's thread, which tells whether it waited
    /// for the task. (0, 0) where that is not known.
    pub fn was_waited_for(&self) -> (u64, StackId) {
        let waited = self.ending.waited_ns.load(Ordering::Relaxed);
        (waited, self.ending.waiter_stack.load(Ordering::Relaxed))
    }

    /// Whether it ended only after it had been told to stop.
    pub(crate) fn ended_late(&self) -> bool {
        let aborted = self.aborted_ns();
        let is_late = aborted != 0 && self.ended_ns().saturating_sub(aborted) >= least();
        is_late || self.was_waited_for().1 != 0
    }
}

/// From when on it counts: as long as a task may take after a root.
fn least() -> u64 {
    options::get().drain_max
}

/// Notes which of the tasks that are being polled have been aborted.
pub fn look() {
    task::all_live(|task| {
        let is_new = task.is_running() && task.aborted_ns() == 0;
        if is_new && task.handle() == Some(Handle::Aborted) {
            task.ending.aborted_ns.store(clock::now_ns(), Ordering::Relaxed);
        }
        true
    });
}

/// The thread whose outermost root ended last.
#[derive(Debug)]
struct Root {
    ended_ns: u64,
    os_thread: u32,
    stack_high: usize,
}

static LAST_ROOT: Mutex<Option<Root>> = Mutex::new(None);
/// Roots that are not over.
static ROOTS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn note_birth(kind: TaskKind) {
    if kind == TaskKind::BlockOn {
        ROOTS.fetch_add(1, Ordering::Relaxed);
    }
}

/// The root of this thread is over, and so is the drain after it.
pub(crate) fn note_root_end() {
    *guard(&LAST_ROOT) = Some(Root {
        ended_ns: clock::now_ns(),
        os_thread: task::os_thread(),
        stack_high: stack::high(),
    });
}

pub(crate) fn note_end(task: &Task) {
    match task.kind {
        TaskKind::BlockOn => {
            ROOTS.fetch_sub(1, Ordering::Relaxed);
            // This one is still on top.
            if context::task_depth() <= 1 {
                note_root_end();
            }
        }
        TaskKind::Blocking if task.polls() > 0 => note_wait(task),
        _ => {}
    }
}

/// A blocking task has ended: is a root's thread waiting for that?
fn note_wait(task: &Task) {
    if ROOTS.load(Ordering::Relaxed) > 0 {
        return;
    }
    let (waited, os_thread, stack_high) = {
        let root = guard(&LAST_ROOT);
        let Some(root) = root.as_ref().filter(|root| root.ended_ns > task.created_ns) else {
            return;
        };
        (task.ended_ns().saturating_sub(root.ended_ns), root.os_thread, root.stack_high)
    };
    if waited < least() {
        return;
    }
    let stack = sample::of_blocked_thread(os_thread, stack_high);
    task.ending.waited_ns.store(waited, Ordering::Relaxed);
    task.ending.waiter_stack.store(stack, Ordering::Relaxed);
}
