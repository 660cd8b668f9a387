//! The tasks and threads that are alive.

use std::sync::{Arc, OnceLock};

use crate::{
    platform::{
        hash::FastMap,
        sync::{Sharded, lock as guard},
    },
    record::task::{Task, TaskKind},
};

static LIVE: OnceLock<Sharded<FastMap<u64, Arc<Task>>>> = OnceLock::new();

impl Task {
    pub(crate) fn register(self: &Arc<Self>) {
        let live = LIVE.get_or_init(Sharded::default);
        guard(live.shard(self.id)).insert(self.id, Arc::clone(self));
    }

    pub(crate) fn strike_out(&self) {
        if let Some(live) = LIVE.get() {
            guard(live.shard(self.id)).remove(&self.id);
        }
    }
}

/// The task with this id, if it is alive.
pub(crate) fn find(id: u64) -> Option<Arc<Task>> {
    guard(LIVE.get()?.shard(id)).get(&id).cloned()
}

/// Every task that is alive, roots and blocking ones included.
#[must_use]
pub fn live_tasks() -> Vec<Arc<Task>> {
    LIVE.get().map_or_else(Vec::new, |live| {
        live.iter().flat_map(|shard| guard(shard).values().cloned().collect::<Vec<_>>()).collect()
    })
}

/// Every thread that was spawned through `std::thread`, or by a runtime, and runs;
/// and every blocking task that has a thread of a runtime's to itself, or is to get one.
pub(crate) fn live_threads() -> Vec<Arc<Task>> {
    let mut threads = live_tasks();
    threads.retain(|task| match task.kind {
        TaskKind::Thread | TaskKind::Worker => true,
        TaskKind::Blocking => task.is_running() || task.has_yet_to_begin(),
        TaskKind::Task | TaskKind::BlockOn | TaskKind::Local => false,
    });
    threads
}

/// Applies `f` to every task that is alive, until it says `false`.
pub(crate) fn all_live(mut f: impl FnMut(&Arc<Task>) -> bool) {
    let Some(live) = LIVE.get() else { return };
    for shard in live.iter() {
        for task in guard(shard).values() {
            if !f(task) {
                return;
            }
        }
    }
}
