//! The run of the tests, as the command line asks for it.

use std::{cell::RefCell, num::NonZeroUsize, pin::pin, sync::Arc, time::Duration};

use anyhow::Context as _;

use super::{
    args::{OnDeadlock, TestOptions},
    console::{Console, ProcessState},
    exit::ExpectedError,
    state::{state, verdict},
};
use crate::{
    instrument::Build,
    model::Symboliser,
    run::{
        self, ExecuteOptions, Guard, Interrupts, Listing, RunEvent, TestArguments, TestCase,
        TestRun,
    },
    telemetry::{LookedAt, ProbeOptions, Reach, Registry},
};

/// With `--console`: how long a process that is done waits for somebody to look.
const CONSOLE_WAIT: Duration = Duration::from_secs(60);

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
    let mut arguments = TestArguments::parse(&select.filters, &select.libtest_arguments())
        .map_err(|error| ExpectedError::Usage(error.into()))?;
    arguments.filter.partition = select.partition;
    Ok(arguments)
}

/// The runtime of a run.
pub fn runtime() -> Result<tokio::runtime::Runtime, ExpectedError> {
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
    options: ExecuteOptions,
    console: &mut Console,
) -> Result<Executed, ExpectedError> {
    runtime()?.block_on(async {
        let listing = run::list(&build.binaries, &options.arguments.filter)
            .await
            .map_err(anyhow::Error::from)?;
        run_tests(build, symbols, listing, options, console, true).await
    })
}

/// Runs a single test once more, without a word.
pub fn rerun(
    build: &Build,
    symbols: &Symboliser,
    case: TestCase,
    options: ExecuteOptions,
    console: &mut Console,
) -> Result<Executed, ExpectedError> {
    let listing = Listing { cases: vec![case], skipped: 0, benchmarks: 0, binaries: 1 };
    runtime()?.block_on(run_tests(build, symbols, listing, options, console, false))
}

/// How the tests are to be run.
pub fn execute_options(options: &TestOptions) -> Result<ExecuteOptions, ExpectedError> {
    let mut arguments = test_arguments(options)?;
    arguments.no_capture |= options.run.no_capture;
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
    Ok(ExecuteOptions {
        ends_deadlocked: !options.run.console && options.run.on_deadlock == OnDeadlock::Kill,
        jobs: options.run.test_threads.unwrap_or(jobs),
        time_limit: is_limited.then_some(options.run.time_limit),
        slow_after: options.run.slow_after,
        fail_fast: options.run.fail_fast,
        retries: options.run.retries,
        probe: ProbeOptions {
            console_wait: if options.run.console { CONSOLE_WAIT } else { Duration::ZERO },
            thresholds: options.rules.thresholds,
            ..ProbeOptions::default()
        },
        overrides: options.overrides.clone(),
        arguments,
        ..defaults
    })
}

async fn run_tests(
    build: &Build,
    symbols: &Symboliser,
    listing: Listing,
    options: ExecuteOptions,
    console: &mut Console,
    is_told: bool,
) -> Result<Executed, ExpectedError> {
    let shows_addresses = !options.probe.console_wait.is_zero();
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
        event if is_told => console.borrow_mut().run_event(&event),
        _ => {}
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
