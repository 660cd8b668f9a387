//! The built binary against `fixtures/`.
//!
//! Each fixture workspace is audited once; what is expected of each of its
//! tests is a `#[test]` of its own here, so that a failure names the fixture.
//! The first run builds the probe and the fixtures, which takes a minute or
//! two; everything is kept under `target/` for the next one.

#![expect(
    clippy::print_stderr,
    reason = "a skipped test says why, and one of many runs what became of them"
)]

mod allocators;
mod baseline;
mod behaviour;
mod blocking_call;
mod blocking_poll;
mod builds;
mod cli;
mod commands;
mod compared;
mod console;
mod crater;
mod deadlock;
mod faults;
mod formats;
mod futurelock;
mod graph;
mod html;
mod human;
mod hung_test;
mod kinds;
mod leaked;
mod lifecycle;
mod lingering;
mod lock_across_await;
mod lock_order;
mod long_held;
mod lost_waker;
mod model;
mod often;
mod old_tokio;
mod orphaned_task;
mod partition;
mod precision;
mod recursive_lock;
mod run;
mod settings;
mod shaken;
mod silent_panic;
mod spawn_storm;
mod std_only;
mod support;
mod surroundings;
mod thread_locks;
mod variants;
mod yielding;
