//! The thresholds of the run, as the runner sets them.

use std::sync::OnceLock;

/// The thresholds of the run. All times in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// An uncontended hold this long is shipped.
    pub long_hold: u64,
    /// A hold this long is shipped where somebody waited meanwhile.
    pub contended_hold: u64,
    /// From when on a wait counts.
    pub wait: u64,
    /// A call that blocks a task's poll for this long is shipped.
    pub blocking_call: u64,
    /// A poll that takes this long is shipped.
    pub blocking_poll: u64,
    /// More live tasks of one spawn site than this are shipped.
    pub spawn_storm: u64,
    /// A task that outlives its cancelled parent for this long is shipped.
    pub orphaned: u64,
    /// The drain ends once every task has been idle for this long.
    pub drain_idle: u64,
    /// The drain ends after this long in any case.
    pub drain_max: u64,
    /// All drains of a process together end after this long.
    pub drain_total: u64,
    /// How long an exiting process waits for the auditor to confirm.
    pub exit_wait: u64,
    /// How long a process that is done waits for a console to attach; 0: not.
    pub console_wait: u64,
}

const MILLISECOND: u64 = 1_000_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            long_hold: 1000 * MILLISECOND,
            contended_hold: 100 * MILLISECOND,
            wait: 10 * MILLISECOND,
            blocking_call: 10 * MILLISECOND,
            blocking_poll: 100 * MILLISECOND,
            spawn_storm: 1000,
            orphaned: 100 * MILLISECOND,
            drain_idle: 2 * MILLISECOND,
            drain_max: 100 * MILLISECOND,
            drain_total: 500 * MILLISECOND,
            exit_wait: 2000 * MILLISECOND,
            console_wait: 0,
        }
    }
}

impl Options {
    /// Reads `key=milliseconds,key=number`; what it does not know it skips, so that a newer runner and an older probe get along.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut options = Self::default();
        for (key, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
            let Ok(number) = value.trim().parse::<u64>() else { continue };
            let field = match key.trim() {
                "long_hold_ms" => &mut options.long_hold,
                "contended_hold_ms" => &mut options.contended_hold,
                "wait_ms" => &mut options.wait,
                "blocking_call_ms" => &mut options.blocking_call,
                "blocking_poll_ms" => &mut options.blocking_poll,
                "spawn_storm" => {
                    options.spawn_storm = number;
                    continue;
                }
                "orphaned_ms" => &mut options.orphaned,
                "drain_idle_ms" => &mut options.drain_idle,
                "drain_max_ms" => &mut options.drain_max,
                "drain_total_ms" => &mut options.drain_total,
                "exit_wait_ms" => &mut options.exit_wait,
                "console_wait_ms" => &mut options.console_wait,
                _ => continue,
            };
            *field = number.saturating_mul(MILLISECOND);
        }
        options
    }
}

static OPTIONS: OnceLock<Options> = OnceLock::new();

pub(crate) fn set(options: Options) {
    let _ = OPTIONS.set(options);
}

/// The options of this run.
pub fn get() -> &'static Options {
    OPTIONS.get_or_init(Options::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_or_is_no_number_is_skipped() {
        let options = Options::parse("wait_ms=25, spawn_storm = 7,future_ms=1,orphaned_ms=soon,x");
        assert_eq!((options.wait, options.spawn_storm), (25 * MILLISECOND, 7));
        assert_eq!(options.orphaned, Options::default().orphaned);
        assert_eq!(Options::parse("wait_ms=18446744073709551615").wait, u64::MAX);
    }
}
