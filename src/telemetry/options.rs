//! What the probe is told, in its environment.

use std::{fmt, time::Duration};

/// The probe's thresholds. Its [`Display`](fmt::Display) form is the value of
/// `__CARGO_CONCAUDIT_OPTIONS`; whole milliseconds, rounded up so that a
/// limit that was asked for never becomes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeOptions {
    /// A hold that nobody waited for is told of from this length on.
    pub long_hold: Duration,
    /// A hold that someone waited for is told of from this length on.
    pub contended_hold: Duration,
    /// Shortest wait for a lock that counts as contention.
    pub wait: Duration,
    /// A call that blocks a task's poll is told of from this length on.
    pub blocking_call: Duration,
    /// A poll that takes this long is told of.
    pub blocking_poll: Duration,
    /// More live tasks of one spawn site than this are told of.
    pub spawn_storm: u64,
    /// A task that outlives its cancelled parent for this long is told of.
    pub orphaned: Duration,
    /// The drain ends when every live task was idle for so long.
    pub drain_idle: Duration,
    /// One drain lasts no longer.
    pub drain_max: Duration,
    /// All drains of a process together last no longer.
    pub drain_total: Duration,
    /// How long an exiting process waits for its last update's confirmation.
    pub exit_wait: Duration,
    /// How long a process that is done waits for a tokio-console to attach. One
    /// that is attached keeps it for as long as it stays.
    pub console_wait: Duration,
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            long_hold: Duration::from_secs(1),
            contended_hold: Duration::from_millis(100),
            wait: Duration::from_millis(10),
            blocking_call: Duration::from_millis(10),
            blocking_poll: Duration::from_millis(100),
            spawn_storm: 1000,
            orphaned: Duration::from_millis(100),
            drain_idle: Duration::from_millis(2),
            drain_max: Duration::from_millis(100),
            drain_total: Duration::from_millis(500),
            exit_wait: Duration::from_secs(2),
            console_wait: Duration::ZERO,
        }
    }
}

impl fmt::Display for ProbeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = [
            ("long_hold_ms", self.long_hold),
            ("contended_hold_ms", self.contended_hold),
            ("wait_ms", self.wait),
            ("blocking_call_ms", self.blocking_call),
            ("blocking_poll_ms", self.blocking_poll),
            ("orphaned_ms", self.orphaned),
            ("drain_idle_ms", self.drain_idle),
            ("drain_max_ms", self.drain_max),
            ("drain_total_ms", self.drain_total),
            ("exit_wait_ms", self.exit_wait),
            ("console_wait_ms", self.console_wait),
        ];
        for (index, (key, value)) in fields.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{key}={}", value.as_nanos().div_ceil(1_000_000))?;
        }
        write!(f, ",spawn_storm={}", self.spawn_storm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_as_the_probe_reads_them() {
        let options = ProbeOptions { wait: Duration::from_micros(1), ..ProbeOptions::default() };
        assert_eq!(
            options.to_string(),
            "long_hold_ms=1000,contended_hold_ms=100,wait_ms=1,blocking_call_ms=10,\
             blocking_poll_ms=100,orphaned_ms=100,drain_idle_ms=2,drain_max_ms=100,\
             drain_total_ms=500,exit_wait_ms=2000,console_wait_ms=0,spawn_storm=1000"
        );
    }
}
