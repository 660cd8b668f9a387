//! [`real::sync::RwLock`], tracked.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
};

use concaudit_core::{
    lifecycle::lockdep_map::{Attempt, LockdepMap},
    record::{
        lock::{AcquireKind, Mode},
        resource::ResourceKind,
    },
};
use real::sync::{LockResult, PoisonError, TryLockError, TryLockResult};

use super::hook::{self, Holding};

/// As [`real::sync::RwLock`].
pub struct RwLock<T: ?Sized> {
    lockdep: LockdepMap,
    inner: real::sync::RwLock<T>,
}

/// As [`real::sync::RwLockReadGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockReadGuard<'rwlock, T: ?Sized + 'rwlock> {
    // Dropped, and the lock told as released, before the real guard.
    _holding: Holding<'rwlock>,
    inner: real::sync::RwLockReadGuard<'rwlock, T>,
}

/// As [`real::sync::RwLockWriteGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockWriteGuard<'rwlock, T: ?Sized + 'rwlock> {
    holding: Holding<'rwlock>,
    inner: real::sync::RwLockWriteGuard<'rwlock, T>,
}

impl<T> RwLock<T> {
    /// As [`real::sync::RwLock::new`].
    #[inline]
    #[track_caller]
    pub const fn new(t: T) -> RwLock<T> {
        RwLock {
            lockdep: LockdepMap::new(ResourceKind::StdRwLock, Location::caller()),
            inner: real::sync::RwLock::new(t),
        }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// As [`real::sync::RwLock::read`].
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Shared, AcquireKind::Wait);
        let taken = match self.inner.try_read() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => {
                let _waiting = self.lockdep.wait(&attempt);
                self.inner.read()
            }
        };
        RwLockReadGuard::new(&self.lockdep, attempt, taken)
    }

    /// As [`real::sync::RwLock::try_read`].
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Shared, AcquireKind::Try);
        let taken = match self.inner.try_read() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => return Err(TryLockError::WouldBlock),
        };
        Ok(RwLockReadGuard::new(&self.lockdep, attempt, taken)?)
    }

    /// As [`real::sync::RwLock::write`].
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Exclusive, AcquireKind::Wait);
        let taken = match self.inner.try_write() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => {
                let _waiting = self.lockdep.wait(&attempt);
                self.inner.write()
            }
        };
        RwLockWriteGuard::new(&self.lockdep, attempt, taken)
    }

    /// As [`real::sync::RwLock::try_write`].
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Exclusive, AcquireKind::Try);
        let taken = match self.inner.try_write() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => return Err(TryLockError::WouldBlock),
        };
        Ok(RwLockWriteGuard::new(&self.lockdep, attempt, taken)?)
    }

    /// As [`real::sync::RwLock::is_poisoned`].
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// As [`real::sync::RwLock::clear_poison`].
    #[inline]
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// As [`real::sync::RwLock::into_inner`].
    pub fn into_inner(self) -> LockResult<T>
    where
        T: Sized,
    {
        self.inner.into_inner()
    }

    /// As [`real::sync::RwLock::get_mut`].
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

impl<'rwlock, T: ?Sized> RwLockReadGuard<'rwlock, T> {
    /// The guard of a lock that was just taken.
    fn new(
        lockdep: &'rwlock LockdepMap,
        attempt: Attempt,
        taken: LockResult<real::sync::RwLockReadGuard<'rwlock, T>>,
    ) -> LockResult<Self> {
        let _holding = hook::acquired(lockdep, Mode::Shared, attempt);
        match taken {
            Ok(inner) => Ok(Self { _holding, inner }),
            Err(poisoned) => Err(PoisonError::new(Self { _holding, inner: poisoned.into_inner() })),
        }
    }
}

impl<'rwlock, T: ?Sized> RwLockWriteGuard<'rwlock, T> {
    /// The guard of a lock that was just taken.
    fn new(
        lockdep: &'rwlock LockdepMap,
        attempt: Attempt,
        taken: LockResult<real::sync::RwLockWriteGuard<'rwlock, T>>,
    ) -> LockResult<Self> {
        let holding = hook::acquired(lockdep, Mode::Exclusive, attempt);
        match taken {
            Ok(inner) => Ok(Self { holding, inner }),
            Err(poisoned) => Err(PoisonError::new(Self { holding, inner: poisoned.into_inner() })),
        }
    }

    /// As `downgrade` of [`real::sync::RwLockWriteGuard`].
    #[cfg(concaudit_has_downgrade)]
    #[expect(clippy::incompatible_msrv, reason = "compiled only where std has it")]
    pub fn downgrade(s: Self) -> RwLockReadGuard<'rwlock, T> {
        let _holding = s.holding.downgrade();
        RwLockReadGuard { _holding, inner: real::sync::RwLockWriteGuard::downgrade(s.inner) }
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(t: T) -> Self {
        RwLock::new(t)
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized> Deref for RwLock<T> {
    type Target = real::sync::RwLock<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLock<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
