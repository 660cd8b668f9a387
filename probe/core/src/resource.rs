//! What tasks wait for or hold: locks, semaphores, timers, channels; and the
//! operations that do the waiting.

use std::{
    collections::BTreeSet,
    panic::Location,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};

use crate::{
    clock, context, counters, events,
    hash::FastMap,
    is_active,
    lock::{self, Acquisition, Holder, Mode, Waiters},
    next_id,
    stack::{self, Extent, StackId},
    stuck,
    sync::{Sharded, lock as guard},
    task::{Task, Wait},
};

/// A position in the source, as the compiler recorded it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// As the compiler was given it.
    pub file: &'static str,
    /// 1-based.
    pub line: u32,
    /// 1-based.
    pub column: u32,
}

/// What kind of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ResourceKind {
    /// None of the below.
    Other,
    /// `tokio::sync::Mutex`
    Mutex,
    /// `tokio::sync::RwLock`
    RwLock,
    /// `tokio::sync::Semaphore`, or the one within a bounded channel.
    Semaphore,
    /// `tokio::time::Sleep`
    Sleep,
    /// `tokio::time::Interval`
    Interval,
    /// `tokio::sync::oneshot`
    Oneshot,
    /// `tokio::sync::Barrier`
    Barrier,
    /// `std::sync::Mutex`
    StdMutex,
    /// `std::sync::RwLock`
    StdRwLock,
    /// `parking_lot::Mutex` and its kin
    ParkingLotMutex,
    /// `parking_lot::RwLock`
    ParkingLotRwLock,
    /// A mutex that a crate built on `lock_api`.
    LockApiMutex,
    /// A reader-writer lock that a crate built on `lock_api`.
    LockApiRwLock,
}

impl ResourceKind {
    const ALL: [Self; 14] = [
        Self::Other,
        Self::Mutex,
        Self::RwLock,
        Self::Semaphore,
        Self::Sleep,
        Self::Interval,
        Self::Oneshot,
        Self::Barrier,
        Self::StdMutex,
        Self::StdRwLock,
        Self::ParkingLotMutex,
        Self::ParkingLotRwLock,
        Self::LockApiMutex,
        Self::LockApiRwLock,
    ];

    pub(crate) fn from_word(word: u64) -> Self {
        Self::ALL.get(word as usize).copied().unwrap_or(Self::Other)
    }

    /// From the name that tokio gives its resources.
    #[must_use]
    pub fn from_concrete_type(name: &str) -> Self {
        match name {
            "Mutex" => Self::Mutex,
            "RwLock" => Self::RwLock,
            "Semaphore" => Self::Semaphore,
            "Sleep" => Self::Sleep,
            "Interval" => Self::Interval,
            "Sender|Receiver" => Self::Oneshot,
            "Barrier" => Self::Barrier,
            _ => Self::Other,
        }
    }

    fn is_lock(self) -> bool {
        use ResourceKind::*;
        matches!(
            self,
            Mutex
                | RwLock
                | StdMutex
                | StdRwLock
                | ParkingLotMutex
                | ParkingLotRwLock
                | LockApiMutex
                | LockApiRwLock
        )
    }

    /// tokio's name for it.
    #[must_use]
    pub fn concrete_type(self) -> &'static str {
        match self {
            Self::Other => "",
            Self::Mutex | Self::StdMutex | Self::ParkingLotMutex | Self::LockApiMutex => "Mutex",
            Self::RwLock | Self::StdRwLock | Self::ParkingLotRwLock | Self::LockApiRwLock => {
                "RwLock"
            }
            Self::Semaphore => "Semaphore",
            Self::Sleep => "Sleep",
            Self::Interval => "Interval",
            Self::Oneshot => "Sender|Receiver",
            Self::Barrier => "Barrier",
        }
    }
}

/// Something that a task can wait for or hold.
#[derive(Debug)]
pub struct Resource {
    /// Unique in this process.
    pub id: u64,
    kind: AtomicU8,
    /// Where it was created; absent for those of a `const fn`.
    pub site: Option<Site>,
    /// Where one of a `const fn` was when it was first used, else 0.
    pub address: u64,
    /// The stack at its creation (or first use); locks and semaphores only.
    pub created_stack: StackId,
    /// When it was created, or first used.
    pub created_ns: u64,
    /// A part of another, which tokio does not show to users.
    pub is_internal: bool,
    /// For a timer: when it is due; 0 where not known.
    due_ns: AtomicU64,
    /// See [`Resource::is_handed_over`].
    handed_over: AtomicBool,
    /// See [`Resource::has_other_writer`].
    writer: AtomicU32,
    pub(crate) holders: Mutex<Vec<Holder>>,
    /// See [`Resource::permit_holders`].
    permit_holders: Mutex<Vec<PermitHolder>>,
    pub(crate) waiters: Mutex<Waiters>,
}

