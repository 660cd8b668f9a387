//! Threads that are spawned through `std::thread`, and calls that block a thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    context,
    detect::{by_place, knots, panics},
    lifecycle::shake,
    platform::{
        busy::{Busy, watches},
        clock, counters, options,
        process::next_id,
        sample,
        stack::{self, Extent, StackId},
        sync::{Sharded, lock as guard},
    },
    record::{
        call::{Awaited, BLOCKED, Call},
        held_locks::HeldLocks,
        run_queue::Parties,
        task::{Task, TaskEnd, TaskKind, Wait, live},
    },
};

/// A thread that is about to be spawned by the calling one, `name`d or not.
/// `None` where nothing is audited.
#[must_use]
pub fn spawning(name: Option<&str>) -> Option<Arc<Task>> {
    if !watches() {
        return None;
    }
    let _busy = Busy::begin();
    Some(Task::spawning_thread(name.unwrap_or_default()))
}

/// Threads that were asked for and have yet to begin.
static STARTING: AtomicU64 = AtomicU64::new(0);

/// A thread from the moment that it is asked for to its first one, or to the
/// failure to spawn it.
#[derive(Debug)]
pub struct Starting(Option<Arc<Task>>);

impl Starting {
    /// To be handed to the thread, with its record.
    #[must_use]
    pub fn new(record: Option<Arc<Task>>) -> Self {
        STARTING.fetch_add(u64::from(record.is_some()), Ordering::Relaxed);
        Self(record)
    }

    /// The calling thread is the one that was spawned.
    #[must_use]
    pub fn begin(self) -> Running {
        shake::perhaps_delay();
        if let Some(record) = &self.0 {
            let _busy = Busy::begin();
            counters::THREADS_SPAWNED.add(1);
            record.thread_begins();
            context::set_thread(Arc::clone(record));
        }
        Running(self.0.clone())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        STARTING.fetch_sub(u64::from(self.0.is_some()), Ordering::Release);
    }
}

/// A thread at work: to be kept by it from its first moment to its last.
#[derive(Debug)]
pub struct Running(Option<Arc<Task>>);

impl Drop for Running {
    fn drop(&mut self) {
        let Some(record) = self.0.take() else { return };
        let _busy = Busy::begin();
        let panicked = std::thread::panicking();
        if panicked {
            panics::thread_unwinds(&record);
        }
        record.ends_for_joiners(0);
        record.finish(if panicked { TaskEnd::Panicked } else { TaskEnd::Completed });
    }
}

/// A call that blocks this thread, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Blocking(Option<Arc<Call>>);

/// Begins a call that blocks: "thread::sleep", "Condvar::wait", ...
#[inline(never)]
pub fn blocking(operation: &'static str) -> Blocking {
    blocking_for(operation, Awaited::Event)
}

/// Begins to wait for the end of a thread.
#[inline(never)]
pub fn joining(record: Option<&Arc<Task>>) -> Blocking {
    match record {
        Some(record) if record.end() != TaskEnd::Alive => Blocking(None),
        Some(record) => blocking_for("JoinHandle::join", Awaited::Thread(Arc::clone(record))),
        None => blocking("JoinHandle::join"),
    }
}

/// Begins to wait for the end of all threads of the `thread::scope` at this address.
#[inline(never)]
pub fn leaving_scope(scope: usize) -> Blocking {
    blocking_for("thread::scope", Awaited::Scope(scope))
}

/// Begins a call that blocks until what is `awaited` is there.
pub(crate) fn blocking_for(operation: &'static str, awaited: Awaited) -> Blocking {
    blocking_for_parties(operation, awaited, Parties::default())
}

/// As [`blocking_for`], where these take part in the wait for a lock.
pub(crate) fn blocking_for_parties(
    operation: &'static str,
    awaited: Awaited,
    parties: Parties,
) -> Blocking {
    if !watches() {
        return Blocking(None);
    }
    let Some(thread) = context::current_thread() else { return Blocking(None) };
    let _busy = Busy::begin();
    let is_event = matches!(awaited, Awaited::Event);
    let call = Arc::new(Call {
        id: next_id(),
        operation,
        stack: stack::capture(Extent::Task),
        awaited,
        thread,
        task: context::current_task(),
        since_ns: clock::now_ns(),
        starved_at: clock::starved_ns(),
        parties,
    });
    for record in call.records() {
        record.ending.note_call();
        record.operation_begins(
            call.id,
            Wait {
                stack: call.stack,
                resource: call.awaited.resource().cloned(),
                operation,
                since_ns: call.since_ns,
                poll: 0,
            },
        );
    }
    if call.task.is_some()
        && let Some(rows) = context::with(context::Context::held_or_new)
    {
        rows.poll_slot.call_begins(call.since_ns);
    }
    if !is_event {
        let blocked = BLOCKED.get_or_init(Sharded::default);
        guard(blocked.shard(call.id)).insert(call.id, Arc::clone(&call));
        if call.awaited.may_tie() {
            knots::note_wait();
        }
    }
    Blocking(Some(call))
}

