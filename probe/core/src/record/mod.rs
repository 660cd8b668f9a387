//! What is written down of tasks, threads, locks and what else they wait for: fields and
//! accessors. What happens to them is in [`lifecycle`](crate::lifecycle).
//!
//! The records refer to each other, as what they stand for does: a task holds a lock, and
//! the lock knows who holds it.

pub mod call;
pub mod held_locks;
pub mod lock;
pub mod meeting;
pub mod operation;
pub mod order;
pub(crate) mod poll_slot;
pub mod resource;
pub(crate) mod run_queue;
pub mod task;
pub(crate) mod thread_records;
pub mod vector_clock;
