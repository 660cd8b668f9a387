//! What the rules go by: their thresholds, and which of them are asked.

use std::{collections::BTreeSet, time::Duration};

use crate::config::{DEFAULT_TIME_LIMIT, Thresholds};

/// Thresholds, and the rules that are off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What is less is no finding.
    pub thresholds: Thresholds,
    /// After which a test was ended; `None`: never.
    pub time_limit: Option<Duration>,
    /// Names of rules that are not asked.
    pub disabled: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            time_limit: Some(DEFAULT_TIME_LIMIT),
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
