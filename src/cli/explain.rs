//! The page of each rule.

/// Rules by name, with their pages. What has no page is no rule.
const PAGES: &[(&str, &str)] = &[
    ("lingering-task", include_str!("../../docs/rules/lingering-task.md")),
    ("lock-order-cycle", include_str!("../../docs/rules/lock-order-cycle.md")),
    ("long-held-lock", include_str!("../../docs/rules/long-held-lock.md")),
];

/// The public names of the rules.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

/// The page of a rule, as Markdown.
pub fn page(rule: &str) -> Option<&'static str> {
    PAGES.iter().find(|(name, _)| *name == rule).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;

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