/// Somebody who acquired permits of a semaphore.
#[derive(Debug, Clone)]
pub(crate) struct PermitHolder {
    actor: Weak<Task>,
    /// Where.
    pub stack: StackId,
    /// When.
    pub since_ns: u64,
}

impl PermitHolder {
    /// Who, if that one is still there.
    pub fn actor(&self) -> Option<Arc<Task>> {
        self.actor.upgrade()
    }
}

/// Of one semaphore.
const MAX_PERMIT_HOLDERS: usize = 64;

/// No writer.
pub(crate) const NOBODY: u32 = 0;
/// More writers than one.
pub(crate) const SEVERAL: u32 = u32::MAX;

/// The one writer of a lock, as [`crate::context::Context::actor_id`] names it.
#[inline]
pub(crate) fn writer_word(actor: u64) -> u32 {
    (actor as u32).max(1)
}

pub(crate) fn add_writer(to: &AtomicU32, writer: u32) {
    let known = to.compare_exchange(NOBODY, writer, Ordering::Relaxed, Ordering::Relaxed);
    if known.is_err_and(|known| known != writer) {
        to.store(SEVERAL, Ordering::Relaxed);
    }
}

static LIVE: OnceLock<Sharded<FastMap<u64, Weak<Resource>>>> = OnceLock::new();

impl Resource {
    /// A resource that tokio announces.
    #[must_use]
    pub fn new(kind: ResourceKind, site: Option<Site>, is_internal: bool) -> Arc<Self> {
        Self::register(kind, site, 0, is_internal)
    }

    /// A resource whose constructor is a `const fn`: it is met when it is used
    /// for the first time, at `address`.
    #[must_use]
    pub fn met_at(address: u64) -> Arc<Self> {
        Self::register(ResourceKind::Other, None, address, false)
    }

    fn register(
        kind: ResourceKind,
        site: Option<Site>,
        address: u64,
        is_internal: bool,
    ) -> Arc<Self> {
        let wants_stack =
            address != 0 || kind.is_lock() || (kind == ResourceKind::Semaphore && !is_internal);
        let stack = if wants_stack { stack::capture(Extent::Task) } else { 0 };
        let mut resource = Self::bare(next_id(), kind, site, address, stack);
        resource.is_internal = is_internal;
        let resource = Arc::new(resource);
        if kind.is_lock() {
            counters::LOCKS_SEEN.add(1);
        }
        let live = LIVE.get_or_init(Sharded::default);
        guard(live.shard(resource.id)).insert(resource.id, Arc::downgrade(&resource));
        resource
    }

    fn bare(
        id: u64,
        kind: ResourceKind,
        site: Option<Site>,
        address: u64,
        created_stack: StackId,
    ) -> Self {
        Self {
            id,
            kind: AtomicU8::new(kind as u8),
            site,
            address,
            created_stack,
            created_ns: clock::now_ns(),
            is_internal: false,
            due_ns: AtomicU64::new(0),
            handed_over: AtomicBool::new(false),
            writer: AtomicU32::new(NOBODY),
            holders: Mutex::default(),
            permit_holders: Mutex::default(),
            waiters: Mutex::default(),
        }
    }

    /// What it is, as far as it has shown.
    pub fn kind(&self) -> ResourceKind {
        ResourceKind::from_word(u64::from(self.kind.load(Ordering::Relaxed)))
    }

    /// Settles what a resource of a `const fn` is, from what is done with it.
    pub(crate) fn reveal(&self, kind: ResourceKind) {
        if self.kind() == ResourceKind::Other && kind != ResourceKind::Other {
            self.kind.store(kind as u8, Ordering::Relaxed);
            if kind.is_lock() {
                counters::LOCKS_SEEN.add(1);
            }
        }
    }

    /// For a timer: when it is due; 0 where not known.
    pub fn due_ns(&self) -> u64 {
        self.due_ns.load(Ordering::Relaxed)
    }

