//! Cycles among the orders in which locks are taken.

mod classes;
mod cycles;
mod graph;
mod orders;
mod search;

pub use classes::{ClassOrders, Classes, LockKey};
pub use cycles::blocks;
pub use graph::graph;
pub use orders::{Doubt, Step, steps};
pub use search::{class_cycles, find};
