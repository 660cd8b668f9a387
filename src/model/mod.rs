//! The run as data: tasks, locks, stacks, waits and edges of all processes.

mod types;

pub use types::*;
