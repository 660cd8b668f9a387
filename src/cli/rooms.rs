//! The doors to the other rooms: our options in, their results and errors out.

use std::{cell::RefCell, num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;

use super::{
    args::{
        CleanOptions, ColorChoice, GlobalOptions, OnDeadlock, SetupOptions, TestOptions, Thresholds,
    },
    audit::Executed,
    console::{Console, ProcessState},
    exit::ExpectedError,
};
use crate::{
    describe::counted,
    finding::Finding,
    hang::Hang,
    instrument::{self, Build, BuildArgs, BuildError, BuildOptions, Rubbish},
    model::{self, Symboliser, process_from},
    project::Project,
    report::summary::CutOff,
    rules::{self, Config, RULES},
    run::{
        self, ExecuteOptions, Guard, Interrupts, RunEvent, TestArguments, TestCase, TestRun,
        Verdict,
    },
    telemetry::{LookedAt, ProbeOptions, Reach, Recording, Registry},
};

/// With `--console`: how long a process that is done waits for somebody to look.
const CONSOLE_WAIT: Duration = Duration::from_secs(60);

/// Builds the instrumented tests.
pub fn build(
    options: &TestOptions,
    global: &GlobalOptions,
    console: &mut Console,
) -> Result<Build, ExpectedError> {
    let build = BuildOptions {
        args: options.build.clone(),
        first_party: options.rules.first_party.clone(),
        locks: options.rules.locks.clone(),
        message_format: options.message_format.clone(),
        quiet: global.quiet,
        verbose: global.verbose.saturating_sub(1),
        color: global.color.map(|color| {
            match color {
                ColorChoice::Auto => "auto",
                ColorChoice::Always => "always",
                ColorChoice::Never => "never",
            }
            .to_owned()
        }),
    };
    instrument::build(&build, &mut |event| console.build_event(&event)).map_err(build_error)
}

/// What of a failed build is the user's slip of the pen, and what is more.
fn build_error(error: BuildError) -> ExpectedError {
    match error {
        BuildError::NotAProject { .. }
        | BuildError::NoManifest { .. }
        | BuildError::FirstPartyNotFound { .. }
        | BuildError::UnsupportedTarget { .. }
        | BuildError::CurrentFolder(_)
        | BuildError::Configuration(_) => ExpectedError::Usage(error.into()),
        // It has no causes that the text would lose.
        BuildError::PackageNotFound { .. } => {
            ExpectedError::NothingAudited { reason: error.to_string() }
        }
        // Cargo has said why.
        BuildError::Compile { .. } => ExpectedError::BuildFailed,
        error => ExpectedError::Tool(error.into()),
    }
}

/// Whether the project may have a test with this word in its name.
pub fn is_mentioned(options: &TestOptions, word: &str) -> Result<bool, ExpectedError> {
    instrument::is_mentioned(&options.build, word).map_err(build_error)
}

/// Runs the doctests as `cargo test` would. Returns whether all passed.
pub fn run_doctests(options: &TestOptions, global: &GlobalOptions) -> Result<bool, ExpectedError> {
    let arguments: Vec<String> =
        [options.select.filters.clone(), options.select.libtest_arguments()].concat();
    let verbose = global.verbose.saturating_sub(1);
    instrument::run_doctests(&options.build, verbose, global.quiet, &arguments).map_err(build_error)
}

/// Lists the tests that would run, and how many would not.
pub fn list(build: &Build, options: &TestOptions) -> Result<(Vec<String>, usize), ExpectedError> {
    let arguments = test_arguments(options)?;
    let listing = runtime()?
        .block_on(run::list(&build.binaries, &arguments.filter))
        .map_err(anyhow::Error::from)?;
    Ok((listing.cases.iter().map(TestCase::full_name).collect(), listing.skipped))
}

fn test_arguments(options: &TestOptions) -> Result<TestArguments, ExpectedError> {
    let select = &options.select;
    TestArguments::parse(&select.filters, &select.libtest_arguments())
        .map_err(|error| ExpectedError::Usage(error.into()))
}

fn runtime() -> Result<tokio::runtime::Runtime, ExpectedError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("failed to start threads for the run")?;
    survive_file_limits(&runtime);
    Ok(runtime)
}

