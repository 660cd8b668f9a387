//! Tasks that outlive a cancelled parent whose future owned their `JoinHandle`.
//!
//! Most children that outlive their parent are meant to: what drives a connection,
//! what is fired and forgotten. Their handle was given away or dropped long before.
//! One whose handle goes with the future of its parent was being waited for, or was to
//! be aborted, and now nobody can do either.

use std::sync::{Arc, Mutex, Weak};

use crate::{
    clock, counters,
    handle::Handle,
    options,
    sync::lock as guard,
    task::{Task, TaskEnd, TaskKind},
};

/// Tasks that are kept.
const MAX_ORPHANS: usize = 1024;

/// A task whose handle went with its cancelled parent.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// It.
    pub child: Arc<Task>,
    /// Whose future owned its handle.
    pub parent: Arc<Task>,
    starved_at: u64,
}

static ORPHANS: Mutex<Vec<Orphan>> = Mutex::new(Vec::new());

/// The tasks that a task has spawned, as far as they live.
#[derive(Debug, Default)]
pub(crate) struct Children {
    known: Vec<Weak<Task>>,
    /// How many they may be before the dead ones are looked for.
    limit: usize,
}

impl Children {
    pub(crate) fn add(&mut self, child: &Arc<Task>) {
        const FEW: usize = 16;
        if self.known.len() >= self.limit.max(FEW) {
            let is_alive = |child: &Weak<Task>| {
                child.upgrade().is_some_and(|child| child.end() == TaskEnd::Alive)
            };
            self.known.retain(is_alive);
            self.limit = self.known.len() * 2;
        }
        self.known.push(Arc::downgrade(child));
    }

    /// Those of which somebody has the handle.
    pub(crate) fn with_handle(&self) -> Vec<Arc<Task>> {
        let is_owned = |child: &Arc<Task>| {
            matches!(child.kind, TaskKind::Task | TaskKind::Local)
                && child.handle() == Some(Handle::Kept)
        };
        self.known.iter().filter_map(Weak::upgrade).filter(is_owned).collect()
    }
}

/// The future of `parent` was dropped unfinished; before, these children had a handle.
pub(crate) fn look(parent: &Arc<Task>, children: Vec<Arc<Task>>) {
    // One that was aborted is about to end.
    let is_lost = |child: &Arc<Task>| {
        child.end() == TaskEnd::Alive && child.handle() == Some(Handle::Dropped)
    };
    for child in children.into_iter().filter(is_lost) {
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
        orphans.push(Orphan { child, parent: Arc::clone(parent), starved_at });
    }
}

impl Orphan {
    /// For how long it has outlived its parent, and what the machine may have withheld
    /// of that.
    #[must_use]
    pub fn outlived_ns(&self) -> (u64, u64) {
        let end = match self.child.ended_ns() {
            0 => clock::now_ns(),
            ended => ended,
        };
        let outlived = end.saturating_sub(self.parent.ended_ns());
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

/// Those that have outlived their parents for longer than the threshold.
#[must_use]
pub fn seen() -> Vec<Orphan> {
    let orphans = guard(&ORPHANS).clone();
    orphans.into_iter().filter(Orphan::counts).collect()
}
