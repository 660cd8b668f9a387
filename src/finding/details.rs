//! What a finding says beyond its text, in the shape of its rule.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StackFrame;

/// A task or thread that can never go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StuckParty {
    /// "task 12", "thread `worker`", "the test's thread", "the `block_on`".
    pub who: String,
    /// Where it was spawned, "src/lib.rs:7:9", as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spawned_at: Option<String>,
    /// What it has that the party before it waits for: "tokio Mutex created at
    /// src/lib.rs:7:9"; absent where that one waits for its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holds: Option<String>,
    /// For how long it had held that when the deadlock was found, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_ms: Option<u64>,
    /// It does not hold that: it was granted to a future of its which nobody polls.
    pub is_granted: bool,
    /// What it waits for.
    pub waits_for: String,
    /// `Mutex::lock`, `JoinHandle::join`, ...
    pub operation: String,
    /// For how long it had waited when the deadlock was found, in milliseconds.
    pub waited_ms: u64,
}

/// A process that hangs, as a snapshot shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HungProcess {
    /// Its age at that moment, in milliseconds.
    pub age_ms: u64,
    /// Every task and thread that lives: the test's body first, below each what it
    /// waits for, and at last those for whose end nobody is known to wait. Idle
    /// threads of a runtime are left out.
    pub parties: Vec<HungParty>,
    /// Every thread, idle ones of a runtime aside.
    pub threads: Vec<HungThread>,
    /// Threads of a runtime that had nothing to do.
    pub idle_threads: u64,
    /// Locks that were held.
    pub locks: Vec<HungLock>,
    /// Nothing ran, and no timer was to come: it would never have gone on by itself.
    pub is_still: bool,
}

/// A task or thread of a process that hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct HungParty {
    /// "the test's body", "task 12", "task `name`", "thread `worker`", ...
    pub who: String,
    /// Of several with the same spawn site and the same stacks, how many; `who` is
    /// one of them.
    pub count: u64,
    /// "src/lib.rs:7:9", as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spawned_at: Option<String>,
    /// "waiting" (a task that is pending), "blocked" (in a call), "computing",
    /// "starved" (ready to run, and not polled).
    pub state: String,
    /// For how long, in milliseconds; of a waiting task since its last poll.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub for_ms: Option<u64>,
    /// How often it was polled; 0 of a thread.
    pub polls: u64,
    /// It is told of further up, with all that it waits for.
    pub is_told_above: bool,
    /// What it waits for: one element per branch of a `select!`.
    pub waits: Vec<HungWait>,
}

/// What a task or thread of a process that hangs waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct HungWait {
    /// "waits for data on an mpsc channel", "is blocked in `Condvar::wait`", ...
    pub what: String,
    /// Where: the innermost first, the project's own frames alone where there are any.
    pub frames: Vec<StackFrame>,
    /// When a timer is due, in milliseconds from the snapshot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_in_ms: Option<u64>,
    /// What those below are to it, as a word before each: "held by", "with", or
    /// nothing of those whose end it waits for.
    pub relation: String,
    /// Who must do something for it to go on: the task that it joins, the holder of
    /// the lock, who keeps its thread busy.
    pub on: Vec<HungParty>,
}

/// A thread of a process that hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HungThread {
    /// As the system has it, or in full where that is known.
    pub name: String,
    /// Of the operating system.
    pub os_thread: u32,
    /// What it did: "polls task 12, blocked in `Condvar::wait`", "computes", ...
    pub does: String,
    /// Time on a CPU in its life, in milliseconds.
    pub cpu_ms: u64,
    /// Where, innermost first, as in [`HungWait::frames`].
    pub frames: Vec<StackFrame>,
}

/// A lock that was held in a process that hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HungLock {
    /// "tokio Mutex created at src/lib.rs:7:9"
    pub lock: String,
    /// "task 12 spawned at src/lib.rs:20:5"
    pub holder: String,
    /// For how long, in milliseconds.
    pub held_ms: u64,
    /// Where it was taken, "src/lib.rs:30", as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<String>,
}

