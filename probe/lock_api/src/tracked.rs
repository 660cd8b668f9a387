//! A raw lock beside its lockdep map, for `lock_api` 0.4.

use concaudit_core::{
    lifecycle::lockdep_map::LockdepMap,
    record::{
        lock::{AcquireKind, Mode},
        resource::ResourceKind,
    },
};
use real_api::{
    RawMutex, RawMutexFair, RawMutexTimed, RawRwLock, RawRwLockDowngrade, RawRwLockFair,
    RawRwLockRecursive, RawRwLockRecursiveTimed, RawRwLockTimed, RawRwLockUpgrade,
    RawRwLockUpgradeDowngrade, RawRwLockUpgradeFair, RawRwLockUpgradeTimed,
};

use crate::{MUTEX, RW_LOCK, real_api};

/// A raw lock that tells the probe what is done with it.
///
/// It does not dereference to the raw lock: whoever came by a `&R` could release it there,
/// and the probe would take it for held ever after. A crate that needs this does not
/// compile, and is then compiled with the real `lock_api`.
#[derive(Debug)]
pub struct Tracked<R> {
    pub(crate) lockdep: LockdepMap,
    pub(crate) raw: R,
}

/// The lockdep map of a raw lock whose guards are marked by `M`: the marker of those that cannot
/// be sent to other threads has a pointer in it, the other one nothing.
const fn map_of<M>(kind: ResourceKind) -> LockdepMap {
    let lockdep = LockdepMap::without_location(kind);
    if size_of::<M>() == 0 { lockdep.sendable() } else { lockdep }
}

/// The lock was released and taken again by what was called.
pub(crate) fn retaken(lockdep: &LockdepMap, mode: Mode) {
    let attempt = lockdep.attempt(mode, AcquireKind::Wait);
    lockdep.acquired(attempt);
}

/// Takes the lock, for as long as it takes. The wait is told of where there is one.
macro_rules! take {
    ($lockdep:expr, $mode:expr, $how:expr, $attempt:expr, $wait:expr) => {{
        let attempt = $lockdep.attempt($mode, $how);
        if !$attempt {
            let waiting = $lockdep.wait(&attempt);
            $wait;
            drop(waiting);
        }
        $lockdep.acquired(attempt);
    }};
}

/// Takes the lock if it is free in time, and says whether it was.
macro_rules! take_in_time {
    ($lockdep:expr, $mode:expr, $attempt:expr, $wait:expr) => {{
        let attempt = $lockdep.attempt($mode, AcquireKind::Timed);
        let mut taken = $attempt;
        if !taken {
            let waiting = $lockdep.wait(&attempt);
            taken = $wait;
            drop(waiting);
        }
        if taken {
            $lockdep.acquired(attempt);
        }
        taken
    }};
}

/// Takes the lock if it is free now, and says whether it was.
macro_rules! attempt {
    ($lockdep:expr, $mode:expr, $attempt:expr) => {{
        let attempt = $lockdep.attempt($mode, AcquireKind::Try);
        let taken = $attempt;
        if taken {
            $lockdep.acquired(attempt);
        }
        taken
    }};
}

