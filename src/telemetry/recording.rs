//! Everything that one process has told, as it came.

use std::collections::BTreeMap;

use console_api::instrument;
use prost::Message as _;
use rustc_hash::FxHashSet;

use super::proto;

/// Everything that one audited process has told.
///
/// The messages are kept as they came; what was sent again replaces what was
/// sent before. Memory is bounded by what the process keeps of itself: distinct
/// ids, not updates.
#[derive(Debug, Default)]
pub struct Recording {
    /// Of the operating system.
    pub pid: u32,
    /// Its parent, when it announced itself.
    pub ppid: u32,
    /// The last update never came.
    pub truncated: bool,
    /// When the last snapshot was taken, on the process's clock. Then the
    /// tasks that were alive are known although the recording is truncated.
    pub snapshot_ns: Option<u64>,
    /// When the newest update was assembled, on the process's clock.
    pub now_ns: u64,
    /// Every mapped object that was ever told of, oldest first.
    pub modules: Vec<proto::Module>,
    /// Runtime addresses, innermost first, by stack id.
    pub stacks: BTreeMap<u64, Vec<u64>>,
    /// By id.
    pub resources: BTreeMap<u64, proto::Resource>,
    /// By id.
    pub clocks: BTreeMap<u64, proto::Clock>,
    /// By id.
    pub tasks: BTreeMap<u64, proto::Task>,
    /// By id.
    pub order_edges: BTreeMap<u64, proto::OrderEdge>,
    /// One element per hold: see [`HoldKey`].
    pub long_holds: BTreeMap<HoldKey, proto::Hold>,
    /// By id.
    pub blocking_calls: BTreeMap<u64, proto::BlockingCall>,
    /// By id.
    pub blocking_polls: BTreeMap<u64, proto::BlockingPoll>,
    /// By id.
    pub locks_across_awaits: BTreeMap<u64, proto::LockAcrossAwait>,
    /// By id.
    pub recursive_locks: BTreeMap<u64, proto::RecursiveLock>,
    /// By id.
    pub knots: BTreeMap<u64, proto::Knot>,
    /// As the last update has them.
    pub panics: Vec<proto::Panic>,
    /// As the last update has them.
    pub spawn_storms: Vec<proto::SpawnStorm>,
    /// How many tasks of each spawn site were alive, over time; no more than
    /// [`MAX_SAMPLES`] of each.
    pub spawn_sites: BTreeMap<SiteKey, proto::SpawnSite>,
    /// By id.
    pub self_waking: BTreeMap<u64, proto::SelfWaking>,
    /// As the last update has them.
    pub orphaned_tasks: Vec<proto::OrphanedTask>,
    /// By process id.
    pub children: BTreeMap<u32, proto::ChildProcess>,
    /// What was open at the exit.
    pub open_files: proto::OpenFiles,
    /// Of a snapshot alone: every thread.
    pub threads: Vec<proto::Thread>,
    /// The last snapshot by itself, whatever was told before and after.
    pub snapshot: Option<Box<Recording>>,
    /// The newest.
    pub counters: proto::Counters,
    /// What the tokio-console protocol told.
    pub console: ConsoleTotals,
}

/// Of a spawn site: how often its tasks are counted. Whenever there are more, every other
/// count is forgotten.
pub const MAX_SAMPLES: usize = 256;

/// Tells spawn sites apart: file, line, column and kind of task.
pub type SiteKey = (String, u32, u32, i32);

fn site_key(site: &proto::SpawnSite) -> SiteKey {
    let at = site.spawned_at.clone().unwrap_or_default();
    (at.file, at.line, at.column, site.kind)
}

