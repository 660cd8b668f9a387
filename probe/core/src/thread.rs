//! Threads that were spawned through `std::thread`, and what blocks a thread.

use std::sync::Arc;

use crate::task::Task;

/// A thread that is about to be spawned by the calling one, `name`d or not. `None` where
/// nothing is audited.
#[must_use]
pub fn spawning(name: Option<&str>) -> Option<Arc<Task>> {
    None
}

/// A thread at work: to be kept by it from its first moment to its last.
#[derive(Debug)]
pub struct Running;

/// The calling thread is the one that was spawned.
#[must_use]
pub fn begin(record: Option<Arc<Task>>) -> Running {
    Running
}

/// A call that blocks this thread, while this lives.
#[derive(Debug)]
#[must_use]
pub struct Blocking;

/// Begins a call that blocks: "thread::sleep", "Condvar::wait", ...
#[inline(never)]
pub fn blocking(operation: &'static str) -> Blocking {
    Blocking
}

/// Begins to wait for the end of a thread.
#[inline(never)]
pub fn joining(record: Option<&Arc<Task>>) -> Blocking {
    Blocking
}

impl Drop for Blocking {
    fn drop(&mut self) {}
}
