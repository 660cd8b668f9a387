//! What a process told once it had happened: calls that block, panics, what was left open.

use std::sync::Arc;

use super::{Actor, Site, Stack, Task, TaskKind};

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
    /// The task was polled but once: it ended in this poll, or was in it still.
    pub is_only: bool,
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
    /// known: one of [`Process::tasks`](super::Process::tasks), or one that has completed.
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

/// How many tasks of a spawn site were alive, over time.
#[derive(Debug, Clone)]
pub struct SpawnSite {
    /// The caller of `spawn`.
    pub spawned_at: Option<Site>,
    /// Of one of its spawns.
    pub spawn_stack: Arc<Stack>,
    /// Oldest first.
    pub counts: Vec<Count>,
}

/// The tasks of a spawn site at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Since the process started.
    pub at_ns: u64,
    /// Alive then.
    pub alive: u64,
    /// Spawned by then.
    pub spawned: u64,
}

/// A task that wakes itself over and over, and is woken by nobody else as often.
#[derive(Debug, Clone)]
pub struct SelfWaking {
    /// The task that did it most.
    pub actor: Actor,
    /// Of one of these wakes.
    pub stack: Arc<Stack>,
    /// Of the task.
    pub spawn_stack: Arc<Stack>,
    /// All wakes of that task.
    pub wakes: u64,
    /// Of these, those in its own polls.
    pub self_wakes: u64,
    /// Tasks that did it.
    pub count: u64,
}
