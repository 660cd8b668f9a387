//! What a task or thread can wait for or hold.

use std::sync::Arc;

use super::{Owner, Site, Stack};

/// What kind of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// `tokio::sync::Mutex`
    TokioMutex,
    /// `tokio::sync::RwLock`
    TokioRwLock,
    /// `tokio::sync::Semaphore`, those within other types aside.
    TokioSemaphore,
    /// `tokio::sync::mpsc`, bounded: the semaphore in there, whose permits are its room.
    TokioMpsc,
    /// `tokio::time::Sleep`
    TokioSleep,
    /// `tokio::time::Interval`
    TokioInterval,
    /// `tokio::sync::oneshot`
    TokioOneshot,
    /// `tokio::sync::Barrier`
    TokioBarrier,
    /// `std::sync::Mutex`
    StdMutex,
    /// `std::sync::RwLock`
    StdRwLock,
    /// `parking_lot::Mutex`, `FairMutex` and `ReentrantMutex`
    ParkingLotMutex,
    /// `parking_lot::RwLock`
    ParkingLotRwLock,
    /// A mutex that another crate built on `lock_api`.
    LockApiMutex,
    /// A reader-writer lock that another crate built on `lock_api`: a shard of a
    /// `DashMap`, for one.
    LockApiRwLock,
    /// `std::sync::Once`, held while its closure runs.
    StdOnce,
    /// `std::sync::OnceLock`, held while its initialiser runs.
    StdOnceLock,
    /// `std::sync::LazyLock`, held while its initialiser runs.
    StdLazyLock,
    /// The lock within a `tokio::sync::watch` channel, which a `borrow()` holds.
    TokioWatch,
    /// Whatever else tokio tells of: see [`Resource::concrete_type`].
    Other,
}

impl ResourceKind {
    /// Whether a resource of this kind is a lock: something held by one actor at a
    /// time, or by several readers. Permits of a semaphore are not.
    pub fn is_lock(self) -> bool {
        match self {
            Self::TokioMutex
            | Self::TokioRwLock
            | Self::StdMutex
            | Self::StdRwLock
            | Self::ParkingLotMutex
            | Self::ParkingLotRwLock
            | Self::LockApiMutex
            | Self::LockApiRwLock
            | Self::StdOnce
            | Self::StdOnceLock
            | Self::StdLazyLock
            | Self::TokioWatch => true,
            Self::TokioSemaphore
            | Self::TokioMpsc
            | Self::TokioSleep
            | Self::TokioInterval
            | Self::TokioOneshot
            | Self::TokioBarrier
            | Self::Other => false,
        }
    }

    /// Whether a lock blocks the thread of who waits for it.
    pub fn is_blocking_lock(self) -> bool {
        self.is_lock() && !matches!(self, Self::TokioMutex | Self::TokioRwLock)
    }

    /// Whether it is a lock of std, of `parking_lot` or built on `lock_api`, which a facade
    /// shows. Its constructor may not be able to tell where it was called.
    pub fn is_seen_through_facade(self) -> bool {
        self.is_blocking_lock() && self != Self::TokioWatch
    }

    /// Whether it is a cell that is initialised once, and held while its initialiser runs:
    /// that others wait meanwhile is what it is for.
    pub fn is_once_cell(self) -> bool {
        matches!(self, Self::StdOnce | Self::StdOnceLock | Self::StdLazyLock)
    }

    /// Whether it can be taken for reading.
    pub fn has_readers(self) -> bool {
        matches!(
            self,
            Self::TokioRwLock
                | Self::StdRwLock
                | Self::ParkingLotRwLock
                | Self::LockApiRwLock
                | Self::TokioWatch
        )
    }
}

/// Something a task can wait for or hold.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Unique within the process.
    pub id: u64,
    /// What it is.
    pub kind: ResourceKind,
    /// tokio's name for it.
    pub concrete_type: String,
    /// Where it was created, or ([`Self::is_first_use`]) first used; `None` where
    /// neither is known.
    pub created_at: Option<Site>,
    /// Its constructor could not tell where it was called: `created_at` and
    /// `created_stack` are of its first use.
    pub is_first_use: bool,
    /// Whose lock it is: the owner of the code that created it, as far as known.
    pub creator: Owner,
    /// The static that it lives in, demangled: `my_crate::LOCK`.
    pub static_name: Option<String>,
    /// See `audit.proto`.
    pub handed_over: bool,
    /// Somebody took it exclusively, or tried to.
    pub written: bool,
    /// The stack at its creation (or first use); empty where none was taken.
    pub created_stack: Arc<Stack>,
}

impl Resource {
    /// Whether a lock is the inside of something that everybody uses and nobody orders:
    /// of the logging that a workspace frame happens to call, for one.
    pub fn is_internal(&self) -> bool {
        const CRATES: &[&str] = &["tracing", "log", "sharded_slab", "thread_local"];
        let Owner::Dependency(name) = &self.creator else { return false };
        let name = name.replace('-', "_");
        CRATES.contains(&name.as_str()) || name.starts_with("tracing_")
    }
}
