//! Runs test cases, several at once.
//!
//! One task per running test supervises its process and is the only one who
//! knows how it fares. The loop in [`execute`] starts tests, receives what
//! those tasks report, and passes it on as one stream of events: nobody else
//! emits any.

use std::{ffi::OsString, num::NonZeroUsize, panic, sync::Arc, thread, time::Duration};

use nix::unistd::Pid;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

use super::{
    arguments::TestArguments,
    command::{command, program},
    descendants::{Descendant, descendants, end},
    interrupts::{Interrupts, Request},
    list::Listing,
    supervise::{Limits, Stop, Telemetry, supervise},
    types::{RunEvent, TestCase, TestRun},
};
use crate::{
    config::Overrides,
    model::{LeftProcess, Outcome},
    telemetry::{LookedAt, ProbeOptions, Recording, Registry, TOKEN},
};

/// How tests are run.
#[derive(Debug, Clone)]
pub struct ExecuteOptions {
    /// Tests at once, unless `--test-threads` says otherwise.
    pub jobs: NonZeroUsize,
    /// End a test as soon as it is known that it can never go on.
    pub ends_deadlocked: bool,
    /// After this a test is ended; `None`: never.
    pub time_limit: Option<Duration>,
    /// Between asking a process to end (SIGTERM) and ending it (SIGKILL).
    pub grace: Duration,
    /// After it, and whenever twice the time has passed, a running test is reported as slow.
    pub slow_after: Duration,
    /// Start no further test once one has failed.
    pub fail_fast: bool,
    /// How often a test that failed is run again.
    pub retries: u32,
    /// What the probe in every process is told.
    pub probe: ProbeOptions,
    /// What some tests have otherwise.
    pub overrides: Overrides,
    /// What the test binaries are told.
    pub arguments: TestArguments,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        Self {
            jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            ends_deadlocked: true,
            time_limit: Some(Duration::from_secs(60)),
            grace: Duration::from_secs(2),
            slow_after: Duration::from_secs(10),
            fail_fast: false,
            retries: 0,
            probe: ProbeOptions::default(),
            overrides: Overrides::default(),
            arguments: TestArguments::default(),
        }
    }
}

