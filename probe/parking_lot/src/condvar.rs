//! Condition variables for tracked mutexes, up to parking_lot 0.12.

use std::fmt;

use concaudit_core::{
    is_active,
    lifecycle::{
        happens_before::{self, Notified},
        lockdep_map::LockdepMap,
        thread,
    },
    record::lock::Mode,
};

use crate::{MutexGuard, RawMutex, real_api::RawMutexTimed, tracked::retaken};

type Duration = <RawMutex as RawMutexTimed>::Duration;
type Instant = <RawMutex as RawMutexTimed>::Instant;

/// As in the real crate, whose own cannot be made of what is known here.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the wait ended for want of time.
    #[inline]
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl From<real::WaitTimeoutResult> for WaitTimeoutResult {
    #[inline]
    fn from(result: real::WaitTimeoutResult) -> Self {
        Self(result.timed_out())
    }
}

/// The real condition variable, for guards of tracked mutexes.
pub struct Condvar {
    real: real::Condvar,
    /// Of who has notified, for who finds that it need not wait.
    notified: Notified,
}

/// A mutex that was released to wait. It is held again once this is dropped, whether the
/// wait ended or panicked (which it does before it releases anything).
struct Released<'a>(&'a LockdepMap);

impl Drop for Released<'_> {
    fn drop(&mut self) {
        retaken(self.0, Mode::Exclusive);
    }
}

impl Condvar {
    /// As in the real crate.
    #[inline]
    pub const fn new() -> Self {
        Self { real: real::Condvar::new(), notified: Notified::new() }
    }

    /// As in the real crate.
    #[inline]
    pub fn notify_one(&self) -> bool {
        self.notifies();
        self.real.notify_one()
    }

    /// As in the real crate.
    #[inline]
    pub fn notify_all(&self) -> usize {
        self.notifies();
        self.real.notify_all()
    }

    /// As in the real crate.
    #[inline]
    pub fn wait<T: ?Sized>(&self, mutex_guard: &mut MutexGuard<'_, T>) {
        // SAFETY: the guard is held, and not used until this returns.
        unsafe { self.wait_on(raw(mutex_guard)) }
    }

    /// As in the real crate.
    #[inline]
    pub fn wait_until<T: ?Sized>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        timeout: Instant,
    ) -> WaitTimeoutResult {
        // SAFETY: the guard is held, and not used until this returns.
        unsafe { self.wait_on_until(raw(mutex_guard), timeout) }
    }

    /// As in the real crate.
    #[inline]
    pub fn wait_for<T: ?Sized>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        timeout: Duration,
    ) -> WaitTimeoutResult {
        // SAFETY: the guard is held, and not used until this returns.
        unsafe { self.wait_on_for(raw(mutex_guard), timeout) }
    }

    /// Names it to the probe while somebody waits: it is not moved meanwhile.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    #[inline]
    fn notifies(&self) {
        happens_before::notifies(self.address());
        self.notified.leave();
    }

    fn listening(&self) -> Option<happens_before::Listening> {
        is_active().then(|| happens_before::listening(self.address()))
    }

    /// Waits for the mutex's condition.
    ///
    /// # Safety
    ///
    /// The caller holds the mutex, by a guard that is not used until this returns.
    unsafe fn wait_on(&self, mutex: &RawMutex) {
        // SAFETY: passed on to the caller.
        let mut guard = unsafe { mutex.raw.guard() };
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait");
        let _listening = self.listening();
        self.real.wait(&mut guard);
    }

    /// Waits for the mutex's condition until a moment.
    ///
    /// # Safety
    ///
    /// As for [`wait_on`](Self::wait_on).
    unsafe fn wait_on_until(&self, mutex: &RawMutex, timeout: Instant) -> WaitTimeoutResult {
        // SAFETY: passed on to the caller.
        let mut guard = unsafe { mutex.raw.guard() };
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait_timeout");
        let _listening = self.listening();
        self.real.wait_until(&mut guard, timeout).into()
    }

    /// Waits for the mutex's condition for a while.
    ///
    /// # Safety
    ///
    /// As for [`wait_on`](Self::wait_on).
    unsafe fn wait_on_for(&self, mutex: &RawMutex, timeout: Duration) -> WaitTimeoutResult {
        // SAFETY: passed on to the caller.
        let mut guard = unsafe { mutex.raw.guard() };
        mutex.lockdep.released(Mode::Exclusive);
        let _released = Released(&mutex.lockdep);
        let _blocking = thread::blocking("Condvar::wait_timeout");
        let _listening = self.listening();
        self.real.wait_for(&mut guard, timeout).into()
    }
}

#[cfg(not(concaudit_parking_lot = "0.11"))]
impl Condvar {
    /// As in the real crate.
    #[inline]
    pub fn wait_while<T, F>(&self, mutex_guard: &mut MutexGuard<'_, T>, mut condition: F)
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut **mutex_guard) {
            self.wait(mutex_guard);
        }
        self.notified.pick_up();
    }

    /// As in the real crate.
    #[inline]
    pub fn wait_while_until<T, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        mut condition: F,
        timeout: Instant,
    ) -> WaitTimeoutResult
    where
        T: ?Sized,
        F: FnMut(&mut T) -> bool,
    {
        let mut result = WaitTimeoutResult(false);
        while !result.timed_out() && condition(&mut **mutex_guard) {
            result = self.wait_until(mutex_guard, timeout);
        }
        if !result.timed_out() {
            self.notified.pick_up();
        }
        result
    }

    /// As in the real crate.
    #[inline]
    pub fn wait_while_for<T: ?Sized, F>(
        &self,
        mutex_guard: &mut MutexGuard<'_, T>,
        condition: F,
        timeout: Duration,
    ) -> WaitTimeoutResult
    where
        F: FnMut(&mut T) -> bool,
    {
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            self.wait_while(mutex_guard, condition);
            return WaitTimeoutResult(false);
        };
        self.wait_while_until(mutex_guard, condition, deadline)
    }
}

#[inline]
fn raw<'a, T: ?Sized>(mutex_guard: &MutexGuard<'a, T>) -> &'a RawMutex {
    // SAFETY: what may not be done with it unless the lock is held is unsafe to call.
    unsafe { MutexGuard::mutex(mutex_guard).raw() }
}

impl Default for Condvar {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.real.fmt(formatter)
    }
}
