//! The tasks that a task has spawned, and their handles.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::Waker,
};

use crate::{
    platform::sync::lock as guard,
    record::task::{Task, TaskEnd, TaskKind, join_handle::Handle},
};

/// The tasks that a task has spawned, as far as they live.
#[derive(Debug, Default)]
pub(crate) struct Children {
    known: Vec<Weak<Task>>,
    /// How many they may be before the dead ones are looked for.
    limit: usize,
    /// Those whose handle may be there.
    pub(crate) with_handle: Vec<Weak<Task>>,
}

/// Children of one task whose handles are looked at.
const MAX_WITH_HANDLE: usize = 64;

/// What is known of the handles that a task has, or that there are of it.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// How many of its children are to be looked at.
    pub(crate) to_look_at: AtomicU32,
    /// Somebody has awaited its end.
    pub(crate) is_awaited: AtomicBool,
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

    /// Whether there ever was one.
    pub(crate) fn were_there(&self) -> bool {
        self.limit > 0 || !self.known.is_empty()
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

impl Task {
    /// It has spawned `child`.
    pub(crate) fn has_child(&self, child: &Arc<Self>) {
        let mut children = guard(&self.children);
        if self.kind != TaskKind::BlockOn {
            children.add(child);
        }
        if children.with_handle.len() < MAX_WITH_HANDLE {
            children.with_handle.push(Arc::downgrade(child));
            self.handles.to_look_at.store(children.with_handle.len() as u32, Ordering::Relaxed);
        }
    }

    /// A poll of it begins; `inner` is tokio's waker of it.
    #[inline]
    pub(crate) fn note_whether_awaited(&self, inner: &Waker) {
        if matches!(self.kind, TaskKind::Task | TaskKind::Local)
            && !self.handles.is_awaited.load(Ordering::Relaxed)
            && self.has_join_waker_by(inner)
        {
            self.handles.is_awaited.store(true, Ordering::Relaxed);
        }
    }
}
