//! The constructors that can tell where they were called. `new` of the locks belongs to
//! `lock_api`, which cannot.

use std::panic::Location;

use concaudit_core::lifecycle::lockdep_map::LockdepMap;
use real::RawThreadId;

use crate::{
    FairMutex, MUTEX, Mutex, RW_LOCK, ReentrantMutex, RwLock,
    nested::Nested,
    real_api::{GetThreadId, RawMutex as _, RawRwLock as _},
    tracked::Tracked,
};

/// As in the real crate.
#[track_caller]
pub const fn const_mutex<T>(value: T) -> Mutex<T> {
    let lockdep = LockdepMap::new(MUTEX, Location::caller());
    Mutex::const_new(Tracked { lockdep, raw: Nested::INIT }, value)
}

/// As in the real crate.
#[track_caller]
pub const fn const_fair_mutex<T>(value: T) -> FairMutex<T> {
    let lockdep = LockdepMap::new(MUTEX, Location::caller());
    FairMutex::const_new(Tracked { lockdep, raw: real::RawFairMutex::INIT }, value)
}

/// As in the real crate.
#[track_caller]
pub const fn const_reentrant_mutex<T>(value: T) -> ReentrantMutex<T> {
    let lockdep = LockdepMap::new(MUTEX, Location::caller());
    ReentrantMutex::const_new(
        Tracked { lockdep, raw: Nested::INIT },
        <RawThreadId as GetThreadId>::INIT,
        value,
    )
}

/// As in the real crate.
#[track_caller]
pub const fn const_rwlock<T>(value: T) -> RwLock<T> {
    let lockdep = LockdepMap::new(RW_LOCK, Location::caller());
    RwLock::const_new(Tracked { lockdep, raw: real::RawRwLock::INIT }, value)
}
