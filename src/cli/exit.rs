//! How the process ends, and why.

use camino::Utf8PathBuf;

use super::args::{CoverageOptions, FailOn};
use crate::{
    describe::counted,
    instrument::is_missed_by_choice,
    report::summary::{Report, TestOutcome, TestReport},
};

/// Something was audited and nothing was found at or above `--fail-on`.
pub const CLEAN: u8 = 0;
/// There are findings at or above `--fail-on`.
pub const FINDINGS: u8 = 1;
/// The command line or a configuration cannot be followed.
pub const USAGE: u8 = 2;
/// No test was run, or a test passed of which no process was instrumented, or not all
/// was audited that had to be: that nothing was found says nothing.
pub const NOTHING_AUDITED: u8 = 4;
/// Tests failed, or the run was interrupted.
pub const TESTS_FAILED: u8 = 100;
/// The build failed, or this tool did.
pub const FAILED: u8 = 101;

/// Every way to end other than clean.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// The report lists them.
    #[error("{} at or above `--fail-on {fail_on}`", counted(*count as u64, "finding", "findings"))]
    Findings { count: usize, fail_on: &'static str },
    /// What was asked for cannot be done as it was asked for.
    #[error(transparent)]
    Usage(anyhow::Error),
    /// A clean report would mean nothing.
    #[error("nothing was audited: {reason}")]
    NothingAudited { reason: String },
    /// A clean report would not mean what it says.
    #[error("not all was audited: {reason}")]
    NotAllAudited { reason: String },
    /// The report's last line has said it.
    #[error("see the report")]
    Told { code: u8 },
    /// Their output has been shown.
    #[error("{failed} of {} failed", counted(*run, "test", "tests"))]
    TestsFailed { failed: u64, run: u64 },
    /// Its output has been shown.
    #[error("the program failed{how}")]
    ProgramFailed { how: String },
    /// Their output has been shown.
    #[error("doctests failed")]
    DoctestsFailed,
    /// The user stopped the run.
    #[error("interrupted: {what}")]
    Interrupted { what: String },
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
            Self::NothingAudited { .. } | Self::NotAllAudited { .. } => NOTHING_AUDITED,
            Self::Told { code } => *code,
            Self::TestsFailed { .. }
            | Self::ProgramFailed { .. }
            | Self::DoctestsFailed
            | Self::Interrupted { .. } => TESTS_FAILED,
            Self::BuildFailed | Self::WriteReport { .. } | Self::Tool(_) => FAILED,
        }
    }

    /// Whether the report has said it already.
    pub fn is_told_by_report(&self) -> bool {
        match self {
            Self::Findings { .. } | Self::Told { .. } => true,
            Self::Usage(_)
            | Self::NothingAudited { .. }
            | Self::NotAllAudited { .. }
            | Self::TestsFailed { .. }
            | Self::ProgramFailed { .. }
            | Self::DoctestsFailed
            | Self::Interrupted { .. }
            | Self::BuildFailed
            | Self::WriteReport { .. }
            | Self::Tool(_) => false,
        }
    }
}

impl ExpectedError {
    /// What the report is to say as its verdict; `None` where its counts do, or where it
    /// is nothing that a report tells.
    pub fn told_verdict(&self) -> Option<String> {
        match self {
            Self::NothingAudited { .. }
            | Self::NotAllAudited { .. }
            | Self::TestsFailed { .. }
            | Self::ProgramFailed { .. }
            | Self::Interrupted { .. } => Some(self.to_string()),
            Self::Findings { .. }
            | Self::Told { .. }
            | Self::DoctestsFailed
            | Self::Usage(_)
            | Self::BuildFailed
            | Self::WriteReport { .. }
            | Self::Tool(_) => None,
        }
    }
}

