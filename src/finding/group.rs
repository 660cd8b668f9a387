//! Occurrences with one cause become one finding: "seen in 23 tests", once.
//!
//! A cause is what its identity says, and the fingerprint is the identity's
//! hash: no two findings of a rule share a fingerprint.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{
    Confidence, Details, Finding, LabelledStack, Location, Origin, Role, Severity, Variant,
    fingerprint,
};

/// Variants of one cause that are told; of the others there is a count.
pub const MAX_VARIANTS: usize = 9;

/// Function names and the like that identify a cause across edits; no lines,
/// paths or counts.
pub type Identity = Vec<String>;

/// A file and line, by which occurrences of one cause are told apart.
pub type Spot = (String, u32);

/// Which occurrences of one cause are alike: the lines that take part and the things
/// that are meant. The cause is that of a function; it may have several such lines, or
/// take several locks.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Which {
    lines: Vec<Spot>,
    things: Vec<String>,
}

impl From<Spot> for Which {
    fn from(line: Spot) -> Self {
        Self { lines: vec![line], things: Vec::new() }
    }
}

impl Which {
    /// The same, with another line; the order counts.
    pub fn at(mut self, line: Spot) -> Self {
        self.lines.push(line);
        self
    }

    /// The same, of this thing: a lock, a message.
    pub fn of(mut self, thing: impl Into<String>) -> Self {
        self.things.push(thing.into());
        self
    }
}

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

/// Occurrences of one cause that are alike.
#[derive(Debug)]
struct Alike {
    rank: Rank,
    draft: Draft,
    tests: BTreeSet<String>,
    occurrences: u64,
    /// Its place in the order of arrival.
    arrived: u64,
}

impl Alike {
    /// Where it comes among equally severe ones: the first to arrive before the others.
    fn order(&self) -> (Rank, std::cmp::Reverse<u64>) {
        (self.rank, std::cmp::Reverse(self.arrived))
    }
}

#[derive(Debug, Default)]
struct Group {
    variants: BTreeMap<Which, Alike>,
    /// Of those that were left out.
    further: u64,
    /// Of all.
    tests: BTreeSet<String>,
    arrivals: u64,
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
    /// than those like it that were seen before, since telling symbolised stacks
    /// is dear and a cause may occur thousands of times. `tell` may find that
    /// there is nothing to point at; then the occurrence is dropped.
    pub fn add(
        &mut self,
        identity: Identity,
        which: impl Into<Which>,
        rank: Rank,
        tests: impl IntoIterator<Item = String>,
        tell: impl FnOnce() -> Option<Draft>,
    ) {
        self.add_times(identity, which, rank, 1, tests, tell);
    }

    /// The same for what was seen several times.
    pub fn add_times(
        &mut self,
        identity: Identity,
        which: impl Into<Which>,
        rank: Rank,
        times: u64,
        tests: impl IntoIterator<Item = String>,
        tell: impl FnOnce() -> Option<Draft>,
    ) {
        let which = which.into();
        let group = self.groups.entry(identity).or_default();
        let tests: BTreeSet<String> = tests.into_iter().collect();
        if let Some(alike) = group.variants.get_mut(&which) {
            if rank > alike.rank {
                let Some(draft) = tell() else { return };
                (alike.rank, alike.draft) = (rank, draft);
            }
            group.tests.extend(tests.iter().cloned());
            alike.tests.extend(tests);
            alike.occurrences += times;
            return;
        }
        if group.variants.len() >= MAX_VARIANTS {
            // The least of them makes room for one that is worse.
            let least = group.variants.iter().min_by_key(|(_, alike)| alike.order());
            let least =
                least.filter(|(_, alike)| rank > alike.rank).map(|(which, _)| which.clone());
            let Some(least) = least else {
                group.further += times;
                group.tests.extend(tests);
                return;
            };
            let gone = group.variants.remove(&least);
            group.further += gone.map_or(0, |gone| gone.occurrences);
        }
        // A group that has none of them is no finding.
        let Some(draft) = tell() else { return };
        group.tests.extend(tests.iter().cloned());
        let arrived = group.arrivals;
        group.arrivals += 1;
        group.variants.insert(which, Alike { rank, draft, tests, occurrences: times, arrived });
    }

    /// One finding per cause, in the order of the identities.
    pub fn finish(self) -> Vec<Finding> {
        let rule = self.rule;
        self.groups
            .into_iter()
            .filter_map(|(identity, group)| group.finish(rule, &identity))
            .collect()
    }
}

