//! Findings that a project had when it began to use the tool: they are counted and do not fail
//! the run, and new ones do.

mod file;
mod update;

pub use file::{Baseline, KnownFinding};
pub use update::Changes;
