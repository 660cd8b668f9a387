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
    /// Nothing in it could go on by itself, and nobody outside could help; ended by us.
    Hung,
    /// Over its time limit, and it did not get on; ended by us.
    TimedOut,
    /// Over many times its time limit though it got on; ended by us.
    TooSlow,
    /// Some of it could never go on ([`Knot`]), ended by us.
    Deadlocked,
    /// Ended by us since the user interrupted the run.
    Interrupted,
    /// Could not be started.
    SpawnFailed,
}

impl Outcome {
    /// Ended by us.
    pub fn is_ended_by_us(self) -> bool {
        self.is_hang() || matches!(self, Self::TooSlow | Self::Deadlocked | Self::Interrupted)
    }

    /// It would not have ended by itself, as far as could be seen.
    pub fn is_hang(self) -> bool {
        matches!(self, Self::Hung | Self::TimedOut)
    }
}

/// A test, with the processes it consisted of.
#[derive(Debug)]
pub struct Test {
    /// `binary-id test::path`; a `harness = false` binary is its id alone.
    pub name: String,
    /// Where its own code is, so that it is told from the library's.
    pub identity: super::TestIdentity,
    /// Its binary's own crate was compiled with optimisation.
    pub is_optimised: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The test's own process first, then its audited children.
    pub processes: Vec<Process>,
    /// Processes that descend from it, audited or not, and that its end did not end:
    /// they had left its process group.
    pub left: Vec<LeftProcess>,
}

/// A process that was there when its test had ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftProcess {
    /// Of the operating system.
    pub pid: u32,
    /// Its program and arguments.
    pub command: String,
    /// We ended it with the test, which we ended as well.
    pub is_ended: bool,
}

/// One audited process.
#[derive(Debug, Default)]
pub struct Process {
    /// Its last update never came: it aborted, was killed, or called `_exit`.
    /// What it held or ran at its end is not known.
    pub truncated: bool,
    /// Of the operating system.
    pub pid: u32,
    /// When it said its last word.
    pub ended_ns: u64,
    /// Of a snapshot: every thread, the probe's own aside.
    pub threads: Vec<Thread>,
    /// The last snapshot, where one was asked for since the test hung.
    pub snapshot: Option<Box<Process>>,
    /// Tasks that were alive at the end, were dropped unfinished, or panicked; and
    /// threads that were.
    pub tasks: BTreeMap<u64, Task>,
    /// Whatever tasks wait for or hold.
    pub resources: BTreeMap<u64, Resource>,
    /// The order in which locks were taken.
    pub edges: Vec<OrderEdge>,
    /// Holds that were long, finished or not.
    pub holds: Vec<Hold>,
    /// Calls that blocked a thread in the middle of a poll.
    pub blocking_calls: Vec<BlockingCall>,
    /// Polls that took long.
    pub blocking_polls: Vec<BlockingPoll>,
    /// Guards of blocking locks that lived across an await.
    pub locks_across_awaits: Vec<LockAcrossAwait>,
    /// Locks that an actor took, or wanted, though it held them.
    pub recursive_locks: Vec<RecursiveLock>,
    /// Actors of which none can ever go on.
    pub knots: Vec<Knot>,
    /// Panics that ended a task or thread whose handle nobody read.
    pub panics: Vec<UnreadPanic>,
    /// Spawn sites of which many tasks were alive at once.
    pub spawn_storms: Vec<SpawnStorm>,
    /// Tasks that outlived a cancelled parent whose future owned their handle.
    pub orphaned_tasks: Vec<OrphanedTask>,
    /// Child processes that were left at the end.
    pub children: Vec<ChildProcess>,
    /// What was opened in the life of the process, and was open at its end.
    pub open_files: Vec<OpenFile>,
    /// Who called `exit`, as far as known; empty where `main` had returned.
    pub exit_stack: Arc<Stack>,
    /// What the probe counted.
    pub counters: Counters,
}

/// What the probe counted in one process, and what it had to leave out.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Tasks spawned from start to end, `block_on` roots and blocking ones aside.
    pub tasks_spawned: u64,
    /// Threads spawned through `std::thread` from start to end.
    pub threads_spawned: u64,
    /// Most tasks alive at once.
    pub peak_tasks: u64,
    /// Locks that were created, or used for the first time.
    pub locks_seen: u64,
    /// Locks taken, shared or exclusive.
    pub acquisitions: u64,
    /// Returns of `block_on` that were held back so that tasks could finish.
    pub drains: u64,
    /// For how long they were held back in all.
    pub drain_ns: u64,
    /// Orders of locks that were seen and left out to bound memory.
    pub dropped_order_edges: u64,
    /// Stacks that were taken and left out to bound memory.
    pub dropped_stacks: u64,
    /// Tasks that were left out to bound memory.
    pub dropped_tasks: u64,
    /// Long holds that were left out to bound memory.
    pub dropped_holds: u64,
    /// Blocking calls, guards across awaits and recursions that were left out to
    /// bound memory.
    pub dropped_events: u64,
    /// Locks of the program's allocator, of which nothing is told.
    pub allocator_locks: u64,
    /// Tasks that were dropped unfinished and are not told of, since enough are that
    /// were like them.
    pub alike_tasks: u64,
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

