//! What tokio's record of a task tells of its `JoinHandle`.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use crate::task::Task;

/// Of tokio's word of a task's state, from 1.20 to 1.54.
const COMPLETE: usize = 0b10;
const JOIN_INTEREST: usize = 0b1000;
const JOIN_WAKER: usize = 0b1_0000;
const CANCELLED: usize = 0b10_0000;
const REFERENCES: u32 = 6;
/// No task of tokio's is referred to so often.
const MANY: usize = 1 << 24;

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
    /// not believed.
    pub(crate) fn handle(&self) -> Option<Handle> {
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

    /// As [`Self::has_join_waker`], by tokio's waker of it, which is at hand.
    pub(crate) fn has_join_waker_by(&self, inner: &Waker) -> bool {
        let header = inner.data().cast::<AtomicUsize>();
        if header.is_null() || !header.is_aligned() {
            return false;
        }
        // SAFETY: as for [`Self::tokio_state`]; the waker is borrowed meanwhile.
        let state = unsafe { (*header).load(Ordering::Acquire) };
        state & (COMPLETE | JOIN_WAKER) == JOIN_WAKER
    }

    /// Whether it is unfinished, and somebody waits for its end.
    pub(crate) fn has_join_waker(&self) -> bool {
        self.tokio_state().is_some_and(|state| state & (COMPLETE | JOIN_WAKER) == JOIN_WAKER)
    }
}
