//! The report as a person reads it: one block per finding, in the manner of
//! rustc, then what the run was worth.

mod caveats;
mod finding;
pub mod hung;
mod options;
mod render;
mod stack;
mod summary;
#[cfg(test)]
mod tasks_tests;
#[cfg(test)]
pub mod tests;

pub use finding::render_finding;
pub use options::HumanOptions;
pub use render::render;
pub use summary::render_summary;
