//! What is done with a resource and may have to wait.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{
    platform::{
        clock,
        hash::FastMap,
        process::next_id,
        stack::StackId,
        sync::{Sharded, lock as guard},
    },
    record::{
        lock::Mode,
        resource::{Resource, ResourceKind},
        task::Task,
    },
};

/// Something that is done with a resource and may have to wait.
#[derive(Debug)]
pub struct Operation {
    /// Unique in this process.
    pub id: u64,
    /// What it is done with.
    pub resource: Arc<Resource>,
    /// tokio's name for it: "Mutex::lock".
    pub source: &'static str,
    /// For an operation that acquires a lock: how.
    pub mode: Option<Mode>,
    /// When it was created.
    pub created_ns: u64,
    /// Whether `wait` is filled, to be read without its lock.
    pub(crate) is_waiting: AtomicBool,
    /// Permits that it needs; 0: not known.
    pub(crate) requested: AtomicU64,
    /// Permits that it was granted, or took before it queued for the rest.
    pub(crate) granted: AtomicU64,
    /// A waker of ours was cloned in it: it accounts for one.
    pub(crate) owns_waker: AtomicBool,
    /// The recursion that the wait is a part of; 0: none.
    pub(crate) recursion: AtomicU64,
    pub(crate) wait: Mutex<Option<OperationWait>>,
}

/// What is known of an operation that waits.
#[derive(Debug, Clone)]
pub struct OperationWait {
    /// Who waits.
    pub actor: Arc<Task>,
    /// Since when.
    pub since_ns: u64,
    /// Where.
    pub stack: StackId,
}

pub(crate) static WAITING: OnceLock<Sharded<FastMap<u64, Weak<Operation>>>> = OnceLock::new();

/// Every operation that waits now.
#[must_use]
pub fn waiting_operations() -> Vec<Arc<Operation>> {
    WAITING.get().map_or_else(Vec::new, |waiting| {
        waiting
            .iter()
            .flat_map(|shard| guard(shard).values().filter_map(Weak::upgrade).collect::<Vec<_>>())
            .collect()
    })
}

/// What the name of an operation tells.
#[derive(Debug, Clone, Copy)]
struct Source {
    name: &'static str,
    /// What it is done with.
    kind: ResourceKind,
    /// For an operation that acquires a lock: how.
    mode: Option<Mode>,
}

impl Source {
    const KNOWN: [Self; 14] = {
        use {Mode::*, ResourceKind::*};
        const fn source(name: &'static str, kind: ResourceKind, mode: Option<Mode>) -> Source {
            Source { name, kind, mode }
        }
        [
            source("Mutex::lock", Mutex, Some(Exclusive)),
            source("Acquire::new", Other, None),
            source("Sleep::new_timeout", Other, None),
            source("Receiver::await", Other, None),
            source("Mutex::lock_owned", Mutex, Some(Exclusive)),
            source("RwLock::read", RwLock, Some(Shared)),
            source("RwLock::read_owned", RwLock, Some(Shared)),
            source("RwLock::write", RwLock, Some(Exclusive)),
            source("RwLock::write_owned", RwLock, Some(Exclusive)),
            source("Semaphore::acquire", Semaphore, None),
            source("Semaphore::acquire_owned", Semaphore, None),
            source("Semaphore::acquire_many", Semaphore, None),
            source("Semaphore::acquire_many_owned", Semaphore, None),
            source("Barrier::wait", Barrier, None),
        ]
    };

    /// tokio passes the names as `&str` although all of them are literals.
    /// Those that are not known here are kept for good, once each.
    fn of(name: &str) -> Self {
        static OTHERS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        if let Some(known) = Self::KNOWN.iter().find(|known| known.name == name) {
            return *known;
        }
        let mut others = guard(&OTHERS);
        let name = others.get(name).copied().unwrap_or_else(|| {
            let kept: &'static str = Box::leak(Box::from(name));
            others.insert(kept);
            kept
        });
        Self { name, kind: ResourceKind::Other, mode: None }
    }
}

impl Operation {
    /// Begins an operation on `resource`.
    #[must_use]
    pub fn on(resource: Arc<Resource>, source: &str) -> Arc<Self> {
        let Source { name, kind, mode } = Source::of(source);
        resource.reveal(kind);
        Arc::new(Self {
            id: next_id(),
            resource,
            source: name,
            mode,
            created_ns: clock::now_ns(),
            is_waiting: AtomicBool::new(false),
            requested: AtomicU64::new(0),
            granted: AtomicU64::new(0),
            owns_waker: AtomicBool::new(false),
            recursion: AtomicU64::new(0),
            wait: Mutex::default(),
        })
    }

    /// Who waits in it, if anybody does.
    pub fn wait(&self) -> Option<OperationWait> {
        guard(&self.wait).clone()
    }

    /// It was granted all that it needs, and its task was woken for that.
    pub(crate) fn is_granted(&self) -> bool {
        let requested = self.requested.load(Ordering::Relaxed).max(1);
        self.granted.load(Ordering::Relaxed) >= requested
    }

    /// One of the clones of its task's waker is its own.
    pub(crate) fn owns_waker(&self) -> bool {
        self.owns_waker.load(Ordering::Relaxed)
    }

    /// It acquires permits of a semaphore that the program itself has.
    pub(crate) fn acquires_permits(&self) -> bool {
        self.mode.is_none() && self.source.starts_with("Semaphore::acquire")
    }

    /// It waits for room in a bounded channel: for the semaphore in there, which is not
    /// the program's own.
    pub(crate) fn takes_room(&self) -> bool {
        self.mode.is_none() && self.source == "Acquire::new"
    }

    /// What it acquires need not stay with who acquires it.
    pub(crate) fn is_owned(&self) -> bool {
        self.source.ends_with("_owned")
    }
}

/// The innermost thing that tokio says it is busy with on this thread.
#[derive(Debug, Clone, Copy)]
pub enum ScopePtr {
    /// Nothing.
    None,
    /// A resource, borrowed for as long as it is entered.
    Resource(*const Resource),
    /// An operation, borrowed for as long as it is entered.
    Operation(*const Operation),
}

impl ScopePtr {
    pub(crate) const NONE: Self = Self::None;

    /// The resource of the scope, and the operation where there is one.
    pub(crate) fn upgrade(self) -> Option<(Arc<Resource>, Option<Arc<Operation>>)> {
        match self {
            Self::None => None,
            // SAFETY: a scope is left before its resource is let go of.
            Self::Resource(resource) => unsafe {
                Arc::increment_strong_count(resource);
                Some((Arc::from_raw(resource), None))
            },
            // SAFETY: as above.
            Self::Operation(operation) => unsafe {
                Arc::increment_strong_count(operation);
                let operation = Arc::from_raw(operation);
                Some((Arc::clone(&operation.resource), Some(operation)))
            },
        }
    }
}
