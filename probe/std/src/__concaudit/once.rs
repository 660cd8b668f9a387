//! [`real::sync::Once`], whose initialisation the probe sees.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    panic::Location,
};

use concaudit_core::record::resource::ResourceKind;
use real::sync::OnceState;

use super::initialisation::Initialisation;

/// As [`real::sync::Once`].
pub struct Once {
    initialisation: Initialisation,
    inner: real::sync::Once,
}

/// As [`real::sync::ONCE_INIT`].
#[expect(clippy::declare_interior_mutable_const, reason = "as in std")]
#[deprecated(since = "1.38.0", note = "the `Once::new()` function is now preferred")]
pub const ONCE_INIT: Once = Once::new();

#[expect(clippy::new_without_default, reason = "as in std")]
impl Once {
    /// As [`real::sync::Once::new`].
    #[inline]
    #[must_use]
    #[track_caller]
    pub const fn new() -> Once {
        Once {
            initialisation: Initialisation::new(ResourceKind::StdOnce, Location::caller()),
            inner: real::sync::Once::new(),
        }
    }

    /// As [`real::sync::Once::call_once`].
    #[track_caller]
    pub fn call_once<F>(&self, f: F)
    where
        F: FnOnce(),
    {
        if self.inner.is_completed() {
            return self.initialisation.passed();
        }
        let mut claim = self.initialisation.begin();
        self.inner.call_once(|| {
            let _running = claim.run();
            f();
        });
    }

    /// As [`real::sync::Once::call_once_force`].
    pub fn call_once_force<F>(&self, f: F)
    where
        F: FnOnce(&OnceState),
    {
        if self.inner.is_completed() {
            return self.initialisation.passed();
        }
        let mut claim = self.initialisation.begin();
        self.inner.call_once_force(|state| {
            let _running = claim.run();
            f(state);
        });
    }

    /// As [`real::sync::Once::is_completed`].
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.inner.is_completed()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Deref for Once {
    type Target = real::sync::Once;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Once {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
