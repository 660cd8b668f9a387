//! Occurrences with one cause become one finding: "seen in 23 tests", once.
//!
//! A cause is what its identity says, and the fingerprint is the identity's
//! hash: no two findings of a rule share a fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::{
    finding::{Confidence, Details, Finding, LabelledStack, Location, Origin, Role, Severity},
    fingerprint::fingerprint,
};

/// Further places of one cause that are listed.
const MAX_LIKEWISE: usize = 8;

/// Function names and the like that identify a cause across edits; no lines,
/// paths or counts.
pub type Identity = Vec<String>;

/// A file and line, by which occurrences of one cause are told apart.
pub type Spot = (String, u32);

/// One occurrence, told in full.
#[derive(Debug)]
pub struct Draft {
    /// As in [`Finding::origin`].
    pub origin: Origin,
    /// As in [`Finding::message`].
    pub message: String,
    /// The primary one first.
    pub locations: Vec<Location>,
    /// As in [`Finding::stacks`].
    pub stacks: Vec<LabelledStack>,
    /// As in [`Finding::notes`].
    pub notes: Vec<String>,
    /// As in [`Finding::minor_notes`].
    pub minor_notes: Vec<String>,
    /// As in [`Finding::help`].
    pub help: String,
    /// As in [`Finding::details`].
    pub details: Details,
}

/// How bad an occurrence is: the worst of a group supplies its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// What counts first.
    pub severity: Severity,
    /// What counts among equally severe ones.
    pub confidence: Confidence,
    /// Nanoseconds, or whatever the rule measures.
    pub weight: u64,
}

#[derive(Debug)]
struct Group {
    rank: Rank,
    draft: Draft,
    /// The primary location of each spot.
    spots: BTreeMap<Spot, Location>,
    tests: BTreeSet<String>,
    occurrences: u64,
}

/// The findings of one rule in the making, by cause.
#[derive(Debug)]
pub struct Groups {
    rule: &'static str,
    groups: BTreeMap<Identity, Group>,
}

impl Groups {
    /// Empty, for the rule of this name.
    pub fn new(rule: &'static str) -> Self {
        Self { rule, groups: BTreeMap::new() }
    }

    /// Adds one occurrence. `tell` is called only where the occurrence is worse
    /// than those seen before or at a spot of its own, since telling symbolised
    /// stacks is dear and a cause may occur thousands of times. `tell` may find
    /// that there is nothing to point at; then the occurrence is dropped.
    pub fn add(
        &mut self,
        identity: Identity,
        spot: Spot,
        rank: Rank,
        tests: impl IntoIterator<Item = String>,
        tell: impl FnOnce() -> Option<Draft>,
    ) {
        self.add_times(identity, spot, rank, 1, tests, tell);
    }

    /// The same for what was seen several times.
    pub fn add_times(
        &mut self,
        identity: Identity,
        spot: Spot,
        rank: Rank,
        times: u64,
        tests: impl IntoIterator<Item = String>,
        tell: impl FnOnce() -> Option<Draft>,
    ) {
        let Some(group) = self.groups.get_mut(&identity) else {
            let Some(draft) = tell() else { return };
            let spots = draft.locations.first().map(|place| (spot, place.clone()));
            let group = Group {
                rank,
                draft,
                spots: spots.into_iter().collect(),
                tests: tests.into_iter().collect(),
                occurrences: times,
            };
            self.groups.insert(identity, group);
            return;
        };
        let is_worse = rank > group.rank;
        let is_elsewhere = group.spots.len() <= MAX_LIKEWISE && !group.spots.contains_key(&spot);
        if is_worse || is_elsewhere {
            let Some(draft) = tell() else { return };
            if let Some(place) = draft.locations.first() {
                group.spots.insert(spot, place.clone());
            }
            if is_worse {
                (group.rank, group.draft) = (rank, draft);
            }
        }
        group.tests.extend(tests);
        group.occurrences += times;
    }

    /// One finding per cause, in the order of the identities.
    pub fn finish(self) -> Vec<Finding> {
        let rule = self.rule;
        self.groups
            .into_iter()
            .map(|(identity, Group { rank, mut draft, spots, tests, occurrences })| {
                let parts: Vec<&str> = identity.iter().map(String::as_str).collect();
                for mut place in spots.into_values() {
                    let told =
                        |other: &Location| (&other.file, other.line) == (&place.file, place.line);
                    if !draft.locations.iter().any(told) {
                        place.role = Role::Secondary;
                        place.label = format!("likewise: {}", place.label);
                        draft.locations.push(place);
                    }
                }
                Finding {
                    rule: rule.to_owned(),
                    severity: rank.severity,
                    confidence: rank.confidence,
                    origin: draft.origin,
                    message: draft.message,
                    fingerprint: fingerprint(rule, &parts),
                    locations: draft.locations,
                    stacks: draft.stacks,
                    notes: draft.notes,
                    minor_notes: draft.minor_notes,
                    help: draft.help,
                    // One that took several tests together happened in each.
                    occurrences: occurrences.max(tests.len() as u64),
                    tests: tests.into_iter().collect(),
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

    fn draft(message: &str, line: u32) -> Draft {
        let place = Location {
            file: "src/lib.rs".to_owned(),
            line,
            column: None,
            function: String::new(),
            label: "here".to_owned(),
            role: Role::Primary,
        };
        Draft {
            origin: Origin::Library,
            message: message.to_owned(),
            locations: vec![place],
            stacks: Vec::new(),
            notes: Vec::new(),
            minor_notes: Vec::new(),
            help: String::new(),
            details: Details::LockOrderCycle { locks: Vec::new(), on_instances: true },
        }
    }

    fn rank(weight: u64) -> Rank {
        Rank { severity: Severity::Error, confidence: Confidence::Observed, weight }
    }

    fn identity() -> Identity {
        vec!["f".to_owned()]
    }

    fn spot(line: u32) -> Spot {
        (String::new(), line)
    }

    #[test]
    fn the_worst_occurrence_supplies_the_text_and_all_supply_their_tests() {
        let mut groups = Groups::new("r");
        let tests = |name: &str| [name.to_owned()];
        groups.add(identity(), spot(1), rank(1), tests("b"), || Some(draft("short", 1)));
        groups.add(identity(), spot(1), rank(3), tests("a"), || Some(draft("long", 1)));
        groups.add(identity(), spot(1), rank(2), tests("a"), || panic!("not the worst"));
        let findings = groups.finish();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].message, "long");
        assert_eq!(findings[0].tests, ["a", "b"]);
        assert_eq!(findings[0].occurrences, 3);
        assert_eq!(findings[0].locations.len(), 1);
    }

    #[test]
    fn other_lines_of_one_cause_are_listed_with_it() {
        let mut groups = Groups::new("r");
        for line in [7, 3, 7, 3] {
            groups.add(identity(), spot(line), rank(1), [], || Some(draft("it", line)));
        }
        let finding = groups.finish().remove(0);
        let told = |place: &Location| (place.line, place.label.clone(), place.role);
        let places: Vec<_> = finding.locations.iter().map(told).collect();
        let likewise = (3, "likewise: here".to_owned(), Role::Secondary);
        assert_eq!(places, [(7, "here".to_owned(), Role::Primary), likewise]);
    }
}
