//! The probe's own locks. They are held for a few instructions at a time and
//! guard plain data, so a poisoned one is as good as any.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever became of the last holder.
#[inline]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
