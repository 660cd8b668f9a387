//! A process that hangs: who waits for whom, as a graph, as one sentence from the test's
//! body to the cause, and as a tree.

mod chain;
mod graph;
mod standstill;
mod tree;

pub use chain::Step;
pub use graph::Hang;
pub use standstill::{Branch, Call, HeldUp, Node, Standstill, Starvation};