/// Has a write beyond the limit of a file's size (`ulimit -f`) fail, as one to a full disk
/// does, and not end this process. Once a signal was listened to it never does that again.
/// What is started from here on has the signal as we had it.
fn survive_file_limits(runtime: &tokio::runtime::Runtime) {
    let _context = runtime.enter();
    let kind = tokio::signal::unix::SignalKind::from_raw(nix::sys::signal::Signal::SIGXFSZ as i32);
    // Where that is not possible, it is as it would have been.
    let _ = tokio::signal::unix::signal(kind);
}

/// Lists the tests and runs them, each in a process of its own that is
/// subscribed to.
pub fn execute(
    build: &Build,
    symbols: &Symboliser,
    options: &TestOptions,
    console: &mut Console,
) -> Result<Executed, ExpectedError> {
    let mut arguments = test_arguments(options)?;
    arguments.no_capture |= options.run.no_capture;
    let execute = execute_options(options, arguments);
    runtime()?.block_on(run_tests(build, symbols, execute, options.run.console, console))
}

fn execute_options(options: &TestOptions, arguments: TestArguments) -> ExecuteOptions {
    let defaults = ExecuteOptions::default();
    // Interleaved output of several tests is nobody's.
    let jobs = if arguments.no_capture {
        NonZeroUsize::MIN
    } else {
        // "default", or fewer than there are cores, is between cargo and the build.
        let jobs = options.build.jobs.as_deref().and_then(|jobs| jobs.parse().ok());
        jobs.unwrap_or(defaults.jobs)
    };
    // Whoever looks at a process with tokio-console must not lose it meanwhile.
    let is_limited = !options.run.console && !options.run.time_limit.is_zero();
    ExecuteOptions {
        ends_deadlocked: !options.run.console && options.run.on_deadlock == OnDeadlock::Kill,
        jobs: options.run.test_threads.unwrap_or(jobs),
        time_limit: is_limited.then_some(options.run.time_limit),
        slow_after: options.run.slow_after,
        fail_fast: options.run.fail_fast,
        retries: options.run.retries,
        probe: ProbeOptions {
            console_wait: if options.run.console { CONSOLE_WAIT } else { Duration::ZERO },
            ..probe_options(options.rules.thresholds)
        },
        arguments,
        ..defaults
    }
}

fn probe_options(thresholds: Thresholds) -> ProbeOptions {
    let Thresholds {
        long_hold,
        contended_hold,
        wait,
        blocking_call,
        blocking_poll,
        spawn_storm,
        orphaned,
        drain_idle,
        drain_max,
        drain_total,
    } = thresholds;
    ProbeOptions {
        long_hold,
        contended_hold,
        wait,
        blocking_call,
        blocking_poll,
        spawn_storm,
        orphaned,
        drain_idle,
        drain_max,
        drain_total,
        ..ProbeOptions::default()
    }
}

async fn run_tests(
    build: &Build,
    symbols: &Symboliser,
    options: ExecuteOptions,
    shows_addresses: bool,
    console: &mut Console,
) -> Result<Executed, ExpectedError> {
    let listing =
        run::list(&build.binaries, &options.arguments.filter).await.map_err(anyhow::Error::from)?;
    let skipped = listing.skipped;
    let reach = if shows_addresses { Reach::Console } else { Reach::Auditor };
    let registry = Arc::new(Registry::bind(reach).map_err(anyhow::Error::from)?);
    let (name, value) = registry.mark();
    let _guard = Guard::start((name, &value), registry.folder());
    let mut interrupts = Interrupts::listen().context("failed to listen to Ctrl-C")?;
    let mut announcements = registry.announcements();
    let console = RefCell::new(console);
    let mut on_event = |event: RunEvent<'_>| match event {
        RunEvent::TestLooked { case, elapsed, processes } => {
            let states: Vec<(u32, Option<ProcessState>)> = processes
                .iter()
                .map(|process| {
                    let snapshot = process.snapshot.as_ref();
                    (process.pid, snapshot.map(|it| state(&build.project, symbols, case, it)))
                })
                .collect();
            console.borrow_mut().states(case, elapsed, &states);
        }
        event => console.borrow_mut().run_event(&event),
    };
    let mut judge =
        |case: &TestCase, processes: &[LookedAt]| verdict(&build.project, symbols, case, processes);
    let mut running =
        pin!(
            run::execute(listing, &registry, options, &mut interrupts, &mut on_event, &mut judge,)
        );
    let executed = loop {
        tokio::select! {
            executed = &mut running => break executed,
            Some(process) = announcements.recv(), if shows_addresses => {
                if let Some(address) = process.console_address() {
                    let command = format!("tokio-console {address} (pid {})", process.pid);
                    console.borrow_mut().status("Attach", &command);
                }
            }
        }
    };
    Ok(Executed {
        runs: executed.runs,
        skipped,
        not_started: executed.not_run,
        interrupted: executed.interrupted,
        garbled_announcements: registry.bad_lines(),
        elapsed: executed.elapsed,
    })
}

