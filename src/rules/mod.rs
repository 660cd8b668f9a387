//! What the run shows, judged: one file per rule, all listed in [`RULES`].
//!
//! A rule reads the [model](crate::model) and returns findings; it does no I/O
//! and knows no renderer. Occurrences with one cause become one finding in
//! [`group`](crate::finding::group).

mod blocking_call;
mod blocking_poll;
pub mod config;
mod deadlock;
mod explained;
mod futurelock;
mod hung_test;
mod leaked_handle;
mod leaked_thread;
mod lingering_task;
mod lock_across_await;
pub mod lock_order_cycle;
mod long_held_lock;
mod lost_waker;
mod orphaned_task;
mod recursive_lock;
mod registry;
mod self_waking_task;
mod silent_panic;
mod spawn_storm;
mod task_growth;

pub use config::Config;
pub use explained::Explained;
#[cfg(test)]
use registry::check;
pub use registry::{RULE_NAMES, RULES, Rule, audit, page};