/// One frame, inlined ones included. Shared by all stacks of a run that pass through
/// it: hundreds of processes of a few binaries have the same ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame(Arc<FrameData>);

impl From<FrameData> for Frame {
    fn from(data: FrameData) -> Self {
        Self(Arc::new(data))
    }
}

impl std::ops::Deref for Frame {
    type Target = FrameData;

    fn deref(&self) -> &FrameData {
        &self.0
    }
}

/// What is known of a [`Frame`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FrameData {
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
    /// Of the project's own code, the function that the line lies in, by the source:
    /// `my_crate::pool::Pool::start`. The same in every build, which `function` is not,
    /// since debug info has short names for what was inlined.
    pub item: Option<String>,
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
    /// `tokio::sync::Mutex`
    TokioMutex,
    /// `tokio::sync::RwLock`
    TokioRwLock,
    /// `tokio::sync::Semaphore`, those within other types aside.
    TokioSemaphore,
    /// `tokio::sync::mpsc`, bounded: the semaphore in there, whose permits are its room.
    TokioMpsc,
    /// `tokio::time::Sleep`
    TokioSleep,
    /// `tokio::time::Interval`
    TokioInterval,
    /// `tokio::sync::oneshot`
    TokioOneshot,
    /// `tokio::sync::Barrier`
    TokioBarrier,
    /// `std::sync::Mutex`
    StdMutex,
    /// `std::sync::RwLock`
    StdRwLock,
    /// `parking_lot::Mutex`, `FairMutex` and `ReentrantMutex`
    ParkingLotMutex,
    /// `parking_lot::RwLock`
    ParkingLotRwLock,
    /// A mutex that another crate built on `lock_api`.
    LockApiMutex,
    /// A reader-writer lock that another crate built on `lock_api`: a shard of a
    /// `DashMap`, for one.
    LockApiRwLock,
    /// `std::sync::Once`, held while its closure runs.
    StdOnce,
    /// `std::sync::OnceLock`, held while its initialiser runs.
    StdOnceLock,
    /// `std::sync::LazyLock`, held while its initialiser runs.
    StdLazyLock,
    /// The lock within a `tokio::sync::watch` channel, which a `borrow()` holds.
    TokioWatch,
    /// Whatever else tokio tells of: see [`Resource::concrete_type`].
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
    /// Where it was created, or ([`Self::is_first_use`]) first used; `None` where
    /// neither is known.
    pub created_at: Option<Site>,
    /// Its constructor could not tell where it was called: `created_at` and
    /// `created_stack` are of its first use.
    pub is_first_use: bool,
    /// Whose lock it is: the owner of the code that created it, as far as known.
    pub creator: Owner,
    /// The static that it lives in, demangled: `my_crate::LOCK`.
    pub static_name: Option<String>,
    /// See `audit.proto`.
    pub handed_over: bool,
    /// Somebody took it exclusively, or tried to.
    pub written: bool,
    /// The stack at its creation (or first use); empty where none was taken.
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

/// How a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// By one actor alone: a mutex, or a writer.
    Exclusive,
    /// By readers together.
    Shared,
    /// By one reader beside other readers, that may become a writer
    /// (`upgradable_read`).
    Upgradable,
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
    /// Of one that took an [`OrderEdge`]: the epoch of its when it was last seen to; 0
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

/// A lock being taken.
#[derive(Debug, Clone)]
pub struct Acquisition {
    /// The lock.
    pub resource: u64,
    /// How it is taken.
    pub mode: Mode,
    /// The stack at that moment; empty where none was taken.
    pub stack: Arc<Stack>,
    /// It never waits (`try_lock`).
    pub is_try: bool,
}

/// A further lock that was held while an edge was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gate {
    /// The lock.
    pub resource: u64,
    /// How it was held.
    pub mode: Mode,
}

/// While `from` was held, `to` was acquired or waited for.
#[derive(Debug, Clone)]
pub struct OrderEdge {
    /// How the lock that was held had been taken.
    pub from: Acquisition,
    /// How the other one was taken.
    pub to: Acquisition,
    /// Who was seen to do it, at most 4; one that knew more when it did it again, or had
    /// told others of it, is there several times.
    pub actors: Vec<Actor>,
    /// What else was held.
    pub gates: Vec<Gate>,
}