    /// A guard was released by another actor than the one that acquired it: the
    /// lock serves as a signal or is passed on, and orders nothing.
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }

    pub(crate) fn hand_over(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Whether somebody took it exclusively, or tried to, who is not its only
    /// `reader`: nobody queues behind himself.
    pub fn has_other_writer(&self, reader: &Task, has_other_readers: bool) -> bool {
        match self.writer.load(Ordering::Relaxed) {
            NOBODY => false,
            SEVERAL => true,
            writer => has_other_readers || writer != writer_word(reader.actor_id()),
        }
    }

    /// As [`add_writer`].
    pub(crate) fn note_writers(&self, writer: u32) {
        if writer != NOBODY {
            add_writer(&self.writer, writer);
        }
    }

    /// Of a semaphore: who acquired permits and has released none since. Permits can be
    /// passed on and forgotten, so this is who is likely to have them.
    pub(crate) fn permit_holders(&self) -> Vec<PermitHolder> {
        guard(&self.permit_holders).clone()
    }

    fn permits_acquired(&self) {
        let Some(actor) = context::current_actor() else { return };
        let holder = PermitHolder {
            actor: Arc::downgrade(&actor),
            stack: stack::capture(Extent::Task),
            since_ns: clock::now_ns(),
        };
        let mut holders = guard(&self.permit_holders);
        if holders.len() >= MAX_PERMIT_HOLDERS {
            holders.remove(0);
        }
        holders.push(holder);
    }

    fn permits_released(&self) {
        let actor = context::current_actor();
        let is_own = |holder: &PermitHolder| {
            actor.as_ref().is_some_and(|actor| holder.actor.as_ptr() == Arc::as_ptr(actor))
        };
        let mut holders = guard(&self.permit_holders);
        match holders.iter().rposition(is_own) {
            Some(at) => drop(holders.remove(at)),
            // Whose they were is not known.
            None => holders.clear(),
        }
    }

    /// Who holds it, for a lock whose holders are tasks.
    pub(crate) fn holders(&self) -> Vec<Arc<Task>> {
        guard(&self.holders).iter().map(|holder| Arc::clone(&holder.actor)).collect()
    }

    /// Whether it is a lock that somebody holds.
    pub fn is_held(&self) -> bool {
        !guard(&self.holders).is_empty()
    }
}

/// A lock with a [`crate::label::Label`]: all that is written down of it until
/// something comes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labelled {
    pub(crate) id: u64,
    pub(crate) kind: ResourceKind,
    pub(crate) site: Option<&'static Location<'static>>,
    pub(crate) address: u64,
    /// Its guards can be sent to other threads.
    pub(crate) is_sendable: bool,
}

/// Labelled locks of which something came: an order, a wait, a long hold. Nobody
/// tells when such a lock is dropped, so they stay.
static LABELLED: OnceLock<Sharded<FastMap<u64, Arc<Resource>>>> = OnceLock::new();

impl Labelled {
    /// The lock as a resource, the same one each time. Where nobody wrote down who
    /// created it, `taken` tells what it is: where it was taken this time.
    pub(crate) fn resource(&self, taken: StackId) -> Arc<Resource> {
        let mut shard = guard(LABELLED.get_or_init(Sharded::default).shard(self.id));
        let known = shard.entry(self.id).or_insert_with(|| {
            let site =
                self.site.map(|at| Site { file: at.file(), line: at.line(), column: at.column() });
            let stack = if self.is_placed() { 0 } else { taken };
            Arc::new(Resource::bare(self.id, self.kind, site, self.address, stack))
        });
        Arc::clone(known)
    }

    /// Whether its site is that of its creator, and not a line of std's, of a
    /// facade, or within tokio's `watch`.
    fn is_placed(&self) -> bool {
        self.site.is_some_and(|at| {
            let file = at.file();
            let is_nobodys = file.starts_with("/rustc/")
                || file.contains("/__concaudit/")
                || file.contains("/loom/std/");
            !is_nobodys
        })
    }
}

/// The resource of a labelled lock, if it has one.
pub(crate) fn of_label(id: u64) -> Option<Arc<Resource>> {
    guard(LABELLED.get()?.shard(id)).get(&id).cloned()
}

impl Drop for Resource {
    fn drop(&mut self) {
        if let Some(live) = LIVE.get() {
            guard(live.shard(self.id)).remove(&self.id);
        }
    }
}

