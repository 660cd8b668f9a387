//! Tasks that outlive a cancelled parent whose future owned their `JoinHandle`.
//!
//! Most children that outlive their parent are meant to: what drives a connection,
//! what is fired and forgotten. Their handle was given away or dropped long before.
//! One whose handle goes with the future of its parent was being waited for, or was to
//! be aborted, and now nobody can do either. So it is with one whose handle was awaited
//! and is dropped before the task has ended: by a `select!` that another branch has won,
//! by a `timeout` around the handle.

use std::sync::{Arc, Mutex, atomic::Ordering};

use crate::{
    platform::{clock, counters, options, sync::lock as guard},
    record::task::{Task, TaskEnd, drained, join_handle::Handle},
};

/// Tasks that are kept.
const MAX_ORPHANS: usize = 1024;

/// A task whose handle went with its cancelled parent.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// It.
    pub child: Arc<Task>,
    /// Whose future owned its handle, or which had awaited it.
    pub parent: Arc<Task>,
    /// When its handle, which was awaited, was dropped; 0: it went with its parent.
    pub dropped_ns: u64,
    starved_at: u64,
}

static ORPHANS: Mutex<Vec<Orphan>> = Mutex::new(Vec::new());

impl Task {
    /// A poll of it is over: which handles of its children has it dropped?
    #[inline]
    pub(crate) fn look_at_handles(self: &Arc<Self>) {
        if self.handles.to_look_at.load(Ordering::Relaxed) > 0 {
            self.look_at_each_handle();
        }
    }

    #[cold]
    fn look_at_each_handle(self: &Arc<Self>) {
        let mut children = guard(&self.children);
        let mut lost = Vec::new();
        let mut done = Vec::new();
        children.with_handle.retain(|child| {
            let Some(child) = child.upgrade() else { return false };
            let is_kept = match child.handle() {
                _ if child.end() != TaskEnd::Alive => false,
                // It has not been polled yet.
                None => true,
                Some(Handle::Aborted) => false,
                Some(Handle::Kept) => {
                    if child.has_join_waker() {
                        child.handles.is_awaited.store(true, Ordering::Relaxed);
                    }
                    true
                }
                Some(Handle::Dropped) => {
                    if child.handles.is_awaited.load(Ordering::Relaxed) {
                        lost.push(Arc::clone(&child));
                    }
                    false
                }
            };
            done.push(child);
            is_kept
        });
        self.handles.to_look_at.store(children.with_handle.len() as u32, Ordering::Relaxed);
        drop(children);
        // Outside of our lock: they may be the last of their tasks.
        drop(done);
        for child in lost {
            keep(child, self, clock::now_ns());
        }
    }
}

/// The future of `parent` was dropped unfinished; before, these children had a handle.
pub(crate) fn look(parent: &Arc<Task>, children: Vec<Arc<Task>>) {
    // One that was aborted is about to end.
    let is_lost = |child: &Arc<Task>| {
        child.end() == TaskEnd::Alive && child.handle() == Some(Handle::Dropped)
    };
    for child in children.into_iter().filter(is_lost) {
        keep(child, parent, 0);
    }
}

fn keep(child: Arc<Task>, parent: &Arc<Task>, dropped_ns: u64) {
    let mut orphans = guard(&ORPHANS);
    if orphans.len() >= MAX_ORPHANS {
        let all = std::mem::take(&mut *orphans);
        let (kept, ended): (Vec<_>, Vec<_>) = all.into_iter().partition(Orphan::may_count);
        *orphans = kept;
        if ended.is_empty() {
            counters::DROPPED_EVENTS.add(1);
            return;
        }
        drop(orphans);
        // Outside of our lock: they may be the last of their tasks.
        drop(ended);
        orphans = guard(&ORPHANS);
    }
    let starved_at = clock::starved_ns();
    orphans.push(Orphan { child, parent: Arc::clone(parent), dropped_ns, starved_at });
}

impl Orphan {
    /// It was there when the body of the test, or of the program, was over.
    #[must_use]
    pub fn is_there_at_the_end(&self) -> bool {
        let drain = drained::last_started_ns();
        let ended = self.child.ended_ns();
        ended == 0 || (drain != 0 && ended >= drain)
    }

    /// For how long it has outlived its parent, or its handle, and what the machine may
    /// have withheld of that.
    #[must_use]
    pub fn outlived_ns(&self) -> (u64, u64) {
        let end = match self.child.ended_ns() {
            0 => clock::now_ns(),
            ended => ended,
        };
        let since = if self.dropped_ns == 0 { self.parent.ended_ns() } else { self.dropped_ns };
        let outlived = end.saturating_sub(since);
        (outlived, clock::starved_ns().saturating_sub(self.starved_at).min(outlived))
    }

    fn counts(&self) -> bool {
        let (outlived, starved) = self.outlived_ns();
        outlived.saturating_sub(starved) >= options::get().orphaned
    }

    fn may_count(&self) -> bool {
        self.child.end() == TaskEnd::Alive || self.counts()
    }
}

/// Those that have outlived their parents, or their handles, for longer than the threshold.
#[must_use]
pub fn seen() -> Vec<Orphan> {
    let orphans = guard(&ORPHANS).clone();
    orphans.into_iter().filter(Orphan::counts).collect()
}
