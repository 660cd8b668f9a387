//! The records of threads, by the system's number of the thread.

use std::sync::{Arc, OnceLock};

use crate::{
    platform::{
        hash::FastMap,
        process::os_thread,
        sync::{Sharded, lock as guard},
        thread_number,
    },
    record::task::Task,
};

/// The records of the threads that have one, by the system's number.
static RECORDS: OnceLock<Sharded<FastMap<u64, Arc<Task>>>> = OnceLock::new();

/// The calling thread has this record.
pub(crate) fn note_record(record: &Arc<Task>) {
    thread_number::current();
    let key = u64::from(os_thread());
    let before =
        guard(RECORDS.get_or_init(Sharded::default).shard(key)).insert(key, Arc::clone(record));
    drop(before);
}

/// The calling thread's record is no longer its own.
pub(crate) fn forget_record() {
    let key = u64::from(os_thread());
    let gone = RECORDS.get().and_then(|records| guard(records.shard(key)).remove(&key));
    // Outside of our lock: it may be the last of its thread.
    drop(gone);
}

/// A thread's number with the probe, or 0, and its record.
pub(crate) fn known(os_thread: u32) -> (u64, Option<Arc<Task>>) {
    let key = u64::from(os_thread);
    let record = RECORDS.get().and_then(|records| guard(records.shard(key)).get(&key).cloned());
    (thread_number::of(os_thread), record)
}
