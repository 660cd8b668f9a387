//! Marks findings as suppressed, and tells of allowances that have no use.

use crate::{
    config::Allow,
    finding::{
        Confidence, Details, Finding, Location, Origin, Role, Severity, Suppression, Variant,
        fingerprint,
    },
};

/// Findings that do not count, as somebody has written it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Of findings of these rules.
    pub rules: Vec<String>,
    /// Of those with a place in here.
    pub of: Where,
    /// Why they do not count.
    pub reason: String,
    /// Who is to be asked.
    pub owner: Option<String>,
    /// The last day, as `2027-01-31`.
    pub until: Option<String>,
    /// The file that says so, as it is reported.
    pub file: String,
    /// The line, 1-based.
    pub line: u32,
}

/// Which places an allowance is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// A glob over the file or the function.
    Site(String),
    /// A line of the allowance's own file.
    Line(u32),
}

/// What the run can say about allowances that nothing needed.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// This day, as `2027-01-31`.
    pub today: &'a str,
    /// Everything was audited, so that what was not needed is not needed.
    pub is_complete: bool,
    /// Whether a rule was asked.
    pub is_enabled: &'a dyn Fn(&str) -> bool,
}

impl Allowance {
    /// The one that an `[[allow]]` of the settings in `file` is.
    pub fn from_settings(allow: &Allow, file: &str) -> Self {
        Self {
            rules: vec![allow.rule.to_owned()],
            of: Where::Site(allow.site.clone()),
            reason: allow.reason.clone(),
            owner: allow.owner.clone(),
            until: allow.until.clone(),
            file: file.to_owned(),
            line: allow.line,
        }
    }

    fn is_over(&self, today: &str) -> bool {
        // Days in this form sort as texts.
        self.until.as_deref().is_some_and(|until| until < today)
    }

    fn covers(&self, places: &[Location]) -> bool {
        match &self.of {
            Where::Line(line) => {
                places.iter().any(|place| place.file == self.file && place.line == *line)
            }
            Where::Site(glob) => {
                // It was tried when it was read.
                let Ok(glob) = glob::Pattern::new(glob) else { return false };
                places.iter().any(|place| {
                    glob.matches(&place.file)
                        || (!place.function.is_empty() && glob.matches(&place.function))
                })
            }
        }
    }

    fn suppression(&self) -> Suppression {
        Suppression {
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            until: self.until.clone(),
            file: self.file.clone(),
            line: self.line,
        }
    }

    fn finding(
        &self,
        (rule, severity): (&str, Severity),
        message: String,
        label: &str,
        help: &str,
    ) -> Finding {
        let rules = self.rules.join(", ");
        let of = match &self.of {
            Where::Site(glob) => glob,
            Where::Line(_) => &self.reason,
        };
        Finding {
            rule: rule.to_owned(),
            severity,
            confidence: Confidence::Observed,
            origin: Origin::Library,
            message,
            fingerprint: fingerprint(rule, &[&self.file, &rules, of]),
            locations: vec![Location {
                file: self.file.clone(),
                absolute_path: None,
                line: self.line,
                column: None,
                function: String::new(),
                label: label.to_owned(),
                role: Role::Primary,
            }],
            stacks: vec![],
            notes: vec![],
            minor_notes: vec![],
            help: help.to_owned(),
            tests: vec![],
            occurrences: 1,
            variants: vec![],
            further_occurrences: 0,
            details: Details::Allowance { rules: self.rules.clone(), until: self.until.clone() },
            suppressed: vec![],
            baseline: None,
        }
    }
}

/// Marks what is allowed, and adds `expired-allow` and `unused-allow`.
pub fn apply(findings: &mut Vec<Finding>, allowances: &[Allowance], scope: Scope<'_>) {
    let mut is_used = vec![false; allowances.len()];
    for finding in findings.iter_mut() {
        let of_rule = || {
            allowances.iter().enumerate().filter(|(_, allowance)| {
                !allowance.is_over(scope.today) && allowance.rules.contains(&finding.rule)
            })
        };
        let mut reasons: Vec<Suppression> = Vec::new();
        let mut covered = |places: &[Location], is_told: bool| {
            let by = of_rule().find(|(_, allowance)| {
                // A line says nothing of the lines that are not told.
                (is_told || matches!(allowance.of, Where::Site(_))) && allowance.covers(places)
            });
            let Some((index, allowance)) = by else { return false };
            is_used[index] = true;
            let reason = allowance.suppression();
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
            true
        };
        let is_told = finding.further_occurrences == 0;
        // One way that nobody allows is a finding. Those that somebody does are in use.
        let is_allowed = if finding.variants.is_empty() {
            covered(&finding.locations, is_told)
        } else {
            let ways = finding.variants.iter();
            let covered: Vec<bool> =
                ways.map(|Variant { locations, .. }| covered(locations, is_told)).collect();
            covered.into_iter().all(|is_covered| is_covered)
        };
        if is_allowed {
            finding.suppressed = reasons;
        }
    }
    for (allowance, is_used) in allowances.iter().zip(is_used) {
        let rules = allowance.rules.join(", ");
        if allowance.is_over(scope.today) {
            let until = allowance.until.as_deref().unwrap_or_default();
            findings.push(allowance.finding(
                ("expired-allow", Severity::Warning),
                format!("findings of {rules} were allowed until {until}, which is over"),
                "allowed here",
                "mend what it allows and remove it, or give it a later day",
            ));
        } else if !is_used
            && scope.is_complete
            && allowance.rules.iter().all(|rule| (scope.is_enabled)(rule))
        {
            findings.push(allowance.finding(
                ("unused-allow", Severity::Note),
                format!("nothing was found of {rules} that is allowed here"),
                "no finding needs it",
                "remove it, if the finding is mended or its place was renamed",
            ));
        }
    }
}
