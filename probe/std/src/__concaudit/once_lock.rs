//! [`real::sync::OnceLock`], whose initialisation the probe sees.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
};

use concaudit_core::record::resource::ResourceKind;

use super::initialisation::Initialisation;

/// As [`real::sync::OnceLock`].
pub struct OnceLock<T> {
    initialisation: Initialisation,
    inner: real::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    /// As [`real::sync::OnceLock::new`].
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new() -> OnceLock<T> {
        OnceLock {
            initialisation: Initialisation::new(ResourceKind::StdOnceLock, Location::caller()),
            inner: real::sync::OnceLock::new(),
        }
    }

    /// As [`real::sync::OnceLock::get`].
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.inner.get()
    }

    /// As [`real::sync::OnceLock::get_mut`].
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// As [`real::sync::OnceLock::set`].
    #[inline]
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.inner.get().is_some() {
            return Err(value);
        }
        let _claim = self.initialisation.begin();
        self.inner.set(value)
    }

    /// As [`real::sync::OnceLock::get_or_init`].
    #[inline]
    pub fn get_or_init<F>(&self, f: F) -> &T
    where
        F: FnOnce() -> T,
    {
        if let Some(value) = self.inner.get() {
            self.initialisation.passed();
            return value;
        }
        let mut claim = self.initialisation.begin();
        self.inner.get_or_init(|| {
            let _running = claim.run();
            f()
        })
    }

    /// As [`real::sync::OnceLock::into_inner`].
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// As [`real::sync::OnceLock::take`].
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        self.inner.take()
    }
}

impl<T> Default for OnceLock<T> {
    #[inline]
    #[track_caller]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    #[inline]
    #[track_caller]
    fn clone(&self) -> OnceLock<T> {
        OnceLock { inner: self.inner.clone(), ..OnceLock::new() }
    }
}

impl<T> From<T> for OnceLock<T> {
    #[inline]
    #[track_caller]
    fn from(value: T) -> Self {
        OnceLock { inner: value.into(), ..OnceLock::new() }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    #[inline]
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.inner == other.inner
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

impl<T> Deref for OnceLock<T> {
    type Target = real::sync::OnceLock<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for OnceLock<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
