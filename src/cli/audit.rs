//! The main job, from the project to the report: build, run, model, audit,
//! report.

use std::time::Duration;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::{
    args::{Format, GlobalOptions, ReportOptions, TestOptions},
    console::{Console, Verbosity},
    exit::{ExpectedError, verdict},
    rooms,
};
use crate::{
    instrument::Build,
    model::{self, Outcome},
    project::Project,
    report::{
        assemble::{Parts, assemble},
        finding::Finding,
        human::{self, HumanOptions},
        json,
        summary::{Coverage, LeftProcess, ProjectInfo, Report, TestOutcome, TestReport},
    },
    run::TestRun,
};

/// A source file beyond this size is not worth an excerpt.
const MAX_SOURCE: u64 = 16 << 20;

/// What came of running the tests.
#[derive(Debug)]
pub struct Executed {
    /// One element per test that was run.
    pub runs: Vec<TestRun>,
    /// Left out by filters, or ignored.
    pub skipped: usize,
    /// Not started any more.
    pub not_started: usize,
    /// The user stopped the run.
    pub interrupted: bool,
    /// Connections to the registry that were no announcement.
    pub garbled_announcements: u64,
    /// Wall time of the tests.
    pub elapsed: Duration,
}

/// Audits the project. The report is written whatever the verdict.
pub fn audit(
    options: &TestOptions,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    check_destinations(&options.report)?;
    let build = rooms::build(options, global, console)?;
    let executed = rooms::execute(&build, options, console)?;
    let run = rooms::model(&build, &executed.runs);
    let findings = rooms::findings(&run, options);
    let mut report = report(&build, &executed, &run, findings);
    let verdict = verdict(&report, &options.report);
    report.summary.verdict = verdict.as_ref().err().and_then(ExpectedError::told_verdict);
    let is_told = write(&report, &build.project, &options.report, console)?;
    match verdict {
        Err(error) if is_told && error.told_verdict().is_some() => {
            Err(ExpectedError::Told { code: error.process_exit_code() })
        }
        verdict => verdict,
    }
}

