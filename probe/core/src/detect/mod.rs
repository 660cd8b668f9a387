//! What the records show: each module reads them, and keeps the facts that it finds.

pub mod by_place;
pub mod child_processes;
pub mod drain;
pub mod joins;
pub mod knots;
pub(crate) mod last_waker;
pub mod late_ends;
pub mod lock_order;
pub mod long_polls;
pub mod open_files;
pub mod orphans;
pub mod panics;
pub mod standstill;
pub mod threads;
