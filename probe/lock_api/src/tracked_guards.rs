//! A raw lock beside its lockdep map, for `lock_api` 0.5, where a raw lock hands out a state for
//! each acquisition and wants it back at the release.

use concaudit_core::{
    lifecycle::{lockdep_map::LockdepMap, thread},
    record::lock::{AcquireKind, Mode},
};
use real_api::{
    RawCondvar, RawCondvarTimed, RawMutex, RawMutexFair, RawMutexTimed, RawRwLock,
    RawRwLockDowngrade, RawRwLockFair, RawRwLockTimed, RawRwLockUpgrade, RawRwLockUpgradeDowngrade,
    RawRwLockUpgradeFair, RawRwLockUpgradeTimed,
};

use crate::{MUTEX, RW_LOCK, real_api};

/// A raw lock that tells the probe what is done with it.
///
/// It does not dereference to the raw lock: whoever came by a `&R` could release it there,
/// and the probe would take it for held ever after. A crate that needs this does not
/// compile, and is then compiled with the real `lock_api`.
///
/// Nothing here tells whether its guards can be sent to other threads, so they may be.
#[derive(Debug)]
pub struct Tracked<R> {
    pub(crate) lockdep: LockdepMap,
    pub(crate) raw: R,
}

/// A raw condition variable for tracked mutexes.
#[derive(Debug)]
pub struct TrackedCondvar<C> {
    raw: C,
}

/// A mutex that was released to wait. It is held again once this is dropped, however the
/// wait ended.
struct Released<'a>(&'a LockdepMap);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        retaken(self.0, Mode::Exclusive);
    }
}

/// The lock was released and taken again by what was called.
fn retaken(lockdep: &LockdepMap, mode: Mode) {
    let attempt = lockdep.attempt(mode, AcquireKind::Wait);
    lockdep.acquired(attempt);
}

/// Takes the lock, for as long as it takes. The wait is told of where there is one.
macro_rules! take {
    ($lockdep:expr, $mode:expr, $attempt:expr, $wait:expr) => {{
        let attempt = $lockdep.attempt($mode, AcquireKind::Wait);
        let guard = match $attempt {
            Some(guard) => guard,
            None => {
                let waiting = $lockdep.wait(&attempt);
                let guard = $wait;
                drop(waiting);
                guard
            }
        };
        $lockdep.acquired(attempt);
        guard
    }};
}

/// Takes the lock if it is free in time.
macro_rules! take_in_time {
    ($lockdep:expr, $mode:expr, $attempt:expr, $wait:expr) => {{
        let attempt = $lockdep.attempt($mode, AcquireKind::Timed);
        let mut guard = $attempt;
        if guard.is_none() {
            let waiting = $lockdep.wait(&attempt);
            guard = $wait;
            drop(waiting);
        }
        if guard.is_some() {
            $lockdep.acquired(attempt);
        }
        guard
    }};
}

/// Takes the lock if it is free now.
macro_rules! attempt {
    ($lockdep:expr, $mode:expr, $attempt:expr) => {{
        let attempt = $lockdep.attempt($mode, AcquireKind::Try);
        let guard = $attempt;
        if guard.is_some() {
            $lockdep.acquired(attempt);
        }
        guard
    }};
}

// SAFETY: whether the lock is taken is up to `R` alone.
unsafe impl<R: RawMutex> RawMutex for Tracked<R> {
    const INIT: Self =
        Self { lockdep: LockdepMap::without_location(MUTEX).sendable(), raw: R::INIT };

    type Guard = R::Guard;

    #[inline]
    fn lock(&self) -> Self::Guard {
        take!(self.lockdep, Mode::Exclusive, self.raw.try_lock(), self.raw.lock())
    }

    #[inline]
    fn try_lock(&self) -> Option<Self::Guard> {
        attempt!(self.lockdep, Mode::Exclusive, self.raw.try_lock())
    }