/// Before the work, not after it: a report that cannot be written later.
fn check_destinations(options: &ReportOptions) -> Result<(), ExpectedError> {
    let further = options.further.iter().map(|report| &report.file);
    for file in options.output.iter().chain(further) {
        let folder = match file.parent() {
            Some(folder) if !folder.as_str().is_empty() => folder,
            _ => Utf8Path::new("."),
        };
        let message = if file.is_dir() {
            format!("failed to write a report to {file}: it is a folder, name a file in it")
        } else if folder.is_dir() {
            continue;
        } else {
            format!("failed to write a report to {file}: there is no folder {folder}, create it")
        };
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    Ok(())
}

/// The rooms' results as one report.
fn report(build: &Build, executed: &Executed, run: &model::Run, findings: Vec<Finding>) -> Report {
    let mut packages: Vec<String> =
        build.binaries.iter().map(|binary| binary.package.clone()).collect();
    packages.sort();
    packages.dedup();
    let name = build.project.workspace_root.file_name().unwrap_or_default().to_owned();
    let processes = || run.tests.iter().flat_map(|test| &test.processes);
    let sum = |count: fn(&model::Counters) -> u64| {
        processes().map(|process| count(&process.counters)).sum::<u64>()
    };
    let parts = Parts {
        findings,
        tests: executed.runs.iter().map(|test| test_report(test, run)).collect(),
        tests_skipped: executed.skipped as u64,
        tests_not_started: executed.not_started as u64,
        tasks: sum(|counters| counters.tasks_spawned),
        threads: sum(|counters| counters.threads_spawned),
        locks: sum(|counters| counters.locks_seen),
        acquisitions: sum(|counters| counters.acquisitions),
        drains: sum(|counters| counters.drains),
        drained: Duration::from_nanos(sum(|counters| counters.drain_ns)),
        coverage: Coverage {
            instrumented: build.instrumented.clone(),
            not_instrumented: not_instrumented(build, executed, run),
            // Named by `assemble`.
            unaudited_tests: vec![],
            truncated_tests: vec![],
            truncated_processes: processes()
                .filter(|process| process.truncated && process.snapshot.is_none())
                .count() as u64,
            dropped_order_edges: sum(|counters| counters.dropped_order_edges),
            dropped_stacks: sum(|counters| counters.dropped_stacks),
            dropped_tasks: sum(|counters| counters.dropped_tasks),
            dropped_holds: sum(|counters| counters.dropped_holds),
            dropped_events: sum(|counters| counters.dropped_events),
        },
        build: build.duration,
        test: executed.elapsed,
        interrupted: executed.interrupted,
    };
    assemble(ProjectInfo { name, packages }, parts)
}

/// What the build could not instrument, and what was not understood or not looked at
/// in the run.
fn not_instrumented(build: &Build, executed: &Executed, run: &model::Run) -> Vec<String> {
    let garbled = match executed.garbled_announcements {
        0 => None,
        1 => Some("1 process that did not".to_owned()),
        count => Some(format!("{count} processes that did not")),
    };
    let garbled = garbled.map(|who| {
        format!(
            "{who} announce themselves in full: ended at their start, or built by another version \
             (then `cargo concaudit clean` helps)"
        )
    });
    let allocates_under_locks = run
        .tests
        .iter()
        .flat_map(|test| &test.processes)
        .any(|process| process.counters.allocator_locks > 0);
    let allocator = allocates_under_locks.then(|| {
        "locks of the global allocator: it is called by the audit itself, which would wait for \
         itself"
            .to_owned()
    });
    build.not_instrumented.iter().cloned().chain(garbled).chain(allocator).collect()
}

fn test_report(test: &TestRun, run: &model::Run) -> TestReport {
    let name = test.case.full_name();
    let known = run.tests.binary_search_by(|known| known.name.cmp(&name));
    let known = known.ok().map(|index| &run.tests[index]);
    let processes = known.map(|known| known.processes.as_slice()).unwrap_or_default();
    let is_cut_off = test.outcome == Outcome::Interrupted;
    TestReport {
        binary: test.case.binary.id.clone(),
        name: test.case.path.clone().unwrap_or_else(|| test.case.binary.id.clone()),
        outcome: match test.outcome {
            Outcome::Passed => TestOutcome::Passed,
            Outcome::Failed => TestOutcome::Failed,
            Outcome::Signalled(_) => TestOutcome::Signalled,
            Outcome::TimedOut => TestOutcome::TimedOut,
            Outcome::Deadlocked => TestOutcome::Deadlocked,
            Outcome::Interrupted => TestOutcome::Interrupted,
            Outcome::SpawnFailed => TestOutcome::SpawnFailed,
        },
        duration_ms: test.duration.as_millis() as u64,
        peak_tasks: processes.iter().map(|process| process.counters.peak_tasks).max().unwrap_or(0),
        processes: processes.len() as u64,
        // One that was killed at once had not even told that it was there.
        truncated: processes.iter().any(|process| process.truncated)
            || (processes.is_empty() && matches!(test.outcome, Outcome::Signalled(_))),
        cut_off: known
            .filter(|_| is_cut_off)
            .map_or_else(Vec::new, |known| rooms::cut_off(run, known)),
        left_processes: test
            .left
            .iter()
            .map(|left| LeftProcess {
                pid: left.pid,
                command: left.command.clone(),
                ended: left.is_ended,
            })
            .collect(),
    }
}

/// Writes every report that was asked for; one that fails does not keep the
/// others from being written. Returns whether the verdict was shown.
fn write(
    report: &Report,
    project: &Project,
    options: &ReportOptions,
    console: &mut Console,
) -> Result<bool, ExpectedError> {
    let sources = |file: &str| source(&project.workspace_root.join(file));
    let on_console = HumanOptions {
        color: console.color,
        verbose: console.verbosity == Verbosity::Verbose,
        width: console.width,
    };
    let render = |format: Format, human: HumanOptions| match format {
        Format::Human => Ok(human::render(report, &sources, human)),
        Format::Json => json::render(report).context("failed to write the report as JSON"),
    };
    let in_file = HumanOptions { color: false, ..on_console };

    let mut first_failure = None;
    let mut files: Vec<(Format, &Utf8PathBuf)> =
        options.further.iter().map(|further| (further.format, &further.file)).collect();
    files.extend(options.output.as_ref().map(|file| (options.format, file)));
    for (format, file) in files {
        let written = render(format, in_file)
            .map_err(ExpectedError::Tool)
            .and_then(|text| write_file(file, &text));
        if let Err(error) = written {
            first_failure.get_or_insert(error);
        }
    }
    if options.output.is_none() {
        let written = console.report(&render(options.format, on_console)?);
        if let Err(source) = written {
            let path = "standard output".into();
            first_failure.get_or_insert(ExpectedError::WriteReport { path, source });
        }
    }
    let is_elsewhere = options.output.is_some() || options.format != Format::Human;
    if is_elsewhere {
        let color = colored::control::SHOULD_COLORIZE.should_colorize();
        console.verdict(&human::render_summary(report, HumanOptions { color, ..on_console }));
    }
    first_failure.map_or(Ok(!is_elsewhere || console.verbosity > Verbosity::Quiet), Err)
}

fn write_file(file: &Utf8Path, text: &str) -> Result<(), ExpectedError> {
    fs_err::write(file, text)
        .map_err(|source| ExpectedError::WriteReport { path: file.to_owned(), source })
}

/// A source file's text; `None` where there is none fit to be shown.
fn source(file: &Utf8Path) -> Option<String> {
    let metadata = fs_err::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_SOURCE {
        return None;
    }
    let bytes = fs_err::read(file).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
