//! The probe's own locks. They are held for a few instructions at a time and
//! guard plain data, so a poisoned one is as good as any.

use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::busy::Busy;

/// A lock of the probe's, held. The program's allocator may use a lock that the
/// probe sees; one that it takes for the probe is known for what it is and not looked
/// at, or the probe would wait for itself.
#[derive(Debug)]
pub(crate) struct Guard<'a, T: ?Sized> {
    guard: MutexGuard<'a, T>,
    _busy: Busy,
}

/// Locks, whatever became of the last holder.
#[inline]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> Guard<'_, T> {
    let busy = Busy::begin_work();
    Guard { guard: mutex.lock().unwrap_or_else(PoisonError::into_inner), _busy: busy }
}

impl<T: ?Sized> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T: ?Sized> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// A map in several parts, each with its own lock, so that threads seldom meet.
#[derive(Debug)]
pub(crate) struct Sharded<T> {
    shards: [Mutex<T>; SHARDS],
}

const SHARDS: usize = 16;

impl<T> Sharded<T> {
    /// The part that `key` belongs to.
    #[inline]
    pub(crate) fn shard(&self, key: u64) -> &Mutex<T> {
        // The low bits of ids are sequential, which spreads them evenly.
        &self.shards[key as usize % SHARDS]
    }

    /// Every part, in turn.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mutex<T>> {
        self.shards.iter()
    }
}

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()) }
    }
}
