//! What `std` has no name for. One module per type, as in `std`.

pub mod barrier;
pub mod blocking;
pub mod condvar;
mod hook;
pub mod mpsc;
pub mod mutex;
pub mod rwlock;
pub mod scoped;
pub mod spawn;