/// Turns the upgradable hold into an exclusive one in time, and says whether it was.
macro_rules! upgrade_in_time {
    ($lockdep:expr, $attempt:expr, $wait:expr) => {{
        let attempt = $lockdep.attempt(Mode::Exclusive, AcquireKind::Timed);
        let mut upgraded = $attempt;
        if !upgraded {
            let waiting = $lockdep.wait(&attempt);
            upgraded = $wait;
            drop(waiting);
        }
        if upgraded {
            $lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }};
}

// SAFETY: whether the lock is taken is up to `R` alone.
unsafe impl<R: RawMutex> RawMutex for Tracked<R> {
    const INIT: Self = Self { lockdep: map_of::<R::GuardMarker>(MUTEX), raw: R::INIT };

    type GuardMarker = R::GuardMarker;

    #[inline]
    fn lock(&self) {
        take!(
            self.lockdep,
            Mode::Exclusive,
            AcquireKind::Wait,
            self.raw.try_lock(),
            self.raw.lock()
        );
    }

    #[inline]
    fn try_lock(&self) -> bool {
        attempt!(self.lockdep, Mode::Exclusive, self.raw.try_lock())
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock.
        unsafe { self.raw.unlock() }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexFair> RawMutexFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_fair(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock.
        unsafe { self.raw.unlock_fair() }
    }

    #[inline]
    unsafe fn bump(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump() }
        retaken(&self.lockdep, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexTimed> RawMutexTimed for Tracked<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock(),
            self.raw.try_lock_for(timeout)
        )
    }

    #[inline]
    fn try_lock_until(&self, timeout: Self::Instant) -> bool {
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
    const INIT: Self = Self { lockdep: map_of::<R::GuardMarker>(RW_LOCK), raw: R::INIT };

    type GuardMarker = R::GuardMarker;

    #[inline]
    fn lock_shared(&self) {
        take!(
            self.lockdep,
            Mode::Shared,
            AcquireKind::Wait,
            self.raw.try_lock_shared(),
            self.raw.lock_shared()
        );
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        attempt!(self.lockdep, Mode::Shared, self.raw.try_lock_shared())
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared() }
    }

    #[inline]
    fn lock_exclusive(&self) {
        take!(
            self.lockdep,
            Mode::Exclusive,
            AcquireKind::Wait,
            self.raw.try_lock_exclusive(),
            self.raw.lock_exclusive()
        );
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        attempt!(self.lockdep, Mode::Exclusive, self.raw.try_lock_exclusive())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_exclusive() }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }

    // Since lock_api 0.4.6, which parking_lot 0.12 asks for. Without it the default holds.
    #[cfg(not(concaudit_parking_lot = "0.11"))]
    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        self.raw.is_locked_exclusive()
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockFair> RawRwLockFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_shared_fair(&self) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared_fair() }
    }

    #[inline]
    unsafe fn unlock_exclusive_fair(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_exclusive_fair() }
    }

    #[inline]
    unsafe fn bump_shared(&self) {
        self.lockdep.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_shared() }
        retaken(&self.lockdep, Mode::Shared);
    }

    #[inline]
    unsafe fn bump_exclusive(&self) {
        self.lockdep.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_exclusive() }
        retaken(&self.lockdep, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockDowngrade> RawRwLockDowngrade for Tracked<R> {
    #[inline]
    unsafe fn downgrade(&self) {
        self.lockdep.converted(Mode::Exclusive, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade() }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockTimed> RawRwLockTimed for Tracked<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_shared_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_for(timeout)
        )
    }

    #[inline]
    fn try_lock_shared_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_until(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_for(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockRecursive> RawRwLockRecursive for Tracked<R> {
    #[inline]
    fn lock_shared_recursive(&self) {
        take!(
            self.lockdep,
            Mode::Shared,
            AcquireKind::Recursive,
            self.raw.try_lock_shared_recursive(),
            self.raw.lock_shared_recursive()
        );
    }

    #[inline]
    fn try_lock_shared_recursive(&self) -> bool {
        attempt!(self.lockdep, Mode::Shared, self.raw.try_lock_shared_recursive())
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockRecursiveTimed> RawRwLockRecursiveTimed for Tracked<R> {
    #[inline]
    fn try_lock_shared_recursive_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared_recursive(),
            self.raw.try_lock_shared_recursive_for(timeout)
        )
    }

    #[inline]
    fn try_lock_shared_recursive_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Shared,
            self.raw.try_lock_shared_recursive(),
            self.raw.try_lock_shared_recursive_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgrade> RawRwLockUpgrade for Tracked<R> {
    #[inline]
    fn lock_upgradable(&self) {
        take!(
            self.lockdep,
            Mode::Upgradable,
            AcquireKind::Wait,
            self.raw.try_lock_upgradable(),
            self.raw.lock_upgradable()
        );
    }

    #[inline]
    fn try_lock_upgradable(&self) -> bool {
        attempt!(self.lockdep, Mode::Upgradable, self.raw.try_lock_upgradable())
    }

    #[inline]
    unsafe fn unlock_upgradable(&self) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable() }
    }

    #[inline]
    unsafe fn upgrade(&self) {
        let attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Upgrade);
        // SAFETY: the caller holds the lock upgradably, and an attempt that fails leaves it so.
        if !unsafe { self.raw.try_upgrade() } {
            let waiting = self.lockdep.wait(&attempt);
            // SAFETY: as above.
            unsafe { self.raw.upgrade() }
            drop(waiting);
        }
        self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
    }

    #[inline]
    unsafe fn try_upgrade(&self) -> bool {
        let _attempt = self.lockdep.attempt(Mode::Exclusive, AcquireKind::Try);
        // SAFETY: the caller holds the lock upgradably.
        let upgraded = unsafe { self.raw.try_upgrade() };
        if upgraded {
            self.lockdep.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeFair> RawRwLockUpgradeFair for Tracked<R> {
    #[inline]
    unsafe fn unlock_upgradable_fair(&self) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable_fair() }
    }

    #[inline]
    unsafe fn bump_upgradable(&self) {
        self.lockdep.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_upgradable() }
        retaken(&self.lockdep, Mode::Upgradable);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeDowngrade> RawRwLockUpgradeDowngrade for Tracked<R> {
    #[inline]
    unsafe fn downgrade_upgradable(&self) {
        self.lockdep.converted(Mode::Upgradable, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_upgradable() }
    }

    #[inline]
    unsafe fn downgrade_to_upgradable(&self) {
        self.lockdep.converted(Mode::Exclusive, Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_to_upgradable() }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeTimed> RawRwLockUpgradeTimed for Tracked<R> {
    #[inline]
    fn try_lock_upgradable_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_for(timeout)
        )
    }

    #[inline]
    fn try_lock_upgradable_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.lockdep,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_until(timeout)
        )
    }

    #[inline]
    unsafe fn try_upgrade_for(&self, timeout: Self::Duration) -> bool {
        upgrade_in_time!(
            self.lockdep,
            // SAFETY: the caller holds the lock upgradably.
            unsafe { self.raw.try_upgrade() },
            // SAFETY: as above: an attempt that fails leaves it so.
            unsafe { self.raw.try_upgrade_for(timeout) }
        )
    }

    #[inline]
    unsafe fn try_upgrade_until(&self, timeout: Self::Instant) -> bool {
        upgrade_in_time!(
            self.lockdep,
            // SAFETY: the caller holds the lock upgradably.
            unsafe { self.raw.try_upgrade() },
            // SAFETY: as above: an attempt that fails leaves it so.
            unsafe { self.raw.try_upgrade_until(timeout) }
        )
    }
}
