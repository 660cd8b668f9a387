//! Who waits for the end of which task.
//!
//! A `JoinHandle` that is awaited leaves a clone of the waker in tokio's own record
//! of the task that it stands for, behind the place of the task's future. tokio tells
//! nobody, so the clone is looked for there: a pair of words that is the table and the
//! data of a waker of ours. The record is read through the kernel, so that one that is
//! gone meanwhile is an error, and only where the record's state says that there is a
//! waker in it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    sample,
    task::{self, Task, TaskKind},
};

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

    /// The data beside the first word that is `table`.
    pub(crate) fn find(&self, table: usize, is_data: impl Fn(usize) -> bool) -> Option<usize> {
        let start = self.start.load(Ordering::Relaxed);
        let end = self.end.load(Ordering::Relaxed);
        if start == 0 || end <= start {
            return None;
        }
        let mut words = [0; MAX_WINDOW];
        let length = ((end - start) / size_of::<usize>()).min(MAX_WINDOW);
        let read = sample::read_words(start, &mut words[..length]);
        // Which of the two comes first is not promised.
        let pairs = words[..read].windows(2);
        pairs
            .filter_map(|pair| match *pair {
                [first, second] if first == table => Some(second),
                [first, second] if second == table => Some(first),
                _ => None,
            })
            .find(|data| is_data(*data))
    }
}

/// What of a task's waits is for the end of others: by its address as its wakers have
/// it, the tasks whose end it waits for. Only for those that `is_asked`.
pub(crate) fn of(is_asked: impl Fn(usize) -> bool) -> BTreeMap<usize, Vec<Arc<Task>>> {
    let mut joins: BTreeMap<usize, Vec<Arc<Task>>> = BTreeMap::new();
    for awaited in task::live_tasks() {
        if let Some(waiter) = awaited.joined_by(&is_asked) {
            joins.entry(waiter).or_default().push(awaited);
        }
    }
    joins
}

/// By task that waits for the ends of others: those.
#[must_use]
pub fn all() -> BTreeMap<u64, Vec<u64>> {
    let waiting = |task: &Arc<Task>| {
        let (clones, drops) = task.wakers();
        !matches!(task.kind, TaskKind::Thread | TaskKind::Worker) && clones > drops
    };
    let tasks = task::live_tasks();
    let tasks = tasks.iter().filter(|task| waiting(task));
    let waiters: BTreeMap<usize, u64> =
        tasks.map(|task| (Arc::as_ptr(task).addr(), task.id)).collect();
    of(|address| waiters.contains_key(&address))
        .into_iter()
        .filter_map(|(address, awaited)| {
            let awaited = awaited.iter().map(|task| task.id).collect();
            Some((*waiters.get(&address)?, awaited))
        })
        .collect()
}
