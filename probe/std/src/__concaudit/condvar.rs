//! [`real::sync::Condvar`]: it releases a lock and takes it again.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use concaudit_core::{
    is_active,
    lifecycle::{
        happens_before::{self, Notified},
        lockdep_map::LockdepMap,
    },
    record::lock::{AcquireKind, Mode},
};
use real::{
    sync::{LockResult, PoisonError, WaitTimeoutResult},
    time::Instant,
};

use super::{
    hook,
    mutex::{Mutex, MutexGuard},
};

/// As [`real::sync::Condvar`].
pub struct Condvar {
    inner: real::sync::Condvar,
    /// Of who has notified, for who finds that it need not wait.
    notified: Notified,
}

impl Condvar {
    /// As [`real::sync::Condvar::new`].
    #[must_use]
    #[inline]
    pub const fn new() -> Condvar {
        Condvar { inner: real::sync::Condvar::new(), notified: Notified::new() }
    }

    /// As [`real::sync::Condvar::wait`].
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let MutexGuard { holding, inner } = guard;
        let lockdep = holding.release();
        let attempt = retake(lockdep);
        let place = Mutex::<T>::place(lockdep);
        let blocking = hook::wait_to_be_notified(lockdep, &attempt, "Condvar::wait", place);
        let listening = self.listening();
        let taken = self.inner.wait(inner);
        drop(listening);
        drop(blocking);
        MutexGuard::new(lockdep, attempt, taken)
    }

    /// As [`real::sync::Condvar::wait_while`].
    pub fn wait_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        self.notified.pick_up();
        Ok(guard)
    }

    /// As [`real::sync::Condvar::wait_timeout_ms`].
    #[deprecated(since = "1.6.0", note = "replaced by `std::sync::Condvar::wait_timeout`")]
    pub fn wait_timeout_ms<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        ms: u32,
    ) -> LockResult<(MutexGuard<'a, T>, bool)> {
        match self.wait_timeout(guard, Duration::from_millis(u64::from(ms))) {
            Ok((guard, result)) => Ok((guard, !result.timed_out())),
            Err(poisoned) => {
                let (guard, result) = poisoned.into_inner();
                Err(PoisonError::new((guard, !result.timed_out())))
            }
        }
    }

    /// As [`real::sync::Condvar::wait_timeout`].
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        dur: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let MutexGuard { holding, inner } = guard;
        let lockdep = holding.release();
        let attempt = retake(lockdep);
        let place = Mutex::<T>::place(lockdep);
        let blocking = hook::wait_to_be_notified(lockdep, &attempt, "Condvar::wait_timeout", place);
        let listening = self.listening();
        let (taken, result) = match self.inner.wait_timeout(inner, dur) {
            Ok((inner, result)) => (Ok(inner), result),
            Err(poisoned) => {
                let (inner, result) = poisoned.into_inner();
                (Err(PoisonError::new(inner)), result)
            }
        };
        drop(listening);
        drop(blocking);
        match MutexGuard::new(lockdep, attempt, taken) {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    /// As [`real::sync::Condvar::wait_timeout_while`].
    pub fn wait_timeout_while<'a, T, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        dur: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let start = Instant::now();
        loop {
            if !condition(&mut *guard) {
                self.notified.pick_up();
                return Ok((guard, wait_timeout_result(false)));
            }
            let Some(timeout) = dur.checked_sub(start.elapsed()) else {
                return Ok((guard, wait_timeout_result(true)));
            };
            guard = self.wait_timeout(guard, timeout)?.0;
        }
    }

    /// Names it to the probe while somebody waits: it is not moved meanwhile.
    fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    fn listening(&self) -> Option<happens_before::Listening> {
        is_active().then(|| happens_before::listening(self.address()))
    }

    #[inline]
    fn notifies(&self) {
        happens_before::notifies(self.address());
        self.notified.leave();
    }

    /// As [`real::sync::Condvar::notify_one`].
    #[inline]
    pub fn notify_one(&self) {
        self.notifies();
        self.inner.notify_one();
    }

    /// As [`real::sync::Condvar::notify_all`].
    #[inline]
    pub fn notify_all(&self) {
        self.notifies();
        self.inner.notify_all();
    }
}

/// The lock that was released for the wait will be taken again. How long that takes is
/// part of the wait.
fn retake(lockdep: &LockdepMap) -> concaudit_core::lifecycle::lockdep_map::Attempt {
    hook::attempt(lockdep, Mode::Exclusive, AcquireKind::Wait)
}

/// std keeps the constructor to itself, and gives one away for a condition that is
/// false at once, or true after no time at all.
fn wait_timeout_result(timed_out: bool) -> WaitTimeoutResult {
    let lock = real::sync::Mutex::new(());
    let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
    match real::sync::Condvar::new().wait_timeout_while(guard, Duration::ZERO, |()| timed_out) {
        Ok((_, result)) => result,
        Err(poisoned) => poisoned.into_inner().1,
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl Deref for Condvar {
    type Target = real::sync::Condvar;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Condvar {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
