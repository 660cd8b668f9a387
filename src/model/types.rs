//! The run as data. Read by [`crate::audit`]; written by [`super::build`] only.
//!
//! Invariants: every id used in a [`Process`] resolves within that process;
//! stacks are symbolised, innermost frame first; times are nanoseconds since
//! the process started.

use std::{collections::BTreeMap, sync::Arc};

use camino::Utf8PathBuf;

use crate::project::Project;

/// Everything that a run has shown.
#[derive(Debug)]
pub struct Run {
    /// Whose code is whose.
    pub project: Arc<Project>,
    /// One element per test that was run, in the order of their names.
    pub tests: Vec<Test>,
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Passed,
    /// Any other exit code.
    Failed,
    /// Ended by a signal that we did not send; the number.
    Signalled(i32),
    /// Over its time limit, ended by us.
    TimedOut,
    /// Ended by us since the user interrupted the run.
    Interrupted,
    /// Could not be started.
    SpawnFailed,
}

/// A test, with the processes it consisted of.
#[derive(Debug)]
pub struct Test {
    /// `binary-id test::path`; a `harness = false` binary is its id alone.
    pub name: String,
    /// Where its own code is, so that it is told from the library's.
    pub identity: super::TestIdentity,
    /// How it ended.
    pub outcome: Outcome,
    /// The test's own process first, then its audited children.
    pub processes: Vec<Process>,
}

/// One audited process.
#[derive(Debug, Default)]
pub struct Process {
    /// Its last update never came: it aborted, was killed, or called `_exit`.
    /// What it held or ran at its end is not known.
    pub truncated: bool,
    /// When it said its last word.
    pub ended_ns: u64,
    /// Tasks that were alive at the end, were dropped unfinished, or panicked.
    pub tasks: BTreeMap<u64, Task>,
    /// Whatever tasks wait for or hold.
    pub resources: BTreeMap<u64, Resource>,
    /// The order in which locks were taken.
    pub edges: Vec<OrderEdge>,
    /// Holds that were long, finished or not.
    pub holds: Vec<Hold>,
    /// What the probe counted.
    pub counters: Counters,
}

/// What the probe counted in one process, and what it had to leave out.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub tasks_spawned: u64,
    pub peak_tasks: u64,
    pub locks_seen: u64,
    pub acquisitions: u64,
    pub drains: u64,
    pub drain_ns: u64,
    pub dropped_order_edges: u64,
    pub dropped_stacks: u64,
    pub dropped_tasks: u64,
    pub dropped_holds: u64,
}

/// Whose code a frame is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A first-party package, by name.
    Workspace(String),
    /// `std`, `core` or `alloc`.
    Std,
    /// tokio itself.
    Tokio,
    /// The probe, its facades, or the test harness.
    Probe,
    /// Any other dependency, by crate name.
    Dependency(String),
    /// No debug info.
    Unknown,
}

/// One frame, inlined ones included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Demangled, without hash.
    pub function: String,
    /// Absolute, or as the compiler recorded it where it is nowhere on disk.
    pub file: Option<Utf8PathBuf>,
    /// 1-based, 0 where unknown.
    pub line: u32,
    /// 1-based, 0 where unknown.
    pub column: u32,
    /// Whose code it is.
    pub owner: Owner,
    /// Inlined into the next frame.
    pub inlined: bool,
    /// The call's address in its file, 0 where unknown: tells the instances of
    /// one generic function apart, and the branches of one `join!`.
    pub address: u64,
}

/// A symbolised stack, innermost frame first. Shared: two equal stacks of one
/// process are one `Arc`.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Innermost first; empty where none was taken.
    pub frames: Vec<Frame>,
}

/// A source position that the compiler recorded (`#[track_caller]`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// Absolute where it could be resolved.
    pub file: Utf8PathBuf,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
}

/// What kind of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    TokioMutex,
    TokioRwLock,
    TokioSemaphore,
    TokioSleep,
    TokioInterval,
    TokioOneshot,
    TokioBarrier,
    Other,
}

/// Something a task can wait for or hold.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Unique within the process.
    pub id: u64,
    /// What it is.
    pub kind: ResourceKind,
    /// tokio's name for it.
    pub concrete_type: String,
    /// Where it was created, unless by a `const fn`.
    pub created_at: Option<Site>,
    /// The static that it lives in, demangled: `my_crate::LOCK`.
    pub static_name: Option<String>,
    /// See `audit.proto`.
    pub handed_over: bool,
    /// The stack at its creation; empty where none was taken.
    pub created_stack: Arc<Stack>,
}

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

/// A task that is worth telling of.
#[derive(Debug, Clone)]
pub struct Task {
    pub id: u64,
    pub kind: TaskKind,
    pub name: Option<String>,
    pub spawned_at: Option<Site>,
    pub spawn_stack: Arc<Stack>,
    /// The task that was being polled when this one was spawned; need not be in
    /// [`Process::tasks`] (then it completed).
    pub parent: Option<u64>,
    /// What kind of task the parent is.
    pub parent_kind: Option<TaskKind>,
    /// 0 while alive.
    pub ended_ns: u64,
    pub end: TaskEnd,
    pub polls: u64,
    pub last_poll_ended_ns: u64,
    /// Woken (or just spawned) and not polled since.
    pub scheduled: bool,
    pub running: bool,
    /// The drain gave it its chance to finish.
    pub drained: bool,
    pub waker_clones: u64,
    pub waker_drops: u64,
    pub waits: Vec<Wait>,
    pub holds: Vec<Hold>,
}

impl Task {
    /// Waker clones that are still out: who could still wake it.
    #[must_use]
    pub fn wakers(&self) -> u64 {
        self.waker_clones.saturating_sub(self.waker_drops)
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
}

/// How a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    Exclusive,
    Shared,
}

/// A task, or a thread that was polling no task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `None`: a plain thread.
    pub task: Option<u64>,
    pub thread: u64,
    pub first_ns: u64,
    pub last_ns: u64,
    pub created_ns: u64,
    /// `None`: alive at the end.
    pub ended_ns: Option<u64>,
    /// Nearest first.
    pub ancestors: Vec<u64>,
}

/// A lock being taken.
#[derive(Debug, Clone)]
pub struct Acquisition {
    pub resource: u64,
    pub mode: Mode,
    pub stack: Arc<Stack>,
    /// It never waits (`try_lock`).
    pub is_try: bool,
}

/// A further lock that was held while an edge was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gate {
    pub resource: u64,
    pub mode: Mode,
}

/// While `from` was held, `to` was acquired or waited for.
#[derive(Debug, Clone)]
pub struct OrderEdge {
    pub from: Acquisition,
    pub to: Acquisition,
    pub actors: Vec<Actor>,
    pub gates: Vec<Gate>,
}

/// Someone who waited for a lock.
#[derive(Debug, Clone)]
pub struct Waiter {
    pub actor: Actor,
    pub stack: Arc<Stack>,
    pub waited_ns: u64,
}

/// A lock that is, or was for long, held.
#[derive(Debug, Clone)]
pub struct Hold {
    pub acquisition: Acquisition,
    pub holder: Actor,
    pub acquired_ns: u64,
    /// `None`: still held at the end.
    pub released_ns: Option<u64>,
    pub starved_ns: u64,
    pub awaited_ns: u64,
    pub await_stack: Arc<Stack>,
    pub waiters: Vec<Waiter>,
}
