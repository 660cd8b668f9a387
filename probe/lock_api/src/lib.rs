//! Stands in for `lock_api` where a crate builds a lock of its own on it, as dashmap does.
//!
//! Everything is the real crate's, but each lock holds a [`Tracked`] raw lock in place of
//! the one that it is named with, and so does each guard. What is implemented for
//! `RwLock<R, T>` by others is thereby implemented for what users get.
//!
//! It is compiled for each project, with that project's `lock_api` as `real` (0.4.6 and
//! later as `concaudit_lock_api = "0.4"`, 0.5 as `"0.5"`) and with its features. A crate
//! that uses `parking_lot` too gets the real `lock_api`: the raw locks that it knows are
//! tracked already.
//!
//! Not seen are locks that do not go through `lock_api`, as `spin::Mutex` and those of
//! dashmap 4. A crate does not compile with this, and gets the real `lock_api`, where it
//! makes a lock from a raw one (`const_new`), or keeps a `&R` to unlock by hand, as the
//! detached guards of dashmap 7.0.0-rc do: they would release it past the lockdep map.

pub use real::*;

use concaudit_core::record::resource::ResourceKind;
use real as real_api;

#[cfg(not(concaudit_lock_api = "0.5"))]
mod tracked;
#[cfg(concaudit_lock_api = "0.5")]
#[path = "tracked_guards.rs"]
mod tracked;

pub use crate::tracked::Tracked;
#[cfg(concaudit_lock_api = "0.5")]
pub use crate::tracked::TrackedCondvar;

const MUTEX: ResourceKind = ResourceKind::LockApiMutex;
const RW_LOCK: ResourceKind = ResourceKind::LockApiRwLock;

/// The real one, with a tracked raw lock.
pub type Mutex<R, T> = real::Mutex<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type MutexGuard<'a, R, T> = real::MutexGuard<'a, Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type MappedMutexGuard<'a, R, T> = real::MappedMutexGuard<'a, Tracked<R>, T>;

/// The real one, with a tracked raw lock.
pub type RwLock<R, T> = real::RwLock<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type RwLockReadGuard<'a, R, T> = real::RwLockReadGuard<'a, Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type RwLockWriteGuard<'a, R, T> = real::RwLockWriteGuard<'a, Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type RwLockUpgradableReadGuard<'a, R, T> = real::RwLockUpgradableReadGuard<'a, Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type MappedRwLockReadGuard<'a, R, T> = real::MappedRwLockReadGuard<'a, Tracked<R>, T>;
/// The real one, with a tracked raw lock.
pub type MappedRwLockWriteGuard<'a, R, T> = real::MappedRwLockWriteGuard<'a, Tracked<R>, T>;

// Only the outermost lock of a reentrant mutex reaches its raw lock, so that is the one with a
// lockdep map. Before 0.4.10 there was no such feature: there it is the real one, and not seen.
/// The real one, with a tracked raw lock.
#[cfg(feature = "atomic_usize")]
pub type RawReentrantMutex<R, G> = real::RawReentrantMutex<Tracked<R>, G>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "atomic_usize")]
pub type ReentrantMutex<R, G, T> = real::ReentrantMutex<Tracked<R>, G, T>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "atomic_usize")]
pub type ReentrantMutexGuard<'a, R, G, T> = real::ReentrantMutexGuard<'a, Tracked<R>, G, T>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "atomic_usize")]
pub type MappedReentrantMutexGuard<'a, R, G, T> =
    real::MappedReentrantMutexGuard<'a, Tracked<R>, G, T>;

/// The real one, with a tracked raw lock.
#[cfg(feature = "arc_lock")]
pub type ArcMutexGuard<R, T> = real::ArcMutexGuard<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "arc_lock")]
pub type ArcRwLockReadGuard<R, T> = real::ArcRwLockReadGuard<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "arc_lock")]
pub type ArcRwLockWriteGuard<R, T> = real::ArcRwLockWriteGuard<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
#[cfg(feature = "arc_lock")]
pub type ArcRwLockUpgradableReadGuard<R, T> = real::ArcRwLockUpgradableReadGuard<Tracked<R>, T>;
/// The real one, with a tracked raw lock.
#[cfg(all(feature = "arc_lock", feature = "atomic_usize"))]
pub type ArcReentrantMutexGuard<R, G, T> = real::ArcReentrantMutexGuard<Tracked<R>, G, T>;

/// The real one, for guards with a tracked raw lock.
#[cfg(concaudit_lock_api = "0.5")]
pub type Condvar<C> = real::Condvar<TrackedCondvar<C>>;
