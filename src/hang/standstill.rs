//! What a task or thread of a process that hangs waits for.

use std::sync::Arc;

use crate::model::{Awaited, CallKind, Hold, Resource, Stack, Wait};

/// A task or thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// By its id.
    Task(u64),
    /// By the system's number.
    Thread(u32),
}

/// Why a task or thread does not come to its end.
#[derive(Debug)]
pub enum Standstill<'a> {
    /// It is pending; one element per branch of a `select!`, none where no waker
    /// is left.
    Awaits(Vec<Branch<'a>>),
    /// It is in a call that blocks its thread.
    Blocks(Call<'a>),
    /// It computes.
    Computes {
        /// Where.
        stack: &'a Stack,
        /// For how long it has been in this poll; `None`: it is no task.
        for_ns: Option<u64>,
        /// Time on a CPU of its thread.
        cpu_ns: u64,
    },
    /// It is ready to run and is not polled.
    Starves {
        /// Why, as far as known.
        why: Starvation,
        /// Who has to end or to go on first.
        by: Vec<Node>,
    },
    /// It is a thread that runs this task.
    Runs(Node),
}

/// Why a task is not polled though it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starvation {
    /// The thread that would poll it is kept busy.
    Thread,
    /// Every thread of the pool for blocking tasks has one.
    Pool,
    /// It belongs to a runtime of one thread, on which there is nobody but
    /// `Handle::block_on`: that drives its own future alone.
    NotDriven,
    /// Nothing is known.
    Unknown,
}

/// What a pending task waits for, in one of its branches.
#[derive(Debug)]
pub struct Branch<'a> {
    /// By the leaf of its stack.
    pub awaited: Awaited,
    /// Where.
    pub wait: &'a Wait,
    /// Who has to do something, where that is known: the task that it joins (or
    /// several, of which it is one or all), the holder of the lock.
    pub on: Vec<Node>,
    /// The other branches are waited for, too: a `join!`, and no `select!`.
    pub is_joined: bool,
}

/// A call that blocks a thread.
#[derive(Debug)]
pub struct Call<'a> {
    /// "`Condvar::wait`", "the system call `read`", "the kernel".
    pub name: String,
    /// The name alone: `Condvar::wait`; empty of a system call.
    pub operation: &'a str,
    /// Where.
    pub stack: &'a Stack,
    /// Another crate's call that it is within: what for, and where that was called.
    pub within: Option<(CallKind, Arc<Stack>)>,
    /// The lock that it waits for.
    pub lock: Option<&'a Resource>,
    /// Who has to do something, where that is known.
    pub on: Option<Node>,
    /// Since when, where that is known.
    pub since_ns: Option<u64>,
}

/// A lock whose holder waits while others wait for it.
#[derive(Debug)]
pub struct HeldUp<'a> {
    /// Which.
    pub lock: &'a Resource,
    /// How, and where it was taken.
    pub hold: &'a Hold,
    /// By whom.
    pub holder: Node,
    /// One who waits for it.
    pub waiter: Node,
    /// Where.
    pub waits: &'a Stack,
    /// How many further ones there are.
    pub others: usize,
}

impl Call<'_> {
    /// The stack of who is to blame for the call.
    pub fn blamed(&self) -> &Stack {
        self.within.as_ref().map_or(self.stack, |(_, outer)| outer)
    }

    /// What it is for, where that is another crate's call.
    pub fn kind(&self) -> Option<CallKind> {
        self.within.as_ref().map(|(kind, _)| *kind)
    }
}