/// The facts particular to a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Details {
    /// `expired-allow` and `unused-allow`
    Allowance {
        /// The rules whose findings it is for.
        rules: Vec<String>,
        /// The last day that it holds, where it has one.
        until: Option<String>,
    },
    /// `lingering-task`
    LingeringTask {
        /// "task", "local" or "blocking".
        task_kind: String,
        /// `task::Builder::name`, where it was given.
        task_name: Option<String>,
        /// Since its last poll ended, in milliseconds; of the occurrence that
        /// idled longest.
        idle_ms: u64,
        /// What it waits for, one element per branch: "Mutex created at
        /// src/lib.rs:7:9, held by task 12 spawned at src/lib.rs:20:5".
        waits_for: Vec<String>,
        /// Waker clones that are still out.
        wakers: u64,
        /// When a timer will wake it, in milliseconds from the end of the test.
        due_in_ms: Option<u64>,
        /// Lingering tasks that it spawned, directly or not.
        descendants: u64,
        /// "runtime-shutdown" or "process-exit"; of a task that went on for too long,
        /// "itself" or "abort", too.
        ended_by: String,
        /// What it was spawned through that could have stopped it: `TaskTracker` or
        /// `JoinSet`.
        owner: Option<String>,
        /// For how long it went on after it had been aborted, in milliseconds.
        aborted_ms: Option<u64>,
        /// For how long the shutdown of its runtime waited for it, in milliseconds.
        shutdown_waited_ms: Option<u64>,
    },
    /// `blocking-call`
    BlockingCall {
        /// `thread::sleep`, `Mutex::lock`, ...
        operation: String,
        /// The longest of the calls, in milliseconds.
        blocked_ms: u64,
        /// "task" or "block-on".
        task_kind: String,
        /// Of a `block_on`: "current-thread" or "multi-thread", where that is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        runtime: Option<String>,
        /// Of a `block_on` on a current-thread runtime: other tasks that were alive
        /// meanwhile, none of which could run.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        others: Option<u64>,
    },
    /// `blocking-poll`
    BlockingPoll {
        /// The longest of the polls, in milliseconds, without what the machine withheld.
        took_ms: u64,
        /// For how much of that its thread had a CPU, in percent.
        cpu_percent: u64,
        /// The system call that it was blocked in, where that is known.
        system_call: Option<String>,
        /// The most other tasks of its thread that were seen to be kept waiting at once.
        kept_waiting: u64,
        /// "task" or "block-on".
        task_kind: String,
    },
    /// `deadlock`
    Deadlock {
        /// Each waits for what the next one has, the last one for what the first has.
        parties: Vec<StuckParty>,
        /// Further tasks or threads that are stuck behind these.
        behind: u64,
    },
    /// `futurelock`
    Futurelock {
        /// "tokio Mutex", "tokio RwLock (read)", ...
        lock: String,
        /// The function of the future that has the lock, or a granted place in its
        /// queue, and is not polled any more; empty where unknown.
        future: String,
        /// From where that future was last polled, "src/lib.rs:7:9", as far as known.
        last_polled_at: Option<String>,
        /// The task; where others are part of it, each waits for what the next one
        /// has.
        parties: Vec<StuckParty>,
        /// Further tasks or threads that are stuck behind these.
        behind: u64,
    },
    /// `hung-test`
    HungTest {
        /// The test's time limit, in milliseconds.
        limit_ms: u64,
        /// The test's own process.
        process: HungProcess,
    },
    /// `leaked-handle`
    LeakedHandle {
        /// The child process's name, where the system tells it.
        command: Option<String>,
        /// "running" or "zombie"; of a file or socket, "open".
        state: String,
        /// What a file or socket is: "file", "TCP listener", ...
        file_kind: Option<String>,
        /// Its path, or its address and that of its peer, where they are known.
        file_name: Option<String>,
    },
    /// `leaked-thread`
    LeakedThread {
        /// "thread", or "runtime" where it is the workers of one that was never
        /// dropped.
        what: String,
        /// `thread::Builder::name`, where it was given.
        thread_name: Option<String>,
        /// The call that it was blocked in: `Condvar::wait`, ...
        blocked_in: Option<String>,
        /// Threads in all: with those below it, or the runtime's workers.
        threads: u64,
    },
    /// `lock-across-await`
    LockAcrossAwait {
        /// "std Mutex", "std RwLock (read)", ...
        lock: String,
    },
    /// `recursive-lock`
    RecursiveLock {
        /// How it was held: "std Mutex", "std RwLock (read)", ...
        held: String,
        /// How it was taken again.
        wanted: String,
        /// The second acquisition waits, for itself.
        waits: bool,
        /// A writer of the lock was seen.
        has_writer: bool,
    },
    /// `long-held-lock`
    LongHeldLock {
        /// "tokio Mutex", "std RwLock (read)", ...
        lock: String,
        /// The longest hold, in milliseconds.
        held_ms: u64,
        /// The longest wait for it meanwhile, in milliseconds.
        waited_ms: u64,
        /// The longest single await of the holder meanwhile, in milliseconds.
        awaited_ms: u64,
    },
    /// `lost-waker`
    LostWaker {
        /// "task", "local" or "block-on".
        task_kind: String,
        /// `task::Builder::name`, where it was given.
        task_name: Option<String>,
        /// A waker was there and was dropped; else its last poll kept none.
        registered: bool,
        /// For how long it could not be woken when it was last seen, in milliseconds.
        stuck_ms: u64,
        /// What it waited for, one element per branch.
        waits_for: Vec<String>,
    },
    /// `orphaned-task`
    OrphanedTask {
        /// `task::Builder::name` of the task, where it was given.
        task_name: Option<String>,
        /// For how long it has outlived its parent, in milliseconds.
        outlived_ms: u64,
        /// "completed", "panicked", "cancelled", or "never".
        ended: String,
        /// What it waits for where it has not ended, one element per branch.
        waits_for: Vec<String>,
    },
    /// `task-growth`
    TaskGrowth {
        /// So many were alive when the growth began.
        from_tasks: u64,
        /// So many at its end.
        to_tasks: u64,
        /// Between the two.
        over_ms: u64,
        /// Tasks per minute, on average.
        per_minute: u64,
        /// Spawned at that place meanwhile.
        spawned: u64,
        /// Ended meanwhile.
        ended: u64,
        /// The threshold.
        limit: u64,
    },
    /// `self-waking-task`
    SelfWakingTask {
        /// All wakes of the task that did it most.
        wakes: u64,
        /// Of these, those in its own polls.
        self_wakes: u64,
        /// Tasks that did it.
        tasks: u64,
        /// The threshold.
        limit: u64,
    },
    /// `never-yielded`
    NeverYielded {
        /// How long the first poll took, or had taken by the end.
        poll_ms: u64,
        /// How much of it its thread had a CPU, in percent.
        cpu_percent: u64,
        /// It was seen to end.
        over: bool,
        /// The most other tasks of its thread that it kept waiting at once.
        kept_waiting: u64,
        /// The threshold, in milliseconds.
        limit_ms: u64,
    },
    /// `spawn-storm`
    SpawnStorm {
        /// Most tasks of the site alive at once.
        peak: u64,
        /// All that were spawned there.
        spawned: u64,
        /// The threshold.
        limit: u64,
    },
    /// `silent-panic`
    SilentPanic {
        /// "task", "local", "blocking" or "thread".
        task_kind: String,
        /// `task::Builder::name` or the thread's name, where it was given.
        task_name: Option<String>,
        /// What the panic said, where that is known.
        panic_message: Option<String>,
        /// Where, "src/lib.rs:7:9", as far as known.
        panicked_at: Option<String>,
        /// The `JoinHandle` was gone before the panic.
        detached: bool,
    },
    /// `lock-order-cycle`
    LockOrderCycle {
        /// The test in which it deadlocked as the run paused each party with its first lock, with
        /// `--confirm`.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        confirmed_in: Option<String>,
        /// The locks in order; the last is taken before the first again.
        locks: Vec<String>,
        /// Whether the cycle closes on instances of one process (true) or only
        /// on lock classes across processes.
        on_instances: bool,
    },
}
