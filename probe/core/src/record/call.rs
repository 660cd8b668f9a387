//! Calls that block a thread until another one does something.

use std::sync::{Arc, OnceLock};

use crate::{
    platform::{
        hash::FastMap,
        stack::StackId,
        sync::{Sharded, lock as guard},
    },
    record::{
        lock::{AcquireKind, Acquisition, Mode},
        resource::Resource,
        run_queue::Parties,
        task::{Task, TaskKind, live},
    },
};

/// A call that blocks its thread.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) operation: &'static str,
    pub(crate) stack: StackId,
    pub(crate) awaited: Awaited,
    /// The thread, whatever task it polls.
    pub(crate) thread: Arc<Task>,
    /// The task that it polls.
    pub(crate) task: Option<Arc<Task>>,
    pub(crate) since_ns: u64,
    pub(crate) starved_at: u64,
    pub(crate) parties: Parties,
}

impl Call {
    /// The thread, and the blocking task that has it to itself.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Task>> {
        let task = self.task.as_ref().filter(|task| task.kind == TaskKind::Blocking);
        std::iter::once(&self.thread).chain(task)
    }
}

/// What a call that blocks waits for.
#[derive(Debug, Clone)]
pub(crate) enum Awaited {
    /// Anything: a message, a moment.
    Event,
    /// A lock.
    Lock { resource: Arc<Resource>, mode: Mode, how: AcquireKind },
    /// The end of a thread.
    Thread(Arc<Task>),
    /// The end of all threads of the `thread::scope` at this address.
    Scope(usize),
    /// To be notified, and then a lock.
    Condvar {
        /// As it will be taken.
        wanted: Acquisition,
        /// Where the lock is in memory: whoever waits there has been notified.
        place: std::ops::Range<usize>,
    },
}

impl Awaited {
    pub(crate) fn resource(&self) -> Option<&Arc<Resource>> {
        match self {
            Self::Lock { resource, .. } => Some(resource),
            Self::Event | Self::Thread(_) | Self::Scope(_) | Self::Condvar { .. } => None,
        }
    }

    /// Whether this wait may be the last step into a knot.
    pub(crate) fn may_tie(&self) -> bool {
        matches!(self, Self::Lock { .. } | Self::Thread(_) | Self::Scope(_))
    }
}

pub(crate) static BLOCKED: OnceLock<Sharded<FastMap<u64, Arc<Call>>>> = OnceLock::new();

/// Every call that blocks a thread until another one does something.
pub(crate) fn blocked() -> Vec<Arc<Call>> {
    BLOCKED.get().map_or_else(Vec::new, |blocked| {
        blocked
            .iter()
            .flat_map(|shard| guard(shard).values().cloned().collect::<Vec<_>>())
            .collect()
    })
}

/// Those that live.
pub(crate) fn threads_of_scope(scope: usize) -> Vec<Arc<Task>> {
    let mut threads = live::live_threads();
    threads.retain(|thread| thread.scope() == scope);
    threads
}
