//! The command line: arguments in, exit code out. The only room that prints
//! and the only one that decides how the process ends.
//!
//! `dispatch` says who calls whom, `audit` is the main job from end to end,
//! `console` prints, `exit` has the exit codes and what leads to each.

mod args;
mod audit;
mod color;
mod completions;
mod console;
mod dispatch;
mod exit;
mod explain;
mod rooms;
mod settings;
mod words;

pub use dispatch::{end_wrapper, run};
