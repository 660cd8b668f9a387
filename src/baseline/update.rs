//! Findings beside the baseline, and the baseline after them.

use std::collections::BTreeSet;

use super::{Baseline, KnownFinding, file::Key};
use crate::finding::{BaselineState, Details, Finding};

/// What an update has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Findings that were not in there.
    pub added: usize,
    /// Findings that are found again.
    pub kept: usize,
    /// Findings that were not found, by a run that cannot tell that they are mended.
    pub unseen: usize,
    /// Findings that are mended, and no longer in there.
    pub mended: Vec<KnownFinding>,
    /// Findings that a comment or an `[[allow]]` suppresses, and that need not be in there.
    pub allowed: usize,
}

impl Baseline {
    /// How many findings it has.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Says of each finding whether it is known. One that is worse than it was is new.
    pub fn mark(&self, findings: &mut [Finding]) {
        for finding in findings.iter_mut().filter(|finding| can_be_known(finding)) {
            let known = self.findings.get(&key(finding));
            let is_known = known.is_some_and(|known| finding.severity <= known.severity);
            finding.baseline =
                Some(if is_known { BaselineState::Known } else { BaselineState::New });
        }
    }

    /// Takes in the findings that `fails` is true of and nobody suppresses. What was not found
    /// goes where `is_complete` says so of its rule: the run was about everything, and the rule
    /// was asked.
    pub fn update(
        &mut self,
        findings: &[Finding],
        fails: impl Fn(&Finding) -> bool,
        is_complete: impl Fn(&str) -> bool,
    ) -> Changes {
        let mut changes = Changes::default();
        let mut seen: BTreeSet<Key> = BTreeSet::new();
        let mut allowed: BTreeSet<Key> = BTreeSet::new();
        for finding in findings.iter().filter(|finding| can_be_known(finding)) {
            let key = key(finding);
            if !finding.suppressed.is_empty() {
                allowed.insert(key);
                continue;
            }
            if let Some(known) = self.findings.get_mut(&key) {
                let (file, function) = place(finding);
                // It may have moved, and the next run may show it at its worst again.
                (known.file, known.function) = (file, function);
                known.severity = known.severity.max(finding.severity);
                changes.kept += usize::from(seen.insert(key));
            } else if fails(finding) {
                let (file, function) = place(finding);
                let known = KnownFinding {
                    rule: finding.rule.clone(),
                    severity: finding.severity,
                    file,
                    function,
                    fingerprint: finding.fingerprint.clone(),
                    reason: String::new(),
                };
                self.findings.insert(key.clone(), known);
                changes.added += 1;
                seen.insert(key);
            }
        }
        self.findings.retain(|key, known| {
            let is_mended = is_complete(&known.rule);
            if seen.contains(key) {
                return true;
            } else if allowed.contains(key) {
                changes.allowed += 1;
                return false;
            } else if is_mended {
                changes.mended.push(known.clone());
            } else {
                changes.unseen += 1;
            }
            !is_mended
        });
        changes
    }
}

/// What is wrong with the settings is mended in the settings.
fn can_be_known(finding: &Finding) -> bool {
    !matches!(finding.details, Details::Allowance { .. })
}

fn key(finding: &Finding) -> Key {
    (finding.rule.clone(), finding.fingerprint.clone())
}

/// Where a finding is, for the reader of the file.
fn place(finding: &Finding) -> (String, String) {
    finding
        .locations
        .first()
        .map(|place| (place.file.clone(), place.function.clone()))
        .unwrap_or_default()
}
