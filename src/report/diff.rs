//! What two reports of one project have in common, and what they have not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    markdown,
    paint::{Paint, sanitize},
    summary::{Distribution, Report, TestReport},
    text,
};
use crate::{
    describe::{counted, duration, group_digits},
    finding::{Finding, Severity},
};

/// What has changed from one report to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Findings that only the new report has.
    pub new: Vec<Finding>,
    /// Findings that are more severe in the new report, as they are there.
    pub worse: Vec<Finding>,
    /// Findings that only the old report has, of tests that ran again.
    pub fixed: Vec<Finding>,
    /// Findings that only the old report has, of tests that did not run again: nothing is known.
    pub unseen: Vec<Finding>,
    /// Findings that the old report has, and that are suppressed in the new one.
    #[serde(default)]
    pub suppressed: Vec<Finding>,
    /// Findings that both have, as they are in the new one.
    pub unchanged: Vec<Finding>,
    /// Findings that both have, and that at least twice as many tests show in the one as in the
    /// other.
    #[serde(default)]
    pub reach: Vec<Reach>,
    /// What moved beyond noise, in tests that both have.
    pub moved: Vec<Moved>,
}

/// How many tests show a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// The finding's rule.
    pub rule: String,
    /// The finding's fingerprint.
    pub fingerprint: String,
    /// Its place in the new report, `src/lib.rs:7`.
    pub place: String,
    /// Before.
    pub old_tests: u64,
    /// Now.
    pub new_tests: u64,
}

/// A number of a test that is another one by more than noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// The test's full name.
    pub test: String,
    /// What was measured.
    pub measure: Measure,
    /// Before.
    pub old: u64,
    /// Now.
    pub new: u64,
}

/// What is measured of a test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Wall time of its process, in milliseconds.
    DurationMs,
    /// Most tasks alive at once.
    PeakTasks,
    /// Its longest poll, in milliseconds.
    LongestPollMs,
    /// Its longest wait for a lock, in milliseconds.
    LongestLockWaitMs,
}

impl Measure {
    const ALL: [Self; 4] =
        [Self::DurationMs, Self::PeakTasks, Self::LongestPollMs, Self::LongestLockWaitMs];

    fn of(self, test: &TestReport) -> u64 {
        match self {
            Self::DurationMs => test.duration_ms,
            Self::PeakTasks => test.peak_tasks,
            Self::LongestPollMs => longest(test.polls.as_ref()),
            Self::LongestLockWaitMs => longest(test.lock_waits.as_ref()),
        }
    }

    /// What it takes to be more than noise: twice as much, and by so much more. A test's time
    /// on a busy machine is easily half as long again.
    fn least_difference(self) -> u64 {
        match self {
            Self::DurationMs => 200,
            Self::PeakTasks => 10,
            Self::LongestPollMs | Self::LongestLockWaitMs => 50,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::DurationMs => "duration",
            Self::PeakTasks => "peak of live tasks",
            Self::LongestPollMs => "longest poll",
            Self::LongestLockWaitMs => "longest wait for a lock",
        }
    }

    fn text(self, value: u64) -> String {
        match self {
            Self::PeakTasks => group_digits(value),
            Self::DurationMs | Self::LongestPollMs | Self::LongestLockWaitMs => {
                duration(value.saturating_mul(1_000_000))
            }
        }
    }
}

/// Of what took at least a millisecond; 0 where nothing did.
fn longest(distribution: Option<&Distribution>) -> u64 {
    distribution.map_or(0, |distribution| distribution.longest_ms)
}

