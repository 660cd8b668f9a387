//! `cargo concaudit rules`, and `explain` without a rule.

use std::fmt::Write as _;

use crate::{
    config::{DEFAULT_TIME_LIMIT, Thresholds},
    rules::RULES,
};

/// All rules: name, severity, what each finds, and the thresholds that it goes by with their
/// defaults.
pub fn list() -> String {
    let mut defaults = Thresholds::default();
    let defaults = defaults.each();
    let default = |name: &str| {
        let threshold = defaults.iter().find(|(known, _)| *known == name);
        threshold.map_or_else(
            // It is no threshold of a finding, and the only one.
            || humantime::format_duration(DEFAULT_TIME_LIMIT).to_string(),
            |(_, threshold)| threshold.text(),
        )
    };
    let width = RULES.iter().map(|rule| rule.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for rule in RULES {
        let severity = rule.default_severity().name();
        let _ = writeln!(text, "{:width$}  {severity:7}  {}", rule.name(), rule.summary());
        let thresholds: Vec<String> =
            rule.thresholds().iter().map(|name| format!("--{name} {}", default(name))).collect();
        if !thresholds.is_empty() {
            let _ = writeln!(text, "{:width$}           {}", "", thresholds.join(", "));
        }
    }
    text.push_str(
        "\nfor the page of a rule, try `cargo concaudit explain RULE`; for what is in force here, \
         `cargo concaudit config`\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_line() {
        let list = list();
        for rule in RULES {
            let line = list.lines().find(|line| line.starts_with(rule.name()));
            assert!(line.is_some_and(|line| line.ends_with(rule.summary())), "{list}");
        }
    }
}
