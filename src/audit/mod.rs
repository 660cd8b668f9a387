//! What the run shows, judged: one file per rule, all listed in [`registry`].
//!
//! A rule reads the [model](crate::model) and returns findings; it does no I/O
//! and knows no renderer. Occurrences with one cause become one finding in
//! [`group`].

pub mod blocking_call;
pub mod blocking_poll;
pub mod config;
mod cycles;
pub mod deadlock;
pub mod futurelock;
mod group;
pub mod hang;
mod hang_chain;
mod hang_tree;
pub mod hung_test;
mod knots;
pub mod leaked_handle;
pub mod leaked_thread;
pub mod lingering_task;
pub mod lock_across_await;
pub mod lock_order_cycle;
pub mod long_held_lock;
pub mod lost_waker;
mod open_files;
pub mod orphaned_task;
mod owners;
pub mod recursive_lock;
pub mod registry;
mod rollup;
pub mod silent_panic;
pub mod spawn_storm;
mod support;
#[cfg(test)]
mod testing;
mod text;
mod unstopped;

pub use config::Config;
pub use hang::Hang;
pub use registry::{RULES, audit};
