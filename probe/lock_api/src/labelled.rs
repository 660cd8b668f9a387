//! A raw lock beside its label, for `lock_api` 0.4.

use concaudit_core::{
    label::{How, Label},
    lock::Mode,
    resource::ResourceKind,
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
pub struct Labelled<R> {
    pub(crate) label: Label,
    pub(crate) raw: R,
}

/// The label of a raw lock whose guards are marked by `M`: the marker of those that cannot
/// be sent to other threads has a pointer in it, the other one nothing.
const fn label<M>(kind: ResourceKind) -> Label {
    let label = Label::unplaced(kind);
    if size_of::<M>() == 0 { label.sendable() } else { label }
}

/// The lock was released and taken again by what was called.
pub(crate) fn retaken(label: &Label, mode: Mode) {
    let intent = label.intend(mode, How::Wait);
    label.acquired(intent);
}

/// Takes the lock, for as long as it takes. The wait is told of where there is one.
macro_rules! take {
    ($label:expr, $mode:expr, $how:expr, $attempt:expr, $wait:expr) => {{
        let intent = $label.intend($mode, $how);
        if !$attempt {
            let waiting = $label.wait(&intent);
            $wait;
            drop(waiting);
        }
        $label.acquired(intent);
    }};
}

/// Takes the lock if it is free in time, and says whether it was.
macro_rules! take_in_time {
    ($label:expr, $mode:expr, $attempt:expr, $wait:expr) => {{
        let intent = $label.intend($mode, How::Timed);
        let mut taken = $attempt;
        if !taken {
            let waiting = $label.wait(&intent);
            taken = $wait;
            drop(waiting);
        }
        if taken {
            $label.acquired(intent);
        }
        taken
    }};
}

/// Takes the lock if it is free now, and says whether it was.
macro_rules! attempt {
    ($label:expr, $mode:expr, $attempt:expr) => {{
        let intent = $label.intend($mode, How::Try);
        let taken = $attempt;
        if taken {
            $label.acquired(intent);
        }
        taken
    }};
}

/// Turns the upgradable hold into an exclusive one in time, and says whether it was.
macro_rules! upgrade_in_time {
    ($label:expr, $attempt:expr, $wait:expr) => {{
        let intent = $label.intend(Mode::Exclusive, How::Timed);
        let mut upgraded = $attempt;
        if !upgraded {
            let waiting = $label.wait(&intent);
            upgraded = $wait;
            drop(waiting);
        }
        if upgraded {
            $label.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }};
}

// SAFETY: whether the lock is taken is up to `R` alone.
unsafe impl<R: RawMutex> RawMutex for Labelled<R> {
    const INIT: Self = Self { label: label::<R::GuardMarker>(MUTEX), raw: R::INIT };

    type GuardMarker = R::GuardMarker;

    #[inline]
    fn lock(&self) {
        take!(self.label, Mode::Exclusive, How::Wait, self.raw.try_lock(), self.raw.lock());
    }

    #[inline]
    fn try_lock(&self) -> bool {
        attempt!(self.label, Mode::Exclusive, self.raw.try_lock())
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.label.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock.
        unsafe { self.raw.unlock() }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.raw.is_locked()
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexFair> RawMutexFair for Labelled<R> {
    #[inline]
    unsafe fn unlock_fair(&self) {
        self.label.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock.
        unsafe { self.raw.unlock_fair() }
    }

    #[inline]
    unsafe fn bump(&self) {
        self.label.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump() }
        retaken(&self.label, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexTimed> RawMutexTimed for Labelled<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.label,
            Mode::Exclusive,
            self.raw.try_lock(),
            self.raw.try_lock_for(timeout)
        )
    }

    #[inline]
    fn try_lock_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.label,
            Mode::Exclusive,
            self.raw.try_lock(),
            self.raw.try_lock_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLock> RawRwLock for Labelled<R> {
    const INIT: Self = Self { label: label::<R::GuardMarker>(RW_LOCK), raw: R::INIT };

    type GuardMarker = R::GuardMarker;

    #[inline]
    fn lock_shared(&self) {
        take!(
            self.label,
            Mode::Shared,
            How::Wait,
            self.raw.try_lock_shared(),
            self.raw.lock_shared()
        );
    }

    #[inline]
    fn try_lock_shared(&self) -> bool {
        attempt!(self.label, Mode::Shared, self.raw.try_lock_shared())
    }

    #[inline]
    unsafe fn unlock_shared(&self) {
        self.label.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared() }
    }

    #[inline]
    fn lock_exclusive(&self) {
        take!(
            self.label,
            Mode::Exclusive,
            How::Wait,
            self.raw.try_lock_exclusive(),
            self.raw.lock_exclusive()
        );
    }

    #[inline]
    fn try_lock_exclusive(&self) -> bool {
        attempt!(self.label, Mode::Exclusive, self.raw.try_lock_exclusive())
    }

    #[inline]
    unsafe fn unlock_exclusive(&self) {
        self.label.released(Mode::Exclusive);
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
unsafe impl<R: RawRwLockFair> RawRwLockFair for Labelled<R> {
    #[inline]
    unsafe fn unlock_shared_fair(&self) {
        self.label.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_shared_fair() }
    }

    #[inline]
    unsafe fn unlock_exclusive_fair(&self) {
        self.label.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_exclusive_fair() }
    }

    #[inline]
    unsafe fn bump_shared(&self) {
        self.label.released(Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_shared() }
        retaken(&self.label, Mode::Shared);
    }

    #[inline]
    unsafe fn bump_exclusive(&self) {
        self.label.released(Mode::Exclusive);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_exclusive() }
        retaken(&self.label, Mode::Exclusive);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockDowngrade> RawRwLockDowngrade for Labelled<R> {
    #[inline]
    unsafe fn downgrade(&self) {
        self.label.converted(Mode::Exclusive, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade() }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockTimed> RawRwLockTimed for Labelled<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_shared_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.label,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_for(timeout)
        )
    }

    #[inline]
    fn try_lock_shared_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.label,
            Mode::Shared,
            self.raw.try_lock_shared(),
            self.raw.try_lock_shared_until(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.label,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_for(timeout)
        )
    }

    #[inline]
    fn try_lock_exclusive_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.label,
            Mode::Exclusive,
            self.raw.try_lock_exclusive(),
            self.raw.try_lock_exclusive_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockRecursive> RawRwLockRecursive for Labelled<R> {
    #[inline]
    fn lock_shared_recursive(&self) {
        take!(
            self.label,
            Mode::Shared,
            How::Recursive,
            self.raw.try_lock_shared_recursive(),
            self.raw.lock_shared_recursive()
        );
    }

    #[inline]
    fn try_lock_shared_recursive(&self) -> bool {
        attempt!(self.label, Mode::Shared, self.raw.try_lock_shared_recursive())
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockRecursiveTimed> RawRwLockRecursiveTimed for Labelled<R> {
    #[inline]
    fn try_lock_shared_recursive_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.label,
            Mode::Shared,
            self.raw.try_lock_shared_recursive(),
            self.raw.try_lock_shared_recursive_for(timeout)
        )
    }

    #[inline]
    fn try_lock_shared_recursive_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.label,
            Mode::Shared,
            self.raw.try_lock_shared_recursive(),
            self.raw.try_lock_shared_recursive_until(timeout)
        )
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgrade> RawRwLockUpgrade for Labelled<R> {
    #[inline]
    fn lock_upgradable(&self) {
        take!(
            self.label,
            Mode::Upgradable,
            How::Wait,
            self.raw.try_lock_upgradable(),
            self.raw.lock_upgradable()
        );
    }

    #[inline]
    fn try_lock_upgradable(&self) -> bool {
        attempt!(self.label, Mode::Upgradable, self.raw.try_lock_upgradable())
    }

    #[inline]
    unsafe fn unlock_upgradable(&self) {
        self.label.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable() }
    }

    #[inline]
    unsafe fn upgrade(&self) {
        let intent = self.label.intend(Mode::Exclusive, How::Upgrade);
        // SAFETY: the caller holds the lock upgradably, and an attempt that fails leaves it so.
        if !unsafe { self.raw.try_upgrade() } {
            let waiting = self.label.wait(&intent);
            // SAFETY: as above.
            unsafe { self.raw.upgrade() }
            drop(waiting);
        }
        self.label.converted(Mode::Upgradable, Mode::Exclusive);
    }

    #[inline]
    unsafe fn try_upgrade(&self) -> bool {
        let _intent = self.label.intend(Mode::Exclusive, How::Try);
        // SAFETY: the caller holds the lock upgradably.
        let upgraded = unsafe { self.raw.try_upgrade() };
        if upgraded {
            self.label.converted(Mode::Upgradable, Mode::Exclusive);
        }
        upgraded
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeFair> RawRwLockUpgradeFair for Labelled<R> {
    #[inline]
    unsafe fn unlock_upgradable_fair(&self) {
        self.label.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.unlock_upgradable_fair() }
    }

    #[inline]
    unsafe fn bump_upgradable(&self) {
        self.label.released(Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.bump_upgradable() }
        retaken(&self.label, Mode::Upgradable);
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeDowngrade> RawRwLockUpgradeDowngrade for Labelled<R> {
    #[inline]
    unsafe fn downgrade_upgradable(&self) {
        self.label.converted(Mode::Upgradable, Mode::Shared);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_upgradable() }
    }

    #[inline]
    unsafe fn downgrade_to_upgradable(&self) {
        self.label.converted(Mode::Exclusive, Mode::Upgradable);
        // SAFETY: the caller holds the lock so.
        unsafe { self.raw.downgrade_to_upgradable() }
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockUpgradeTimed> RawRwLockUpgradeTimed for Labelled<R> {
    #[inline]
    fn try_lock_upgradable_for(&self, timeout: Self::Duration) -> bool {
        take_in_time!(
            self.label,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_for(timeout)
        )
    }

    #[inline]
    fn try_lock_upgradable_until(&self, timeout: Self::Instant) -> bool {
        take_in_time!(
            self.label,
            Mode::Upgradable,
            self.raw.try_lock_upgradable(),
            self.raw.try_lock_upgradable_until(timeout)
        )
    }

    #[inline]
    unsafe fn try_upgrade_for(&self, timeout: Self::Duration) -> bool {
        upgrade_in_time!(
            self.label,
            // SAFETY: the caller holds the lock upgradably.
            unsafe { self.raw.try_upgrade() },
            // SAFETY: as above: an attempt that fails leaves it so.
            unsafe { self.raw.try_upgrade_for(timeout) }
        )
    }

    #[inline]
    unsafe fn try_upgrade_until(&self, timeout: Self::Instant) -> bool {
        upgrade_in_time!(
            self.label,
            // SAFETY: the caller holds the lock upgradably.
            unsafe { self.raw.try_upgrade() },
            // SAFETY: as above: an attempt that fails leaves it so.
            unsafe { self.raw.try_upgrade_until(timeout) }
        )
    }
}
