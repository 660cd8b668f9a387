//! The half of the probe that observes and reduces.
//!
//! It runs inside the audited program, on that program's threads: it never
//! panics, never prints, never waits for anything but its own short critical
//! sections, and does nothing at all until [`activate`] is called. The facades
//! (`concaudit-tracing` for tokio) call in; `concaudit-server` reads out.
//!
//! Its modules are floors, each of which calls only those above it in this list:
//!
//! | module | what it has |
//! |---|---|
//! | [`platform`] | time, stacks, samples of other threads, locks of its own, counters |
//! | [`record`] | what is written down of tasks, threads, locks and resources |
//! | [`context`] | what this thread is in the middle of |
//! | [`detect`] | what the records show: orders, knots, panics, orphans, leftovers |
//! | [`outbox`] | what has yet to leave the process |
//! | [`lifecycle`] | what happens at each moment of a task, a thread, a lock |

pub mod context;
pub mod detect;
pub mod lifecycle;
pub mod outbox;
pub mod platform;
pub mod record;

pub use platform::process::is_active;
use platform::{clock, options, process};

/// Begins to observe. Called once, before `main`.
pub fn activate(options: options::Options) {
    clock::start();
    detect::open_files::start();
    record::task::waker_counts::set_table(lifecycle::waker::table());
    options::set(options);
    process::activate();
}
