//! Stands in for `parking_lot`.
//!
//! Everything is the real crate's, but the raw locks tell the probe what is done with them,
//! and every lock and guard is `lock_api`'s around those, as in the real crate. Condition
//! variables take guards of these.
//!
//! It is compiled for each project, with that project's `parking_lot` as `real`, with the
//! `lock_api` that this was compiled with, with its features, and with its minor version as
//! `concaudit_parking_lot`: 0.11 and 0.12 are alike, 0.13 came with another `lock_api`.
//!
//! `Once` is the real one.

pub use real::*;

use ::lock_api as real_api;
use concaudit_core::record::resource::ResourceKind;

#[cfg(not(concaudit_parking_lot = "0.13"))]
mod condvar;
#[cfg(not(concaudit_parking_lot = "0.13"))]
mod constructors;
#[cfg(not(concaudit_parking_lot = "0.13"))]
mod nested;
#[cfg(not(concaudit_parking_lot = "0.13"))]
#[path = "../../lock_api/src/tracked.rs"]
mod tracked;
#[cfg(concaudit_parking_lot = "0.13")]
#[path = "../../lock_api/src/tracked_guards.rs"]
mod tracked;

use crate::tracked::Tracked;

#[cfg(not(concaudit_parking_lot = "0.13"))]
mod since_0_11 {
    use crate::{nested::Nested, tracked::Tracked};

    /// The raw lock of [`Mutex`](crate::Mutex), tracked.
    pub type RawMutex = Tracked<Nested>;
    /// The raw lock of [`RwLock`](crate::RwLock), tracked.
    pub type RawRwLock = Tracked<real::RawRwLock>;

    pub use crate::{
        condvar::{Condvar, WaitTimeoutResult},
        constructors::{const_fair_mutex, const_mutex, const_reentrant_mutex, const_rwlock},
    };
}
#[cfg(not(concaudit_parking_lot = "0.13"))]
pub use crate::since_0_11::{
    Condvar, RawMutex, RawRwLock, WaitTimeoutResult, const_fair_mutex, const_mutex,
    const_reentrant_mutex, const_rwlock,
};

#[cfg(concaudit_parking_lot = "0.13")]
mod since_0_13 {
    use crate::tracked::{Tracked, TrackedCondvar};

    /// The raw lock of [`Mutex`](crate::Mutex), tracked.
    pub type RawMutex = Tracked<real::RawMutex>;
    /// The raw lock of [`RwLock`](crate::RwLock), tracked.
    pub type RawRwLock<const RECURSIVE: bool = false> = Tracked<real::RawRwLock<RECURSIVE>>;
    /// The raw lock of [`RecursiveRwLock`], tracked.
    pub type RawRwLockRecursive = RawRwLock<true>;
    /// The raw condition variable of [`Condvar`], for tracked mutexes.
    pub type RawCondvar = TrackedCondvar<real::RawCondvar>;

    /// The real one, for tracked mutexes.
    pub type Condvar = lock_api::Condvar<RawCondvar>;

    /// The real one, tracked.
    pub type RecursiveRwLock<T> = lock_api::RwLock<RawRwLockRecursive, T>;
    /// The real one, of a tracked lock.
    pub type RecursiveRwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, RawRwLockRecursive, T>;
    /// The real one, of a tracked lock.
    pub type RecursiveRwLockWriteGuard<'a, T> =
        lock_api::RwLockWriteGuard<'a, RawRwLockRecursive, T>;
    /// The real one, of a tracked lock.
    pub type RecursiveRwLockUpgradableReadGuard<'a, T> =
        lock_api::RwLockUpgradableReadGuard<'a, RawRwLockRecursive, T>;
    /// The real one, of a tracked lock.
    pub type MappedRecursiveRwLockReadGuard<'a, T> =
        lock_api::MappedRwLockReadGuard<'a, RawRwLockRecursive, T>;
    /// The real one, of a tracked lock.
    pub type MappedRecursiveRwLockWriteGuard<'a, T> =
        lock_api::MappedRwLockWriteGuard<'a, RawRwLockRecursive, T>;
}
#[cfg(concaudit_parking_lot = "0.13")]
pub use crate::since_0_13::{
    Condvar, MappedRecursiveRwLockReadGuard, MappedRecursiveRwLockWriteGuard, RawCondvar, RawMutex,
    RawRwLock, RawRwLockRecursive, RecursiveRwLock, RecursiveRwLockReadGuard,
    RecursiveRwLockUpgradableReadGuard, RecursiveRwLockWriteGuard,
};

const MUTEX: ResourceKind = ResourceKind::ParkingLotMutex;
const RW_LOCK: ResourceKind = ResourceKind::ParkingLotRwLock;

/// The raw lock of [`FairMutex`], tracked.
pub type RawFairMutex = Tracked<real::RawFairMutex>;

/// The real one, tracked.
pub type Mutex<T> = real_api::Mutex<RawMutex, T>;
/// The real one, of a tracked lock.
pub type MutexGuard<'a, T> = real_api::MutexGuard<'a, RawMutex, T>;
/// The real one, of a tracked lock.
pub type MappedMutexGuard<'a, T> = real_api::MappedMutexGuard<'a, RawMutex, T>;

/// The real one, tracked.
pub type FairMutex<T> = real_api::Mutex<RawFairMutex, T>;
/// The real one, of a tracked lock.
pub type FairMutexGuard<'a, T> = real_api::MutexGuard<'a, RawFairMutex, T>;
/// The real one, of a tracked lock.
pub type MappedFairMutexGuard<'a, T> = real_api::MappedMutexGuard<'a, RawFairMutex, T>;

// Only the outermost lock of a reentrant mutex reaches its raw lock.
/// The real one, tracked.
pub type ReentrantMutex<T> = real_api::ReentrantMutex<RawMutex, RawThreadId, T>;
/// The real one, of a tracked lock.
pub type ReentrantMutexGuard<'a, T> = real_api::ReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;
/// The real one, of a tracked lock.
pub type MappedReentrantMutexGuard<'a, T> =
    real_api::MappedReentrantMutexGuard<'a, RawMutex, RawThreadId, T>;

/// The real one, tracked.
pub type RwLock<T> = real_api::RwLock<RawRwLock, T>;
/// The real one, of a tracked lock.
pub type RwLockReadGuard<'a, T> = real_api::RwLockReadGuard<'a, RawRwLock, T>;
/// The real one, of a tracked lock.
pub type RwLockWriteGuard<'a, T> = real_api::RwLockWriteGuard<'a, RawRwLock, T>;
/// The real one, of a tracked lock.
pub type RwLockUpgradableReadGuard<'a, T> = real_api::RwLockUpgradableReadGuard<'a, RawRwLock, T>;
/// The real one, of a tracked lock.
pub type MappedRwLockReadGuard<'a, T> = real_api::MappedRwLockReadGuard<'a, RawRwLock, T>;
/// The real one, of a tracked lock.
pub type MappedRwLockWriteGuard<'a, T> = real_api::MappedRwLockWriteGuard<'a, RawRwLock, T>;
