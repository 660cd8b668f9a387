//! What is expected of a fixture's test, and how that is told.

use std::fmt::Write;

use super::{
    audit::Workspace,
    report::{Finding, Report},
    tool::fixture,
};

/// What the report may say of one test.
#[derive(Debug)]
pub enum Expected {
    /// Nothing at all.
    Silent,
    /// Whatever is not of these rules.
    Without(&'static [&'static str]),
    /// Notes, or nothing.
    OnlyNotes,
    /// Notes of this rule, or nothing.
    AtMostNote(&'static str),
    /// Exactly one finding.
    Finding(Box<Shape>),
}

/// What a finding must look like. Lines are named by their markers.
#[derive(Debug)]
pub struct Shape {
    rule: &'static str,
    severity: &'static str,
    confidence: &'static str,
    /// Relative to the workspace root.
    file: &'static str,
    /// One of these is to blame; empty: some line of the file.
    blamed: Vec<&'static str>,
    /// All of these are shown, as a location or in a stack.
    shown: Vec<&'static str>,
    origin: &'static str,
    details: fn(&Finding) -> Result<(), String>,
    /// Findings of these rules may be there as well.
    besides: &'static [&'static str],
}

fn observed(
    severity: &'static str,
    rule: &'static str,
    file: &'static str,
    marker: &'static str,
) -> Expected {
    Expected::Finding(Box::new(Shape {
        rule,
        severity,
        confidence: "observed",
        file,
        blamed: vec![marker],
        shown: Vec::new(),
        origin: "library",
        details: |_| Ok(()),
        besides: &[],
    }))
}

/// Nothing is found in the test.
pub fn silent() -> Expected {
    Expected::Silent
}

/// Nothing of these rules.
pub fn without(rules: &'static [&'static str]) -> Expected {
    Expected::Without(rules)
}

/// Nothing but notes.
pub fn only_notes() -> Expected {
    Expected::OnlyNotes
}

/// Nothing but notes of this rule.
pub fn at_most_a_note(rule: &'static str) -> Expected {
    Expected::AtMostNote(rule)
}

/// One error, observed, that blames the marked line of library code.
pub fn error(rule: &'static str, file: &'static str, marker: &'static str) -> Expected {
    observed("error", rule, file, marker)
}

/// One warning of that kind.
pub fn warning(rule: &'static str, file: &'static str, marker: &'static str) -> Expected {
    observed("warning", rule, file, marker)
}

/// One note of that kind, in test code.
pub fn note(rule: &'static str, file: &'static str, marker: &'static str) -> Expected {
    observed("note", rule, file, marker).by("test")
}

/// One lock-order cycle, likely, through all of the marked lines.
pub fn cycle(file: &'static str, markers: &[&'static str]) -> Expected {
    let mut expected = observed("error", "lock-order-cycle", file, "");
    if let Expected::Finding(shape) = &mut expected {
        shape.confidence = "likely";
        shape.blamed = markers.to_vec();
        shape.shown = markers.to_vec();
    }
    expected
}

/// A lock-order cycle of library code that is only possible: one warning.
pub fn possible_cycle(file: &'static str, markers: &[&'static str]) -> Expected {
    let mut expected = cycle(file, markers);
    if let Expected::Finding(shape) = &mut expected {
        shape.severity = "warning";
    }
    expected.possible()
}

impl Expected {
    /// These lines of the same file are shown too.
    pub fn showing(mut self, markers: &[&'static str]) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.shown.extend(markers);
        }
        self
    }

    /// The finding's origin is this one.
    pub fn by(mut self, origin: &'static str) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.origin = origin;
        }
        self
    }

    /// Any of these lines is to blame as well: all parties are.
    pub fn or(mut self, markers: &[&'static str]) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.blamed.extend(markers);
            shape.shown.extend(markers);
        }
        self
    }

    /// It is likely, and was not observed.
    pub fn likely(mut self) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.confidence = "likely";
        }
        self
    }

    /// It is no more than possible.
    pub fn possible(mut self) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.confidence = "possible";
        }
        self
    }

    /// Findings of these rules may be there as well: what is wrong is wrong in
    /// more than one way.
    pub fn besides(mut self, rules: &'static [&'static str]) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.besides = rules;
        }
        self
    }

    /// And this holds of it.
    pub fn with(mut self, details: fn(&Finding) -> Result<(), String>) -> Self {
        if let Self::Finding(shape) = &mut self {
            shape.details = details;
        }
        self
    }
}

/// The line that a marker stands for, and its rule.
fn marked_line(workspace: Workspace, file: &str, marker: &str) -> (u32, String) {
    let path = fixture(workspace.project()).join(file);
    let text = fs_err::read_to_string(path).expect("a fixture can be read");
    let end = format!(" ({marker})");
    let mut found = text.lines().zip(1..).filter_map(|(line, number)| {
        let (code, rule) = line.split_once("// BUG: ")?;
        let rule = rule.strip_suffix(&end)?.to_owned();
        Some((if code.trim().is_empty() { number + 1 } else { number }, rule))
    });
    let line = found.next().unwrap_or_else(|| panic!("{file} has no line marked ({marker})"));
    assert_eq!(found.next(), None, "{file} has more than one line marked ({marker})");
    line
}

