//! What the rules go by: which of them are asked.

use std::collections::BTreeSet;

/// The rules that are off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Names of rules that are not asked.
    pub disabled: BTreeSet<String>,
}

impl Config {
    /// Whether the rule of this name is asked.
    pub fn is_enabled(&self, rule: &str) -> bool {
        !self.disabled.contains(rule)
    }
}
