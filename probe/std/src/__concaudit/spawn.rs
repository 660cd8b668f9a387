//! [`real::thread`]'s threads, each with the record that the probe keeps of it.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

use concaudit_core::{
    detect::panics,
    is_active,
    lifecycle::{
        happens_before,
        thread::{Starting, joining, spawning},
    },
    record::task::Task,
};
use real::{
    io,
    string::String,
    sync::Arc,
    thread::{Result, Thread},
};

/// As [`real::thread::JoinHandle`].
pub struct JoinHandle<T> {
    record: Option<Arc<Task>>,
    inner: real::thread::JoinHandle<T>,
}

/// As [`real::thread::Builder`].
#[must_use = "must eventually spawn the thread"]
pub struct Builder {
    inner: real::thread::Builder,
    /// The real one keeps it to itself.
    name: Option<String>,
}

/// As [`real::thread::spawn`].
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    let record = spawning(None);
    let inner = real::thread::spawn(recorded(record.clone(), f));
    JoinHandle { record, inner }
}

/// What a thread runs: `f`, for as long as it counts as running.
pub(super) fn recorded<F, T>(record: Option<Arc<Task>>, f: F) -> impl FnOnce() -> T
where
    F: FnOnce() -> T,
{
    let starting = Starting::new(record);
    move || {
        let _running = starting.begin();
        f()
    }
}

impl Builder {
    /// As [`real::thread::Builder::new`].
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> Builder {
        Builder { inner: real::thread::Builder::new(), name: None }
    }

    /// As [`real::thread::Builder::name`].
    pub fn name(self, name: String) -> Builder {
        let copy = is_active().then(|| name.clone());
        Builder { inner: self.inner.name(name), name: copy }
    }

    /// As [`real::thread::Builder::stack_size`].
    pub fn stack_size(self, size: usize) -> Builder {
        Builder { inner: self.inner.stack_size(size), ..self }
    }

    /// As [`real::thread::Builder::spawn`].
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        let (inner, record) = self.spawning();
        let inner = inner.spawn(recorded(record.clone(), f))?;
        Ok(JoinHandle { record, inner })
    }

    /// As [`real::thread::Builder::spawn_unchecked`].
    ///
    /// # Safety
    /// As there.
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send,
        T: Send,
    {
        let (inner, record) = self.spawning();
        // SAFETY: the caller promises it for `f`; what is put around it is 'static.
        let inner = unsafe { inner.spawn_unchecked(recorded(record.clone(), f))? };
        Ok(JoinHandle { record, inner })
    }

    /// The real builder, and the record of the thread that it is to spawn.
    pub(super) fn spawning(self) -> (real::thread::Builder, Option<Arc<Task>>) {
        (self.inner, spawning(self.name.as_deref()))
    }
}

impl<T> JoinHandle<T> {
    /// As [`real::thread::JoinHandle::thread`].
    #[must_use]
    pub fn thread(&self) -> &Thread {
        self.inner.thread()
    }

    /// As [`real::thread::JoinHandle::join`].
    pub fn join(self) -> Result<T> {
        let record = self.record.as_ref().filter(|_| !self.inner.is_finished());
        let blocking = record.map(|record| joining(Some(record)));
        let result = self.inner.join();
        drop(blocking);
        if let Some(record) = &self.record {
            happens_before::joined(record);
        }
        if result.is_err()
            && let Some(record) = &self.record
        {
            panics::joined(record);
        }
        result
    }

    /// As [`real::thread::JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Deref for Builder {
    type Target = real::thread::Builder;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Builder {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<T> Deref for JoinHandle<T> {
    type Target = real::thread::JoinHandle<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for JoinHandle<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

#[cfg(unix)]
impl<T> real::os::unix::thread::JoinHandleExt for JoinHandle<T> {
    fn as_pthread_t(&self) -> real::os::unix::thread::RawPthread {
        self.inner.as_pthread_t()
    }

    fn into_pthread_t(self) -> real::os::unix::thread::RawPthread {
        if let Some(record) = &self.record {
            record.note_panic_is_noticed();
        }
        self.inner.into_pthread_t()
    }
}
