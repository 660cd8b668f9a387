//! What was run, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    BlockingCall, BlockingPoll, ChildProcess, Hold, Knot, LockAcrossAwait, OpenFile, OrderEdge,
    OrphanedTask, RecursiveLock, Resource, SelfWaking, SpawnSite, SpawnStorm, Stack, Task, Thread,
    UnreadPanic,
};
use crate::{config::Thresholds, project::Project};

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
    /// It is no test but a program: what lives in it until its end is not left behind.
    pub is_program: bool,
    /// Its binary's own crate was compiled with optimisation.
    pub is_optimised: bool,
    /// The package that it is of.
    pub package: String,
    /// What is less is no finding.
    pub thresholds: Thresholds,
    /// After which it was ended; `None`: never.
    pub time_limit: Option<Duration>,
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
    /// How many tasks of each spawn site were alive, over time.
    pub spawn_sites: Vec<SpawnSite>,
    /// Tasks that wake themselves over and over.
    pub self_waking: Vec<SelfWaking>,
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

impl Process {
    /// Every hold that is known of, once: those that were long, and what is held still.
    pub fn all_holds(&self) -> impl Iterator<Item = &Hold> {
        let mut seen = BTreeSet::new();
        let still = self.tasks.values().flat_map(|task| &task.holds);
        self.holds.iter().chain(still).filter(move |hold| {
            let holder = (hold.holder.task, hold.holder.thread);
            seen.insert((hold.acquisition.resource, hold.acquired_ns, holder))
        })
    }
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
    /// Polls of tasks, and of the futures of `block_on`.
    pub polls: Distribution,
    /// Waits for locks.
    pub lock_waits: Distribution,
    /// Holds of locks.
    pub lock_holds: Distribution,
}

/// How long something took, of what took at least a millisecond.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many took at most 5, 10, 50, 100, 500, 1,000 and 5,000 ms, and more.
    pub counts: [u64; Self::CLASSES],
    /// Of all of these; 0 where there is none.
    pub longest_ns: u64,
}

impl Distribution {
    /// How many classes there are.
    pub const CLASSES: usize = 8;

    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self
    }
}
