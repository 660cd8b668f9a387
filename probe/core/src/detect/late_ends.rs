//! Tasks that go on though they were told to stop: they were aborted, or their
//! runtime was shut down.
//!
//! `abort`, and the drop of a `JoinSet`, set a bit in tokio's record of the task. An
//! idle task is dropped then; one in the middle of a poll goes on until the poll
//! returns, and a blocking task (one long poll) to its end. The drop of a runtime
//! waits for both.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    context,
    platform::{
        clock,
        process::os_thread,
        sample,
        stack::{self},
        sync::lock as guard,
    },
    record::task::{Task, TaskKind, ending::least, join_handle::Handle, live},
};

/// Notes which of the tasks that are being polled have been aborted.
pub fn look() {
    live::all_live(|task| {
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
    *guard(&LAST_ROOT) =
        Some(Root { ended_ns: clock::now_ns(), os_thread: os_thread(), stack_high: stack::high() });
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
