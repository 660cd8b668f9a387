//! [`real::sync::LazyLock`], whose initialisation the probe sees.

use core::{
    cell::Cell,
    fmt,
    ops::{Deref, DerefMut},
    panic::{Location, RefUnwindSafe, UnwindSafe},
};

use concaudit_core::record::resource::ResourceKind;

use super::initialisation::Initialisation;

/// As [`real::sync::LazyLock`].
///
/// Made of its own parts: what the real one runs is of a type that the user has named, so
/// nothing can be put around it.
pub struct LazyLock<T, F = fn() -> T> {
    initialisation: Initialisation,
    inner: real::sync::OnceLock<T>,
    /// Taken by the one that initialises.
    f: Cell<Option<F>>,
}

// SAFETY: `f` is taken by the initialiser of `inner` alone, which runs once at a time, on
// whichever thread, or through a `&mut`. That is why it must be `Send`. The rest is as in
// `OnceLock`.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// As [`real::sync::LazyLock::new`].
    #[inline]
    #[track_caller]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock {
            initialisation: Initialisation::new(ResourceKind::StdLazyLock, Location::caller()),
            inner: real::sync::OnceLock::new(),
            f: Cell::new(Some(f)),
        }
    }

    /// As [`real::sync::LazyLock::force`].
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        if let Some(value) = this.inner.get() {
            this.initialisation.passed();
            return value;
        }
        let mut claim = this.initialisation.begin();
        this.inner.get_or_init(|| {
            let _running = claim.run();
            match this.f.take() {
                Some(f) => f(),
                None => poisoned(),
            }
        })
    }

    /// As `LazyLock::force_mut`.
    #[inline]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        match this.inner.get_mut() {
            Some(value) => value,
            None => poisoned(),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// As `LazyLock::get`.
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        this.inner.get()
    }

    /// As `LazyLock::get_mut`.
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        this.inner.get_mut()
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn poisoned() -> ! {
    panic!("LazyLock instance has previously been poisoned")
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    #[track_caller]
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("LazyLock");
        match self.inner.get() {
            Some(value) => tuple.field(value),
            None => tuple.field(&format_args!("<uninit>")),
        };
        tuple.finish()
    }
}