/// What can be said of a test by a look at its processes, its own first.
fn verdict(
    project: &Project,
    symbols: &Symboliser,
    case: &TestCase,
    processes: &[LookedAt],
) -> Verdict {
    let identity = identity(case);
    let snapshots = processes.iter().filter_map(|process| process.snapshot.as_ref());
    let seen: Vec<model::Process> = snapshots.map(|it| process_from(it, symbols)).collect();
    let mut hangs = seen.iter().map(|process| Hang::new(project, process, &identity)).peekable();
    let progress = hangs.peek().and_then(Hang::progress);
    let is_still = seen.len() == processes.len()
        && hangs.peek().is_some_and(Hang::has_body)
        && hangs.all(|hang| hang.is_still());
    Verdict { is_still, progress }
}

/// What a process is about now.
fn state(
    project: &Project,
    symbols: &Symboliser,
    case: &TestCase,
    snapshot: &Recording,
) -> ProcessState {
    told(project, &process_from(snapshot, symbols), &identity(case))
}

fn told(
    project: &Project,
    process: &model::Process,
    identity: &model::TestIdentity,
) -> ProcessState {
    let hang = Hang::new(project, process, identity);
    let steps = hang.chain();
    let sentence = if steps.is_empty() { String::new() } else { hang.sentence(&steps) };
    ProcessState { sentence, process: hang.tell() }
}

fn identity(case: &TestCase) -> model::TestIdentity {
    model::TestIdentity { crate_name: case.binary.crate_name.clone(), path: case.path.clone() }
}

/// What a test was about that the user interrupted, a process each.
pub fn cut_off(run: &model::Run, test: &model::Test) -> Vec<CutOff> {
    let snapshots = test.processes.iter().filter_map(|process| process.snapshot.as_deref());
    snapshots
        .map(|process| {
            let ProcessState { sentence, process } = told(&run.project, process, &test.identity);
            CutOff { sentence, process }
        })
        .collect()
}

/// The symbols of what was built, which may be built anew or removed during the run.
pub fn symbols(build: &Build) -> Symboliser {
    let symbols = Symboliser::new(Arc::clone(&build.project));
    for binary in &build.binaries {
        symbols.keep(&binary.exe);
    }
    symbols
}

/// The model of everything that the tests have shown. Their recordings are used up: as
/// one it would be twice in memory.
pub fn model(build: &Build, symbols: &Symboliser, runs: &mut [TestRun]) -> model::Run {
    let test = |run: &mut TestRun, name: String| model::Test {
        name,
        is_optimised: run.case.binary.is_optimised,
        identity: identity(&run.case),
        outcome: run.outcome,
        left: run.left.clone(),
        processes: std::mem::take(&mut run.recordings)
            .into_iter()
            .map(|recording| process_from(&recording.unpack(), symbols))
            .map(|mut process| {
                process
                    .knots
                    .retain(|knot| !knot.is_at_rest || run.outcome == model::Outcome::Hung);
                process
            })
            .collect(),
    };
    // One binary after the other: the debug info of one is enough to have in memory.
    let mut runs: Vec<&mut TestRun> = runs.iter_mut().collect();
    runs.sort_by_key(|run| run.case.full_name());
    let mut tests = Vec::with_capacity(runs.len());
    for of_binary in runs.chunk_by_mut(|one, next| one.case.binary.id == next.case.binary.id) {
        for run in of_binary {
            // A deadlock is one, whether or not the test passed at its next attempt.
            for (index, attempt) in run.failed_attempts.iter_mut().enumerate() {
                let name = format!("{} (attempt {})", attempt.case.full_name(), index + 1);
                tests.push(test(attempt, name));
            }
            let name = run.case.full_name();
            tests.push(test(run, name));
        }
        symbols.close();
    }
    tests.sort_by(|a, b| a.name.cmp(&b.name));
    model::Run { project: Arc::clone(&build.project), tests }
}

