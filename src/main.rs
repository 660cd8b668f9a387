
#![expect(dead_code, unused_imports, reason = "rooms are being furnished")]
mod audit;
mod cli;
mod instrument;
mod model;
mod project;
mod report;
mod run;
mod telemetry;
fn main() {}
