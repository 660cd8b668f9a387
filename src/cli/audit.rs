//! The main job, from the project to the report: build, run, model, audit,
//! report.

use std::{
    fmt::Write as _,
    fs::{Metadata, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::{
    args::{Format, GlobalOptions, ReportOptions, TestOptions},
    console::{Console, Verbosity},
    exit::{ExpectedError, verdict},
    rooms,
    settings::Settings,
};
use crate::{
    describe::counted,
    finding::Finding,
    instrument::{Build, LockKind},
    model::{self, Outcome},
    project::Project,
    report::{
        assemble::{Parts, assemble},
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
    settings: &Settings,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let options = &settings.options;
    check_destinations(&options.report)?;
    if options.run.doc && !options.build.has_default_targets() {
        let message = "failed to run doctests with `--doc`: as in `cargo test`, it cannot be \
                       combined with the selection of other targets";
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    refuse_typo(options)?;
    let build = rooms::build(options, global, console)?;
    if options.run.no_run {
        for binary in &build.binaries {
            console.status("Executable", &format!("{} ({})", binary.id, binary.exe));
        }
        return Ok(());
    }
    if options.run.list {
        return list(&build, options, console);
    }
    // A comment that is not understood is told before the tests run, not after.
    let allowances = settings.allowances(&build.project)?;
    let symbols = rooms::symbols(&build);
    let mut executed = rooms::execute(&build, &symbols, options, console)?;
    if executed.runs.is_empty()
        && executed.skipped > 0
        && let Some(meant) = &options.select.meant
    {
        console.warning(&meant.told("no test that is built has it in its name"));
    }
    let run = rooms::model(&build, &symbols, &mut executed.runs);
    let mut findings = rooms::findings(&run, options);
    settings.set_levels(&mut findings);
    settings.suppress(&mut findings, &allowances, is_complete(&build, &executed, options));
    let gone = symbols.missing();
    let mut report = report(&build, &executed, &run, options, findings, &gone);
    let verdict = verdict(&report, &options.report);
    report.summary.verdict = verdict.as_ref().err().and_then(ExpectedError::told_verdict);
    let is_told = write(&report, &build.project, &options.report, console)?;
    let verdict = match (verdict, run_doctests(&build, options, global, console)?) {
        // Failed tests win over findings, of whatever kind they are.
        (Ok(()) | Err(ExpectedError::Findings { .. }), false) => Err(ExpectedError::DoctestsFailed),
        (verdict, _) => verdict,
    };
    match verdict {
        Err(error) if is_told && error.told_verdict().is_some() => {
            Err(ExpectedError::Told { code: error.process_exit_code() })
        }
        verdict => verdict,
    }
}

/// Whether the run was about everything that the project has, so that what it does not show
/// is not there.
fn is_complete(build: &Build, executed: &Executed, options: &TestOptions) -> bool {
    let is_built = |name: &String| build.binaries.iter().any(|binary| binary.package == *name);
    options.build.has_default_targets()
        && options.rules.only.is_empty()
        && options.rules.locks == [LockKind::All]
        && executed.skipped == 0
        && executed.not_started == 0
        && !executed.interrupted
        && !executed.runs.is_empty()
        && executed.runs.iter().all(|run| run.outcome == Outcome::Passed)
        && build.project.packages.iter().all(|package| is_built(&package.name))
}

/// `cargo concaudit explian` reads as a filter, and nobody wants to wait for a build to
/// be told that it leaves out all tests.
fn refuse_typo(options: &TestOptions) -> Result<(), ExpectedError> {
    let Some(meant) = &options.select.meant else { return Ok(()) };
    if rooms::is_mentioned(options, &meant.word)? {
        return Ok(());
    }
    let message = meant.told("no source file of the project has the word in it");
    Err(ExpectedError::Usage(anyhow::Error::msg(message)))
}

/// The tests that would run, to standard output.
fn list(build: &Build, options: &TestOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let (names, skipped) = rooms::list(build, options)?;
    let mut text = names.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    console
        .report(&text)
        .map_err(|source| ExpectedError::WriteReport { path: "standard output".into(), source })?;
    let mut count = counted(names.len() as u64, "test", "tests");
    if skipped > 0 {
        let _ = write!(count, " ({skipped} skipped)");
    }
    console.status("Listed", &count);
    Ok(())
}

/// With `--doc`: returns whether all passed.
fn run_doctests(
    build: &Build,
    options: &TestOptions,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<bool, ExpectedError> {
    if !options.run.doc {
        return Ok(true);
    }
    if build.with_doctests.is_empty() {
        console.status("Doctests", "there is no library to have any");
        return Ok(true);
    }
    console.status("Doctests", "run by `cargo test --doc`, and not audited");
    rooms::run_doctests(options, global)
}

/// Before the work, not after it: a report that cannot be written later.
fn check_destinations(options: &ReportOptions) -> Result<(), ExpectedError> {
    let further = || options.further.iter().map(|report| &report.file);
    let is_ours = options.output.as_ref().is_none_or(is_standard_output);
    let on_standard_output = further().filter(|file| is_standard_output(file)).count();
    if on_standard_output + usize::from(is_ours) > 1 {
        let message = "failed to write two reports to standard output: send one to a file with \
                       `--output` or `--report`";
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    for file in options.output.iter().chain(further()).filter(|file| !is_standard_output(file)) {
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

/// `-`, as everywhere.
fn is_standard_output(file: &Utf8PathBuf) -> bool {
    file == "-" || file == "/dev/stdout"
}

/// The rooms' results as one report.
fn report(
    build: &Build,
    executed: &Executed,
    run: &model::Run,
    options: &TestOptions,
    findings: Vec<Finding>,
    gone: &[Utf8PathBuf],
) -> Report {
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
            not_instrumented: not_instrumented(build, executed, run, gone),
            not_run: not_run(build, options),
            first_party_losses: build.first_party_losses.clone(),
            // Named by `assemble`.
            unaudited_tests: vec![],
            truncated_tests: vec![],
            truncated_processes: processes()
                .filter(|process| process.truncated && process.snapshot.is_none())
                .count() as u64,
            dropped_order_edges: sum(|counters| counters.dropped_order_edges),
            dropped_stacks: sum(|counters| counters.dropped_stacks),
            dropped_tasks: sum(|counters| counters.dropped_tasks),
            alike_tasks: sum(|counters| counters.alike_tasks),
            dropped_holds: sum(|counters| counters.dropped_holds),
            dropped_events: sum(|counters| counters.dropped_events),
        },
        build: build.duration,
        test: executed.elapsed,
        interrupted: executed.interrupted,
    };
    assemble(ProjectInfo { name, packages }, parts)
}

/// What the build could not instrument, what was not understood or not looked at in the
/// run, and whose symbols could not be read.
fn not_instrumented(
    build: &Build,
    executed: &Executed,
    run: &model::Run,
    gone: &[Utf8PathBuf],
) -> Vec<String> {
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
    let gone = gone.iter().map(|file| {
        format!(
            "code of {}: the file was removed or replaced during the run, before its symbols were \
             read, so that what was found there has addresses for names",
            build.project.display_path(file)
        )
    });
    build.not_instrumented.iter().cloned().chain(garbled).chain(allocator).chain(gone).collect()
}

/// What `cargo test` would run besides.
fn not_run(build: &Build, options: &TestOptions) -> Vec<String> {
    if build.with_doctests.is_empty() {
        return Vec::new();
    }
    let how = if options.run.doc { "`cargo test --doc` runs them" } else { "`--doc` runs them" };
    vec![format!("doctests of {}: {how}, not audited", build.with_doctests.join(", "))]
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
            Outcome::Hung => TestOutcome::Hung,
            Outcome::TimedOut | Outcome::TooSlow => TestOutcome::TimedOut,
            Outcome::Deadlocked => TestOutcome::Deadlocked,
            Outcome::Interrupted => TestOutcome::Interrupted,
            Outcome::SpawnFailed => TestOutcome::SpawnFailed,
        },
        attempts: test.failed_attempts.len() as u64 + 1,
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
    // What was to be in the file that `--output` names is shown where that failed.
    let mut is_elsewhere = options.output.as_ref().is_some_and(|file| !is_standard_output(file));
    let mut on_standard_output = (!is_elsewhere).then_some(options.format);
    let further = options.further.iter().map(|further| (further.format, &further.file, false));
    let output = options.output.iter().map(|file| (options.format, file, true));
    for (format, file, is_main) in further.chain(output) {
        if is_standard_output(file) {
            on_standard_output = Some(format);
            continue;
        }
        let written = render(format, in_file)
            .map_err(ExpectedError::Tool)
            .and_then(|text| write_file(file, &text));
        if let Err(error) = written {
            first_failure.get_or_insert(error);
            if is_main {
                is_elsewhere = false;
                on_standard_output.get_or_insert(format);
            }
        }
    }
    if let Some(format) = on_standard_output {
        let written = console.report(&render(format, on_console)?);
        if let Err(source) = written {
            let path = "standard output".into();
            first_failure.get_or_insert(ExpectedError::WriteReport { path, source });
        }
    }
    is_elsewhere |= options.format != Format::Human;
    if is_elsewhere {
        let color = colored::control::SHOULD_COLORIZE.should_colorize();
        console.verdict(&human::render_summary(report, HumanOptions { color, ..on_console }));
    }
    first_failure.map_or(Ok(!is_elsewhere || console.verbosity > Verbosity::Quiet), Err)
}

fn write_file(file: &Utf8Path, text: &str) -> Result<(), ExpectedError> {
    replace(file, text)
        .map_err(|source| ExpectedError::WriteReport { path: file.to_owned(), source })
}

/// Writes a file all at once or not at all: whoever reads it meanwhile, or after a
/// failure, finds what was there before.
fn replace(file: &Utf8Path, text: &str) -> io::Result<()> {
    // What a symbolic link points to is replaced, not the link.
    let file = file.canonicalize_utf8().unwrap_or_else(|_| file.to_owned());
    let old = fs_err::metadata(&file).ok();
    // A pipe or a terminal is written to.
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return fs_err::write(&file, text);
    }
    let folder = file.parent().filter(|folder| !folder.as_str().is_empty());
    let permissions =
        old.as_ref().map_or_else(|| Permissions::from_mode(0o666), Metadata::permissions);
    let created = tempfile::Builder::new()
        .prefix(".concaudit-")
        .permissions(permissions)
        .tempfile_in(folder.unwrap_or(Utf8Path::new(".")));
    let mut temporary = match created {
        Ok(temporary) => temporary,
        // The file may be ours, though the folder is not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && old.is_some() => {
            return fs_err::write(&file, text);
        }
        Err(error) => return Err(error),
    };
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&file)?;
    Ok(())
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