/// Adds counts to those of the same site.
fn add_counts(known: &mut proto::SpawnSite, new: proto::SpawnSite) {
    known.spawn_stack = new.spawn_stack;
    known.at_ns.extend(new.at_ns);
    known.alive.extend(new.alive);
    known.spawned.extend(new.spawned);
    let length = known.at_ns.len().min(known.alive.len()).min(known.spawned.len());
    for counts in [&mut known.at_ns, &mut known.alive, &mut known.spawned] {
        counts.truncate(length);
        if length > MAX_SAMPLES {
            let mut index = 0;
            counts.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }
}

/// Tells one hold from another: a hold is sent when it has become long, and
/// again when it is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldKey {
    /// The lock's id.
    pub resource: u64,
    /// Since the process started.
    pub acquired_ns: u64,
    /// The holding task or thread's record, 0 for a thread without one: readers
    /// share a lock, perhaps within one tick of the clock.
    pub task: u64,
    /// The holding thread where it has no record, else 0: tasks move between them.
    pub thread: u64,
}

impl HoldKey {
    fn of(hold: &proto::Hold) -> Self {
        let (task, thread) = hold.holder.as_ref().map_or((0, 0), |holder| {
            if holder.task == 0 { (0, holder.thread) } else { (holder.task, 0) }
        });
        Self {
            resource: hold.acquisition.as_ref().map_or(0, |acquisition| acquisition.resource),
            acquired_ns: hold.acquired_ns,
            task,
            thread,
        }
    }
}

/// What the tokio-console protocol told, in numbers.
#[derive(Debug, Clone, Default)]
pub struct ConsoleTotals {
    /// Updates that arrived; 0 where the service did not answer.
    pub updates: u64,
    /// Tasks seen, roots and blocking ones included.
    pub tasks: u64,
    /// Most tasks alive at once, as of the end of each update.
    pub peak_tasks: u64,
    /// Resources that were announced.
    pub resources: u64,
    /// Asynchronous operations on them that were announced.
    pub async_ops: u64,
    /// Events that the process had no room for.
    pub dropped_events: u64,
    alive: FxHashSet<u64>,
}

/// A [`Recording`] that is put aside, encoded as it came: a fraction of its size.
///
/// Those of a whole run are kept until it is over, since symbols are read then, of one
/// binary after the other, and on nobody's time.
#[derive(Debug)]
pub struct PackedRecording {
    /// What the messages are not about.
    rest: Recording,
    /// A `proto::Update` with all that was told.
    messages: Vec<u8>,
    snapshot: Option<Box<PackedRecording>>,
}

impl PackedRecording {
    /// As it was.
    pub fn unpack(self) -> Recording {
        let mut recording = self.rest;
        recording.apply(proto::Update::decode(&*self.messages).expect("encoded by us"));
        recording.snapshot = self.snapshot.map(|snapshot| Box::new(snapshot.unpack()));
        recording
    }
}

impl Recording {
    /// Puts it aside.
    pub fn pack(mut self) -> PackedRecording {
        let stacks = std::mem::take(&mut self.stacks).into_iter();
        let update = proto::Update {
            modules: std::mem::take(&mut self.modules),
            stacks: stacks.map(|(id, addresses)| proto::Stack { id, addresses }).collect(),
            resources: values(&mut self.resources),
            clocks: values(&mut self.clocks),
            tasks: values(&mut self.tasks),
            order_edges: values(&mut self.order_edges),
            long_holds: values(&mut self.long_holds),
            blocking_calls: values(&mut self.blocking_calls),
            blocking_polls: values(&mut self.blocking_polls),
            locks_across_awaits: values(&mut self.locks_across_awaits),
            recursive_locks: values(&mut self.recursive_locks),
            knots: values(&mut self.knots),
            panics: std::mem::take(&mut self.panics),
            spawn_storms: std::mem::take(&mut self.spawn_storms),
            spawn_sites: values(&mut self.spawn_sites),
            self_waking: values(&mut self.self_waking),
            orphaned_tasks: std::mem::take(&mut self.orphaned_tasks),
            children: values(&mut self.children),
            open_files: Some(std::mem::take(&mut self.open_files)),
            threads: std::mem::take(&mut self.threads),
            ..proto::Update::default()
        };
        let snapshot = self.snapshot.take().map(|snapshot| Box::new(snapshot.pack()));
        PackedRecording { messages: update.encode_to_vec(), snapshot, rest: self }
    }

