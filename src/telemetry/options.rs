//! What the probe is told, in its environment.

use std::{fmt, num::NonZeroU64, time::Duration};

use crate::config::Thresholds;

/// What the probe goes by. Its [`Display`](fmt::Display) form is the value of
/// `__CARGO_CONCAUDIT_OPTIONS`, times in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeOptions {
    /// What is less is not told of.
    pub thresholds: Thresholds,
    /// How long an exiting process waits for its last update's confirmation.
    pub exit_wait: Duration,
    /// How long a process that is done waits for a tokio-console to attach. One
    /// that is attached keeps it for as long as it stays.
    pub console_wait: Duration,
    /// What random delays are made of; `None`: there are none.
    pub shake: Option<NonZeroU64>,
    /// Calls after which a thread is paused until others are after the others, as addresses in
    /// the executable's file; 0 behind the last.
    pub pause: [u64; MAX_PAUSES],
}

/// The most calls that threads are paused after.
pub const MAX_PAUSES: usize = 4;

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            exit_wait: Duration::from_secs(2),
            console_wait: Duration::ZERO,
            shake: None,
            pause: [0; MAX_PAUSES],
        }
    }
}

impl fmt::Display for ProbeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (field, value) in self.thresholds.raw() {
            write!(f, "{field}={value},")?;
        }
        let (exit_wait, console_wait) = (self.exit_wait.as_nanos(), self.console_wait.as_nanos());
        write!(f, "exit_wait={exit_wait},console_wait={console_wait}")?;
        if let Some(seed) = self.shake {
            write!(f, ",shake={seed}")?;
        }
        for (number, call) in self.pause.iter().enumerate().filter(|(_, call)| **call != 0) {
            write!(f, ",pause_{number}={call}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_as_the_probe_reads_them() {
        let wait = Duration::from_micros(1);
        let thresholds = Thresholds { wait, ..Thresholds::default() };
        let options = ProbeOptions { thresholds, ..ProbeOptions::default() };
        assert_eq!(
            options.to_string(),
            "long_hold=1000000000,contended_hold=100000000,wait=1000,blocking_call=10000000,\
             blocking_poll=100000000,spawn_storm=1000,task_growth=50,growth_time=10000000000,\
             self_wakes=1000,never_yielded=1000000000,orphaned=100000000,drain_idle=2000000,\
             drain_max=100000000,drain_total=500000000,exit_wait=2000000000,console_wait=0"
        );
    }
}
