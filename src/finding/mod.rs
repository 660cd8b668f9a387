//! What a rule found: the vocabulary of rules and reports.

mod details;
#[expect(clippy::module_inception, reason = "the one type that the folder is about")]
mod finding;
mod fingerprint;
pub mod group;
mod lock_graph;

pub use details::*;
pub use finding::*;
pub use fingerprint::fingerprint;
pub use lock_graph::{LockGraph, LockOrder};
