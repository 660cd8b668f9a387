//! Who held which lock, took it after which, and waited for it.

use std::sync::Arc;

use super::{Actor, Stack};

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
    /// It is one only where the test stands still.
    pub is_at_rest: bool,
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
