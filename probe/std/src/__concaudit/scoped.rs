//! [`real::thread::scope`]'s threads.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    ptr,
};

use concaudit_core::{
    lifecycle::{
        happens_before,
        thread::{joining, spawning},
    },
    record::task::Task,
};
use real::{
    io,
    sync::Arc,
    thread::{Result, Thread},
};

use super::{
    hook,
    spawn::{Builder, recorded},
};

/// As [`real::thread::Scope`].
#[repr(transparent)]
pub struct Scope<'scope, 'env: 'scope> {
    inner: real::thread::Scope<'scope, 'env>,
}

/// As [`real::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    record: Option<Arc<Task>>,
    inner: real::thread::ScopedJoinHandle<'scope, T>,
}

/// As [`real::thread::scope`].
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    // The real one waits after `f` for the threads that nobody has joined.
    let mut blocking = None;
    let mut address = 0;
    let result = real::thread::scope(|scope| {
        address = ptr::from_ref(scope).addr();
        let result = f(Scope::from_real(scope));
        blocking = hook::leaving_scope(address);
        result
    });
    drop(blocking);
    happens_before::scope_ended(address);
    result
}

impl<'scope, 'env> Scope<'scope, 'env> {
    fn from_real(scope: &'scope real::thread::Scope<'scope, 'env>) -> &'scope Scope<'scope, 'env> {
        // SAFETY: `Scope` is a transparent wrapper of just this.
        unsafe { &*ptr::from_ref(scope).cast() }
    }

    fn address(&self) -> usize {
        ptr::from_ref(&self.inner).addr()
    }

    /// The scope waits for the thread, and panics where it did.
    fn joined_by(&self, record: Option<Arc<Task>>) -> Option<Arc<Task>> {
        if let Some(record) = &record {
            record.enter_scope(self.address());
        }
        record
    }

    /// As [`real::thread::Scope::spawn`].
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let record = self.joined_by(spawning(None));
        let inner = self.inner.spawn(recorded(record.clone(), f));
        ScopedJoinHandle { record, inner }
    }
}

impl Builder {
    /// As [`real::thread::Builder::spawn_scoped`].
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let (inner, record) = self.spawning();
        let record = scope.joined_by(record);
        let inner = inner.spawn_scoped(&scope.inner, recorded(record.clone(), f))?;
        Ok(ScopedJoinHandle { record, inner })
    }
}

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    /// As [`real::thread::ScopedJoinHandle::thread`].
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.inner.thread()
    }

    /// As [`real::thread::ScopedJoinHandle::join`].
    pub fn join(self) -> Result<T> {
        let record = self.record.as_ref().filter(|_| !self.inner.is_finished());
        let blocking = record.map(|record| joining(Some(record)));
        let result = self.inner.join();
        drop(blocking);
        if let Some(record) = &self.record {
            happens_before::joined(record);
        }
        result
    }

    /// As [`real::thread::ScopedJoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<'scope, 'env> Deref for Scope<'scope, 'env> {
    type Target = real::thread::Scope<'scope, 'env>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<'scope, T> Deref for ScopedJoinHandle<'scope, T> {
    type Target = real::thread::ScopedJoinHandle<'scope, T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for ScopedJoinHandle<'_, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
