//! What tokio's record of a task tells of its `JoinHandle`.

use crate::task::Task;

/// What has become of the `JoinHandle` of an unfinished task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handle {
    /// Somebody has it.
    Kept,
    /// It was dropped.
    Dropped,
    /// It was used to abort the task, which is about to end.
    Aborted,
}

impl Task {
    /// As far as tokio tells; a word that cannot be the state of an unfinished task is
    /// not believed. Holds for tokio 1.20 to 1.54.
    pub(crate) fn handle(&self) -> Option<Handle> {
        const COMPLETE: usize = 0b10;
        const JOIN_INTEREST: usize = 0b1000;
        const CANCELLED: usize = 0b10_0000;
        const REFERENCES: u32 = 6;
        /// No task of tokio's is referred to so often.
        const MANY: usize = 1 << 24;
        let state = self.tokio_state()?;
        if state & COMPLETE != 0 || !(1..MANY).contains(&(state >> REFERENCES)) {
            return None;
        }
        Some(if state & CANCELLED != 0 {
            Handle::Aborted
        } else if state & JOIN_INTEREST != 0 {
            Handle::Kept
        } else {
            Handle::Dropped
        })
    }
}
