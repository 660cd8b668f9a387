//! How the process ends, and why.

use camino::Utf8PathBuf;

use super::args::FailOn;
use crate::report::summary::Report;

/// Something was audited and nothing was found at or above `--fail-on`.
pub const CLEAN: u8 = 0;
/// There are findings at or above `--fail-on`.
pub const FINDINGS: u8 = 1;
/// The command line or a configuration cannot be followed.
pub const USAGE: u8 = 2;
/// No test was run, or no process of any test was instrumented: that nothing
/// was found says nothing.
pub const NOTHING_AUDITED: u8 = 4;
/// Tests failed, or the run was interrupted.
pub const TESTS_FAILED: u8 = 100;
/// The build failed, or this tool did.
pub const FAILED: u8 = 101;

/// Every way to end other than clean.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// The report lists them.
    #[error("{count} finding(s) at or above `--fail-on {fail_on}`")]
    Findings { count: usize, fail_on: &'static str },
    /// What was asked for cannot be done as it was asked for.
    #[error(transparent)]
    Usage(anyhow::Error),
    /// A clean report would mean nothing.
    #[error("nothing was audited: {reason}")]
    NothingAudited { reason: String },
    /// Their output has been shown.
    #[error("{failed} of {run} tests failed")]
    TestsFailed { failed: u64, run: u64 },
    /// The user stopped the run.
    #[error("interrupted after {run} tests")]
    Interrupted { run: u64 },
    /// Cargo has said why.
    #[error("failed to build the tests")]
    BuildFailed,
    /// The disk is full, the folder read-only, ...
    #[error("failed to write the report to {path}")]
    WriteReport { path: Utf8PathBuf, source: std::io::Error },
    /// Whatever else went wrong.
    #[error(transparent)]
    Tool(#[from] anyhow::Error),
}

impl ExpectedError {
    /// The documented exit code.
    pub fn process_exit_code(&self) -> u8 {
        match self {
            Self::Findings { .. } => FINDINGS,
            Self::Usage(_) => USAGE,
            Self::NothingAudited { .. } => NOTHING_AUDITED,
            Self::TestsFailed { .. } | Self::Interrupted { .. } => TESTS_FAILED,
            Self::BuildFailed | Self::WriteReport { .. } | Self::Tool(_) => FAILED,
        }
    }

    /// Whether the report has said it already.
    pub fn is_told_by_report(&self) -> bool {
        match self {
            Self::Findings { .. } => true,
            Self::Usage(_)
            | Self::NothingAudited { .. }
            | Self::TestsFailed { .. }
            | Self::Interrupted { .. }
            | Self::BuildFailed
            | Self::WriteReport { .. }
            | Self::Tool(_) => false,
        }
    }
}

/// What a finished run means.
///
/// Failed tests win over everything, as in nextest: an audit of tests that did
/// not get through is incomplete, and whoever sees 100 has a broken suite to
/// mend first. Then nothing audited, then findings. The report is written in
/// all cases and holds the findings whichever code it ends with.
pub fn verdict(report: &Report, fail_on: FailOn) -> Result<(), ExpectedError> {
    let summary = &report.summary;
    if summary.tests_failed > 0 {
        return Err(ExpectedError::TestsFailed {
            failed: summary.tests_failed,
            run: summary.tests_run,
        });
    }
    if summary.interrupted {
        return Err(ExpectedError::Interrupted { run: summary.tests_run });
    }
    if summary.tests_run == 0 {
        let reason = match summary.tests_skipped {
            0 => "the selected packages and targets have no tests".to_owned(),
            1 => "the filters leave out the only test (or it is ignored)".to_owned(),
            skipped => format!("the filters leave out all {skipped} tests (or they are ignored)"),
        };
        return Err(ExpectedError::NothingAudited { reason });
    }
    if report.tests.iter().all(|test| test.processes == 0) {
        let reason = "no test process was instrumented; the report's coverage says why".to_owned();
        return Err(ExpectedError::NothingAudited { reason });
    }
    let count = report
        .findings
        .iter()
        .filter(|found| found.suppressed.is_none() && fail_on.includes(found.severity))
        .count();
    let fail_on = match fail_on {
        FailOn::Note => "note",
        FailOn::Warning => "warning",
        FailOn::Error => "error",
        FailOn::Never => "never",
    };
    if count == 0 { Ok(()) } else { Err(ExpectedError::Findings { count, fail_on }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{
        finding::{Finding, Severity},
        human::tests::{lingering_task, report_of_every_rule},
        summary::Summary,
    };

    fn code(report: &Report, fail_on: FailOn) -> u8 {
        verdict(report, fail_on).map_or_else(|error| error.process_exit_code(), |()| CLEAN)
    }

    fn with(severities: &[Severity]) -> Report {
        let findings = severities
            .iter()
            .map(|severity| Finding { severity: *severity, ..lingering_task() })
            .collect();
        Report { findings, ..report_of_every_rule() }
    }

    #[test]
    fn fail_on_is_the_least_severity_that_counts() {
        use FailOn::{Error as OnError, Never, Note as OnNote, Warning as OnWarning};
        use Severity::{Error, Note, Warning};
        for (severities, fail_on, expected) in [
            (&[][..], OnNote, CLEAN),
            (&[Note], OnNote, FINDINGS),
            (&[Note], OnWarning, CLEAN),
            (&[Note, Warning], OnWarning, FINDINGS),
            (&[Note, Warning], OnError, CLEAN),
            (&[Error], OnError, FINDINGS),
            (&[Error, Warning, Note], Never, CLEAN),
        ] {
            assert_eq!(code(&with(severities), fail_on), expected, "{severities:?} {fail_on:?}");
        }
    }

    #[test]
    fn a_suppressed_finding_does_not_fail() {
        let mut report = with(&[Severity::Error]);
        report.findings[0].suppressed = Some("known".to_owned());
        assert_eq!(code(&report, FailOn::Note), CLEAN);
    }

    #[test]
    fn failed_tests_win_over_nothing_audited_which_wins_over_findings() {
        let changed = |change: fn(&mut Summary)| {
            let mut report = with(&[Severity::Error]);
            change(&mut report.summary);
            report
        };
        let mut silent = with(&[Severity::Error]);
        silent.tests[0].processes = 0;
        let mut silent_and_failed = silent.clone();
        silent_and_failed.summary.tests_failed = 1;
        for (report, expected) in [
            (changed(|summary| summary.tests_failed = 1), TESTS_FAILED),
            (changed(|summary| summary.interrupted = true), TESTS_FAILED),
            (changed(|summary| summary.tests_run = 0), NOTHING_AUDITED),
            (silent, NOTHING_AUDITED),
            (silent_and_failed, TESTS_FAILED),
        ] {
            assert_eq!(code(&report, FailOn::Warning), expected);
            // Not even by wish.
            assert_eq!(code(&report, FailOn::Never), expected);
        }
    }

    #[test]
    fn every_way_to_end_has_its_documented_code() {
        let io = || std::io::Error::other("full");
        for (error, expected) in [
            (ExpectedError::Findings { count: 1, fail_on: "note" }, 1),
            (ExpectedError::Usage(anyhow::anyhow!("x")), 2),
            (ExpectedError::NothingAudited { reason: String::new() }, 4),
            (ExpectedError::TestsFailed { failed: 1, run: 2 }, 100),
            (ExpectedError::Interrupted { run: 2 }, 100),
            (ExpectedError::BuildFailed, 101),
            (ExpectedError::WriteReport { path: "x".into(), source: io() }, 101),
            (ExpectedError::Tool(anyhow::anyhow!("x")), 101),
        ] {
            assert_eq!(error.process_exit_code(), expected, "{error}");
        }
    }
}