/// What a finished run means.
///
/// Failed tests win over everything, as in nextest: an audit of tests that did
/// not get through is incomplete, and whoever sees 100 has a broken suite to
/// mend first. Then what was not audited, then findings. The report is written in
/// all cases and holds the findings whichever code it ends with.
pub fn verdict(
    report: &Report,
    fail_on: FailOn,
    coverage: CoverageOptions,
) -> Result<(), ExpectedError> {
    let summary = &report.summary;
    if summary.program && summary.tests_failed > 0 {
        let how = match report.tests.first() {
            Some(TestReport { exit_code: Some(code), .. }) => format!(" with exit code {code}"),
            Some(TestReport { signal: Some(signal), .. }) => format!(": ended by signal {signal}"),
            Some(TestReport { outcome: TestOutcome::SpawnFailed, .. }) => " to start".to_owned(),
            _ => String::new(),
        };
        return Err(ExpectedError::ProgramFailed { how });
    }
    if summary.tests_failed > 0 {
        return Err(ExpectedError::TestsFailed {
            failed: summary.tests_failed,
            run: summary.tests_run,
        });
    }
    if summary.interrupted {
        let ran = summary.tests_run - summary.tests_cut_off;
        let were = |count: u64| if count == 1 { "was" } else { "were" };
        return Err(ExpectedError::Interrupted {
            what: format!(
                "{} ran to the end, {} {} cut off, {} {} not started",
                counted(ran, "test", "tests"),
                summary.tests_cut_off,
                were(summary.tests_cut_off),
                summary.tests_not_started,
                were(summary.tests_not_started),
            ),
        });
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
    if let Some(reason) = missing(report, coverage) {
        return Err(ExpectedError::NotAllAudited { reason });
    }
    let count = report
        .findings
        .iter()
        .filter(|found| found.counts() && fail_on.includes(found.severity))
        .count();
    if count == 0 {
        Ok(())
    } else {
        Err(ExpectedError::Findings { count, fail_on: fail_on.name() })
    }
}

/// Writes the verdict into the report that it is about.
pub fn settle(report: &mut Report, verdict: &Result<(), ExpectedError>) {
    let error = verdict.as_ref().err();
    report.summary.exit_code = Some(error.map_or(CLEAN, ExpectedError::process_exit_code));
    report.summary.verdict = error.and_then(ExpectedError::told_verdict);
}

/// The same verdict, not to be said again where the report that was shown has said it.
pub fn unless_told(verdict: Result<(), ExpectedError>, is_told: bool) -> Result<(), ExpectedError> {
    match verdict {
        Err(error) if is_told && error.told_verdict().is_some() => {
            Err(ExpectedError::Told { code: error.process_exit_code() })
        }
        verdict => verdict,
    }
}

/// What was not audited and had to be.
fn missing(report: &Report, options: CoverageOptions) -> Option<String> {
    let tests = |count: u64| counted(count, "test", "tests");
    let is_silent = |passed_only: bool| {
        // What cannot be audited, and is named in `coverage`, is no surprise.
        let tests = report
            .tests
            .iter()
            .filter(|test| test.is_unaudited() && !test.is_of_procedural_macro());
        tests.filter(|test| !passed_only || test.outcome == TestOutcome::Passed).count() as u64
    };
    if !options.require_coverage {
        let silent = is_silent(true);
        let is_meant = silent > 0 && !options.allow_unaudited;
        return is_meant.then(|| {
            let it = if silent == 1 { "it" } else { "them" };
            format!("{} passed without a word (`--allow-unaudited` accepts {it})", tests(silent))
        });
    }
    let coverage = &report.coverage;
    let dropped = coverage.dropped_order_edges
        + coverage.dropped_stacks
        + coverage.dropped_tasks
        + coverage.dropped_holds
        + coverage.dropped_events;
    let lost = coverage.not_instrumented.iter().filter(|what| !is_missed_by_choice(what)).count();
    let what = [
        (is_silent(false), "sent nothing", "test", "tests"),
        (coverage.truncated_processes, "ended without a last word", "process", "processes"),
        (dropped, "was left out to bound memory", "record", "records"),
        (lost as u64, "was not instrumented", "part of the program", "parts of the program"),
    ];
    let what: Vec<String> = what
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, one, many)| {
            let what = if count > 1 { what.replace("was", "were") } else { what.to_owned() };
            format!("{} {what}", counted(count, one, many))
        })
        .collect();
    (!what.is_empty()).then(|| format!("{} (`--require-coverage`)", what.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{Finding, Severity},
        report::{
            human::tests::{lingering_task, report_of_every_rule, suppression},
            summary::Summary,
        },
    };

    fn code_with(report: &Report, coverage: CoverageOptions) -> u8 {
        verdict(report, FailOn::Warning, coverage)
            .map_or_else(|error| error.process_exit_code(), |()| CLEAN)
    }

    fn code(report: &Report, fail_on: FailOn) -> u8 {
        verdict(report, fail_on, CoverageOptions::default())
            .map_or_else(|error| error.process_exit_code(), |()| CLEAN)
    }

    #[test]
    fn a_passed_test_that_sent_nothing_is_no_clean_run_unless_the_user_says_so() {
        let mut report = with(&[]);
        let silent = report.tests[0].clone();
        report.tests.push(crate::report::summary::TestReport { processes: 0, ..silent });
        let strict = CoverageOptions::default();
        let lenient = CoverageOptions { allow_unaudited: true, ..strict };
        let complete = CoverageOptions { require_coverage: true, ..strict };
        assert_eq!(code_with(&report, strict), NOTHING_AUDITED);
        assert_eq!(code_with(&report, lenient), CLEAN);
        assert_eq!(code_with(&report, complete), NOTHING_AUDITED);
    }

    #[test]
    fn unit_tests_of_a_procedural_macro_are_silent_by_nature() {
        let mut report = with(&[]);
        let mut of_macro = report.tests[0].clone();
        of_macro.binary = "macros::proc-macro/macros".to_owned();
        of_macro.processes = 0;
        report.tests.push(of_macro.clone());
        assert_eq!(code(&report, FailOn::Warning), CLEAN);
        // But a run that saw nothing else saw nothing.
        report.tests = vec![of_macro];
        assert_eq!(code(&report, FailOn::Warning), NOTHING_AUDITED);
    }

    #[test]
    fn required_coverage_is_all_but_what_nobody_asked_for() {
        let mut report = with(&[]);
        report.coverage = crate::report::summary::Coverage::default();
        let complete = CoverageOptions { require_coverage: true, ..CoverageOptions::default() };
        assert_eq!(code_with(&report, complete), CLEAN);
        report.coverage.not_run = vec!["doctests of shop: `--doc` runs them".to_owned()];
        report.coverage.not_instrumented =
            vec!["locks of parking_lot: left out by `--locks`".to_owned()];
        assert_eq!(code_with(&report, complete), CLEAN);
        report.coverage.not_instrumented.push("tokio 0.2.1: too old".to_owned());
        assert_eq!(code_with(&report, complete), NOTHING_AUDITED);
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
        report.findings[0].suppressed = vec![suppression()];
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
            (ExpectedError::Interrupted { what: String::new() }, 100),
            (ExpectedError::NotAllAudited { reason: String::new() }, 4),
            (ExpectedError::Told { code: 100 }, 100),
            (ExpectedError::BuildFailed, 101),
            (ExpectedError::WriteReport { path: "x".into(), source: io() }, 101),
            (ExpectedError::Tool(anyhow::anyhow!("x")), 101),
        ] {
            assert_eq!(error.process_exit_code(), expected, "{error}");
        }
    }
}
