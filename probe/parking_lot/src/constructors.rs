//! The constructors that can tell where they were called. `new` of the locks belongs to
//! `lock_api`, which cannot.

use std::panic::Location;

use concaudit_core::label::Label;
use real::RawThreadId;

use crate::{
    FairMutex, MUTEX, Mutex, RW_LOCK, ReentrantMutex, RwLock,
    labelled::Labelled,
    nested::Nested,
    real_api::{GetThreadId, RawMutex as _, RawRwLock as _},
};

/// As in the real crate.
#[track_caller]
pub const fn const_mutex<T>(value: T) -> Mutex<T> {
    let label = Label::new(MUTEX, Location::caller());
    Mutex::const_new(Labelled { label, raw: Nested::INIT }, value)
}

/// As in the real crate.
#[track_caller]
pub const fn const_fair_mutex<T>(value: T) -> FairMutex<T> {
    let label = Label::new(MUTEX, Location::caller());
    FairMutex::const_new(Labelled { label, raw: real::RawFairMutex::INIT }, value)
}

/// As in the real crate.
#[track_caller]
pub const fn const_reentrant_mutex<T>(value: T) -> ReentrantMutex<T> {
    let label = Label::new(MUTEX, Location::caller());
    ReentrantMutex::const_new(
        Labelled { label, raw: Nested::INIT },
        <RawThreadId as GetThreadId>::INIT,
        value,
    )
}

/// As in the real crate.
#[track_caller]
pub const fn const_rwlock<T>(value: T) -> RwLock<T> {
    let label = Label::new(RW_LOCK, Location::caller());
    RwLock::const_new(Labelled { label, raw: real::RawRwLock::INIT }, value)
}