/// Every resource that exists now.
#[must_use]
pub fn live_resources() -> Vec<Arc<Resource>> {
    LIVE.get().map_or_else(Vec::new, |live| {
        live.iter()
            .flat_map(|shard| guard(shard).values().filter_map(Weak::upgrade).collect::<Vec<_>>())
            .collect()
    })
}

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
    requested: AtomicU64,
    /// Permits that it was granted, or took before it queued for the rest.
    granted: AtomicU64,
    /// A waker of ours was cloned in it: it accounts for one.
    owns_waker: AtomicBool,
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

    /// What it acquires need not stay with who acquires it.
    fn is_owned(&self) -> bool {
        self.source.ends_with("_owned")
    }

    fn start_waiting(self: &Arc<Self>) {
        context::with(|context| context.pending.set(self.id));
        if self.is_waiting.load(Ordering::Relaxed) {
            return;
        }
        let Some(actor) = context::current_actor() else { return };
        let wait = Wait {
            stack: stack::capture(Extent::Task),
            resource: Some(Arc::clone(&self.resource)),
            operation: self.source,
            since_ns: clock::now_ns(),
        };
        let (since_ns, stack) = (wait.since_ns, wait.stack);
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

    fn stop_waiting(&self) {
        // An operation is polled and dropped by one at a time, so it cannot
        // begin to wait meanwhile.
        if !self.is_waiting.swap(false, Ordering::Relaxed) {
            return;
        }
        self.granted.store(0, Ordering::Relaxed);
        let wait = guard(&self.wait).take();
        if let Some(wait) = wait {
            wait.actor.operation_ends(self.id);
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
    fn upgrade(self) -> Option<(Arc<Resource>, Option<Arc<Operation>>)> {
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

/// What this thread is busy with: the resource, and the name of the operation
/// or an empty string.
pub(crate) fn current() -> Option<(Arc<Resource>, &'static str)> {
    let (resource, operation) = context::scope().upgrade()?;
    Some((resource, operation.map_or("", |operation| operation.source)))
}

/// The resource within which another one is being created.
#[must_use]
pub fn enclosing() -> Option<Arc<Resource>> {
    context::scope().upgrade().map(|(resource, _)| resource)
}

/// Enters a resource or an operation, until [`leave`]. The caller keeps it
/// alive meanwhile.
pub fn enter(scope: ScopePtr) {
    context::push_scope(scope);
}

/// Leaves the innermost scope.
pub fn leave() {
    context::pop_scope();
}

/// tokio polled the operation of the innermost scope.
#[inline(never)]
pub fn polled(is_ready: bool) {
    if !is_active() {
        return;
    }
    let Some((resource, Some(operation))) = context::scope().upgrade() else { return };
    if is_ready {
        if operation.mode.is_some() {
            context::with(|context| context.granted.set((resource.id, operation.is_owned())));
        } else if operation.acquires_permits() {
            operation.resource.permits_acquired();
        }
        operation.stop_waiting();
    } else {
        operation.start_waiting();
    }
}

/// The operation of the innermost scope needs so many permits.
#[inline(never)]
pub fn requested(permits: u64) {
    if is_active()
        && let Some((_, Some(operation))) = context::scope().upgrade()
    {
        operation.requested.store(permits, Ordering::Relaxed);
    }
}

/// The operation of the innermost scope was granted so many permits, by whoever
/// released them.
#[inline(never)]
pub fn granted(permits: u64) {
    if !is_active() || permits == 0 {
        return;
    }
    if let Some((_, Some(operation))) = context::scope().upgrade() {
        operation.granted.fetch_add(permits, Ordering::Relaxed);
        if operation.acquires_permits()
            && let Some(wait) = operation.wait()
            && context::current_actor().is_none_or(|actor| actor.id != wait.actor.id)
        {
            operation.resource.permits_released();
        }
        stuck::note_wait();
    }
}

/// Permits that nobody waits for were added to the semaphore of the innermost scope.
#[inline(never)]
pub fn permits_added() {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing().filter(|it| it.kind() == ResourceKind::Semaphore) {
        resource.permits_released();
    }
}

/// A waker of ours is cloned in the innermost scope.
pub(crate) fn note_waker() {
    if let Some((_, Some(operation))) = context::scope().upgrade() {
        operation.owns_waker.store(true, Ordering::Relaxed);
    }
}

/// The timer of the innermost scope will fire in `milliseconds`.
#[inline(never)]
pub fn timer_set(milliseconds: u64) {
    if let Some(resource) = enclosing() {
        let due = clock::now_ns().saturating_add(milliseconds.saturating_mul(1_000_000));
        resource.due_ns.store(due, Ordering::Relaxed);
    }
}

/// The lock of the innermost scope was acquired.
#[inline(never)]
pub fn acquired(kind: ResourceKind, mode: Mode) {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing() {
        resource.reveal(kind);
        let (granted, is_owned) = context::with(|context| context.granted.replace((0, true)));
        let is_try = granted != resource.id;
        lock::acquired(&resource, mode, is_try, is_try || is_owned);
    }
}

/// The lock of the innermost scope was released.
#[inline(never)]
pub fn released(mode: Mode) {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing() {
        lock::released(&resource, mode);
    }
}
