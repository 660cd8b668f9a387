//! [`real::sync::Barrier`]: its wait blocks.

use core::{
    fmt,
    ops::{Deref, DerefMut},
};

use concaudit_core::{lifecycle::happens_before, record::meeting::Meeting};
use real::sync::BarrierWaitResult;

use super::hook;

/// As [`real::sync::Barrier`].
pub struct Barrier {
    inner: real::sync::Barrier,
    meeting: Meeting,
}

impl Barrier {
    /// As [`real::sync::Barrier::new`].
    #[must_use]
    #[inline]
    pub const fn new(n: usize) -> Barrier {
        Barrier { inner: real::sync::Barrier::new(n), meeting: Meeting::new() }
    }

    /// As [`real::sync::Barrier::wait`].
    pub fn wait(&self) -> BarrierWaitResult {
        let _blocking = hook::blocking("Barrier::wait");
        happens_before::leave(&self.meeting);
        let result = self.inner.wait();
        happens_before::pick_up(&self.meeting);
        result
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Deref for Barrier {
    type Target = real::sync::Barrier;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Barrier {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
