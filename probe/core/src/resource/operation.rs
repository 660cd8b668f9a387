//! What is done with a resource and may have to wait.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{Resource, ResourceKind, ScopePtr};
use crate::{
    clock, context, events,
    hash::FastMap,
    lock::{self, Acquisition, Mode},
    next_id,
    stack::{self, Extent, StackId},
    stuck,
    sync::{Sharded, lock as guard},
    task::{Task, Wait},
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
    is_waiting: AtomicBool,
    /// Permits that it needs; 0: not known.
    pub(super) requested: AtomicU64,
    /// Permits that it was granted, or took before it queued for the rest.
    pub(super) granted: AtomicU64,
    /// A waker of ours was cloned in it: it accounts for one.
    pub(super) owns_waker: AtomicBool,
    /// The recursion that the wait is a part of; 0: none.
    recursion: AtomicU64,
    wait: Mutex<Option<OperationWait>>,
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

static WAITING: OnceLock<Sharded<FastMap<u64, Weak<Operation>>>> = OnceLock::new();

impl Operation {
    /// Begins an operation within the innermost scope: on the resource there,
    /// or as a part of the operation there or around it, which then serves for
    /// both: a mutex is its semaphore. `None` outside of every scope.
    #[must_use]
    pub fn begin(source: &str) -> Option<Arc<Self>> {
        match context::scope() {
            // SAFETY: a scope is left before its resource or operation is let go of.
            ScopePtr::Resource(resource) => unsafe {
                if let Some(operation) = context::operation_around(resource) {
                    Arc::increment_strong_count(operation);
                    return Some(Arc::from_raw(operation));
                }
                Arc::increment_strong_count(resource);
                Some(Self::on(Arc::from_raw(resource), source))
            },
            // SAFETY: as above.
            ScopePtr::Operation(operation) => unsafe {
                Arc::increment_strong_count(operation);
                Some(Arc::from_raw(operation))
            },
            ScopePtr::None => None,
        }
    }

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
    pub(super) fn is_owned(&self) -> bool {
        self.source.ends_with("_owned")
    }

    pub(super) fn start_waiting(self: &Arc<Self>) {
        context::with(|context| context.pending.set(self.id));
        let Some(actor) = context::current_actor() else { return };
        // Under a waker of another one (a set of futures polls only those that it was
        // told to) it is waited for though the last poll left it alone.
        let poll = if self.owns_waker() { actor.polls() } else { 0 };
        if self.is_waiting.load(Ordering::Relaxed) {
            self.moved(&actor, poll);
            return;
        }
        let wait = Wait {
            stack: stack::capture(Extent::Task),
            resource: Some(Arc::clone(&self.resource)),
            operation: self.source,
            since_ns: clock::now_ns(),
            poll,
        };
        let (since_ns, stack) = (wait.since_ns, wait.stack);
        actor.awaits_at(stack);
        actor.operation_begins(self.id, wait);
        *guard(&self.wait) = Some(OperationWait { actor: Arc::clone(&actor), since_ns, stack });
        self.is_waiting.store(true, Ordering::Relaxed);
        let waiting = WAITING.get_or_init(Sharded::default);
        guard(waiting.shard(self.id)).insert(self.id, Arc::downgrade(self));
        if let Some(mode) = self.mode {
            let wanted = Acquisition {
                resource: Arc::clone(&self.resource),
                mode,
                stack,
                is_try: false,
                is_movable: self.is_owned(),
            };
            let recursion = lock::wait_begins(self.id, &wanted, &actor, since_ns);
            self.recursion.store(recursion.unwrap_or(0), Ordering::Relaxed);
            stuck::note_wait();
        }
    }

    /// It is polled again, maybe at another place, and waits on.
    fn moved(&self, actor: &Task, poll: u64) {
        let stack = stack::capture(Extent::Task);
        actor.operation_moves(self.id, self.resource.id, stack, poll);
        if let Some(wait) = guard(&self.wait).as_mut().filter(|wait| wait.actor.id == actor.id) {
            wait.stack = stack;
        }
    }

    pub(super) fn stop_waiting(&self) {
        // An operation is polled and dropped by one at a time, so it cannot
        // begin to wait meanwhile.
        if !self.is_waiting.swap(false, Ordering::Relaxed) {
            return;
        }
        self.granted.store(0, Ordering::Relaxed);
        let wait = guard(&self.wait).take();
        if let Some(wait) = wait {
            wait.actor.operation_ends(self.id);
            if context::current_task().is_some_and(|task| task.id == wait.actor.id) {
                wait.actor.place_is_left();
            }
        }
        if let Some(waiting) = WAITING.get() {
            guard(waiting.shard(self.id)).remove(&self.id);
        }
        let recursion = self.recursion.swap(0, Ordering::Relaxed);
        if recursion != 0 {
            events::recursion_resolved(recursion);
        }
        if self.mode.is_some() {
            lock::wait_ends(self.id, &self.resource);
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}

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
