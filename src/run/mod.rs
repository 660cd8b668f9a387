//! Lists the tests and runs each in a process of its own.
//!
//! [`list()`] asks the binaries what they hold and filters as `cargo test`
//! does; [`execute()`] runs the cases and returns what came of each. Whoever
//! runs them hands over an [`Interrupts`] and a callback for [`RunEvent`]s.

mod arguments;
mod command;
mod descendants;
mod execute;
mod guard;
mod interrupts;
mod keys;
mod list;
mod output;
mod partition;
mod program;
mod supervise;
#[cfg(test)]
mod testing;
mod types;

pub use arguments::TestArguments;
pub use execute::{ExecuteOptions, Verdict, execute};
pub use guard::{Guard, is_guard_call, stand_guard};
pub use interrupts::Interrupts;
pub use keys::are_heard;
pub use list::{Listing, list};
pub use partition::Partition;
pub use program::{BlockedSignals, ProgramEvent, ProgramOptions, run_program};
pub use types::*;
