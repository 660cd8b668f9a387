//! What tokio's record of a task tells of its `JoinHandle`.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use crate::{platform::sample, record::task::Task};

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

/// Where a task's future is, and how large what takes its place in the end.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// Address of the future itself.
    pub future: usize,
    /// Address of what tokio was given to poll.
    pub address: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Size in bytes of what it returns.
    pub output: usize,
}

/// What a [`Body`]'s place may take beyond its own size and that of the output, in
/// bytes: the error that may be there instead, and what tells them apart.
const RESULT: usize = 32;

/// What is behind that place, in words. In tokio 1.54: the links of the list of tasks,
/// the waker and a hook; in 1.20: the scheduler, the task's id and the waker.
const TRAILER: usize = 6;

/// Of larger outputs, no more is looked at, in words.
const MAX_WINDOW: usize = 32;

/// Where in a task's record the waker may be; not known before the first poll.
#[derive(Debug, Default)]
pub(crate) struct Window {
    start: AtomicUsize,
    end: AtomicUsize,
}

impl Window {
    pub(crate) fn note(&self, body: &Body) {
        let align = body.align.max(size_of::<usize>());
        let behind = |size: usize| body.address + size.next_multiple_of(align);
        let start =
            (body.address + body.size.max(body.output)).next_multiple_of(size_of::<usize>());
        let end = behind(body.size.max(body.output + RESULT)) + TRAILER * size_of::<usize>();
        self.end.store(end, Ordering::Relaxed);
        self.start.store(start, Ordering::Relaxed);
    }

    /// What is there.
    pub(crate) fn read(&self) -> Option<Words> {
        let start = self.start.load(Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        if start == 0 || end <= start {
            return None;
        }
        let mut words = Words { words: [0; MAX_WINDOW], length: 0 };
        let length = ((end - start) / size_of::<usize>()).min(MAX_WINDOW);
        words.length = sample::read_words(start, &mut words.words[..length]);
        Some(words)
    }
}

/// A part of a task's record.
#[derive(Debug)]
pub(crate) struct Words {
    words: [usize; MAX_WINDOW],
    length: usize,
}

impl Words {
    pub(crate) fn get(&self) -> &[usize] {
        &self.words[..self.length]
    }
}
