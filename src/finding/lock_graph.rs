//! The orders in which locks were taken, as a graph.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which locks were taken while which others were held, over all tests. Locks that are
/// created at one place are one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockGraph {
    /// "tokio Mutex created at src/lib.rs:7:9", each once.
    pub locks: Vec<String>,
    /// Between these, each pair once.
    pub orders: Vec<LockOrder>,
    /// How often further orders were seen, which were left out to bound the report.
    #[serde(default)]
    pub left_out: u64,
}

/// One lock was taken while another one was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockOrder {
    /// The lock that was held: its place in [`LockGraph::locks`].
    pub from: usize,
    /// The lock that was taken, likewise.
    pub to: usize,
    /// Where the first was taken, "src/lib.rs:30", as far as known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_at: Option<String>,
    /// Where the second was taken meanwhile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<String>,
    /// In how many tests.
    pub tests: u64,
}
