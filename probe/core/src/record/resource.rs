//! What tasks wait for or hold: locks, semaphores, timers, channels.

use std::{
    panic::Location,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
};

use crate::{
    platform::{
        clock, counters,
        hash::FastMap,
        process::next_id,
        stack::{self, Extent, StackId},
        sync::{Sharded, lock as guard},
    },
    record::{
        lock::{Holder, Waiters},
        meeting::Meeting,
        task::Task,
    },
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
    /// `std::sync::Once`, held while its closure runs.
    StdOnce,
    /// `std::sync::OnceLock`, held while its initialiser runs.
    StdOnceLock,
    /// `std::sync::LazyLock`, held while its initialiser runs.
    StdLazyLock,
}

impl ResourceKind {
    const ALL: [Self; 17] = [
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
        Self::StdOnce,
        Self::StdOnceLock,
        Self::StdLazyLock,
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
                | StdOnce
                | StdOnceLock
                | StdLazyLock
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
            Self::StdOnce => "Once",
            Self::StdOnceLock => "OnceLock",
            Self::StdLazyLock => "LazyLock",
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
    pub(crate) due_ns: AtomicU64,
    /// See [`Resource::is_handed_over`].
    handed_over: AtomicBool,
    /// See [`Resource::has_other_writer`].
    writer: AtomicU32,
    pub(crate) holders: Mutex<Vec<Holder>>,
    /// See [`Resource::permit_holders`].
    permit_holders: Mutex<Vec<PermitHolder>>,
    /// See [`Resource::giver`].
    giver: Mutex<Weak<Task>>,
    pub(crate) waiters: Mutex<Waiters>,
    /// Of what passes something on: a oneshot, a barrier, permits that nobody had.
    pub(crate) meeting: Meeting,
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
        let wants_stack = address != 0 || kind.is_lock() || kind == ResourceKind::Semaphore;
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
            giver: Mutex::new(Weak::new()),
            waiters: Mutex::default(),
            meeting: Meeting::new(),
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

    /// Whether anybody took it exclusively, or tried to.
    pub fn has_writer(&self) -> bool {
        self.writer.load(Ordering::Relaxed) != NOBODY
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

    /// Of the semaphore within a bounded channel: who made room in it last, by receiving.
    pub(crate) fn giver(&self) -> Option<Arc<Task>> {
        guard(&self.giver).upgrade()
    }

    /// This actor made room.
    pub(crate) fn room_made(&self, actor: Option<&Arc<Task>>) {
        let Some(actor) = actor else { return };
        let mut giver = guard(&self.giver);
        if giver.as_ptr() != Arc::as_ptr(actor) {
            *giver = Arc::downgrade(actor);
        }
    }

    /// This actor acquired permits.
    pub(crate) fn permits_acquired(&self, actor: Option<&Arc<Task>>) {
        let Some(actor) = actor else { return };
        let holder = PermitHolder {
            actor: Arc::downgrade(actor),
            stack: stack::capture(Extent::Task),
            since_ns: clock::now_ns(),
        };
        let mut holders = guard(&self.permit_holders);
        if holders.len() >= MAX_PERMIT_HOLDERS {
            holders.remove(0);
        }
        holders.push(holder);
    }

    /// Permits are given back by this actor, which acquired some, and not only added.
    pub(crate) fn is_own_permit(&self, actor: Option<&Arc<Task>>) -> bool {
        guard(&self.permit_holders)
            .iter()
            .any(|holder| actor.is_some_and(|actor| holder.actor.as_ptr() == Arc::as_ptr(actor)))
    }

    /// This actor gave permits back, or added some.
    pub(crate) fn permits_released(&self, actor: Option<&Arc<Task>>) {
        let is_own = |holder: &PermitHolder| {
            actor.is_some_and(|actor| holder.actor.as_ptr() == Arc::as_ptr(actor))
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

/// A lock with a [`crate::lifecycle::lockdep_map::LockdepMap`]: all that is written down of it until
/// something comes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracked {
    pub(crate) id: u64,
    pub(crate) kind: ResourceKind,
    pub(crate) site: Option<&'static Location<'static>>,
    pub(crate) address: u64,
    /// Its guards can be sent to other threads.
    pub(crate) is_sendable: bool,
}

/// Tracked locks of which something came: an order, a wait, a long hold. Nobody
/// tells when such a lock is dropped, so they stay.
static TRACKED: OnceLock<Sharded<FastMap<u64, Arc<Resource>>>> = OnceLock::new();

impl Tracked {
    /// The lock as a resource, the same one each time. Where nobody wrote down who
    /// created it, `taken` tells what it is: where it was taken this time.
    pub(crate) fn resource(&self, taken: StackId) -> Arc<Resource> {
        let mut shard = guard(TRACKED.get_or_init(Sharded::default).shard(self.id));
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

/// The resource of a tracked lock, if it has one.
pub(crate) fn of_tracked(id: u64) -> Option<Arc<Resource>> {
    guard(TRACKED.get()?.shard(id)).get(&id).cloned()
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
