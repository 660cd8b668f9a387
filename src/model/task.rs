//! Tasks and threads.

use std::{collections::BTreeMap, sync::Arc};

use super::{Hold, Process, Site, Stack};

/// What kind of task it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskKind {
    /// `tokio::spawn` and the like.
    Task,
    /// A root future.
    BlockOn,
    /// `spawn_blocking`.
    Blocking,
    /// `spawn_local`.
    Local,
    /// No task but a thread.
    Thread,
}

/// Whether and how a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskEnd {
    /// It was alive when the process exited.
    Alive,
    /// Ready.
    Completed,
    /// Its poll panicked.
    Panicked,
    /// Its future was dropped unfinished, by `abort`, with a `JoinSet`, ...
    Cancelled,
    /// Its future was dropped unfinished by the shutdown of its runtime or
    /// `LocalSet`.
    Shutdown,
}

impl TaskEnd {
    /// It was still there when its runtime, its `LocalSet` or the process ended.
    #[must_use]
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Alive | Self::Shutdown)
    }
}

/// A task that is worth telling of; or ([`TaskKind::Thread`]) a thread, which has a
/// name, a spawn, a life, waits (of what it is blocked in) and holds, and nothing
/// else.
#[derive(Debug, Clone)]
pub struct Task {
    /// Unique within the process.
    pub id: u64,
    /// How it was spawned.
    pub kind: TaskKind,
    /// `task::Builder::name`, where it was given.
    pub name: Option<String>,
    /// The caller of `spawn`, where tokio tells.
    pub spawned_at: Option<Site>,
    /// The stack at its spawn; empty where none was taken.
    pub spawn_stack: Arc<Stack>,
    /// The task that was being polled when this one was spawned; need not be in
    /// [`Process::tasks`] (then it completed).
    pub parent: Option<u64>,
    /// The record of the thread on which it was spawned, if that was spawned itself.
    pub spawned_on: Option<u64>,
    /// What kind of task the parent is.
    pub parent_kind: Option<TaskKind>,
    /// When it was spawned.
    pub created_ns: u64,
    /// 0 while alive.
    pub ended_ns: u64,
    /// Whether and how it ended.
    pub end: TaskEnd,
    /// Where a shutdown dropped it; empty where none did.
    pub drop_stack: Arc<Stack>,
    /// How often it was polled.
    pub polls: u64,
    /// When its last poll began; 0 where none has.
    pub last_poll_started_ns: u64,
    /// When its last poll returned; 0 where none has.
    pub last_poll_ended_ns: u64,
    /// When it was last woken; 0 where it never was.
    pub last_wake_ns: u64,
    /// Woken (or just spawned) and not polled since.
    pub scheduled: bool,
    /// Being polled at the process's last word.
    pub running: bool,
    /// The drain gave it its chance to finish.
    pub drained: bool,
    /// A root was held back for its sake.
    pub had_grace: bool,
    /// When it was seen, in the middle of a poll, that it had been aborted.
    pub aborted_ns: Option<u64>,
    /// Of a blocking task that completed: for how long the drop of its runtime, or
    /// a `shutdown_timeout`, had waited for it.
    pub waited_for_ns: u64,
    /// The thread that polled it last; of a thread, itself.
    pub thread: u64,
    /// Clones of its waker that were ever made.
    pub waker_clones: u64,
    /// Clones of its waker that were dropped or used up by a wake.
    pub waker_drops: u64,
    /// When its last waker was dropped between two polls, without a wake; 0: it was not.
    pub lost_waker_ns: u64,
    /// Where; empty where it was not.
    pub lost_waker_stack: Arc<Stack>,
    /// What it waits for, one element per branch of a `select!`; where its last waker
    /// was lost, what it waited for last.
    pub waits: Vec<Wait>,
    /// What it holds.
    pub holds: Vec<Hold>,
}

impl Task {
    /// Waker clones that are still out: who could still wake it.
    #[must_use]
    pub fn wakers(&self) -> u64 {
        self.waker_clones.saturating_sub(self.waker_drops)
    }

    /// When it was last seen.
    #[must_use]
    pub fn end_ns(&self, process: &Process) -> u64 {
        if self.ended_ns == 0 { process.ended_ns } else { self.ended_ns }
    }
}

/// What a task waits for, in one of its branches.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The await stack.
    pub stack: Arc<Stack>,
    /// The resource, where tokio told which.
    pub resource: Option<u64>,
    /// tokio's name for what it does, `Mutex::lock` for one; empty where
    /// tokio told nothing.
    pub operation: String,
    /// For a timer: when it is due.
    pub due_ns: Option<u64>,
    /// When the wait began.
    pub since_ns: u64,
    /// The task or thread whose end it waits for, where that is known.
    pub task: Option<u64>,
}

/// What a thread was doing at the moment of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activity {
    /// It had a CPU, or waited for one.
    Running,
    /// It was in this system call; empty where its name is not known.
    Blocked(String),
    /// It could not be looked at.
    Unknown,
}

/// A thread at the moment of a snapshot.
#[derive(Debug, Clone)]
pub struct Thread {
    /// The system's number; that of the process is its main thread's.
    pub number: u32,
    /// As the system has it: no more than 15 bytes.
    pub name: String,
    /// As in [`Task::thread`]; 0: it has done nothing that the probe sees.
    pub id: u64,
    /// Its record, which need not be in [`Process::tasks`].
    pub record: Option<u64>,
    /// What it was doing.
    pub activity: Activity,
    /// Where, all of it; empty where that could not be seen.
    pub stack: Arc<Stack>,
    /// Time on a CPU in its life.
    pub cpu_ns: u64,
    /// The calls that it was blocked in, as far as the probe sees them.
    pub waits: Vec<Wait>,
    /// What it held.
    pub holds: Vec<Hold>,
    /// The record of the thread whose end it waited for.
    pub joins: Option<u64>,
}

/// A task, or a thread that was polling no task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of task it is, or a thread.
    pub kind: TaskKind,
    /// Where the task was spawned, or the root was started.
    pub spawned_at: Option<Site>,
    /// The task, or the record of the thread; `None`: a thread that nobody is seen
    /// to have spawned.
    pub task: Option<u64>,
    /// The thread it was seen on; for a plain thread its identity.
    pub thread: u64,
    /// When it was first seen to do this.
    pub first_ns: u64,
    /// When it was last seen to do this.
    pub last_ns: u64,
    /// When the task or thread was spawned.
    pub created_ns: u64,
    /// When it ended; `None`: alive at the end.
    pub ended_ns: Option<u64>,
    /// Its spawner, that one's spawner, ...: nearest first, at most 16.
    pub ancestors: Vec<u64>,
    /// Of one that took an [`OrderEdge`](super::OrderEdge): the epoch of its when it was last seen to; 0
    /// otherwise.
    pub epoch: u32,
    /// What was over for it when it was first seen to do this.
    pub known: Option<Arc<Clock>>,
}

/// What somebody knew to be over, through spawns, joins, messages, notifications and
/// barriers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clock {
    /// For each task or thread the last epoch of its that was over.
    pub epochs: BTreeMap<u64, u32>,
    /// Further ones were left out.
    pub is_cut: bool,
}
