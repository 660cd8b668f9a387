//! The real raw mutex within a real mutex of nothing, since a real condition variable takes
//! only the guard of one.

use std::{
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
};

use crate::real_api::{Mutex, MutexGuard, RawMutex, RawMutexFair, RawMutexTimed};

type Real = real::RawMutex;

/// The raw mutex below the lockdep map of a [`Mutex`](crate::Mutex).
pub struct Nested(Mutex<Real, ()>);

// The mutex guards nothing, so there is nothing that a panic could leave half done.
impl UnwindSafe for Nested {}
impl RefUnwindSafe for Nested {}

impl Nested {
    #[inline]
    fn raw(&self) -> &Real {
        // SAFETY: what may not be done with it unless the lock is held is unsafe to call.
        unsafe { self.0.raw() }
    }

    /// The guard of a lock that is held already, for the real crate's own functions. It
    /// leaves the lock as it is when it goes.
    ///
    /// # Safety
    ///
    /// The caller holds this lock for as long as the guard is used, by another guard that
    /// is not used meanwhile.
    pub unsafe fn guard(&self) -> ManuallyDrop<MutexGuard<'_, Real, ()>> {
        // SAFETY: passed on to the caller. Never dropped, the guard unlocks nothing.
        ManuallyDrop::new(unsafe { self.0.make_guard_unchecked() })
    }
}

/// What `lock_api` has since 0.4.11. A method of its own comes before that of a trait.
#[expect(dead_code, reason = "for an older lock_api than this was compiled with")]
trait MakeGuard {
    unsafe fn make_guard_unchecked(&self) -> MutexGuard<'_, Real, ()>;
}

impl MakeGuard for Mutex<Real, ()> {
    unsafe fn make_guard_unchecked(&self) -> MutexGuard<'_, Real, ()> {
        // SAFETY: in the versions that lack the method, which are published and will not
        // change, a guard is a reference to its mutex beside a marker without size. That
        // the sizes are the same is checked here; that the lock is held, the caller says.
        unsafe { std::mem::transmute::<&Self, MutexGuard<'_, Real, ()>>(self) }
    }
}

// SAFETY: the real raw mutex does it all.
unsafe impl RawMutex for Nested {
    const INIT: Self = Self(Mutex::const_new(Real::INIT, ()));

    type GuardMarker = <Real as RawMutex>::GuardMarker;

    #[inline]
    fn lock(&self) {
        self.raw().lock();
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.raw().try_lock()
    }

    #[inline]
    unsafe fn unlock(&self) {
        // SAFETY: the caller holds the lock.
        unsafe { self.raw().unlock() }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw().is_locked()
    }
}

// SAFETY: as above.
unsafe impl RawMutexFair for Nested {
    #[inline]
    unsafe fn unlock_fair(&self) {
        // SAFETY: the caller holds the lock.
        unsafe { self.raw().unlock_fair() }
    }

    #[inline]
    unsafe fn bump(&self) {
        // SAFETY: the caller holds the lock.
        unsafe { self.raw().bump() }
    }
}

// SAFETY: as above.
unsafe impl RawMutexTimed for Nested {
    type Duration = <Real as RawMutexTimed>::Duration;
    type Instant = <Real as RawMutexTimed>::Instant;

    #[inline]
    fn try_lock_for(&self, timeout: Self::Duration) -> bool {
        self.raw().try_lock_for(timeout)
    }

    #[inline]
    fn try_lock_until(&self, timeout: Self::Instant) -> bool {
        self.raw().try_lock_until(timeout)
    }
}