/// Someone who waited for a lock.
#[derive(Debug, Clone)]
pub struct Waiter {
    /// Who waited.
    pub actor: Actor,
    /// The stack when the wait began.
    pub stack: Arc<Stack>,
    /// For how long.
    pub waited_ns: u64,
}

/// A lock that is, or was for long, held.
#[derive(Debug, Clone)]
pub struct Hold {
    /// How the lock was taken.
    pub acquisition: Acquisition,
    /// By whom.
    pub holder: Actor,
    /// When.
    pub acquired_ns: u64,
    /// `None`: still held at the end.
    pub released_ns: Option<u64>,
    /// For how long the whole process was starved of CPU meanwhile.
    pub starved_ns: u64,
    /// The longest single await of the holder meanwhile.
    pub awaited_ns: u64,
    /// The stack of that await; empty where it had none.
    pub await_stack: Arc<Stack>,
    /// Who waited for it, longest first, at most 8.
    pub waiters: Vec<Waiter>,
}

/// A call that blocked its thread in the middle of a task's poll: all of one stack.
#[derive(Debug, Clone)]
pub struct BlockingCall {
    /// `thread::sleep`, `Mutex::lock`, ...: see `audit.proto`.
    pub operation: String,
    /// The stack of the call.
    pub stack: Arc<Stack>,
    /// The lock that was waited for.
    pub resource: Option<u64>,
    /// The task, in the longest of the calls.
    pub actor: Actor,
    /// What kind of task that one's parent is.
    pub parent_kind: Option<TaskKind>,
    /// The longest of the calls.
    pub longest_ns: u64,
    /// For how long of that the whole process was starved of CPU.
    pub starved_ns: u64,
    /// How many there were.
    pub count: u64,
    /// Of a root: the whole stack of its thread, which shows the runtime.
    pub thread_stack: Arc<Stack>,
    /// Of a root: other tasks that its thread had run last, or was to run first, and that
    /// were alive meanwhile.
    pub others: u64,
}

/// A poll that took long: all of one task, by where it was spawned, and of one stack.
#[derive(Debug, Clone)]
pub struct BlockingPoll {
    /// The task, in the longest of the polls.
    pub actor: Actor,
    /// The longest of the polls, less the [`BlockingCall`]s in it.
    pub longest_ns: u64,
    /// Of that, what the machine withheld.
    pub starved_ns: u64,
    /// The part of that poll in which CPU time was measured.
    pub measured_ns: u64,
    /// For how much of this its thread had a CPU.
    pub cpu_ns: u64,
    /// What its thread did meanwhile.
    pub samples: Vec<PollSample>,
    /// The most other tasks of its thread that were seen to be kept waiting at once.
    pub waiting: u64,
    /// It was seen to end.
    pub is_over: bool,
    /// How many there were.
    pub count: u64,
}

/// Where a thread was in a [`BlockingPoll`].
#[derive(Debug, Clone)]
pub struct PollSample {
    /// Up to the poll.
    pub stack: Arc<Stack>,
    /// It was blocked in the kernel; else it computed.
    pub is_blocked: bool,
    /// The system call that it was blocked in, where its name is known.
    pub system_call: Option<String>,
    /// How often it was met there.
    pub count: u64,
}

/// A guard of a blocking lock that was held when the poll of its task returned
/// `Pending`: all of one pair of stacks.
#[derive(Debug, Clone)]
pub struct LockAcrossAwait {
    /// How the lock had been taken.
    pub acquisition: Acquisition,
    /// Where the task awaited.
    pub await_stack: Arc<Stack>,
    /// The task.
    pub actor: Actor,
    /// How often it was seen.
    pub count: u64,
}

/// A lock that was taken, or waited for, by an actor that held it already: all of one
/// pair of stacks.
#[derive(Debug, Clone)]
pub struct RecursiveLock {
    /// How it had been taken.
    pub held: Acquisition,
    /// How it was wanted again.
    pub wanted: Acquisition,
    /// By whom.
    pub actor: Actor,
    /// The actor waits for itself.
    pub waits: bool,
    /// Somebody else took the lock for writing in the life of the process, or tried to.
    pub has_writer: bool,
    /// How often it was seen.
    pub count: u64,
}

/// Actors of which none can ever go on: each waits for what the next one has, the
/// last one for what the first has.
#[derive(Debug, Clone)]
pub struct Knot {
    /// When the last of the waits began.
    pub closed_ns: u64,
    /// When it was certain.
    pub found_ns: u64,
    /// In their order; at least one.
    pub parties: Vec<Party>,
    /// Further actors that wait for one of these.
    pub behind: u64,
}

