//! `cargo concaudit`: audits the concurrency of a Tokio project by running its
//! tests.
//!
//! This binary is three programs. Cargo calls it as `RUSTC_WRAPPER`, once for each
//! crate of an instrumented build; a run starts it as its guard; everybody else calls
//! it as a command. Who calls whom is drawn in `cli/dispatch.rs`.

mod baseline;
mod cli;
mod config;
mod deadlock;
mod describe;
mod finding;
mod hang;
mod instrument;
mod lock_order;
mod model;
mod project;
mod report;
mod rules;
mod run;
mod suppress;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    if instrument::wrapper::is_wrapper_call() {
        return cli::end_wrapper(instrument::wrapper::run());
    }
    if run::is_guard_call() {
        return run::stand_guard();
    }
    cli::run()
}