    /// Takes in an update of `Audit.Watch`.
    pub fn apply(&mut self, update: proto::Update) {
        self.now_ns = self.now_ns.max(update.now_ns);
        for module in update.modules {
            match self
                .modules
                .iter_mut()
                .find(|known| known.path == module.path && known.start == module.start)
            {
                Some(known) => *known = module,
                None => self.modules.push(module),
            }
        }
        self.stacks.extend(update.stacks.into_iter().map(|stack| (stack.id, stack.addresses)));
        self.resources.extend(update.resources.into_iter().map(|resource| (resource.id, resource)));
        self.clocks.extend(update.clocks.into_iter().map(|clock| (clock.id, clock)));
        self.tasks.extend(update.tasks.into_iter().map(|task| (task.id, task)));
        self.order_edges.extend(update.order_edges.into_iter().map(|edge| (edge.id, edge)));
        for hold in update.long_holds {
            let key = HoldKey::of(&hold);
            let is_stale = hold.released_ns == 0
                && self.long_holds.get(&key).is_some_and(|known| known.released_ns != 0);
            if !is_stale {
                self.long_holds.insert(key, hold);
            }
        }
        self.blocking_calls.extend(update.blocking_calls.into_iter().map(|call| (call.id, call)));
        self.blocking_polls.extend(update.blocking_polls.into_iter().map(|poll| (poll.id, poll)));
        self.locks_across_awaits
            .extend(update.locks_across_awaits.into_iter().map(|across| (across.id, across)));
        self.recursive_locks
            .extend(update.recursive_locks.into_iter().map(|recursion| (recursion.id, recursion)));
        self.knots.extend(update.knots.into_iter().map(|knot| (knot.id, knot)));
        if let Some(files) = update.open_files {
            self.open_files = files;
        }
        self.children.extend(update.children.into_iter().map(|child| (child.pid, child)));
        self.panics.extend(update.panics);
        self.spawn_storms.extend(update.spawn_storms);
        for site in update.spawn_sites {
            let known = self.spawn_sites.entry(site_key(&site)).or_insert_with(|| {
                let spawned_at = site.spawned_at.clone();
                proto::SpawnSite { spawned_at, kind: site.kind, ..proto::SpawnSite::default() }
            });
            add_counts(known, site);
        }
        self.self_waking.extend(update.self_waking.into_iter().map(|waking| (waking.id, waking)));
        self.orphaned_tasks.extend(update.orphaned_tasks);
        if !update.threads.is_empty() {
            self.threads = update.threads;
        }
        if let Some(counters) = update.counters {
            self.counters = counters;
        }
        if update.last {
            self.truncated = false;
        }
    }

    /// Takes in the answer of `Audit.TakeSnapshot`.
    pub fn apply_snapshot(&mut self, update: proto::Update) {
        self.snapshot_ns = Some(update.now_ns);
        self.snapshot = Some(Box::new(self.of_snapshot(update.clone())));
        // Threads and panics are what they are at that moment: of the end, others are told.
        let (threads, panics) = (Vec::new(), Vec::new());
        self.apply(proto::Update { last: false, threads, panics, ..update });
    }

    /// A snapshot by itself, which is complete.
    pub fn of_snapshot(&self, update: proto::Update) -> Self {
        let mut alone = Self { pid: self.pid, ppid: self.ppid, truncated: true, ..Self::default() };
        alone.apply(proto::Update { last: false, ..update });
        alone
    }

    /// Takes in an update of `Instrument.WatchUpdates`.
    pub fn apply_console(&mut self, update: &instrument::Update) {
        let totals = &mut self.console;
        totals.updates += 1;
        if let Some(tasks) = &update.task_update {
            totals.tasks += tasks.new_tasks.len() as u64;
            totals.dropped_events += tasks.dropped_events;
            totals.alive.extend(tasks.new_tasks.iter().filter_map(|task| Some(task.id?.id)));
            for (id, stats) in &tasks.stats_update {
                if stats.dropped_at.is_some() {
                    totals.alive.remove(id);
                }
            }
            totals.peak_tasks = totals.peak_tasks.max(totals.alive.len() as u64);
        }
        if let Some(resources) = &update.resource_update {
            totals.resources += resources.new_resources.len() as u64;
            totals.dropped_events += resources.dropped_events;
        }
        if let Some(async_ops) = &update.async_op_update {
            totals.async_ops += async_ops.new_async_ops.len() as u64;
            totals.dropped_events += async_ops.dropped_events;
        }
    }
}