/// Compares two reports. Suppressed findings are left out.
pub fn diff(old: &Report, new: &Report) -> Diff {
    let index = |report: &Report| -> BTreeMap<(String, String), Finding> {
        let shown = report.findings.iter().filter(|finding| finding.suppressed.is_empty());
        shown
            .map(|finding| ((finding.rule.clone(), finding.fingerprint.clone()), finding.clone()))
            .collect()
    };
    let ran: BTreeSet<String> = new.tests.iter().map(TestReport::full_name).collect();
    let (before, after) = (index(old), index(new));
    let all: BTreeSet<(String, String)> =
        new.findings.iter().map(|it| (it.rule.clone(), it.fingerprint.clone())).collect();
    let mut diff = Diff::default();
    for (key, finding) in &after {
        match before.get(key) {
            None => diff.new.push(finding.clone()),
            Some(known) if finding.severity > known.severity => diff.worse.push(finding.clone()),
            Some(known) => {
                let (old, new) = (known.tests.len() as u64, finding.tests.len() as u64);
                if old.max(new) >= 2 * old.min(new).max(1) {
                    diff.reach.push(Reach {
                        rule: finding.rule.clone(),
                        fingerprint: finding.fingerprint.clone(),
                        place: text::place(finding),
                        old_tests: old,
                        new_tests: new,
                    });
                }
                diff.unchanged.push(finding.clone());
            }
        }
    }
    for (key, finding) in before {
        if after.contains_key(&key) {
            continue;
        }
        // The shown ones of the new report are done.
        if all.contains(&key) {
            diff.suppressed.push(finding);
            continue;
        }
        // The name of an attempt that failed has its number behind it.
        let is_known = |test: &String| {
            ran.contains(test) || test.split(" (attempt ").next().is_some_and(|it| ran.contains(it))
        };
        let could_be_seen = finding.tests.is_empty() || finding.tests.iter().any(is_known);
        if could_be_seen { &mut diff.fixed } else { &mut diff.unseen }.push(finding);
    }
    for findings in [
        &mut diff.new,
        &mut diff.worse,
        &mut diff.fixed,
        &mut diff.unseen,
        &mut diff.suppressed,
        &mut diff.unchanged,
    ] {
        findings.sort_by(|a, b| {
            b.severity
                .cmp(&a.severity)
                .then_with(|| (&a.rule, text::place(a)).cmp(&(&b.rule, text::place(b))))
        });
    }
    diff.moved = moved(old, new);
    diff
}

fn moved(old: &Report, new: &Report) -> Vec<Moved> {
    let before: BTreeMap<String, &TestReport> =
        old.tests.iter().map(|test| (test.full_name(), test)).collect();
    let pairs = new.tests.iter().filter_map(|test| Some((*before.get(&test.full_name())?, test)));
    let mut moved: Vec<Moved> = pairs
        .flat_map(|(old, new)| {
            Measure::ALL.into_iter().filter_map(|measure| {
                let (old, now) = (measure.of(old), measure.of(new));
                let (less, more) = (old.min(now), old.max(now));
                let is_noise =
                    more < less.saturating_mul(2) || more - less < measure.least_difference();
                (!is_noise).then(|| Moved { test: new.full_name(), measure, old, new: now })
            })
        })
        .collect();
    moved.sort_by(|a, b| (a.measure, &a.test).cmp(&(b.measure, &b.test)));
    moved
}

impl Diff {
    /// Findings that are news and no notes.
    pub fn news(&self) -> usize {
        let is_worth_it = |finding: &&Finding| finding.severity > Severity::Note;
        self.new.iter().chain(&self.worse).filter(is_worth_it).count()
    }