    #[inline]
    unsafe fn unlock(&self, guard: Self::Guard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock(guard) }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexFair> RawMutexFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_fair(&self, guard: Self::Guard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_fair(guard) }
    }

    #[inline]
    unsafe fn bump(&self, guard: &mut Self::Guard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump(guard) }
        retaken(&self.lockdep, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexTimed> RawMutexTimed for Tracked<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_for(&self, timeout: Self::Duration) -> Option<Self::Guard> {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock(),
            self.raw.try_lock_for(timeout)
        )
    }

    #[inline]
    fn try_lock_until(&self, timeout: Self::Instant) -> Option<Self::Guard> {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock(),
            self.raw.try_lock_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLock> RawRwLock for Tracked<R> {
    const INIT: Self =
        Self { lockdep: LockdepMap::without_location(RW_LOCK).sendable(), raw: R::INIT };

    type SharedGuard = R::SharedGuard;
    type ExclusiveGuard = R::ExclusiveGuard;

    #[inline]
    fn lock_shared(&self) -> Self::SharedGuard {
        take!(self.lockdep, Mode::Shared, self.raw.try_lock_shared(), self.raw.lock_shared())
    }

    #[inline]
    fn try_lock_shared(&self) -> Option<Self::SharedGuard> {
        attempt!(self.lockdep, Mode::Shared, self.raw.try_lock_shared())
    }

    #[inline]
    unsafe fn unlock_shared(&self, guard: Self::SharedGuard) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared(guard) }
    }

    #[inline]
    fn lock_exclusive(&self) -> Self::ExclusiveGuard {
        take!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.lock_exclusive()
        )
    }

    #[inline]
    fn try_lock_exclusive(&self) -> Option<Self::ExclusiveGuard> {
        attempt!(self.lockdep, Mode::Exclusive, self.raw.try_lock_exclusive())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, guard: Self::ExclusiveGuard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_exclusive(guard) }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        self.raw.is_locked_exclusive()
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockFair> RawRwLockFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_shared_fair(&self, guard: Self::SharedGuard) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared_fair(guard) }
    }

    #[inline]
    unsafe fn unlock_exclusive_fair(&self, guard: Self::ExclusiveGuard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_exclusive_fair(guard) }
    }

    #[inline]
    unsafe fn bump_shared(&self, guard: &mut Self::SharedGuard) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_shared(guard) }
        retaken(&self.lockdep, Mode::Shared);
    }

    #[inline]
    unsafe fn bump_exclusive(&self, guard: &mut Self::ExclusiveGuard) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_exclusive(guard) }
        retaken(&self.lockdep, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockDowngrade> RawRwLockDowngrade for Tracked<R> {
    #[inline]
    unsafe fn downgrade(&self, guard: Self::ExclusiveGuard) -> Self::SharedGuard {
        self.lockdep.converted(Mode::Exclusive, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade(guard) }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockTimed> RawRwLockTimed for Tracked<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_shared_for(&self, timeout: Self::Duration) -> Option<Self::SharedGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_for(timeout)
        )
    }

    #[inline]
    fn try_lock_shared_until(&self, timeout: Self::Instant) -> Option<Self::SharedGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_until(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_for(&self, timeout: Self::Duration) -> Option<Self::ExclusiveGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_for(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_until(&self, timeout: Self::Instant) -> Option<Self::ExclusiveGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgrade> RawRwLockUpgrade for Tracked<R> {
    type UpgradableGuard = R::UpgradableGuard;

    #[inline]
    fn lock_upgradable(&self) -> Self::UpgradableGuard {
        take!(
            self.lockdep,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.lock_upgradable()
        )
    }

    #[inline]
    fn try_lock_upgradable(&self) -> Option<Self::UpgradableGuard> {
        attempt!(self.lockdep, Mode::Upgradable, self.raw.try_lock_upgradable())
    }

    #[inline]
    unsafe fn unlock_upgradable(&self, guard: Self::UpgradableGuard) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable(guard) }
    }

    #[inline]
    unsafe fn upgrade(&self, guard: Self::UpgradableGuard) -> Self::ExclusiveGuard {
        let attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Upgrade);
        // SAFETY: the caller holds the lock upgradably.
        let guard = match unsafe { self.raw.try_upgrade(guard) } {
            Ok(guard) => guard,
            Err(guard) => {
                let waiting = self.lockdep.wait(&attempt);
                // SAFETY: as above: an attempt that fails leaves it so.
                let guard = unsafe { self.raw.upgrade(guard) };
                drop(waiting);
                guard
            }
        };
        self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        guard
    }

    #[inline]
    unsafe fn try_upgrade(
        &self,
        guard: Self::UpgradableGuard,
    ) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        let _attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Try);
        // SAFETY: the caller holds the lock upgradably.
        let upgraded = unsafe { self.raw.try_upgrade(guard) };
        if upgraded.is_ok() {
            self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeFair> RawRwLockUpgradeFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_upgradable_fair(&self, guard: Self::UpgradableGuard) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable_fair(guard) }
    }

    #[inline]
    unsafe fn bump_upgradable(&self, guard: &mut Self::UpgradableGuard) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_upgradable(guard) }
        retaken(&self.lockdep, Mode::Upgradable);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeDowngrade> RawRwLockUpgradeDowngrade for Tracked<R> {
    #[inline]
    unsafe fn downgrade_upgradable(&self, guard: Self::UpgradableGuard) -> Self::SharedGuard {
        self.lockdep.converted(Mode::Upgradable, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_upgradable(guard) }
    }

    #[inline]
    unsafe fn downgrade_to_upgradable(&self, guard: Self::ExclusiveGuard) -> Self::UpgradableGuard {
        self.lockdep.converted(Mode::Exclusive, Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_to_upgradable(guard) }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeTimed> RawRwLockUpgradeTimed for Tracked<R> {
    #[inline]
    fn try_lock_upgradable_for(&self, timeout: Self::Duration) -> Option<Self::UpgradableGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_for(timeout)
        )
    }

    #[inline]
    fn try_lock_upgradable_until(&self, timeout: Self::Instant) -> Option<Self::UpgradableGuard> {
        take_in_time!(
            self.lockdep,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_until(timeout)
        )
    }

    #[inline]
    unsafe fn try_upgrade_for(
        &self,
        guard: Self::UpgradableGuard,
        timeout: Self::Duration,
    ) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        let attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Timed);
        // SAFETY: the caller holds the lock upgradably.
        let mut upgraded = unsafe { self.raw.try_upgrade(guard) };
        if let Err(guard) = upgraded {
            let waiting = self.lockdep.wait(&attempt);
            // SAFETY: as above: an attempt that fails leaves it so.
            upgraded = unsafe { self.raw.try_upgrade_for(guard, timeout) };
            drop(waiting);
        }
        if upgraded.is_ok() {
            self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }

    #[inline]
    unsafe fn try_upgrade_until(
        &self,
        guard: Self::UpgradableGuard,
        timeout: Self::Instant,
    ) -> Result<Self::ExclusiveGuard, Self::UpgradableGuard> {
        let attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Timed);
        // SAFETY: the caller holds the lock upgradably.
        let mut upgraded = unsafe { self.raw.try_upgrade(guard) };
        if let Err(guard) = upgraded {
            let waiting = self.lockdep.wait(&attempt);
            // SAFETY: as above: an attempt that fails leaves it so.
            upgraded = unsafe { self.raw.try_upgrade_until(guard, timeout) };
            drop(waiting);
        }
        if upgraded.is_ok() {
            self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }
}