impl Group {
    /// The worst supplies the text; the others are told beside it.
    fn finish(self, rule: &str, identity: &Identity) -> Option<Finding> {
        let parts: Vec<&str> = identity.iter().map(String::as_str).collect();
        let mut alike: Vec<Alike> = self.variants.into_values().collect();
        alike.sort_by_key(|alike| std::cmp::Reverse(alike.order()));
        let variants: Vec<Variant> =
            if alike.len() > 1 { alike.iter().map(Alike::variant).collect() } else { Vec::new() };
        let occurrences = alike.iter().map(|alike| alike.occurrences).sum::<u64>() + self.further;
        let Alike { rank, draft, .. } = alike.into_iter().next()?;
        let mut locations = draft.locations;
        for other in variants.iter().skip(1).flat_map(|variant| &variant.locations) {
            let is_told = |place: &Location| {
                (&place.file, place.line, place.column) == (&other.file, other.line, other.column)
            };
            if !locations.iter().any(is_told) {
                locations.push(Location {
                    role: Role::Secondary,
                    label: format!("likewise: {}", other.label),
                    ..other.clone()
                });
            }
        }
        Some(Finding {
            rule: rule.to_owned(),
            severity: rank.severity,
            confidence: rank.confidence,
            origin: draft.origin,
            message: draft.message,
            fingerprint: fingerprint(rule, &parts),
            locations,
            stacks: draft.stacks,
            notes: draft.notes,
            minor_notes: draft.minor_notes,
            help: draft.help,
            // One that took several tests together happened in each.
            occurrences: occurrences.max(self.tests.len() as u64),
            tests: self.tests.into_iter().collect(),
            variants,
            further_occurrences: self.further,
            details: draft.details,
            suppressed: vec![],
            baseline: None,
        })
    }
}

impl Alike {
    fn variant(&self) -> Variant {
        Variant {
            severity: self.rank.severity,
            message: self.draft.message.clone(),
            locations: self.draft.locations.clone(),
            stacks: self.draft.stacks.clone(),
            notes: self.draft.notes.clone(),
            tests: self.tests.iter().cloned().collect(),
            occurrences: self.occurrences.max(self.tests.len() as u64),
            details: self.draft.details.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(message: &str, line: u32) -> Draft {
        let place = Location {
            file: "src/lib.rs".to_owned(),
            absolute_path: None,
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
            details: Details::LockOrderCycle {
                confirmed_in: None,
                locks: Vec::new(),
                on_instances: true,
            },
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

    #[test]
    fn what_differs_in_one_function_has_places_and_counts_of_its_own() {
        let mut groups = Groups::new("r");
        let lock = |name: &str| Which::from(spot(5)).of(name);
        groups.add_times(identity(), lock("m"), rank(1), 2, ["a".to_owned()], || {
            Some(draft("m is held", 5))
        });
        groups.add_times(identity(), lock("n"), rank(1), 3, ["b".to_owned()], || {
            Some(draft("n is held", 5))
        });
        groups.add(identity(), lock("m"), rank(1), [], || panic!("told already"));
        let finding = groups.finish().remove(0);
        assert_eq!((finding.message.as_str(), finding.occurrences), ("m is held", 6));
        assert_eq!(finding.locations.len(), 1, "one line");
        let told: Vec<_> = finding
            .variants
            .iter()
            .map(|variant| (variant.message.as_str(), variant.occurrences, variant.tests.clone()))
            .collect();
        let of = |test: &str| vec![test.to_owned()];
        assert_eq!(told, [("m is held", 3, of("a")), ("n is held", 3, of("b"))]);
    }

    #[test]
    fn the_worst_variants_are_told_and_the_rest_is_counted() {
        let mut groups = Groups::new("r");
        for line in 1..=20 {
            let weight = u64::from(line);
            groups.add(identity(), spot(line), rank(weight), [], || Some(draft("it", line)));
        }
        let finding = groups.finish().remove(0);
        let lines: Vec<u32> =
            finding.variants.iter().map(|variant| variant.locations[0].line).collect();
        assert_eq!(lines, [20, 19, 18, 17, 16, 15, 14, 13, 12]);
        assert_eq!((finding.occurrences, finding.further_occurrences), (20, 11));
    }

    #[test]
    fn what_cannot_be_pointed_at_is_dropped() {
        let mut groups = Groups::new("r");
        groups.add(identity(), spot(1), rank(1), ["a".to_owned()], || None);
        assert!(groups.finish().is_empty());
    }
}
