//! A task is spawned; a task or thread begins and ends.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    context,
    detect::late_ends,
    outbox,
    platform::{
        clock, counters,
        process::os_thread,
        sample,
        stack::{self, Extent},
        thread_number,
    },
    record::{
        resource::Site,
        task::{Task, TaskEnd, TaskKind, spawn_site::SpawnSite},
    },
};

impl Task {
    /// A task that is being spawned here and now.
    #[must_use]
    #[inline(never)]
    pub fn spawn(kind: TaskKind, name: &str, tokio_id: u64, site: Option<Site>) -> Arc<Self> {
        let parent = context::current_task();
        let mut task = Self::child(parent.as_ref(), kind, name, tokio_id, site);
        if kind.counts() {
            counters::task_born();
            task.spawn_site = site.and_then(|site| SpawnSite::of(site, kind));
        }
        let task = Arc::new(task);
        if let Some(spawn_site) = task.spawn_site {
            spawn_site.spawned(&task, parent.as_ref());
        }
        let awaits = |parent: &Arc<Self>| parent.kind.counts() || parent.kind == TaskKind::BlockOn;
        if let Some(parent) = parent.filter(|parent| awaits(parent) && kind.counts()) {
            parent.has_child(&task);
        }
        late_ends::note_birth(kind);
        task.register();
        task
    }

    /// A thread that is being spawned here and now, and has yet to begin.
    pub(crate) fn spawning_thread(name: &str) -> Arc<Self> {
        let parent = context::current_actor();
        let thread = Self::child(parent.as_ref(), TaskKind::Thread, name, 0, None);
        // The calling thread it is not: who waits for its end would wait for itself.
        thread.thread.store(0, Ordering::Relaxed);
        Arc::new(thread)
    }

    pub(crate) fn child(
        parent: Option<&Arc<Self>>,
        kind: TaskKind,
        name: &str,
        tokio_id: u64,
        site: Option<Site>,
    ) -> Self {
        let mut task = Self::new(kind, name, tokio_id, site, context::inherited());
        task.parent_kind = parent.map(|parent| parent.kind);
        task.spawned_on =
            context::with_own_record(|thread| if thread.is_foreign { 0 } else { thread.id });
        task.ancestors = parent.map_or_else(Box::default, |parent| {
            let ancestors = std::iter::once(parent.id).chain(parent.ancestors.iter().copied());
            ancestors.take(MAX_ANCESTORS).collect()
        });
        task.spawn_stack = stack::capture(Extent::Task);
        task
    }

    /// This is the thread, at its first moment.
    pub(crate) fn thread_begins(self: &Arc<Self>) {
        self.note_thread();
        self.register();
    }

    pub(crate) fn note_thread(&self) {
        self.thread.store(thread_number::current(), Ordering::Relaxed);
        self.stack_high.store(stack::high(), Ordering::Relaxed);
        self.os_thread.store(os_thread(), Ordering::Relaxed);
    }

    /// Of a thread or a blocking task: how often it has been given the CPU and has left it; `None`: it
    /// has it, waits for it, or waits for nobody but the system.
    pub(crate) fn switches(&self) -> Option<u64> {
        let path = format!("/proc/self/task/{}/status", self.os_thread.load(Ordering::Relaxed));
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let is_running = status.lines().any(|line| line.starts_with("State:\tR"));
        let count = |line: &str| line.rsplit_once('\t').and_then(|(_, n)| n.parse::<u64>().ok());
        let switches =
            status.lines().filter(|line| line.contains("ctxt_switches")).filter_map(count).sum();
        let rests = !is_running && !sample::is_at_work(self.os_thread.load(Ordering::Relaxed));
        rests.then_some(switches)
    }

    #[inline(never)]
    pub(crate) fn finish(self: &Arc<Self>, end: TaskEnd) {
        let alive = TaskEnd::Alive as u8;
        if self.end.compare_exchange(alive, end as u8, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.ended_ns.store(clock::now_ns(), Ordering::Relaxed);
        late_ends::note_end(self);
        if self.kind.counts() {
            counters::task_died();
        }
        if let Some(spawn_site) = self.spawn_site {
            spawn_site.ended();
        }
        self.strike_out();
        outbox::task_ended(self, end);
    }
}

const MAX_ANCESTORS: usize = 16;
