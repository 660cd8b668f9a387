//! The command line: arguments in, exit code out. Nothing else prints, or decides
//! how the process ends.
//!
//! `dispatch` says who calls whom, `audit` is the main job from end to end,
//! `console` prints, `exit` has the exit codes and what leads to each.

mod analysis;
mod args;
mod audit;
mod baseline;
mod build;
mod clean;
mod color;
mod completions;
mod confirm;
mod console;
mod diff;
mod dispatch;
mod execute;
mod exit;
mod github_actions;
mod man;
mod report_file;
mod reports;
mod rules;
mod run;
mod run_report;
mod settings;
mod setup;
mod shake;
mod state;
mod words;

pub use dispatch::{end_wrapper, run};
