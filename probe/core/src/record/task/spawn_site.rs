//! How many tasks of one spawn site are alive at once.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use crate::{
    platform::{
        hash::{FastMap, fold},
        options,
        stack::StackId,
        sync::lock as guard,
    },
    record::{
        resource::Site,
        task::{Task, TaskKind},
    },
};

/// Spawn sites that are counted.
const MAX_SITES: usize = 4096;

/// A place that spawns tasks. Never freed: a program has so many of them.
#[derive(Debug)]
pub(crate) struct SpawnSite {
    site: Site,
    kind: TaskKind,
    spawned: AtomicU64,
    alive: AtomicU64,
    peak: AtomicU64,
    peak_ns: AtomicU64,
    /// Of its last spawn.
    spawn_stack: AtomicU32,
    /// The spawn that went above the threshold.
    crossing: Mutex<Option<Crossing>>,
}

#[derive(Debug, Clone)]
struct Crossing {
    spawn_stack: StackId,
    spawner: Option<Arc<Task>>,
}

/// More tasks of one site than the threshold were alive at once.
#[derive(Debug, Clone)]
pub struct Storm {
    /// The site.
    pub site: Site,
    /// What kind of task is spawned there.
    pub kind: TaskKind,
    /// The stack of the spawn that went above the threshold.
    pub spawn_stack: StackId,
    /// Who spawned that one.
    pub spawner: Option<Arc<Task>>,
    /// Most alive at once.
    pub peak: u64,
    /// When.
    pub peak_ns: u64,
    /// All that were spawned there.
    pub spawned: u64,
}

static SITES: Mutex<Option<FastMap<u64, &'static SpawnSite>>> = Mutex::new(None);

impl SpawnSite {
    /// The counters of this site; `None` where there are too many of them.
    pub(crate) fn of(site: Site, kind: TaskKind) -> Option<&'static Self> {
        let place = u64::from(site.line) << 32 | u64::from(site.column);
        // Files are told apart by the address of their name. One that has several is
        // several sites.
        let key = fold(fold(site.file.as_ptr().addr() as u64, place), kind as u64);
        let slot = key as usize % CACHE_SIZE;
        let cached = LATELY.with(|sites| sites[slot].get());
        if let Some((known, found)) = cached
            && known == key
        {
            return Some(found);
        }
        let mut sites = guard(&SITES);
        let sites = sites.get_or_insert_default();
        let found = match sites.get(&key) {
            Some(known) => *known,
            None if sites.len() >= MAX_SITES => return None,
            None => {
                let new: &'static Self = Box::leak(Box::new(Self {
                    site,
                    kind,
                    spawned: AtomicU64::new(0),
                    alive: AtomicU64::new(0),
                    peak: AtomicU64::new(0),
                    peak_ns: AtomicU64::new(0),
                    spawn_stack: AtomicU32::new(0),
                    crossing: Mutex::default(),
                }));
                sites.insert(key, new);
                new
            }
        };
        LATELY.with(|sites| sites[slot].set(Some((key, found))));
        Some(found)
    }

    /// A task of this site is spawned, by `spawner`.
    pub(crate) fn spawned(&self, task: &Task, spawner: Option<&Arc<Task>>) {
        self.spawned.fetch_add(1, Ordering::Relaxed);
        self.spawn_stack.store(task.spawn_stack, Ordering::Relaxed);
        let alive = self.alive.fetch_add(1, Ordering::Relaxed) + 1;
        if alive <= self.peak.load(Ordering::Relaxed) {
            return;
        }
        self.peak.fetch_max(alive, Ordering::Relaxed);
        self.peak_ns.store(task.created_ns, Ordering::Relaxed);
        if alive == options::get().spawn_storm.saturating_add(1) {
            let crossing =
                Crossing { spawn_stack: task.spawn_stack, spawner: spawner.map(Arc::clone) };
            let before = guard(&self.crossing).replace(crossing);
            drop(before);
        }
    }

    /// A task of this site has ended.
    pub(crate) fn ended(&self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Direct-mapped: the sites at which a thread spawns over and over.
const CACHE_SIZE: usize = 16;

/// A site by its key.
type Known = Cell<Option<(u64, &'static SpawnSite)>>;

thread_local!(static LATELY: [Known; CACHE_SIZE] = const { [const { Cell::new(None) }; CACHE_SIZE] });

/// The sites that went above the threshold.
#[must_use]
pub fn seen() -> Vec<Storm> {
    let sites: Vec<&SpawnSite> =
        guard(&SITES).as_ref().map_or_else(Vec::new, |sites| sites.values().copied().collect());
    let storm = |site: &SpawnSite| {
        let Crossing { spawn_stack, spawner } = guard(&site.crossing).clone()?;
        Some(Storm {
            site: site.site,
            kind: site.kind,
            spawn_stack,
            spawner,
            peak: site.peak.load(Ordering::Relaxed),
            peak_ns: site.peak_ns.load(Ordering::Relaxed),
            spawned: site.spawned.load(Ordering::Relaxed),
        })
    };
    sites.into_iter().filter_map(storm).collect()
}

/// How many tasks of a site are alive at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Alive {
    /// The site.
    pub site: Site,
    /// What kind of task is spawned there.
    pub kind: TaskKind,
    /// Of its last spawn.
    pub spawn_stack: StackId,
    /// So many.
    pub alive: u64,
    /// All that were spawned there.
    pub spawned: u64,
}

/// The sites of which so many tasks were alive at once some time.
#[must_use]
pub fn alive(least_peak: u64) -> Vec<Alive> {
    let sites = guard(&SITES);
    let sites = sites.iter().flat_map(|sites| sites.values());
    let sites = sites.filter(|site| site.peak.load(Ordering::Relaxed) >= least_peak);
    sites
        .map(|site| Alive {
            site: site.site,
            kind: site.kind,
            spawn_stack: site.spawn_stack.load(Ordering::Relaxed),
            alive: site.alive.load(Ordering::Relaxed),
            spawned: site.spawned.load(Ordering::Relaxed),
        })
        .collect()
}
