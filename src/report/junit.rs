//! `JUnit` XML: a suite per test binary, and one of the findings.

use std::{collections::BTreeMap, time::Duration};

use quick_junit::{
    NonSuccessKind, Report as Xml, SerializeError, TestCase, TestCaseStatus, TestSuite,
};

use super::{
    format::Context,
    human::{self, HumanOptions},
    summary::{Report, TestOutcome, TestReport},
    text,
};
use crate::finding::Finding;

/// The suite that the findings are in.
const FINDINGS: &str = "cargo-concaudit findings";

/// The report as XML.
pub fn render(report: &Report, context: Context<'_>) -> Result<String, SerializeError> {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for test in &report.tests {
        let suite = suites.entry(&test.binary).or_insert_with(|| TestSuite::new(&*test.binary));
        suite.add_test_case(case_of_test(test));
    }
    let mut findings = TestSuite::new(FINDINGS);
    findings
        .add_test_cases(report.findings.iter().map(|finding| case_of_finding(finding, context)));
    let mut xml = Xml::new(report.project.name.as_str());
    xml.set_time(Duration::from_millis(report.summary.test_ms));
    xml.add_test_suites(suites.into_values());
    xml.add_test_suite(findings);
    let mut text = xml.to_string()?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

fn case_of_test(test: &TestReport) -> TestCase {
    let failed = |what: &str| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(what);
        status
    };
    let error = |what: &str| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(what);
        status
    };
    let status = match test.outcome {
        TestOutcome::Passed => TestCaseStatus::success(),
        TestOutcome::Failed => failed("it failed"),
        TestOutcome::Signalled => error("it was ended by a signal"),
        TestOutcome::Hung => error("it hung, and was ended"),
        TestOutcome::TimedOut => error("it was over its time limit, and was ended"),
        TestOutcome::Deadlocked => error("it was deadlocked, and was ended"),
        TestOutcome::Interrupted => error("it was cut off, since the run was interrupted"),
        TestOutcome::SpawnFailed => error("it could not be started"),
    };
    let mut case = TestCase::new(test.name.as_str(), status);
    case.set_classname(test.binary.as_str());
    case.set_time(Duration::from_millis(test.duration_ms));
    case
}

/// One that fails the run is a failure, one that somebody suppresses is skipped, and any other
/// is a success with the finding as its output.
fn case_of_finding(finding: &Finding, context: Context<'_>) -> TestCase {
    let plain = HumanOptions { color: false, verbose: true, ..context.human };
    let text = human::render_finding(finding, context.sources, plain);
    let message = format!("{}: {}", finding.severity.name(), finding.message);
    let (status, output) = if !finding.counts() {
        let mut status = TestCaseStatus::skipped();
        let why: Vec<String> = finding.suppressed.iter().map(ToString::to_string).collect();
        let known = "it is known from the baseline".to_owned();
        status.set_message(if why.is_empty() { known } else { why.join("; ") });
        (status, Some(text))
    } else if (context.fails)(finding) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(finding.rule.as_str()).set_message(message).set_description(text);
        (status, None)
    } else {
        (TestCaseStatus::success(), Some(text))
    };
    let name = format!("{} at {} ({})", finding.rule, text::place(finding), finding.fingerprint);
    let mut case = TestCase::new(name, status);
    case.set_classname(finding.rule.as_str()).set_time(Duration::ZERO);
    if let Some(output) = output {
        case.set_system_out(output);
    }
    case
}
