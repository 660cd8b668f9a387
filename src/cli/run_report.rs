//! The report of a run.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::{args::TestOptions, execute::Executed, shake, state::cut_off};
use crate::{
    finding::Finding,
    instrument::Build,
    lock_order,
    model::{self, Outcome},
    report::{
        Format,
        assemble::{Parts, assemble},
        summary::{
            Coverage, Distribution, LeftProcess, ProjectInfo, Report, TestOutcome, TestReport,
        },
    },
    run::TestRun,
};

/// What the run has come to, as one report.
pub fn report(
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
        program: executed.runs.iter().any(|run| run.case.is_program()),
        interrupted: executed.interrupted,
        lock_graph: wants_graph(options)
            .then(|| lock_order::graph(run))
            .filter(|graph| !graph.orders.is_empty()),
    };
    let folder = folder_in_repository(&build.project.workspace_root);
    assemble(ProjectInfo { name, packages, folder }, parts)
}

/// Whether a format that has the graph of the lock orders is asked for.
fn wants_graph(options: &TestOptions) -> bool {
    let output = &options.report.output;
    output
        .format
        .into_iter()
        .chain(output.further.iter().map(|further| further.format))
        .any(|format| matches!(format, Format::Json | Format::Html))
}

/// The path of a folder from the root of the repository that it is in; empty where it is
/// the root itself, or in none.
fn folder_in_repository(folder: &Utf8Path) -> String {
    let repository = folder.ancestors().find(|above| above.join(".git").exists());
    let path = repository.and_then(|root| folder.strip_prefix(root).ok());
    path.map_or_else(String::new, |path| path.as_str().to_owned())
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

/// One distribution of all processes; `None` where nothing took a millisecond.
fn distribution(
    processes: &[model::Process],
    of: impl Fn(&model::Counters) -> model::Distribution,
) -> Option<Distribution> {
    let all = processes
        .iter()
        .map(|process| of(&process.counters))
        .fold(model::Distribution::default(), model::Distribution::and);
    (all.longest_ns > 0).then(|| Distribution {
        counts: all.counts.to_vec(),
        longest_ms: all.longest_ns / 1_000_000,
    })
}

fn test_report(test: &TestRun, run: &model::Run) -> TestReport {
    let name = shake::name(test);
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
        exit_code: test.exit_code.filter(|_| test.case.is_program()),
        signal: match test.outcome {
            Outcome::Signalled(signal) if test.case.is_program() => Some(signal),
            _ => None,
        },
        attempts: test.failed_attempts.len() as u64 + 1,
        duration_ms: test.duration.as_millis() as u64,
        peak_tasks: processes.iter().map(|process| process.counters.peak_tasks).max().unwrap_or(0),
        polls: distribution(processes, |counters| counters.polls),
        lock_waits: distribution(processes, |counters| counters.lock_waits),
        lock_holds: distribution(processes, |counters| counters.lock_holds),
        processes: processes.len() as u64,
        // One that was killed at once had not even told that it was there.
        truncated: processes.iter().any(|process| process.truncated)
            || (processes.is_empty() && matches!(test.outcome, Outcome::Signalled(_))),
        cut_off: known.filter(|_| is_cut_off).map_or_else(Vec::new, |known| cut_off(run, known)),
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
