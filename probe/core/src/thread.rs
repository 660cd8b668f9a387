//! Threads that were spawned through `std::thread`, and what blocks a thread.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use crate::{
    clock, context, counters, events, is_active, next_id, options,
    resource::Resource,
    stack::{self, Extent, StackId},
    task::{self, Task, TaskEnd, TaskKind, Wait},
};

/// A thread that is about to be spawned by the calling one, `name`d or not.
/// `None` where nothing is audited.
#[must_use]
pub fn spawning(name: Option<&str>) -> Option<Arc<Task>> {
    if !is_active() || context::with(context::Context::is_busy) {
        return None;
    }
    let _busy = context::Busy::begin();
    Some(Task::spawning_thread(name.unwrap_or_default()))
}

/// A thread at work: to be kept by it from its first moment to its last.
#[derive(Debug)]
pub struct Running(Option<Arc<Task>>);

/// The calling thread is the one that was spawned.
#[must_use]
pub fn begin(record: Option<Arc<Task>>) -> Running {
    if let Some(record) = &record {
        let _busy = context::Busy::begin();
        counters::THREADS_SPAWNED.add(1);
        record.thread_begins();
        context::set_thread(Arc::clone(record));
    }
    Running(record)
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(record) = self.0.take() else { return };
        let _busy = context::Busy::begin();
        let panicked = std::thread::panicking();
        record.finish(if panicked { TaskEnd::Panicked } else { TaskEnd::Completed });
    }
}

/// A call that blocks this thread, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Blocking(Option<Call>);

#[derive(Debug)]
struct Call {
    id: u64,
    operation: &'static str,
    stack: StackId,
    resource: Option<Arc<Resource>>,
    /// The thread, whatever task it polls.
    thread: Arc<Task>,
    since_ns: u64,
    starved_at: u64,
}

/// Begins a call that blocks: "thread::sleep", "Condvar::wait", ...
#[inline(never)]
pub fn blocking(operation: &'static str) -> Blocking {
    blocking_for(operation, None)
}

/// Begins to wait for the end of a thread.
#[inline(never)]
pub fn joining(record: Option<&Arc<Task>>) -> Blocking {
    match record {
        Some(record) if record.end() != TaskEnd::Alive => Blocking(None),
        _ => blocking_for("JoinHandle::join", None),
    }
}

/// Begins a call that blocks until `resource` can be had.
pub(crate) fn blocking_for(operation: &'static str, resource: Option<&Arc<Resource>>) -> Blocking {
    if !is_active() || context::with(context::Context::is_busy) {
        return Blocking(None);
    }
    let Some(thread) = context::current_thread() else { return Blocking(None) };
    let _busy = context::Busy::begin();
    let call = Call {
        id: next_id(),
        operation,
        stack: stack::capture(Extent::Task),
        resource: resource.cloned(),
        thread,
        since_ns: clock::now_ns(),
        starved_at: clock::starved_ns(),
    };
    call.thread.operation_begins(
        call.id,
        Wait {
            stack: call.stack,
            resource: call.resource.clone(),
            operation,
            since_ns: call.since_ns,
        },
    );
    Blocking(Some(call))
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let Some(call) = self.0.take() else { return };
        let _busy = context::Busy::begin();
        call.thread.operation_ends(call.id);
        let (took, starved) = events::took(call.since_ns, call.starved_at);
        if took < options::get().blocking_call {
            return;
        }
        if let Some(task) = context::current_task()
            && task.kind != TaskKind::Blocking
        {
            let Call { operation, stack, resource, .. } = call;
            events::blocking_call(&task, operation, stack, resource, took, starved);
        }
    }
}

/// A look at the threads, between two pauses of [`settle`].
const PAUSE: Duration = Duration::from_millis(1);
/// Looks in a row at which all threads rest.
const QUIET: u32 = 4;

/// A moment of grace at exit: waits for the threads that are about to end, as
/// long as one of them is at work or sleeps until some time, but no longer than
/// a drain may take.
pub fn settle() {
    let started = clock::now_ns();
    let mut before = Vec::new();
    let mut quiet = 0;
    loop {
        let threads = task::live_threads();
        let is_over = clock::now_ns().saturating_sub(started) >= options::get().drain_max;
        if threads.is_empty() || is_over || quiet >= QUIET {
            return;
        }
        let activity: Vec<(u64, u64)> =
            threads.iter().map(|thread| (thread.id, thread.switches())).collect();
        let sleeps = |thread: &Arc<Task>| {
            thread.waits().iter().any(|wait| wait.operation == "thread::sleep")
        };
        let rests = activity == before && !threads.iter().any(sleeps);
        quiet = if rests { quiet + 1 } else { 0 };
        before = activity;
        std::thread::sleep(PAUSE);
    }
}

/// Where a thread is blocked that is not in a call that the probe knows: as far
/// as its stack can be read from outside.
#[must_use]
pub fn seen_at(thread: &Task) -> StackId {
    stack::of_blocked_thread(
        thread.os_thread.load(Ordering::Relaxed),
        thread.stack_high.load(Ordering::Relaxed),
    )
}
