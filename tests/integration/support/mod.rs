//! How the binary is run, and how what it reports is compared with what is
//! expected.

mod audit;
mod expect;
pub mod project;
mod report;
mod tool;
mod tree;

pub use audit::Workspace;
// A macro by example is never wholly public.
pub(crate) use expect::expectations;
pub use expect::{
    Expected, at_most_a_note, check, cycle, error, note, only_notes, possible_cycle, silent,
    warning, without,
};
pub use project::Project;
pub use report::{Finding, Report, Suppression, Test, is_loss};
pub use tool::{Finished, Running, Tool, fixture, process_is_alive, scratch, wait_until};
pub use tree::{Tree, copy};