impl Drop for Blocking {
    fn drop(&mut self) {
        let Some(call) = self.0.take() else { return };
        let _busy = Busy::begin();
        if !matches!(call.awaited, Awaited::Event)
            && let Some(blocked) = BLOCKED.get()
        {
            let ended = guard(blocked.shard(call.id)).remove(&call.id);
            drop(ended);
        }
        for record in call.records() {
            record.operation_ends(call.id);
        }
        let (took, starved) = clock::elapsed(call.since_ns, call.starved_at);
        if let Some(rows) = context::with(context::Context::held) {
            rows.poll_slot.call_ends(if took < options::get().blocking_call { 0 } else { took });
        }
        if took < options::get().blocking_call {
            return;
        }
        context::with(|context| context.blocked.set((call.since_ns, took, call.stack)));
        if let Some(task) = &call.task
            && task.kind != TaskKind::Blocking
        {
            let resource = call.awaited.resource().cloned();
            let starved = starved.max(call.parties.withheld_ns());
            by_place::blocking_call(task, call.operation, call.stack, resource, took, starved);
        }
    }
}

/// tokio has parked this thread, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Parked(Option<Arc<Task>>);

/// tokio parks the calling thread until a future that it polled there is woken. That is
/// how `blocking_lock` and its like wait: for the one operation that the future consists
/// of.
#[inline]
pub fn parked() -> Parked {
    let operation = context::with(|context| context.pending.get());
    if operation == 0 || !watches() {
        return Parked(None);
    }
    let actor = context::current_actor();
    if let Some(actor) = &actor {
        actor.parked_for.store(operation, Ordering::Release);
    }
    Parked(actor)
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(actor) = &self.0 {
            actor.parked_for.store(0, Ordering::Release);
        }
    }
}

/// tokio has parked this thread for some time, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Idle(Option<&'static HeldLocks>);

/// tokio parks the calling thread until it is woken, or for some time. Threads for
/// blocking tasks wait so for the next one.
#[inline]
pub fn idles() -> Idle {
    let rows = context::with(context::Context::held);
    if let Some(rows) = rows {
        rows.poll_slot.park_for_some_time(true);
    }
    Idle(rows)
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(rows) = self.0 {
            rows.poll_slot.park_for_some_time(false);
        }
    }
}

/// A look at the threads, between two pauses of [`settle`].
const PAUSE: Duration = Duration::from_millis(1);

/// Looks in a row at which all threads rest.
const QUIET: u32 = 4;

/// A thread that has blocked more often than this is a loop, and its sleep is not
/// waited for.
const MAX_SLEEPS: u32 = 3;

/// A moment of grace at exit: waits for the threads (blocking tasks among them) that
/// are about to end, as long as one of them is about to begin, is at work or sleeps
/// until some time, but no longer than a drain may take, and than all of them may
/// where it is one of the first two.
pub fn settle() {
    let started = clock::now_ns();
    let starved = clock::starved_ns();
    let options = options::get();
    let mut before = Vec::new();
    let mut quiet = 0;
    loop {
        // Read first: who begins after that is among the living.
        let starting = STARTING.load(Ordering::Acquire) > 0;
        let threads = live::live_threads();
        let begins = starting || threads.iter().any(|thread| thread.has_yet_to_begin());
        let activity: Vec<(u64, Option<u64>)> =
            threads.iter().map(|thread| (thread.id, thread.switches())).collect();
        let is_at_work = begins || activity.iter().any(|(_, switches)| switches.is_none());
        let sleeps = |thread: &Arc<Task>| {
            thread.ending.calls() <= MAX_SLEEPS
                && thread.waits().iter().any(|wait| wait.operation == "thread::sleep")
        };
        let rests = !is_at_work && activity == before && !threads.iter().any(sleeps);
        quiet = if rests { quiet + 1 } else { 0 };
        let (took, starved) = clock::elapsed(started, starved);
        let limit = if is_at_work { options.drain_total } else { options.drain_max };
        if (threads.is_empty() && !begins)
            || quiet >= QUIET
            || took.saturating_sub(starved) >= limit
        {
            return;
        }
        before = activity;
        std::thread::sleep(PAUSE);
    }
}

/// Where a thread is blocked that is not in a call that the probe knows: as far
/// as its stack can be read from outside.
#[must_use]
pub fn seen_at(thread: &Task) -> StackId {
    sample::of_blocked_thread(
        thread.os_thread.load(Ordering::Relaxed),
        thread.stack_high.load(Ordering::Relaxed),
    )
}