fn values<K: Ord, V>(map: &mut BTreeMap<K, V>) -> Vec<V> {
    std::mem::take(map).into_values().collect()
}

#[cfg(test)]
mod tests {
    use console_api::{Id, tasks};

    use super::*;

    fn hold(resource: u64, task: u64, released_ns: u64) -> proto::Hold {
        proto::Hold {
            acquisition: Some(proto::Acquisition { resource, ..Default::default() }),
            holder: Some(proto::Actor { task, ..Default::default() }),
            acquired_ns: 5,
            released_ns,
            ..Default::default()
        }
    }

    fn module(path: &str, start: u64, end: u64) -> proto::Module {
        proto::Module { path: path.to_owned(), start, end, ..Default::default() }
    }

    #[test]
    fn what_is_sent_again_replaces_what_was_sent_before() {
        let mut recording = Recording { truncated: true, ..Recording::default() };
        recording.apply(proto::Update {
            now_ns: 10,
            modules: vec![module("/a", 1, 2)],
            tasks: vec![proto::Task { id: 7, polls: 1, ..Default::default() }],
            order_edges: vec![proto::OrderEdge { id: 3, ..Default::default() }],
            long_holds: vec![hold(1, 1, 0), hold(1, 2, 0)],
            blocking_calls: vec![proto::BlockingCall { id: 4, count: 1, ..Default::default() }],
            knots: vec![proto::Knot { id: 8, ..Default::default() }],
            ..Default::default()
        });
        recording.apply(proto::Update {
            now_ns: 20,
            modules: vec![module("/a", 1, 3), module("/b", 9, 10)],
            tasks: vec![proto::Task { id: 7, polls: 2, ..Default::default() }],
            order_edges: vec![proto::OrderEdge { id: 3, contended: true, ..Default::default() }],
            long_holds: vec![hold(1, 1, 30)],
            blocking_calls: vec![proto::BlockingCall { id: 4, count: 9, ..Default::default() }],
            blocking_polls: vec![proto::BlockingPoll { id: 5, count: 2, ..Default::default() }],
            knots: vec![proto::Knot { id: 8, behind: 2, ..Default::default() }],
            last: true,
            ..Default::default()
        });

        assert_eq!(recording.now_ns, 20);
        assert_eq!(recording.modules.iter().map(|m| m.end).collect::<Vec<_>>(), [3, 10]);
        assert_eq!(recording.tasks[&7].polls, 2);
        assert!(recording.order_edges[&3].contended);
        assert_eq!(recording.blocking_calls[&4].count, 9);
        assert_eq!(recording.blocking_polls[&5].count, 2);
        assert_eq!(recording.knots[&8].behind, 2);
        let released: Vec<_> = recording.long_holds.values().map(|hold| hold.released_ns).collect();
        assert_eq!(released, [30, 0], "two readers' holds of one instant stay two");
        assert!(!recording.truncated);
    }

