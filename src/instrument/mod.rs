//! From a project to instrumented test binaries: the probe, the rustc wrapper,
//! and the cargo invocation.
//!
//! Who comes in: the CLI, by [`build()`], [`setup`] and [`clean()`]; and cargo, by
//! [`wrapper::run`], once for every crate of such a build.

mod artifacts;
mod cargo;
mod clean;
mod configuration;
mod coverage;
mod embedded;
mod environment;
mod error;
mod events;
mod exclusions;
mod invocation;
mod kept;
mod locks;
mod mentions;
mod options;
mod probe;
mod program;
mod server;
mod toolchain;
mod types;
mod workspace;
pub mod wrapper;

pub use cargo::*;
pub use clean::{Removed, Rubbish, clean};
pub use coverage::is_missed_by_choice;
pub use error::BuildError;
pub use events::BuildEvent;
pub use locks::LockKind;
pub use options::{BuildArgs, BuildOptions, MessageFormat, jobs};
pub use program::ProgramChoice;
pub use types::*;