/// What the rules make of it.
pub fn findings(run: &model::Run, options: &TestOptions) -> Vec<Finding> {
    let time_limit = (!options.run.time_limit.is_zero()).then_some(options.run.time_limit);
    let options = &options.rules;
    let Thresholds {
        long_hold,
        contended_hold,
        wait,
        blocking_call,
        blocking_poll,
        spawn_storm,
        orphaned,
        ..
    } = options.thresholds;
    let disabled = RULES
        .iter()
        .map(|rule| rule.name().to_owned())
        .filter(|name| !options.is_enabled(name))
        .collect();
    let config = Config {
        long_hold,
        contended_hold,
        wait,
        blocking_call,
        blocking_poll,
        spawn_storm,
        orphaned,
        time_limit,
        disabled,
    };
    rules::audit(run, &config)
}

/// Builds the probe ahead of its first use.
pub fn setup(options: &SetupOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let setup = instrument::SetupOptions {
        target: options.target.clone(),
        offline: options.offline,
        jobs: options.jobs.clone(),
    };
    let setup =
        instrument::setup(&setup, &mut |event| console.build_event(&event)).map_err(build_error)?;
    console.status(
        "Ready",
        &format!("the probe for {} and rustc {} is in {}", setup.target, setup.rustc, setup.folder),
    );
    Ok(())
}

/// Removes what was built.
pub fn clean(options: &CleanOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let args = BuildArgs {
        manifest_path: options.manifest_path.clone(),
        target_dir: options.target_dir.clone(),
        ..BuildArgs::default()
    };
    let rubbish = match (options.probe, options.all) {
        (_, true) => Rubbish::All,
        (true, false) => Rubbish::Probes,
        (false, false) => Rubbish::Builds,
    };
    let removed = instrument::clean(&args, rubbish).map_err(build_error)?;
    if removed.is_empty() {
        let what = match rubbish {
            Rubbish::Builds => "the project has no instrumented build",
            Rubbish::Probes => "the cache has no probe",
            Rubbish::All => "there is neither an instrumented build nor a cached probe",
        };
        console.status("Clean", &format!("already: {what}"));
    }
    for instrument::Removed { folder, what, count } in removed {
        let count = count as u64;
        let what = match what {
            Rubbish::Builds => counted(count, "instrumented build", "instrumented builds"),
            _ => counted(count, "probe for all projects", "probes for all projects"),
        };
        console.status("Removed", &format!("{folder} ({what})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_told_from_nothing_to_audit_and_from_a_failure() {
        let name = || "shopp".to_owned();
        let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
        for (error, code) in [
            (BuildError::FirstPartyNotFound { name: name(), workspace: "/w".into() }, 2),
            (BuildError::CurrentFolder(gone), 2),
            (BuildError::UnsupportedTarget { target: name() }, 2),
            (
                BuildError::PackageNotFound {
                    name: name(),
                    workspace: "/w".into(),
                    suggestion: String::new(),
                },
                4,
            ),
            (BuildError::Metadata { diagnostics: String::new() }, 101),
        ] {
            assert_eq!(build_error(error).process_exit_code(), code);
        }
    }

    #[test]
    fn a_usage_error_keeps_its_cause() {
        let gone = std::io::Error::other("it is gone");
        let error = build_error(BuildError::CurrentFolder(gone));
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("it is gone"));
    }
}
