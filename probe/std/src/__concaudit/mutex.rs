//! [`real::sync::Mutex`], tracked.

use core::{
    fmt, mem,
    ops::{Deref, DerefMut, Range},
    panic::Location,
    ptr,
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

/// As [`real::sync::Mutex`].
pub struct Mutex<T: ?Sized> {
    lockdep: LockdepMap,
    inner: real::sync::Mutex<T>,
}

/// As [`real::sync::MutexGuard`].
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    pub(super) holding: Holding<'a>,
    pub(super) inner: real::sync::MutexGuard<'a, T>,
}

impl<T> Mutex<T> {
    /// As [`real::sync::Mutex::new`].
    #[inline]
    #[track_caller]
    pub const fn new(t: T) -> Mutex<T> {
        Mutex {
            lockdep: LockdepMap::new(ResourceKind::StdMutex, Location::caller()),
            inner: real::sync::Mutex::new(t),
        }
    }
}

impl<T> Mutex<T> {
    /// Where the lock is in memory that has this lockdep map.
    pub(super) fn place(lockdep: &LockdepMap) -> Range<usize> {
        let start = ptr::from_ref(lockdep).addr().wrapping_sub(mem::offset_of!(Self, lockdep));
        start..start.wrapping_add(size_of::<Self>())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// As [`real::sync::Mutex::lock`].
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Exclusive, AcquireKind::Wait);
        let taken = match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => {
                let _waiting = self.lockdep.wait(&attempt);
                self.inner.lock()
            }
        };
        MutexGuard::new(&self.lockdep, attempt, taken)
    }

    /// As [`real::sync::Mutex::try_lock`].
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        let attempt = hook::attempt(&self.lockdep, Mode::Exclusive, AcquireKind::Try);
        let taken = match self.inner.try_lock() {
            Ok(inner) => Ok(inner),
            Err(TryLockError::Poisoned(poisoned)) => Err(poisoned),
            Err(TryLockError::WouldBlock) => return Err(TryLockError::WouldBlock),
        };
        Ok(MutexGuard::new(&self.lockdep, attempt, taken)?)
    }

    /// As [`real::sync::Mutex::is_poisoned`].
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.inner.is_poisoned()
    }

    /// As [`real::sync::Mutex::clear_poison`].
    #[inline]
    pub fn clear_poison(&self) {
        self.inner.clear_poison();
    }

    /// As [`real::sync::Mutex::into_inner`].
    pub fn into_inner(self) -> LockResult<T>
    where
        T: Sized,
    {
        self.inner.into_inner()
    }

    /// As [`real::sync::Mutex::get_mut`].
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.inner.get_mut()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The guard of a lock that was just taken.
    pub(super) fn new(
        lockdep: &'a LockdepMap,
        attempt: Attempt,
        taken: LockResult<real::sync::MutexGuard<'a, T>>,
    ) -> LockResult<Self> {
        let holding = hook::acquired(lockdep, Mode::Exclusive, attempt);
        match taken {
            Ok(inner) => Ok(Self { holding, inner }),
            Err(poisoned) => Err(PoisonError::new(Self { holding, inner: poisoned.into_inner() })),
        }
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(t: T) -> Self {
        Mutex::new(t)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: ?Sized> Deref for Mutex<T> {
    type Target = real::sync::Mutex<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for Mutex<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