/// A part of a [`Knot`].
#[derive(Debug, Clone)]
pub struct Party {
    /// Who.
    pub actor: Actor,
    /// `task::Builder::name` or the thread's name, where it was given.
    pub name: Option<String>,
    /// The lock that it waits for; `None` where it waits for the end of the next
    /// party.
    pub wanted: Option<u64>,
    /// How it wants the lock.
    pub wanted_mode: Mode,
    /// The stack of the wait.
    pub stack: Arc<Stack>,
    /// `Mutex::lock`, `JoinHandle::join`, ...
    pub operation: String,
    /// When the wait began.
    pub waits_since_ns: u64,
    /// What it has that the party before it waits for; `None` where that one waits
    /// for its end.
    pub held: Option<Acquisition>,
    /// When it was acquired or, of a place in the queue, asked for.
    pub held_since_ns: u64,
    /// It has no guard but a place in the queue that was granted to a future which
    /// is not polled any more; the stack of `held` is where that one waits.
    pub is_granted: bool,
    /// Whatever else it holds.
    pub holds: Vec<Hold>,
    /// Where it began to wait right after it had acquired what it has; empty where that
    /// is not known.
    pub first_await: Arc<Stack>,
}

/// A task or thread that panicked, and whose `JoinHandle` told nobody so by the end.
#[derive(Debug, Clone)]
pub struct UnreadPanic {
    /// It.
    pub actor: Actor,
    /// `task::Builder::name` or the thread's name, where it was given.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawn_stack: Arc<Stack>,
    /// What the panic said; `None` where that is not known, or no text.
    pub message: Option<String>,
    /// Where it was raised, as far as known.
    pub location: Option<Site>,
    /// The stack of the panic; empty where none was taken.
    pub stack: Arc<Stack>,
    /// Its handle was gone before it panicked.
    pub is_detached: bool,
    /// It is of no task, and of no thread that anybody is seen to have spawned: the
    /// test's own. Such a one is told whatever became of it.
    pub is_of_main: bool,
}

/// A spawn site of which more tasks were alive at once than the threshold.
#[derive(Debug, Clone)]
pub struct SpawnStorm {
    /// The caller of `spawn`.
    pub spawned_at: Option<Site>,
    /// The stack of the spawn that went above the threshold.
    pub spawn_stack: Arc<Stack>,
    /// Who spawned that one; `None` where it was no task.
    pub spawner: Option<Actor>,
    /// Most alive at once.
    pub peak: u64,
    /// When.
    pub peak_ns: u64,
    /// All that were spawned there.
    pub spawned: u64,
}

/// A task whose `JoinHandle` went with the future of its cancelled parent, or was awaited
/// by its parent and then dropped, and which lived on.
#[derive(Debug, Clone)]
pub struct OrphanedTask {
    /// It, as it was at its end or, where it had none, at that of the process.
    pub child: Task,
    /// Whose future owned its handle, or which had awaited it.
    pub parent: Task,
    /// When its handle, which was awaited, was dropped; `None`: it went with its parent.
    pub dropped_ns: Option<u64>,
    /// It was there when the body of the test was over.
    pub is_there_at_the_end: bool,
    /// For how long it has outlived its parent, or its handle.
    pub outlived_ns: u64,
    /// What the machine may have withheld of that.
    pub starved_ns: u64,
}

/// A child process that was running at the end, or dead and not waited for.
#[derive(Debug, Clone)]
pub struct ChildProcess {
    /// Of the operating system.
    pub pid: u32,
    /// As the system names it, where it does.
    pub command: Option<String>,
    /// Dead, and not waited for.
    pub is_zombie: bool,
    /// Where it was spawned.
    pub spawn_stack: Arc<Stack>,
    /// When.
    pub spawned_ns: u64,
    /// By whom; `None` where that is not known.
    pub actor: Option<Actor>,
}

/// A file or socket that was open at the end.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// What it is.
    pub kind: FileKind,
    /// Its path, or its address and that of its peer, where they are known.
    pub name: Option<String>,
    /// Where it was opened; where a runtime did that on another thread, where that
    /// was asked for.
    pub stack: Arc<Stack>,
    /// When.
    pub opened_ns: u64,
    /// The task that opened it, or the thread that was polling none, where it is
    /// known: one of [`Process::tasks`], or one that has completed.
    pub opener: Option<u64>,
}

/// What an [`OpenFile`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
    /// A TCP socket that listens.
    TcpListener,
    /// Any other TCP socket.
    TcpStream,
    /// A UDP socket.
    Udp,
    /// A Unix socket.
    Unix,
    /// Any other socket.
    Socket,
}
