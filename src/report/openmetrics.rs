//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) text, for
//! dashboards.

use std::{collections::BTreeMap, fmt::Write as _};

use super::summary::{Distribution, Report, TestReport};
use crate::finding::Severity;

/// Bounds of the histogram of how long tests take, in milliseconds.
const DURATIONS: [u64; 12] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 15_000, 60_000];

/// A distribution of a test.
type Of = fn(&TestReport) -> Option<&Distribution>;

/// The report as metrics; each has a label for the project.
pub fn render(report: &Report) -> String {
    let mut text = Metrics { text: String::new(), project: quoted(&report.project.name) };
    let mut findings: BTreeMap<(&str, Severity, &str), u64> = BTreeMap::new();
    for finding in &report.findings {
        let state = match (finding.suppressed.is_empty(), finding.counts()) {
            (false, _) => "suppressed",
            (true, false) => "known",
            (true, true) => "open",
        };
        *findings.entry((&finding.rule, finding.severity, state)).or_default() += 1;
    }
    text.family("findings", "gauge", None, "Findings by rule, severity and state.");
    for ((rule, severity, state), count) in findings {
        let labels = [("rule", rule), ("severity", severity.name()), ("state", state)];
        text.sample("findings", &labels, &count.to_string());
    }

    let mut outcomes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for test in &report.tests {
        *outcomes.entry((&test.binary, test.outcome.name())).or_default() += 1;
    }
    text.family("tests", "gauge", None, "Tests by binary and by how they ended.");
    for ((binary, outcome), count) in outcomes {
        text.sample("tests", &[("binary", binary), ("outcome", outcome)], &count.to_string());
    }

    let mut binaries: BTreeMap<&str, Vec<&TestReport>> = BTreeMap::new();
    for test in &report.tests {
        binaries.entry(&test.binary).or_default().push(test);
    }
    let help = "Wall time of each test's process.";
    text.family("test_duration_seconds", "histogram", None, help);
    for (binary, tests) in &binaries {
        text.durations(binary, tests);
    }
    let distributions: [(&str, &str, Of); 3] = [
        ("poll_seconds", "Polls that took at least 1 ms.", |test| test.polls.as_ref()),
        ("lock_wait_seconds", "Waits for locks that took at least 1 ms.", |test| {
            test.lock_waits.as_ref()
        }),
        ("lock_hold_seconds", "Holds of locks that took at least 1 ms.", |test| {
            test.lock_holds.as_ref()
        }),
    ];
    for (name, help, of) in distributions {
        text.family(name, "histogram", None, help);
        for (binary, tests) in &binaries {
            text.distribution(name, binary, tests.iter().filter_map(|test| of(test)));
        }
    }
    text.family("peak_tasks", "gauge", None, "Most tasks alive at once in a test, by binary.");
    for (binary, tests) in &binaries {
        let peak = tests.iter().map(|test| test.peak_tasks).max().unwrap_or(0);
        text.sample("peak_tasks", &[("binary", binary)], &peak.to_string());
    }

    let summary = &report.summary;
    for (name, help, value) in [
        ("tasks", "Tasks spawned.", summary.tasks),
        ("threads", "Threads spawned.", summary.threads),
        ("locks", "Locks created.", summary.locks),
        ("acquisitions", "Acquisitions of locks.", summary.acquisitions),
        (
            "unaudited_tests",
            "Tests of which no process was heard.",
            report.coverage.unaudited_tests.len() as u64,
        ),
    ] {
        text.family(name, "gauge", None, help);
        text.sample(name, &[], &value.to_string());
    }
    for (name, help, value) in [
        ("build_seconds", "Wall time of the build.", summary.build_ms),
        ("run_seconds", "Wall time of the tests.", summary.test_ms),
    ] {
        text.family(name, "gauge", Some("seconds"), help);
        text.sample(name, &[], &seconds(value));
    }
    text.text.push_str("# EOF\n");
    text.text
}

struct Metrics {
    text: String,
    /// Ready to stand between quotes.
    project: String,
}

impl Metrics {
    fn family(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        let _ = writeln!(self.text, "# TYPE concaudit_{name} {kind}");
        if let Some(unit) = unit {
            let _ = writeln!(self.text, "# UNIT concaudit_{name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP concaudit_{name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        let _ = write!(self.text, "concaudit_{name}{{project=\"{}\"", self.project);
        for (label, content) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", quoted(content));
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    /// A histogram without a sum, which nobody has counted.
    fn distribution<'a>(
        &mut self,
        name: &str,
        binary: &str,
        distributions: impl Iterator<Item = &'a Distribution>,
    ) {
        let mut counts = [0; Distribution::BOUNDS_MS.len() + 1];
        for distribution in distributions {
            for (count, more) in counts.iter_mut().zip(&distribution.counts) {
                *count += more;
            }
        }
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        for (bound, count) in Distribution::BOUNDS_MS.iter().zip(counts) {
            so_far += count;
            let labels = [("binary", binary), ("le", &*seconds(*bound))];
            self.sample(&bucket, &labels, &so_far.to_string());
        }
        let all: u64 = counts.iter().sum();
        self.sample(&bucket, &[("binary", binary), ("le", "+Inf")], &all.to_string());
    }

    fn durations(&mut self, binary: &str, tests: &[&TestReport]) {
        for bound in DURATIONS {
            let below = tests.iter().filter(|test| test.duration_ms <= bound).count();
            let labels = [("binary", binary), ("le", &*seconds(bound))];
            self.sample("test_duration_seconds_bucket", &labels, &below.to_string());
        }
        let all = tests.len().to_string();
        let labels = [("binary", binary), ("le", "+Inf")];
        self.sample("test_duration_seconds_bucket", &labels, &all);
        self.sample("test_duration_seconds_count", &[("binary", binary)], &all);
        let sum = tests.iter().map(|test| test.duration_ms).sum();
        self.sample("test_duration_seconds_sum", &[("binary", binary)], &seconds(sum));
    }
}

/// Milliseconds as seconds, with a dot.
fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// Text as the value of a label. Other control characters than a line's end have no form.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            letter if letter.is_control() => quoted.push(char::REPLACEMENT_CHARACTER),
            letter => quoted.push(letter),
        }
    }
    quoted
}