    fn groups(&self) -> [(&'static str, &[Finding]); 5] {
        [
            ("new", &self.new),
            ("worse", &self.worse),
            ("fixed", &self.fixed),
            ("suppressed now", &self.suppressed),
            ("not seen, since their tests did not run", &self.unseen),
        ]
    }

    /// "2 new, 1 worse, 3 fixed, 4 unchanged"
    fn summary(&self) -> String {
        let mut parts = Vec::new();
        for (what, findings) in self.groups() {
            if !findings.is_empty() || what == "new" || what == "fixed" {
                parts.push(format!("{} {what}", findings.len()));
            }
        }
        format!("{}, {} unchanged", parts.join(", "), self.unchanged.len())
    }

    /// As a person reads it, with a newline at its end.
    pub fn render_human(&self, color: bool) -> String {
        let paint = Paint { enabled: color };
        let mut text = String::new();
        for (what, findings) in self.groups() {
            if findings.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{}", paint.bold(&format!("{what}:")));
            for finding in findings {
                let level = format!("{}[{}]", finding.severity.name(), sanitize(&finding.rule));
                let level = match (what, finding.severity) {
                    ("fixed", _) => paint.green(&level),
                    (_, Severity::Error) => paint.red(&level),
                    (_, Severity::Warning) => paint.yellow(&level),
                    (_, Severity::Note) => level,
                };
                let place = paint.cyan(&sanitize(&text::place(finding)));
                let _ = writeln!(text, "  {level} {place}: {}", sanitize(&finding.message));
            }
            text.push('\n');
        }
        if !self.reach.is_empty() {
            let _ = writeln!(text, "{}", paint.bold("unchanged, in more or fewer tests:"));
            for reach in &self.reach {
                let Reach { rule, place, old_tests, new_tests, .. } = reach;
                let place = paint.cyan(&sanitize(place));
                let _ = writeln!(
                    text,
                    "  {} {place}: {} → {}",
                    sanitize(rule),
                    counted(*old_tests, "test", "tests"),
                    counted(*new_tests, "test", "tests"),
                );
            }
            text.push('\n');
        }
        if !self.moved.is_empty() {
            let _ = writeln!(text, "{}", paint.bold("moved beyond noise:"));
            for moved in &self.moved {
                let Moved { test, measure, old, new } = moved;
                let _ = writeln!(
                    text,
                    "  {}: {} {} → {}",
                    sanitize(test),
                    measure.name(),
                    measure.text(*old),
                    measure.text(*new)
                );
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    /// For a comment, with a newline at its end.
    pub fn render_markdown(&self) -> String {
        let mut text = format!("### cargo concaudit: {}\n", self.summary());
        for (what, findings) in self.groups() {
            if findings.is_empty() {
                continue;
            }
            let _ = write!(text, "\n**{what}**\n\n| | rule | where | what |\n|---|---|---|---|\n");
            for finding in findings {
                text.push_str(&markdown::row(finding));
            }
        }
        if !self.reach.is_empty() {
            text.push_str(
                "\n**unchanged, in more or fewer tests**\n\n| rule | where | tests before | now |\n\
                 |---|---|---|---|\n",
            );
            for Reach { rule, place, old_tests, new_tests, .. } in &self.reach {
                let place = markdown::escaped(place);
                let _ = writeln!(text, "| `{rule}` | {place} | {old_tests} | {new_tests} |");
            }
        }
        if !self.moved.is_empty() {
            text.push_str(
                "\n**moved beyond noise**\n\n| test | | old | new |\n|---|---|---|---|\n",
            );
            for Moved { test, measure, old, new } in &self.moved {
                let (old, new) = (measure.text(*old), measure.text(*new));
                let name = markdown::escaped(test);
                let _ = writeln!(text, "| {name} | {} | {old} | {new} |", measure.name());
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::human::tests::{report_of_every_rule, suppression};

    #[test]
    fn a_report_does_not_differ_from_itself() {
        let report = report_of_every_rule();
        let same = diff(&report, &report);
        assert_eq!((same.new.len(), same.fixed.len(), same.moved.len()), (0, 0, 0));
        assert!(same.reach.is_empty());
        let mut fewer = report.clone();
        fewer.findings[2].tests.truncate(1);
        fewer.findings[1].suppressed = vec![suppression()];
        let told = diff(&report, &fewer);
        assert_eq!((told.reach.len(), told.reach[0].old_tests, told.reach[0].new_tests), (1, 2, 1));
        assert_eq!((told.fixed.len(), told.suppressed.len()), (0, 1));
    }

    #[test]
    fn what_is_new_worse_fixed_or_not_seen_is_told_apart() {
        let old = report_of_every_rule();
        let mut new = old.clone();
        // A milder one before, and one that is gone.
        let mut old = old;
        old.findings[1].severity = Severity::Note;
        let gone = new.findings.remove(2);
        new.findings[0].fingerprint = "0123456789abcdef".to_owned();
        let ran = gone.tests[0].clone();
        let of = |name: &str| {
            let mut test = new.tests[0].clone();
            name.clone_into(&mut test.name);
            name.clone_into(&mut test.binary);
            test
        };
        let with = |tests: Vec<TestReport>| {
            let mut report = new.clone();
            report.tests = tests;
            diff(&old, &report)
        };
        let seen = with(vec![of(&ran), of("a"), of(&old.findings[0].tests[0])]);
        assert_eq!(seen.new.len(), 1);
        assert_eq!(seen.worse.len(), 1);
        assert!(seen.fixed.iter().any(|finding| finding.rule == gone.rule), "{seen:?}");
        let unseen = with(vec![of("another")]);
        assert!(unseen.unseen.iter().any(|finding| finding.rule == gone.rule), "{unseen:?}");
        assert!(unseen.fixed.is_empty(), "{unseen:?}");
    }

    #[test]
    fn what_moves_within_noise_is_not_told() {
        let old = report_of_every_rule();
        let mut new = old.clone();
        new.tests[0].duration_ms = old.tests[0].duration_ms + 199;
        assert!(diff(&old, &new).moved.is_empty());
        new.tests[0].duration_ms = old.tests[0].duration_ms * 2 + 200;
        new.tests[0].peak_tasks = old.tests[0].peak_tasks + 50;
        let moved = diff(&old, &new).moved;
        let measures: Vec<Measure> = moved.iter().map(|moved| moved.measure).collect();
        assert_eq!(measures, [Measure::DurationMs, Measure::PeakTasks]);
    }
}
