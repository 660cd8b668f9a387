//! Lists the tests and runs each in a process of its own.

mod types;

pub use types::*;