impl ExecuteOptions {
    /// What the probe is told in this test, and the test's time limit.
    pub fn of_test(&self, case: &TestCase) -> (ProbeOptions, Option<Duration>) {
        let mut probe = self.probe;
        let mut time_limit = self.time_limit.unwrap_or_default();
        let path = case.path.as_deref().unwrap_or_default();
        self.overrides.apply(&case.binary.package, path, &mut probe.thresholds, &mut time_limit);
        // Where there is none at all, none is set for a single test.
        (probe, self.time_limit.map(|_| time_limit).filter(|limit| !limit.is_zero()))
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Executed {
    /// In the order of the listing, whatever order they finished in.
    pub runs: Vec<TestRun>,
    /// Tests that were not started: the user interrupted, or `fail_fast`.
    pub not_run: usize,
    /// The user interrupted.
    pub interrupted: bool,
    /// Wall time.
    pub elapsed: Duration,
}

/// Runs the listed tests, each in a process of its own; of one that rests or takes long,
/// `judge` says whether it gets on. Returns when all have
/// ended; an interrupt makes that soon, a second one sooner.
pub async fn execute(
    listing: Listing,
    registry: &Arc<Registry>,
    options: ExecuteOptions,
    interrupts: &mut Interrupts,
    on_event: &mut dyn FnMut(RunEvent<'_>),
    judge: &mut dyn FnMut(&TestCase, &[LookedAt]) -> Verdict,
) -> Executed {
    let Listing { cases, skipped, binaries, .. } = listing;
    let started = Instant::now();
    let jobs = options.arguments.test_threads.unwrap_or(options.jobs).get();
    let fail_fast = options.fail_fast;
    let retries = options.retries as usize;
    let total = cases.len();
    let (slow_sender, mut slow) = mpsc::unbounded_channel();
    let (look_sender, mut looks) = mpsc::unbounded_channel();
    let (question_sender, mut questions) = mpsc::unbounded_channel::<Question>();
    // Of each test that was started: its token, and when.
    let mut starts: Vec<(u64, Instant)> = Vec::new();
    let stop = watch::Sender::new(Stop::No);
    let context = Arc::new(Context {
        registry: Arc::clone(registry),
        options,
        slow: slow_sender,
        questions: question_sender,
        stop: stop.subscribe(),
    });
    on_event(RunEvent::RunStarted { tests: total, binaries, skipped });

    let mut runs: Vec<Option<TestRun>> = Vec::new();
    runs.resize_with(total, || None);
    let mut failed_attempts: Vec<Vec<TestRun>> = Vec::new();
    failed_attempts.resize_with(total, Vec::new);
    let mut running = JoinSet::new();
    let mut next = 0;
    let mut finished = 0;
    let mut has_failed = false;
    loop {
        while next < total
            && running.len() < jobs
            && *stop.borrow() == Stop::No
            && !interrupts.is_pending()
            && !(fail_fast && has_failed)
        {
            let case = cases[next].clone();
            let token = registry.new_token();
            starts.push((token, Instant::now()));
            running.spawn(run_test(next, case, token, Arc::clone(&context)));
            on_event(RunEvent::TestStarted { case: &cases[next] });
            next += 1;
        }
        if running.is_empty() && !interrupts.is_pending() {
            break;
        }
        tokio::select! {
            biased;
            request = interrupts.next() => {
                if request == Request::Look {
                    for (index, (token, _)) in starts.iter().enumerate() {
                        if runs[index].is_none() {
                            look(index, *token, registry, &look_sender);
                        }
                    }
                    continue;
                }
                let level = if *stop.borrow() == Stop::No {
                    on_event(RunEvent::Interrupted);
                    Stop::Terminate
                } else {
                    Stop::Kill
                };
                stop.send_replace(level);
            }
            Some((index, elapsed)) = slow.recv() => {
                // It may have finished while its message was on its way.
                if runs.get(index).is_some_and(Option::is_none) {
                    on_event(RunEvent::TestSlow { case: &cases[index], elapsed });
                }
            }
            Some((index, processes, reply)) = questions.recv() => {
                // It may have finished, and then nobody waits for the answer.
                if runs.get(index).is_some_and(Option::is_none) {
                    let _ = reply.send(judge(&cases[index], &processes));
                }
            }
            Some((index, processes)) = looks.recv() => {
                if runs.get(index).is_some_and(Option::is_none) {
                    on_event(RunEvent::TestLooked {
                        case: &cases[index],
                        elapsed: starts[index].1.elapsed(),
                        processes: &processes,
                    });
                }
            }
            Some(joined) = running.join_next() => {
                let (index, mut run) =
                    joined.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
                let attempts = &mut failed_attempts[index];
                let is_over = matches!(
                    run.outcome,
                    Outcome::Passed | Outcome::Interrupted | Outcome::SpawnFailed
                );
                if !is_over
                    && attempts.len() < retries
                    && *stop.borrow() == Stop::No
                    && !interrupts.is_pending()
                {
                    on_event(RunEvent::TestRetried { run: &run, attempt: attempts.len() + 1 });
                    attempts.push(run);
                    let token = registry.new_token();
                    starts[index] = (token, Instant::now());
                    let case = cases[index].clone();
                    running.spawn(run_test(index, case, token, Arc::clone(&context)));
                    continue;
                }
                run.failed_attempts = std::mem::take(attempts);
                finished += 1;
                has_failed |= run.outcome != Outcome::Passed;
                let run = runs[index].insert(run);
                on_event(RunEvent::TestFinished { run, finished, total });
            }
        }
    }
    on_event(RunEvent::RunFinished);
    Executed {
        runs: runs.into_iter().flatten().collect(),
        not_run: total - next,
        interrupted: *stop.borrow() != Stop::No,
        elapsed: started.elapsed(),
    }
}

/// What every running test shares.
#[derive(Debug)]
struct Context {
    registry: Arc<Registry>,
    options: ExecuteOptions,
    slow: mpsc::UnboundedSender<(usize, Duration)>,
    questions: mpsc::UnboundedSender<Question>,
    stop: watch::Receiver<Stop>,
}

/// Looks at the processes of a test, beside all the rest.
fn look(
    index: usize,
    token: u64,
    registry: &Arc<Registry>,
    sender: &mpsc::UnboundedSender<(usize, Vec<LookedAt>)>,
) {
    let (registry, sender) = (Arc::clone(registry), sender.clone());
    tokio::spawn(async move {
        let _ = sender.send((index, registry.look(token).await));
    });
}

/// What can be said of a test that runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Nothing in it goes on by itself, and what it waits for lives in its process.
    pub is_still: bool,
    /// Who waits for whom, from its body on, and how far each of them has come: the same
    /// as before where none of them got on. `None`: it cannot be seen.
    pub progress: Option<u64>,
}

/// A test's processes, and where to send what is said of them.
type Question = (usize, Vec<LookedAt>, oneshot::Sender<Verdict>);

/// Whom to ask about a test.
#[derive(Debug, Clone)]
struct Inquiry {
    index: usize,
    token: u64,
    registry: Arc<Registry>,
    questions: mpsc::UnboundedSender<Question>,
}

impl Inquiry {
    /// What can be said of the test now.
    async fn verdict(self) -> Verdict {
        let (reply, answer) = oneshot::channel();
        let looks = self.registry.look(self.token).await;
        // At the end of the run nobody asks.
        let _ = self.questions.send((self.index, looks, reply));
        answer.await.unwrap_or_default()
    }
}

/// Returns when the test stands still for good.
async fn stands_still(inquiry: &Inquiry) {
    let mut known = 0;
    loop {
        known = inquiry.registry.stood_still(inquiry.token, known).await;
        if inquiry.clone().verdict().await.is_still {
            return;
        }
    }
}

/// Stays with a test that is over its time limit: for as long as it gets on, up to many
/// times that.
async fn outlasts<F>(limit: Duration, ask: impl Fn() -> F) -> Outcome
where
    F: Future<Output = Verdict>,
{
    /// Of its time limit.
    const TIMES: u32 = 10;
    let pause = (limit / 4).clamp(Duration::from_millis(200), Duration::from_secs(5));
    let end = Instant::now() + limit * (TIMES - 1);
    let mut known = ask().await.progress;
    let mut since = None;
    loop {
        if known.is_none() {
            return Outcome::TimedOut;
        }
        tokio::time::sleep(pause).await;
        let progress = ask().await.progress;
        if progress != known {
            known = progress;
            since = Some(Instant::now());
        } else if since.is_none_or(|since| since.elapsed() >= limit) {
            return Outcome::TimedOut;
        }
        if Instant::now() >= end {
            return Outcome::TooSlow;
        }
    }
}

async fn run_test(
    index: usize,
    case: TestCase,
    token: u64,
    context: Arc<Context>,
) -> (usize, TestRun) {
    let Context { registry, options, slow, stop, questions } = &*context;
    let mut command = command(&case.binary);
    match &case.path {
        Some(path) => {
            // Our pipe captures; libtest's own capturing would lose what a
            // dying process had printed.
            command.args(["--exact", path, "--nocapture"]);
            if case.ignored {
                command.arg("--ignored");
            }
            command.args(&options.arguments.passthrough);
        }
        None => {
            command.args(&options.arguments.raw);
        }
    }
    let (probe, time_limit) = options.of_test(&case);
    command.envs(registry.environment(token, &probe));
    let limits = Limits { time_limit, grace: options.grace, slow_after: options.slow_after };
    let inquiry =
        Inquiry { index, token, registry: Arc::clone(registry), questions: questions.clone() };
    let hopeless = async {
        if !options.ends_deadlocked {
            return std::future::pending().await;
        }
        tokio::select! {
            () = registry.knotted(token) => Outcome::Deadlocked,
            () = stands_still(&inquiry) => Outcome::Hung,
        }
    };
    let overdue = outlasts(time_limit.unwrap_or_default(), || inquiry.clone().verdict());
    let is_for_console = !options.probe.console_wait.is_zero();
    let last_words = async {
        // A process that is done, and was there for the console only, ends as it would
        // have; that drops this future.
        if is_for_console && registry.release(token).await {
            tokio::time::sleep(options.grace).await;
        }
        registry.snapshot(token).await;
    };
    let ended = supervise(
        command,
        &program(&case.binary),
        !options.arguments.no_capture,
        limits,
        stop.clone(),
        |elapsed| {
            let _ = slow.send((index, elapsed));
        },
        Telemetry { hopeless, overdue, last_words },
    )
    .await;
    let left = match ended.pid {
        Some(pid) => find_left(registry, token, pid, ended.outcome).await,
        None => Vec::new(),
    };
    let recordings = registry.finish(token, ended.pid).await;
    let recordings = recordings.into_iter().map(Recording::pack).collect();
    let run = TestRun {
        seed: options.probe.shake,
        case,
        outcome: ended.outcome,
        exit_code: ended.exit_code,
        duration: ended.duration,
        output: ended.output,
        recordings,
        left,
        failed_attempts: Vec::new(),
    };
    (index, run)
}

/// What descends from a test that has ended and lives on, out of its process group. It is
/// ended if we ended the test.
async fn find_left(
    registry: &Registry,
    token: u64,
    pid: u32,
    outcome: Outcome,
) -> Vec<LeftProcess> {
    /// Looks at what may be about to end by itself, or was killed a moment ago.
    const LOOKS: u32 = 10;
    const PAUSE: Duration = Duration::from_millis(20);
    let leader = Pid::from_raw(pid.cast_signed());
    let mark = registry.mark();
    let look = move || {
        let token = OsString::from(token.to_string());
        let variables = [(mark.0.as_ref(), &*mark.1), (TOKEN.as_ref(), &*token)];
        // The group has been killed.
        let others = descendants(&variables, Some(leader));
        others.into_iter().filter(|it| it.group != leader).collect::<Vec<Descendant>>()
    };
    let is_ended = outcome.is_ended_by_us();
    let mut left = look();
    for found in left.iter().filter(|_| is_ended) {
        end(found);
    }
    for _ in 0..if is_ended { 0 } else { LOOKS } {
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        left = look();
    }
    left.into_iter()
        .map(|found| LeftProcess {
            pid: found.pid.as_raw().cast_unsigned(),
            command: found.command,
            is_ended,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use nix::{errno::Errno, sys::signal::kill};

    use std::{cell::Cell, future::ready};

    use super::*;
    use crate::{
        run::{arguments::TestFilter, list::list, testing::script_binary},
        telemetry::{
            Address, Reach,
            fake_probe::FakeProbe,
            proto::{Knot, Update},
        },
    };

    fn listing(scripts: &[(&str, &str)]) -> Listing {
        let cases = scripts
            .iter()
            .map(|(id, script)| TestCase {
                binary: script_binary(id, false, script),
                path: None,
                ignored: false,
            })
            .collect();
        Listing { cases, ..Listing::default() }
    }

    fn impatient(grace: Duration) -> ExecuteOptions {
        ExecuteOptions {
            jobs: NonZeroUsize::new(4).unwrap(),
            time_limit: Some(Duration::from_millis(800)),
            grace,
            ..ExecuteOptions::default()
        }
    }

    /// Nothing can be said of anybody.
    fn unseen(_: &TestCase, _: &[LookedAt]) -> Verdict {
        Verdict::default()
    }

    async fn run(listing: Listing, options: ExecuteOptions) -> Executed {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (_sender, mut interrupts) = Interrupts::by_hand();
        execute(listing, &registry, options, &mut interrupts, &mut |_| {}, &mut unseen).await
    }

    async fn run_one(script: &str, options: ExecuteOptions) -> TestRun {
        run(listing(&[("one", script)]), options).await.runs.pop().unwrap()
    }

    /// The first of those that tests get.
    fn address(registry: &Registry) -> Address {
        let (_, value) = registry.mark();
        let first = value.to_str().unwrap().split('\t').next().unwrap().to_owned();
        Address::parse(first.as_bytes()).unwrap()
    }

    fn printed(run: &TestRun) -> String {
        String::from_utf8_lossy(&run.output).into_owned()
    }

    fn pid_printed(run: &TestRun) -> Pid {
        Pid::from_raw(printed(run).trim().parse().unwrap())
    }

    /// Dead, or a zombie that its new parent has not reaped yet.
    async fn assert_dies(pid: Pid) {
        for _ in 0..500 {
            let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if kill(pid, None) == Err(Errno::ESRCH) || stat.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} lives on");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn results_come_in_listing_order_with_their_outcomes() {
        let executed = run(
            listing(&[
                ("slow", "sleep 0.2; exit 0"),
                ("failing", "exit 3"),
                ("aborting", "kill -ABRT $$"),
            ]),
            ExecuteOptions::default(),
        )
        .await;
        let results: Vec<_> = executed
            .runs
            .iter()
            .map(|run| (run.case.full_name(), run.outcome, run.exit_code))
            .collect();
        assert_eq!(
            results,
            [
                ("slow".to_owned(), Outcome::Passed, Some(0)),
                ("failing".to_owned(), Outcome::Failed, Some(3)),
                ("aborting".to_owned(), Outcome::Signalled(6), None),
            ]
        );
        assert!(!executed.interrupted);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_test_gets_its_arguments_and_its_environment() {
        let binary = script_binary(
            "lib",
            true,
            r#"echo "$*"; echo "$MINE $PWD"; test -n "$__CARGO_CONCAUDIT_REGISTRY" && env | grep -c __CARGO_CONCAUDIT_ >&2"#,
        );
        let case = TestCase { binary, path: Some("a::b".to_owned()), ignored: true };
        let arguments = TestArguments::parse(
            &["a".to_owned()],
            &["--report-time".to_owned(), "--skip".to_owned(), "x".to_owned()],
        );
        let options = ExecuteOptions { arguments: arguments.unwrap(), ..ExecuteOptions::default() };
        let listing = Listing { cases: vec![case], ..Listing::default() };
        let executed = run(listing, options.clone()).await;
        assert_eq!(
            printed(&executed.runs[0]),
            "--exact a::b --nocapture --ignored --report-time\nyes /\n3\n"
        );
        assert_eq!(printed(&run_one("echo $*", options).await), "a --report-time --skip x\n");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_real_libtest_binary_is_listed_and_run_test_by_test() {
        let mut binary = Arc::into_inner(script_binary("own", true, "")).unwrap();
        binary.runner.clear();
        binary.exe = std::env::current_exe().unwrap().try_into().unwrap();
        let filter = TestFilter {
            patterns: vec!["run::output::tests::".to_owned()],
            ..TestFilter::default()
        };
        let listing = list(&[Arc::new(binary)], &filter).await.unwrap();
        assert_eq!(listing.cases.len(), 2);
        assert!(listing.skipped > 20);
        let executed = run(listing, ExecuteOptions::default()).await;
        for run in &executed.runs {
            assert_eq!(run.outcome, Outcome::Passed);
            assert!(printed(run).contains("running 1 test\n"), "{}", printed(run));
            assert!(run.recordings.is_empty(), "it was not built with the probe");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_program_that_is_not_there_is_reported() {
        let mut binary = Arc::into_inner(script_binary("gone", false, "")).unwrap();
        binary.runner.clear();
        let case = TestCase { binary: Arc::new(binary), path: None, ignored: false };
        let listing = Listing { cases: vec![case], ..Listing::default() };
        let executed = run(listing, ExecuteOptions::default()).await;
        assert_eq!(executed.runs[0].outcome, Outcome::SpawnFailed);
        assert!(printed(&executed.runs[0]).contains("failed to start `/no/such/executable`"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn megabytes_of_output_never_block_a_test() {
        let run = run_one(
            "echo first; head -c 8000000 /dev/zero | tr '\\0' x; echo; echo last >&2",
            ExecuteOptions::default(),
        )
        .await;
        assert_eq!(run.outcome, Outcome::Passed);
        assert!(run.output.len() < 1_100_000);
        let output = printed(&run);
        assert!(output.starts_with("first\n") && output.ends_with("\nlast\n"));
        assert!(output.contains("bytes of output left out"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_child_that_holds_the_pipe_is_killed_with_its_group() {
        let run = run_one("sleep 1000 & echo $!", ExecuteOptions::default()).await;
        assert_eq!(run.outcome, Outcome::Passed);
        assert_dies(pid_printed(&run)).await;
    }

    /// Returns when the child leads a session of its own: then it is another group's.
    const LEAVES_THE_GROUP: &str = r#"
        setsid sleep 1000 & child=$!
        until test "$(cut -d' ' -f6 /proc/$child/stat)" = $child; do sleep 0.01; done
        echo $child
    "#;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_child_that_left_the_group_hangs_nobody_and_lives() {
        let run = run_one(LEAVES_THE_GROUP, ExecuteOptions::default()).await;
        assert_eq!(run.outcome, Outcome::Passed);
        let daemon = pid_printed(&run);
        assert_eq!(kill(daemon, nix::sys::signal::Signal::SIGKILL), Ok(()), "it was alive");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_test_over_its_time_limit_is_asked_to_end_then_ended() {
        let polite = "trap 'echo asked; exit 0' TERM; echo $$ >&2; while :; do sleep 0.01; done";
        let run = run_one(polite, impatient(Duration::from_secs(30))).await;
        assert_eq!((run.outcome, run.exit_code), (Outcome::TimedOut, None));
        assert!(printed(&run).ends_with("asked\n"), "{}", printed(&run));

        let deaf = "trap '' TERM; echo $$; while :; do sleep 0.01; done";
        let run = run_one(deaf, impatient(Duration::from_millis(100))).await;
        assert_eq!(run.outcome, Outcome::TimedOut);
        assert_dies(pid_printed(&run)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_test_over_its_time_limit_leaves_a_snapshot() {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (_sender, mut interrupts) = Interrupts::by_hand();
        // The first test of a run: it announces itself, so to speak.
        let mut probe = FakeProbe::start(&address(&registry), 1, 42);
        let dying = tokio::spawn(async move {
            probe.snapshot_taken().await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            probe.kill();
        });
        let options = ExecuteOptions {
            time_limit: Some(Duration::from_millis(100)),
            ..ExecuteOptions::default()
        };
        let hanging = listing(&[("hanging", "sleep 1000")]);
        let mut executed =
            execute(hanging, &registry, options, &mut interrupts, &mut |_| {}, &mut unseen).await;
        dying.await.unwrap();
        let recording = executed.runs.remove(0).recordings.remove(0).unpack();
        assert_eq!(recording.snapshot_ns, Some(FakeProbe::SNAPSHOT_NS));
        assert!(recording.truncated);
    }

    async fn run_knotted(ends_deadlocked: bool, script: &str) -> (Outcome, usize) {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (_sender, mut interrupts) = Interrupts::by_hand();
        let probe = FakeProbe::start(&address(&registry), 1, 42);
        probe.send(Update { sequence: 1, knots: vec![Knot::default()], ..Update::default() });
        let options = ExecuteOptions { ends_deadlocked, ..ExecuteOptions::default() };
        let dying = tokio::spawn({
            let mut probe = probe;
            async move {
                if ends_deadlocked {
                    probe.snapshot_taken().await;
                }
                probe.acknowledged(1).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
                probe.kill();
            }
        });
        let listing = listing(&[("knotted", script)]);
        let mut executed =
            execute(listing, &registry, options, &mut interrupts, &mut |_| {}, &mut unseen).await;
        dying.await.unwrap();
        let mut run = executed.runs.remove(0);
        (run.outcome, run.recordings.remove(0).unpack().knots.len())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_deadlocked_test_is_ended_unless_the_user_wants_to_wait() {
        assert_eq!(run_knotted(true, "sleep 1000").await, (Outcome::Deadlocked, 1));
        assert_eq!(run_knotted(false, "sleep 0.2").await, (Outcome::Passed, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_interrupt_ends_what_runs_and_starts_nothing_more() {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (interrupt, mut interrupts) = Interrupts::by_hand();
        let deaf = "trap '' TERM; while :; do sleep 0.01; done";
        let options = ExecuteOptions {
            jobs: NonZeroUsize::new(2).unwrap(),
            grace: Duration::from_secs(1000),
            ..ExecuteOptions::default()
        };
        let (mut started, mut told) = (0, 0);
        let listing = listing(&[("deaf", deaf), ("deaf too", deaf), ("never", "exit 0")]);
        let mut on_event = |event: RunEvent<'_>| {
            if matches!(event, RunEvent::TestStarted { .. }) {
                started += 1;
                if started == 2 {
                    // The second one overrides the grace that is never over.
                    interrupt.send(Request::Stop).unwrap();
                    interrupt.send(Request::Stop).unwrap();
                }
            }
            told += usize::from(matches!(event, RunEvent::Interrupted));
        };
        let executed =
            execute(listing, &registry, options, &mut interrupts, &mut on_event, &mut unseen).await;
        let outcomes: Vec<_> = executed.runs.iter().map(|run| run.outcome).collect();
        assert_eq!(outcomes, [Outcome::Interrupted; 2]);
        assert_eq!(executed.not_run, 1);
        assert!(executed.interrupted);
        assert_eq!(told, 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn slow_tests_are_told_of_while_they_run() {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (_sender, mut interrupts) = Interrupts::by_hand();
        let options =
            ExecuteOptions { slow_after: Duration::from_millis(20), ..ExecuteOptions::default() };
        let (mut events, mut slow) = (Vec::new(), 0);
        execute(
            listing(&[("slow", "sleep 0.3")]),
            &registry,
            options,
            &mut interrupts,
            &mut |event| {
                events.push(match event {
                    RunEvent::RunStarted { .. } => "run started",
                    RunEvent::TestStarted { .. } => "started",
                    RunEvent::TestSlow { .. } => {
                        slow += 1;
                        "slow"
                    }
                    RunEvent::TestLooked { .. } => "looked at",
                    RunEvent::TestRetried { .. } => "retried",
                    RunEvent::TestFinished { .. } => "finished",
                    RunEvent::Interrupted => "interrupted",
                    RunEvent::RunFinished => "run finished",
                });
            },
            &mut unseen,
        )
        .await;
        events.dedup();
        assert_eq!(events, ["run started", "started", "slow", "finished", "run finished"]);
        assert!(slow < 10, "{slow} times, at 20 ms, 40 ms, 80 ms, ...");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_test_that_runs_is_looked_at_and_goes_on() {
        let registry = Arc::new(Registry::bind(Reach::Auditor).unwrap());
        let (requests, mut interrupts) = Interrupts::by_hand();
        let done = tempfile::NamedTempFile::new().unwrap();
        let waiting = format!("while test -e {}; do sleep 0.01; done", done.path().display());
        let mut looks = Vec::new();
        let mut done = Some(done);
        let executed = execute(
            listing(&[("waiting", &waiting)]),
            &registry,
            ExecuteOptions::default(),
            &mut interrupts,
            &mut |event| match event {
                RunEvent::TestStarted { .. } => requests.send(Request::Look).unwrap(),
                RunEvent::TestLooked { case, processes, .. } => {
                    looks.push((case.full_name(), processes.len()));
                    drop(done.take());
                }
                _ => {}
            },
            &mut unseen,
        )
        .await;
        assert_eq!(looks, [("waiting".to_owned(), 0)], "it has not announced itself");
        assert_eq!(executed.runs[0].outcome, Outcome::Passed);
        assert!(!executed.interrupted);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_test_that_fails_is_run_again_until_it_passes_or_there_were_enough() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let flaky = format!("mkdir {0} 2>/dev/null && exit 1; exit 0", mark.display());
        let options = ExecuteOptions { retries: 2, ..ExecuteOptions::default() };
        let scripts = [("flaky", flaky.as_str()), ("failing", "exit 1"), ("passing", "exit 0")];
        let executed = run(listing(&scripts), options).await;
        let runs: Vec<_> =
            executed.runs.iter().map(|run| (run.outcome, run.failed_attempts.len())).collect();
        assert_eq!(runs, [(Outcome::Passed, 1), (Outcome::Failed, 2), (Outcome::Passed, 0)]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn fail_fast_starts_no_test_after_a_failure() {
        let options = ExecuteOptions {
            jobs: NonZeroUsize::MIN,
            fail_fast: true,
            ..ExecuteOptions::default()
        };
        let scripts = [("passing", "exit 0"), ("failing", "exit 1"), ("later", "exit 0")];
        let executed = run(listing(&scripts), options).await;
        assert_eq!((executed.runs.len(), executed.not_run), (2, 1));
    }

    /// What becomes of a test over a limit of a second, of which each look shows this.
    async fn outlasting(progress: impl Fn(u64) -> Option<u64>) -> (Outcome, u64) {
        let (looks, started) = (Cell::new(0), Instant::now());
        let ask = || {
            looks.set(looks.get() + 1);
            ready(Verdict { progress: progress(looks.get()), ..Verdict::default() })
        };
        let outcome = outlasts(Duration::from_secs(1), ask).await;
        (outcome, started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_test_goes_on_beyond_its_time_limit_for_as_long_as_it_gets_on() {
        assert_eq!(outlasting(|_| None).await, (Outcome::TimedOut, 0));
        assert_eq!(outlasting(|_| Some(7)).await, (Outcome::TimedOut, 0));
        assert_eq!(outlasting(Some).await, (Outcome::TooSlow, 9));
        // It gets on for eight looks, two seconds, and then it does not for one.
        assert_eq!(outlasting(|look| Some(look.min(9))).await, (Outcome::TimedOut, 3));
    }
}
