//! What a task is, how it ended, and what it is about at some moment.

use std::sync::Arc;

use crate::{
    platform::stack::StackId,
    record::{lock::Hold, resource::Resource},
};

/// What kind of task it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// `tokio::spawn` and the like.
    Task,
    /// The argument of `block_on`.
    BlockOn,
    /// `spawn_blocking`.
    Blocking,
    /// `spawn_local`.
    Local,
    /// A worker thread of a multi-thread runtime: what it polls is not a part of it.
    Worker,
    /// No task but a thread: one that was spawned through `std::thread`, or one
    /// that does something while it polls no task.
    Thread,
}

impl TaskKind {
    /// No task at all.
    #[must_use]
    pub fn is_thread(self) -> bool {
        matches!(self, Self::Thread | Self::Worker)
    }

    /// From tokio's word for it.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "block_on" => Self::BlockOn,
            "blocking" => Self::Blocking,
            "local" => Self::Local,
            _ => Self::Task,
        }
    }

    pub(crate) fn counts(self) -> bool {
        matches!(self, Self::Task | Self::Local)
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TaskEnd {
    /// It has not.
    Alive,
    /// Ready.
    Completed,
    /// Its poll panicked.
    Panicked,
    /// Its future was dropped unfinished.
    Dropped,
}

/// One clone of a task's waker, as far as counts can tell still out.
#[derive(Debug, Clone)]
pub struct Wait {
    /// The await stack.
    pub stack: StackId,
    /// What tokio said it was busy with.
    pub resource: Option<Arc<Resource>>,
    /// And how.
    pub operation: &'static str,
    /// When the waker was cloned.
    pub since_ns: u64,
    /// The last poll of its task in which it was polled; 0: it does not depend on
    /// polls, as a call that blocks, or what has a waker that is not ours.
    pub poll: u64,
}

/// What a task is about at some moment.
#[derive(Debug, Clone)]
pub struct State {
    /// See [`Task::waits`](super::Task::waits).
    pub waits: Vec<Wait>,
    /// What it held.
    pub holds: Vec<Hold>,
    /// Woken and not polled since.
    pub is_scheduled: bool,
    /// Waker clones, and those of them that were gone.
    pub wakers: (u64, u64),
    /// Where it is scheduled: the unfinished task whose drop woke it, or 0.
    pub woken_by_drop_of: u64,
    /// A drain has begun since it was spawned.
    pub had_grace: bool,
    /// Where and when its last waker was dropped between two polls, without a wake;
    /// zeros: it was not.
    pub lost_waker: (StackId, u64),
    /// It has been polled since the last drain began.
    pub is_drained: bool,
    /// Where its future was dropped, if this is that moment.
    pub drop_stack: StackId,
}
