//! What `std` has no name for. One module per type, as in `std`.

pub mod barrier;
pub mod blocking;
pub mod condvar;
mod hook;
mod initialisation;
pub mod lazy_lock;
pub mod mpsc;
pub mod mutex;
pub mod once;
pub mod once_lock;
pub mod rwlock;
pub mod scoped;
pub mod spawn;
