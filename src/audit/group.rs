//! Occurrences with one cause become one finding: "seen in 23 tests", once.

use std::collections::{BTreeMap, BTreeSet};

use super::support::fingerprint;
use crate::report::finding::{
    Confidence, Details, Finding, LabelledStack, Location, Origin, Severity,
};

/// One occurrence, told in full.
#[derive(Debug)]
pub struct Draft {
    pub origin: Origin,
    pub message: String,
    /// Function names and the like that identify the cause across edits.
    pub identity: Vec<String>,
    pub locations: Vec<Location>,
    pub stacks: Vec<LabelledStack>,
    pub notes: Vec<String>,
    pub help: String,
    pub details: Details,
}

/// How bad an occurrence is: the worst of a group supplies its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub severity: Severity,
    pub confidence: Confidence,
    /// Nanoseconds, or whatever the rule measures.
    pub weight: u64,
}

#[derive(Debug)]
struct Group {
    rank: Rank,
    draft: Draft,
    tests: BTreeSet<String>,
    occurrences: u64,
}

/// The findings of one rule in the making, by cause.
#[derive(Debug)]
pub struct Groups<K> {
    rule: &'static str,
    groups: BTreeMap<K, Group>,
}

impl<K: Ord> Groups<K> {
    /// Empty, for the rule of this name.
    pub fn new(rule: &'static str) -> Self {
        Self { rule, groups: BTreeMap::new() }
    }

    /// Adds one occurrence. `tell` is called only where the occurrence is worse
    /// than those seen before, since telling symbolised stacks is dear and a
    /// cause may occur thousands of times. `tell` may find that there is nothing
    /// to point at; then the occurrence is dropped.
    pub fn add(
        &mut self,
        key: K,
        rank: Rank,
        tests: impl IntoIterator<Item = String>,
        tell: impl FnOnce() -> Option<Draft>,
    ) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.tests.extend(tests);
            group.occurrences += 1;
            if rank > group.rank
                && let Some(draft) = tell()
            {
                group.rank = rank;
                group.draft = draft;
            }
        } else if let Some(draft) = tell() {
            let tests = tests.into_iter().collect();
            self.groups.insert(key, Group { rank, draft, tests, occurrences: 1 });
        }
    }

    /// One finding per cause, in the order of the keys.
    pub fn finish(self) -> Vec<Finding> {
        let rule = self.rule;
        self.groups
            .into_values()
            .map(|Group { rank, draft, tests, occurrences }| {
                let identity: Vec<&str> = draft.identity.iter().map(String::as_str).collect();
                Finding {
                    rule: rule.to_owned(),
                    severity: rank.severity,
                    confidence: rank.confidence,
                    origin: draft.origin,
                    message: draft.message,
                    fingerprint: fingerprint(rule, &identity),
                    locations: draft.locations,
                    stacks: draft.stacks,
                    notes: draft.notes,
                    help: draft.help,
                    tests: tests.into_iter().collect(),
                    occurrences,
                    details: draft.details,
                    suppressed: None,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(message: &str) -> Draft {
        Draft {
            origin: Origin::Library,
            message: message.to_owned(),
            identity: vec!["f".to_owned()],
            locations: Vec::new(),
            stacks: Vec::new(),
            notes: Vec::new(),
            help: String::new(),
            details: Details::LockOrderCycle { locks: Vec::new(), on_instances: true },
        }
    }

    fn rank(weight: u64) -> Rank {
        Rank { severity: Severity::Error, confidence: Confidence::Observed, weight }
    }

    #[test]
    fn the_worst_occurrence_supplies_the_text_and_all_supply_their_tests() {
        let mut groups = Groups::new("r");
        groups.add("k", rank(1), ["b".to_owned()], || Some(draft("short")));
        groups.add("k", rank(3), ["a".to_owned()], || Some(draft("long")));
        groups.add("k", rank(2), ["a".to_owned()], || panic!("told though it is not the worst"));
        let findings = groups.finish();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].message, "long");
        assert_eq!(findings[0].tests, ["a", "b"]);
        assert_eq!(findings[0].occurrences, 3);
    }
}
