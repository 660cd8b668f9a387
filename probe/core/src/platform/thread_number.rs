//! The probe's numbers of threads, in the order in which it met them, and the system's.

use std::{cell::Cell, sync::OnceLock};

use super::{
    hash::FastMap,
    process::{is_active, next_id, os_thread},
    sync::{Sharded, lock as guard},
};

/// By the system's number, as long as the thread lives.
static NUMBERS: OnceLock<Sharded<FastMap<u64, u64>>> = OnceLock::new();

/// Removes a thread's number when it ends.
struct Entry {
    os_thread: u32,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let key = u64::from(self.os_thread);
        if let Some(numbers) = NUMBERS.get() {
            guard(numbers.shard(key)).remove(&key);
        }
    }
}

/// The calling thread's number.
pub(crate) fn current() -> u64 {
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(next_id());
            enter(number.get());
        }
        number.get()
    })
}

fn enter(number: u64) {
    thread_local!(static ENTRY: Cell<Option<Entry>> = const { Cell::new(None) });
    let os_thread = os_thread();
    if os_thread == 0 || !is_active() {
        return;
    }
    // Fails where the thread is ending already; then nobody would remove it.
    if ENTRY.try_with(|entry| entry.set(Some(Entry { os_thread }))).is_ok() {
        let key = u64::from(os_thread);
        guard(NUMBERS.get_or_init(Sharded::default).shard(key)).insert(key, number);
    }
}

/// The number of the thread that the system calls so; 0: it has done nothing that the
/// probe sees.
pub(crate) fn of(os_thread: u32) -> u64 {
    let key = u64::from(os_thread);
    NUMBERS.get().map_or(0, |numbers| guard(numbers.shard(key)).get(&key).copied().unwrap_or(0))
}
