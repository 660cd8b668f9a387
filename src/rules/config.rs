//! What the rules go by: their thresholds, and which of them are asked.

use std::{collections::BTreeSet, time::Duration};

/// Thresholds, with the documented defaults, and the rules that are off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// A lock held this long is reported though nobody waited for it.
    pub long_hold: Duration,
    /// A lock held this long is reported where somebody waited for it.
    pub contended_hold: Duration,
    /// The shortest wait that counts as waiting.
    pub wait: Duration,
    /// A call that blocks a task's poll this long is reported.
    pub blocking_call: Duration,
    /// A poll that takes this long is reported.
    pub blocking_poll: Duration,
    /// More tasks of one spawn site alive at once are reported.
    pub spawn_storm: u64,
    /// A task that outlives its cancelled parent this long is reported.
    pub orphaned: Duration,
    /// After which a test was ended; `None`: never.
    pub time_limit: Option<Duration>,
    /// Names of rules that are not asked.
    pub disabled: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            long_hold: Duration::from_secs(1),
            contended_hold: Duration::from_millis(100),
            wait: Duration::from_millis(10),
            blocking_call: Duration::from_millis(10),
            blocking_poll: Duration::from_millis(100),
            spawn_storm: 1000,
            orphaned: Duration::from_millis(100),
            time_limit: Some(Duration::from_secs(60)),
            disabled: BTreeSet::new(),
        }
    }
}

impl Config {
    /// Whether the rule of this name is asked.
    pub fn is_enabled(&self, rule: &str) -> bool {
        !self.disabled.contains(rule)
    }
}
