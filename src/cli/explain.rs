//! The page of each rule, and the list of them.

use std::fmt::Write as _;

use crate::{finding::Severity, rules::RULES};

/// Rules by name, with their pages. What has no page is no rule.
const PAGES: &[(&str, &str)] = &[
    ("blocking-call", include_str!("../../docs/rules/blocking-call.md")),
    ("blocking-poll", include_str!("../../docs/rules/blocking-poll.md")),
    ("deadlock", include_str!("../../docs/rules/deadlock.md")),
    ("futurelock", include_str!("../../docs/rules/futurelock.md")),
    ("hung-test", include_str!("../../docs/rules/hung-test.md")),
    ("leaked-handle", include_str!("../../docs/rules/leaked-handle.md")),
    ("leaked-thread", include_str!("../../docs/rules/leaked-thread.md")),
    ("lingering-task", include_str!("../../docs/rules/lingering-task.md")),
    ("lock-across-await", include_str!("../../docs/rules/lock-across-await.md")),
    ("lock-order-cycle", include_str!("../../docs/rules/lock-order-cycle.md")),
    ("long-held-lock", include_str!("../../docs/rules/long-held-lock.md")),
    ("lost-waker", include_str!("../../docs/rules/lost-waker.md")),
    ("orphaned-task", include_str!("../../docs/rules/orphaned-task.md")),
    ("recursive-lock", include_str!("../../docs/rules/recursive-lock.md")),
    ("silent-panic", include_str!("../../docs/rules/silent-panic.md")),
    ("spawn-storm", include_str!("../../docs/rules/spawn-storm.md")),
];

/// The public names of the rules.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

/// All rules, a line each: name, severity, what it finds.
pub fn list() -> String {
    let width = RULES.iter().map(|rule| rule.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for rule in RULES {
        let severity = match rule.default_severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let _ = writeln!(text, "{:width$}  {severity:7}  {}", rule.name(), rule.summary());
    }
    text.push_str("\nfor the page of a rule, try `cargo concaudit explain RULE`\n");
    text
}

/// The page of a rule, as Markdown.
pub fn page(rule: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == rule).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_page_and_a_line() {
        assert!(RULES.iter().map(|rule| rule.name()).eq(rule_names()));
        let list = list();
        for rule in RULES {
            let line = list.lines().find(|line| line.starts_with(rule.name()));
            assert!(line.is_some_and(|line| line.ends_with(rule.summary())), "{list}");
        }
    }

    #[test]
    fn every_page_answers_the_same_questions() {
        for (name, page) in PAGES {
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            for heading in [
                "## What it finds",
                "## Why it matters",
                "## Example",
                "## Severity and confidence",
                "## What to do",
                "## Settings",
            ] {
                assert!(page.contains(heading), "{name}: {heading}");
            }
        }
    }
}