impl Shape {
    /// Why the finding is not of this shape.
    fn mismatches(&self, workspace: Workspace, finding: &Finding) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut same = |what: &str, expected: &str, found: &str| {
            if expected != found {
                wrong.push(format!("the {what} is {found}, not {expected}"));
            }
        };
        same("rule", self.rule, &finding.rule);
        same("severity", self.severity, &finding.severity);
        same("confidence", self.confidence, &finding.confidence);
        same("origin", self.origin, &finding.origin);
        let line = |marker: &&str| {
            let (line, rule) = marked_line(workspace, self.file, marker);
            assert_eq!(rule, self.rule, "the marker ({marker}) is one of another rule");
            line
        };
        let blamed: Vec<u32> = self.blamed.iter().map(line).collect();
        match finding.primary() {
            None => wrong.push("no location is primary".to_owned()),
            Some(primary)
                if primary.file != self.file
                    || !(blamed.is_empty() || blamed.contains(&primary.line)) =>
            {
                wrong.push(format!(
                    "{}:{} is blamed, not {}:{blamed:?}",
                    primary.file, primary.line, self.file
                ));
            }
            Some(_) => {}
        }
        if finding.locations.iter().filter(|location| location.role == "primary").count() > 1 {
            wrong.push("more than one location is primary".to_owned());
        }
        for marker in &self.shown {
            let line = line(marker);
            if !finding.shows(self.file, line) {
                wrong.push(format!("{}:{line} ({marker}) is not shown", self.file));
            }
        }
        if let Err(reason) = (self.details)(finding) {
            wrong.push(reason);
        }
        wrong
    }
}

/// Compares the report with what is expected of one test.
///
/// # Panics
/// With the reasons and all findings of the test, if they differ.
#[track_caller]
pub fn check(workspace: Workspace, full_name: &str, expected: &Expected) {
    let audit = workspace.audit();
    if let Err(reason) = compare(workspace, &audit.report, full_name, expected) {
        panic!("{full_name}: {reason}");
    }
}

fn compare(
    workspace: Workspace,
    report: &Report,
    full_name: &str,
    expected: &Expected,
) -> Result<(), String> {
    let Some(test) = report.test(full_name) else {
        let near: Vec<_> = report.tests.iter().map(super::report::Test::full_name).collect();
        return Err(format!("not run; these were: {near:#?}"));
    };
    let findings: Vec<&Finding> = report.of_test(full_name).collect();
    let mut wrong = Vec::new();
    // What has to pass and what not is told where it matters. A deadlock is a finding.
    let is_wrong = !matches!(test.outcome.as_str(), "passed" | "deadlocked");
    if !workspace.has_failing_tests() && is_wrong {
        wrong.push(format!("the test did not pass, it {}", test.outcome));
    }
    match expected {
        Expected::Silent if findings.is_empty() => {}
        Expected::Silent => wrong.push("there is a finding, and nothing is wrong".to_owned()),
        Expected::Without(rules) => {
            if findings.iter().any(|found| rules.contains(&found.rule.as_str())) {
                wrong.push(format!("there is a finding of {rules:?}"));
            }
        }
        Expected::OnlyNotes => {
            if findings.iter().any(|found| found.severity != "note") {
                wrong.push("there is more than a note".to_owned());
            }
        }
        Expected::AtMostNote(rule) => {
            if findings.iter().any(|found| found.severity != "note" || found.rule != *rule) {
                wrong.push(format!("there is more than a note of {rule}"));
            }
        }
        Expected::Finding(shape) => {
            let mut counting =
                findings.iter().filter(|it| !shape.besides.contains(&it.rule.as_str()));
            match (counting.next(), counting.count()) {
                (None, _) => wrong.push(format!("no finding, expected {shape:?}")),
                (Some(finding), 0) => wrong.extend(shape.mismatches(workspace, finding)),
                (Some(_), more) => {
                    wrong.push(format!("{} findings, expected {shape:?}", more + 1));
                }
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let mut told = wrong.join("; ");
    for finding in findings {
        write!(told, "\n\n{finding}").expect("a string takes everything");
    }
    Err(told)
}

/// One `#[test]` per fixture test, named like it, and `TESTS`, the names of all
/// of them.
macro_rules! expectations {
    ($workspace:expr, $prefix:literal; $($name:ident => $expected:expr;)*) => {
        /// Which tests of the workspace have an expectation here.
        pub const TESTS: &[&str] = &[$(concat!($prefix, stringify!($name))),*];
        $(
            #[test]
            fn $name() {
                let name = concat!($prefix, stringify!($name));
                $crate::support::check($workspace, name, &$expected);
            }
        )*
    };
}
pub(crate) use expectations;
