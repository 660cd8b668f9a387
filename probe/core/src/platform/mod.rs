//! The system and the probe's own tools: time, threads, stacks, locks, counters.

pub mod busy;
pub mod clock;
pub mod console;
pub mod counters;
pub mod distribution;
pub(crate) mod hash;
pub mod options;
pub(crate) mod process;
#[cfg(all(target_os = "linux", target_env = "gnu", not(concaudit_static)))]
pub(crate) mod real;
pub mod sample;
pub mod stack;
pub(crate) mod sync;
pub(crate) mod thread_number;
mod thresholds;