    #[test]
    fn what_is_put_aside_comes_back_as_it_was() {
        let told = || proto::Update {
            still_ns: 0,
            now_ns: 9,
            modules: vec![module("/a", 1, 2), module("/a", 5, 6)],
            stacks: vec![proto::Stack { id: 3, addresses: vec![1, 2] }],
            resources: vec![proto::Resource { id: 6, ..Default::default() }],
            clocks: vec![proto::Clock { id: 2, ..Default::default() }],
            tasks: vec![proto::Task { id: 7, polls: 1, ..Default::default() }],
            order_edges: vec![proto::OrderEdge { id: 3, ..Default::default() }],
            long_holds: vec![hold(1, 1, 0), hold(1, 2, 8)],
            counters: Some(proto::Counters { locks_seen: 4, ..Default::default() }),
            blocking_calls: vec![proto::BlockingCall { id: 4, ..Default::default() }],
            locks_across_awaits: vec![proto::LockAcrossAwait { id: 1, ..Default::default() }],
            recursive_locks: vec![proto::RecursiveLock { id: 2, ..Default::default() }],
            children: vec![proto::ChildProcess { pid: 3, ..Default::default() }],
            knots: vec![proto::Knot { id: 8, ..Default::default() }],
            blocking_polls: vec![proto::BlockingPoll { id: 5, ..Default::default() }],
            spawn_storms: vec![proto::SpawnStorm::default()],
            spawn_sites: vec![proto::SpawnSite {
                at_ns: vec![1, 2],
                alive: vec![3, 4],
                spawned: vec![5, 6],
                ..Default::default()
            }],
            self_waking: vec![proto::SelfWaking { id: 9, ..Default::default() }],
            orphaned_tasks: vec![proto::OrphanedTask::default()],
            open_files: Some(proto::OpenFiles { exit_stack: 3, ..Default::default() }),
            threads: vec![proto::Thread { os_thread: 2, ..Default::default() }],
            panics: vec![proto::Panic::default()],
            sequence: 1,
            last: true,
        };
        for truncated in [true, false] {
            let mut recording =
                Recording { pid: 1, ppid: 2, truncated: true, ..Default::default() };
            recording.apply(proto::Update { last: !truncated, ..told() });
            recording.apply_snapshot(told());
            let before = format!("{recording:#?}");
            assert_eq!(format!("{:#?}", recording.pack().unpack()), before);
        }
    }

    #[test]
    fn counts_of_a_spawn_site_are_bounded_and_span_all_of_the_time() {
        let mut recording = Recording::default();
        for count in 0..10_000 {
            let site = proto::SpawnSite {
                at_ns: vec![count],
                alive: vec![2 * count],
                spawned: vec![3 * count],
                ..Default::default()
            };
            recording.apply(proto::Update { spawn_sites: vec![site], ..Default::default() });
        }
        let sites: Vec<_> = recording.spawn_sites.into_values().collect();
        let [site] = &*sites else { panic!("{sites:?}") };
        assert!((MAX_SAMPLES / 2..=MAX_SAMPLES).contains(&site.at_ns.len()));
        assert_eq!(site.at_ns[0], 0);
        assert!(site.at_ns.last().is_some_and(|last| *last > 9_000));
        assert!(site.at_ns.iter().zip(&site.alive).all(|(at, alive)| 2 * at == *alive));
    }

    #[test]
    fn a_snapshot_is_no_last_word() {
        let mut recording = Recording { truncated: true, ..Recording::default() };
        recording.apply_snapshot(proto::Update { now_ns: 4, last: true, ..Default::default() });
        assert!(recording.truncated);
        assert_eq!(recording.snapshot_ns, Some(4));
        assert_eq!(recording.snapshot.map(|snapshot| snapshot.now_ns), Some(4));
    }

    #[test]
    fn peak_tasks_counts_those_alive_together() {
        let new_task = |id| tasks::Task { id: Some(Id { id }), ..Default::default() };
        let dropped = tasks::Stats {
            dropped_at: Some(prost_types::Timestamp::default()),
            ..Default::default()
        };
        let update = |new: &[u64], ended: &[u64]| instrument::Update {
            task_update: Some(tasks::TaskUpdate {
                new_tasks: new.iter().copied().map(new_task).collect(),
                stats_update: ended.iter().map(|id| (*id, dropped)).collect(),
                dropped_events: 1,
            }),
            ..Default::default()
        };
        let mut recording = Recording::default();
        recording.apply_console(&update(&[1, 2], &[]));
        recording.apply_console(&update(&[3], &[1, 2]));
        recording.apply_console(&update(&[4], &[3]));
        assert_eq!(recording.console.tasks, 4);
        assert_eq!(recording.console.peak_tasks, 2);
        assert_eq!(recording.console.dropped_events, 3);
    }
}
