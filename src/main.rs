//! `cargo concaudit`: audits the concurrency of a Tokio project by running its
//! tests.
//!
//! This binary is two programs. Cargo calls it as `RUSTC_WRAPPER`, once for each
//! crate of an instrumented build; everybody else calls it as a command. Who
//! calls whom is drawn in `cli/dispatch.rs`.
#![expect(dead_code, reason = "rooms are being furnished")]

mod audit;
mod cli;
mod instrument;
mod model;
mod project;
mod report;
mod run;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    // MERGE: if instrument::wrapper::is_wrapper_call() {
    //     return cli::run_wrapper();
    // }
    cli::run()
}