// SAFETY: the real condition variable does it all, with the raw mutex that it is made for.
unsafe impl<C: RawCondvar> RawCondvar for TrackedCondvar<C> {
    const INIT: Self = Self { raw: C::INIT };

    type RawMutex = Tracked<C::RawMutex>;

    #[inline]
    unsafe fn wait(&self, mutex: &Self::RawMutex, guard: &mut <Self::RawMutex as RawMutex>::Guard) {
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait");
        // SAFETY: the caller holds the mutex.
        unsafe { self.raw.wait(&mutex.raw, guard) }
    }

    #[inline]
    fn notify_one(&self) -> bool {
        self.raw.notify_one()
    }

    #[inline]
    fn notify_all(&self) -> usize {
        self.raw.notify_all()
    }
}

// SAFETY: as above.
unsafe impl<C> RawCondvarTimed for TrackedCondvar<C>
where
    C: RawCondvarTimed,
    C::RawMutex: RawMutexTimed,
{
    #[inline]
    fn checked_duration_to_instant(
        timeout: &<Self::RawMutex as RawMutexTimed>::Duration,
    ) -> Option<<Self::RawMutex as RawMutexTimed>::Instant> {
        C::checked_duration_to_instant(timeout)
    }

    #[inline]
    unsafe fn wait_until(
        &self,
        mutex: &Self::RawMutex,
        guard: &mut <Self::RawMutex as RawMutex>::Guard,
        timeout: &<Self::RawMutex as RawMutexTimed>::Instant,
    ) -> bool {
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait_timeout");
        // SAFETY: the caller holds the mutex.
        unsafe { self.raw.wait_until(&mutex.raw, guard, timeout) }
    }

    #[inline]
    unsafe fn wait_for(
        &self,
        mutex: &Self::RawMutex,
        guard: &mut <Self::RawMutex as RawMutex>::Guard,
        timeout: &<Self::RawMutex as RawMutexTimed>::Duration,
    ) -> bool {
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait_timeout");
        // SAFETY: the caller holds the mutex.
        unsafe { self.raw.wait_for(&mutex.raw, guard, timeout) }
    }
}
