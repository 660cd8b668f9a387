//! From a project to instrumented test binaries: the probe, the rustc wrapper,
//! and the cargo invocation.

mod types;

pub use types::*;
