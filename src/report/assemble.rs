//! The report out of its parts.

use std::{cmp::Ordering, time::Duration};

use super::{
    json::SCHEMA_VERSION,
    summary::{Coverage, ProjectInfo, Report, Summary, TestOutcome, TestReport, Tool},
};
use crate::finding::{Finding, LockGraph};

/// What a run has come to.
#[derive(Debug, Default)]
pub struct Parts {
    /// In any order.
    pub findings: Vec<Finding>,
    /// One element per test that was run, in any order.
    pub tests: Vec<TestReport>,
    /// Tests that were not run.
    pub tests_skipped: u64,
    /// Tests that were not started any more.
    pub tests_not_started: u64,
    /// Over all processes.
    pub tasks: u64,
    /// Over all processes.
    pub threads: u64,
    /// Over all processes.
    pub locks: u64,
    /// Over all processes.
    pub acquisitions: u64,
    /// Over all processes: returns of `block_on` that were held back so that
    /// tasks could finish.
    pub drains: u64,
    /// For how long in all.
    pub drained: Duration,
    /// What was and was not seen.
    pub coverage: Coverage,
    /// Wall time of the build.
    pub build: Duration,
    /// Wall time of the tests.
    pub test: Duration,
    /// A program was run instead of tests.
    pub program: bool,
    /// The user stopped the run.
    pub interrupted: bool,
    /// As in [`Report::lock_graph`].
    pub lock_graph: Option<LockGraph>,
}

/// Puts the parts in order and counts them.
pub fn assemble(project: ProjectInfo, parts: Parts) -> Report {
    let Parts { mut findings, mut tests, .. } = parts;
    findings.sort_by(by_importance);
    tests.sort_by(|a, b| (&a.binary, &a.name).cmp(&(&b.binary, &b.name)));

    let mut summary = Summary {
        tests_skipped: parts.tests_skipped,
        tests_not_started: parts.tests_not_started,
        tasks: parts.tasks,
        threads: parts.threads,
        locks: parts.locks,
        acquisitions: parts.acquisitions,
        drains: parts.drains,
        drain_ms: parts.drained.as_millis() as u64,
        build_ms: parts.build.as_millis() as u64,
        test_ms: parts.test.as_millis() as u64,
        program: parts.program,
        interrupted: parts.interrupted,
        ..Summary::default()
    };
    summary.count(&findings, &tests);
    let mut coverage = parts.coverage;
    let names = |is_meant: fn(&TestReport) -> bool| {
        tests.iter().filter(|test| is_meant(test)).map(TestReport::full_name).collect()
    };
    coverage.unaudited_tests = names(TestReport::is_unaudited);
    // What it was about when we ended it is known.
    coverage.truncated_tests = names(|test| {
        test.processes > 0
            && test.truncated
            && matches!(
                test.outcome,
                TestOutcome::Passed | TestOutcome::Failed | TestOutcome::Signalled
            )
    });
    Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        },
        project,
        summary,
        findings,
        tests,
        coverage,
        lock_graph: parts.lock_graph,
    }
}

/// Most severe first, then by rule, file and line; what is left is decided so
/// that two runs with the same findings give the same report.
pub fn by_importance(a: &Finding, b: &Finding) -> Ordering {
    let place = |finding: &Finding| {
        finding
            .locations
            .first()
            .map(|location| (location.file.clone(), location.line, location.column))
    };
    b.severity
        .cmp(&a.severity)
        .then_with(|| a.rule.cmp(&b.rule))
        .then_with(|| place(a).cmp(&place(b)))
        .then_with(|| a.message.cmp(&b.message))
        .then_with(|| a.fingerprint.cmp(&b.fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::report::human::tests::{
        lingering_task, lock_order_cycle, long_held_lock, suppression,
    };

    fn test(name: &str, outcome: TestOutcome) -> TestReport {
        TestReport {
            name: name.to_owned(),
            binary: "shop".to_owned(),
            outcome,
            exit_code: None,
            signal: None,
            attempts: 1,
            duration_ms: 1,
            peak_tasks: 1,
            polls: None,
            lock_waits: None,
            lock_holds: None,
            processes: 1,
            truncated: false,
            cut_off: vec![],
            left_processes: vec![],
        }
    }

    fn project() -> ProjectInfo {
        ProjectInfo {
            name: "shop".to_owned(),
            packages: vec!["shop".to_owned()],
            folder: String::new(),
        }
    }

    #[test]
    fn the_most_severe_comes_first_whatever_the_order_of_arrival() {
        let note = Finding { severity: Severity::Note, ..lingering_task() };
        let findings = [note, long_held_lock(), lock_order_cycle(), lingering_task()];
        let forwards = Parts { findings: findings.to_vec(), ..Parts::default() };
        let backwards =
            Parts { findings: findings.iter().rev().cloned().collect(), ..Parts::default() };
        let report = assemble(project(), forwards);
        let order: Vec<_> =
            report.findings.iter().map(|found| (found.severity, found.rule.as_str())).collect();
        assert_eq!(
            order,
            [
                (Severity::Error, "lingering-task"),
                (Severity::Error, "lock-order-cycle"),
                (Severity::Warning, "long-held-lock"),
                (Severity::Note, "lingering-task"),
            ]
        );
        assert_eq!(report, assemble(project(), backwards));
    }

    #[test]
    fn a_suppressed_finding_is_listed_and_does_not_count() {
        let suppressed = Finding { suppressed: vec![suppression()], ..lingering_task() };
        let parts = Parts { findings: vec![suppressed], ..Parts::default() };
        let report = assemble(project(), parts);
        assert_eq!((report.summary.errors, report.summary.suppressed), (0, 1));
        assert_eq!(report.findings.len(), 1);
    }

    #[test]
    fn a_test_counts_as_failed_unless_it_passed_or_was_interrupted() {
        let tests = vec![
            test("a", TestOutcome::Passed),
            test("b", TestOutcome::Failed),
            test("c", TestOutcome::Signalled),
            test("d", TestOutcome::TimedOut),
            test("e", TestOutcome::SpawnFailed),
            test("f", TestOutcome::Interrupted),
        ];
        let summary = assemble(project(), Parts { tests, ..Parts::default() }).summary;
        assert_eq!((summary.tests_run, summary.tests_passed, summary.tests_failed), (6, 1, 4));
    }
}
