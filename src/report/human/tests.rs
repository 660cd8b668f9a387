//! What a person sees, for a finding of each rule. The findings serve the tests
//! of the neighbours as well.

use std::time::Duration;

use super::{stack::crate_of, *};
use crate::{
    finding::{
        Confidence, Details, Finding, HungLock, HungParty, HungProcess, HungThread, HungWait,
        LabelledStack, Location, Origin, Role, Severity, StackFrame, Suppression, fingerprint,
    },
    report::{
        assemble::{Parts, assemble},
        source::span_of,
        summary::{Coverage, ProjectInfo, Report, TestOutcome, TestReport},
    },
};

const CLIENT: &str = "\
use tokio::sync::{mpsc, Mutex};

pub struct Client {
    requests: mpsc::Sender<Request>,
}

impl Client {
    pub fn connect() -> Self {
        let (requests, mut incoming) = mpsc::channel(16);
        tokio::spawn(async move {
            let keep_alive = requests.clone();
            while let Some(request) = incoming.recv().await {
                answer(request, &keep_alive).await;
            }
        });
        Self { requests }
    }
}
";

const BANK: &str = "\
pub async fn transfer(from: &Account, to: &Account, amount: u64) {
    let mut source = from.balance.lock().await;
    let mut target = to.balance.lock().await;
    *source -= amount;
    *target += amount;
}

pub async fn audit(first: &Account, second: &Account) {
    let second = second.balance.lock().await;
    let first = first.balance.lock().await;
}
";

pub fn sources(file: &str) -> Option<String> {
    match file {
        "src/client.rs" => Some(CLIENT.to_owned()),
        "src/bank.rs" => Some(BANK.to_owned()),
        "src/pool.rs" => Some(POOL.to_owned()),
        _ => None,
    }
}

const PLAIN: HumanOptions = HumanOptions { color: false, verbose: false, width: 100 };
const VERBOSE: HumanOptions = HumanOptions { verbose: true, ..PLAIN };

fn place(file: &str, line: u32, column: u32, label: &str, role: Role) -> Location {
    Location {
        file: file.to_owned(),
        absolute_path: None,
        line,
        column: Some(column),
        function: String::new(),
        label: label.to_owned(),
        role,
    }
}

fn ours(function: &str, file: &str, line: u32) -> StackFrame {
    StackFrame {
        function: function.to_owned(),
        file: Some(file.to_owned()),
        absolute_path: None,
        line: Some(line),
        first_party: true,
    }
}

fn theirs(function: &str) -> StackFrame {
    StackFrame {
        function: function.to_owned(),
        file: None,
        absolute_path: None,
        line: None,
        first_party: false,
    }
}

/// A comment for which a finding does not count.
pub fn suppression() -> Suppression {
    Suppression {
        reason: "it lives as long as the process".to_owned(),
        owner: Some("the pool team".to_owned()),
        until: Some("2027-01-31".to_owned()),
        file: "src/lib.rs".to_owned(),
        line: 7,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn lingering_task() -> Finding {
    Finding {
        rule: "lingering-task".to_owned(),
        severity: Severity::Error,
        confidence: Confidence::Observed,
        origin: Origin::Library,
        message: "task spawned by `Client::connect` never ends: it waits for a channel that \
                  nobody will send to"
            .to_owned(),
        fingerprint: fingerprint("lingering-task", &["shop::client::Client::connect"]),
        locations: vec![
            place("src/client.rs", 10, 9, "task spawned here", Role::Primary),
            place("src/client.rs", 12, 48, "and stuck here", Role::Secondary),
        ],
        stacks: vec![LabelledStack {
            label: "await stack of the task".to_owned(),
            frames: vec![
                theirs("tokio::sync::mpsc::list::Rx<T>::pop"),
                theirs("tokio::sync::mpsc::chan::Rx<T, S>::recv"),
                theirs("<core::future::poll_fn::PollFn<F> as core::future::Future>::poll"),
                theirs("tokio::sync::mpsc::bounded::Receiver<T>::recv::{async_fn#0}"),
                ours("shop::client::Client::connect::{async_block#0}", "src/client.rs", 12),
                theirs("<tracing::instrument::Instrumented<T> as core::future::Future>::poll"),
                theirs("tokio::runtime::task::core::Core<T, S>::poll"),
                theirs("<hyper::proto::Dispatcher as core::future::Future>::poll"),
                theirs("std::panicking::try"),
            ],
        }],
        notes: names(&[
            "idle for 1.2 s when the runtime was dropped",
            "1 waker is left, held by the channel",
            "3 tasks that it spawned linger with it",
        ]),
        minor_notes: vec![],
        help: "let the task end when the client is dropped: keep no sender inside it, or abort it \
               by a `JoinSet` or an `AbortHandle` in `Drop`"
            .to_owned(),
        tests: names(&[
            "shop client::tests::answers",
            "shop client::tests::connects",
            "shop client::tests::retries",
            "shop::api orders",
        ]),
        occurrences: 5,
        variants: vec![],
        further_occurrences: 0,
        details: Details::LingeringTask {
            task_kind: "task".to_owned(),
            task_name: None,
            idle_ms: 1_200,
            waits_for: names(&["mpsc channel"]),
            wakers: 1,
            due_in_ms: None,
            descendants: 3,
            ended_by: "runtime-shutdown".to_owned(),
            owner: None,
            aborted_ms: None,
            shutdown_waited_ms: None,
        },
        suppressed: vec![],
        baseline: None,
    }
}

pub fn lock_order_cycle() -> Finding {
    Finding {
        rule: "lock-order-cycle".to_owned(),
        severity: Severity::Error,
        confidence: Confidence::Likely,
        origin: Origin::Library,
        message: "two `Mutex`es are locked in both orders: these tasks can deadlock".to_owned(),
        fingerprint: fingerprint(
            "lock-order-cycle",
            &["shop::bank::transfer", "shop::bank::audit"],
        ),
        locations: vec![
            place("src/bank.rs", 3, 33, "task A then waits for lock 2", Role::Primary),
            place("src/bank.rs", 2, 35, "task A locks lock 1", Role::Secondary),
            place("src/bank.rs", 9, 33, "task B locks lock 2", Role::Secondary),
            place("src/bank.rs", 10, 31, "task B then waits for lock 1", Role::Secondary),
            place("src/generated.rs", 7, 5, "lock 1 created here", Role::Secondary),
        ],
        stacks: vec![],
        notes: names(&["no other lock is held at both places, so nothing keeps them apart"]),
        minor_notes: vec![],
        help: "lock both in one order everywhere, by account number for one".to_owned(),
        tests: names(&["shop bank::tests::both_ways"]),
        occurrences: 1,
        variants: vec![],
        further_occurrences: 0,
        details: Details::LockOrderCycle {
            confirmed_in: None,
            locks: names(&["Mutex created at src/generated.rs:7:5", "Mutex"]),
            on_instances: true,
        },
        suppressed: vec![],
        baseline: None,
    }
}

pub fn long_held_lock() -> Finding {
    Finding {
        rule: "long-held-lock".to_owned(),
        severity: Severity::Warning,
        confidence: Confidence::Observed,
        origin: Origin::Test,
        message: "tokio `Mutex` held for 1.5 s".to_owned(),
        fingerprint: fingerprint("long-held-lock", &["shop::bank::transfer"]),
        locations: vec![Location {
            column: None,
            ..place("src/bank.rs", 2, 1, "locked here", Role::Primary)
        }],
        stacks: vec![LabelledStack {
            label: "stack of the holder's longest await".to_owned(),
            frames: vec![
                theirs("tokio::time::sleep::Sleep::poll"),
                ours("shop::bank::transfer::{async_fn#0}", "src/bank.rs", 3),
            ],
        }],
        notes: names(&["the holder awaited for 1.4 s meanwhile"]),
        minor_notes: vec![],
        help: "drop the guard before the slow await".to_owned(),
        tests: names(&["shop bank::tests::slow", "shop bank::tests::slower"]),
        occurrences: 2,
        variants: vec![],
        further_occurrences: 0,
        details: Details::LongHeldLock {
            lock: "tokio Mutex".to_owned(),
            held_ms: 1_500,
            waited_ms: 0,
            awaited_ms: 1_400,
        },
        suppressed: vec![],
        baseline: None,
    }
}

/// A server that is joined while its channel is open, before others that wait.
pub fn hung_test() -> Finding {
    let frames = |functions: &[(&str, &str, u32)]| {
        functions.iter().map(|(function, file, line)| ours(function, file, *line)).collect()
    };
    let waits = |what: &str, at: &[(&str, &str, u32)], on: Vec<HungParty>| HungWait {
        what: what.to_owned(),
        frames: frames(at),
        due_in_ms: None,
        relation: if what.contains("Mutex") { "held by" } else { "" }.to_owned(),
        on,
    };
    let party = |who: &str, spawned_at: Option<&str>, count, waits| HungParty {
        who: who.to_owned(),
        count,
        spawned_at: spawned_at.map(str::to_owned),
        state: "waiting".to_owned(),
        for_ms: Some(59_900),
        polls: 2,
        is_told_above: false,
        waits,
    };
    let server = party(
        "task 12",
        Some("src/client.rs:10"),
        1,
        vec![waits(
            "waits for data on an mpsc channel",
            &[("shop::client::Client::connect::{{closure}}", "src/client.rs", 12)],
            Vec::new(),
        )],
    );
    let body = HungParty {
        waits: vec![waits(
            "waits for a task to finish",
            &[
                ("shop::client::Client::stop::{{closure}}", "src/client.rs", 16),
                ("orders::it_stops::{{closure}}", "tests/orders.rs", 9),
            ],
            vec![server],
        )],
        ..party("the test's body", None, 1, Vec::new())
    };
    let others = party(
        "task 14",
        Some("src/pool.rs:5"),
        40,
        vec![waits(
            "waits for tokio Mutex created at src/pool.rs:2:9",
            &[("shop::pool::Pool::refill::{{closure}}", "src/pool.rs", 3)],
            vec![HungParty { is_told_above: true, ..party("task 12", None, 1, Vec::new()) }],
        )],
    );
    let thread = |name: &str, does: &str, cpu_ms| HungThread {
        name: name.to_owned(),
        os_thread: 7,
        does: does.to_owned(),
        cpu_ms,
        frames: Vec::new(),
    };
    let process = HungProcess {
        age_ms: 60_010,
        parties: vec![body, others],
        threads: vec![
            thread("it_stops", "parked, until the test's body or one of its tasks is woken", 3),
            HungThread {
                frames: frames(&[("shop::pool::read", "src/pool.rs", 4)]),
                ..thread("reader", "blocked in the system call `read`", 0)
            },
        ],
        idle_threads: 3,
        locks: vec![HungLock {
            lock: "tokio Mutex created at src/pool.rs:2:9".to_owned(),
            holder: "the task spawned at src/client.rs:10".to_owned(),
            held_ms: 59_950,
            taken_at: Some("src/client.rs:11".to_owned()),
        }],
        is_still: true,
    };
    let primary = "the task spawned at src/client.rs:10 waits for data on an mpsc channel here";
    Finding {
        rule: "hung-test".to_owned(),
        severity: Severity::Error,
        confidence: Confidence::Observed,
        origin: Origin::Library,
        message: "test `it_stops` did not end within 60 s: it waits at src/client.rs:16 for the \
                  task spawned at src/client.rs:10, which waits for data on an mpsc channel at \
                  src/client.rs:12"
            .to_owned(),
        fingerprint: fingerprint("hung-test", &["shop::client::Client::connect"]),
        locations: vec![
            place("src/client.rs", 12, 45, primary, Role::Primary),
            place("src/client.rs", 10, 9, "spawned here", Role::Secondary),
        ],
        stacks: Vec::new(),
        notes: names(&[
            "nothing ran and no timer was pending: it would never have ended by itself",
        ]),
        minor_notes: vec![],
        help: "a receiver goes on until every sender is dropped".to_owned(),
        tests: names(&["shop::orders it_stops"]),
        occurrences: 1,
        variants: vec![],
        further_occurrences: 0,
        details: Details::HungTest { limit_ms: 60_000, process },
        suppressed: vec![],
        baseline: None,
    }
}

const POOL: &str = "\
pub fn start(&self) -> JoinHandle<()> {
    let queue = self.queue.lock().unwrap();
    self.refill(&queue).await;
    thread::sleep(Duration::from_millis(50));
    thread::spawn(move || work(receiver))
}
";

/// A finding of each rule that judges blocking locks, threads and what is left.
fn of_blocking_code() -> Vec<Finding> {
    let finding = |rule: &str, severity, message: &str, places: &[(u32, u32, &str)], details| {
        let role = |at| if at == 0 { Role::Primary } else { Role::Secondary };
        let places = places.iter().enumerate();
        Finding {
            rule: rule.to_owned(),
            severity,
            confidence: Confidence::Observed,
            origin: Origin::Library,
            message: message.to_owned(),
            fingerprint: fingerprint(rule, &["shop::pool::Pool::start"]),
            locations: places
                .map(|(at, (line, column, label))| {
                    place("src/pool.rs", *line, *column, label, role(at))
                })
                .collect(),
            stacks: vec![LabelledStack {
                label: "stack of the thread".to_owned(),
                frames: vec![ours("shop::pool::Pool::start", "src/pool.rs", 4)],
            }],
            notes: names(&["called by thread `worker` spawned at src/pool.rs:5:5"]),
            minor_notes: vec![],
            help: "see the page".to_owned(),
            tests: names(&["shop pool::tests::works"]),
            occurrences: 1,
            variants: vec![],
            further_occurrences: 0,
            details,
            suppressed: vec![],
            baseline: None,
        }
    };
    let sleep = "`thread::sleep` by `Pool::start` blocks the thread of a task for 50 ms";
    let across = "std Mutex created at src/pool.rs:9:9 is held by `Pool::start` across an await";
    let again = "std Mutex created at src/pool.rs:9:9 is taken again by `Pool::refill` while it is \
                 held: it waits for itself for ever";
    let thread = "thread `worker` spawned by `Pool::start` was still running, blocked in \
                  `Receiver::recv`, when the process exited";
    let child = "child process `redis` spawned by `Pool::start` was still running when the process \
                 exited";
    vec![
        finding(
            "blocking-call",
            Severity::Warning,
            sleep,
            &[(4, 13, "blocks its thread for 50 ms here")],
            Details::BlockingCall {
                operation: "thread::sleep".to_owned(),
                blocked_ms: 50,
                task_kind: "task".to_owned(),
                runtime: None,
                others: None,
            },
        ),
        finding(
            "blocking-poll",
            Severity::Error,
            "`Pool::start` blocks the thread of a task for 240 ms in `read`",
            &[(4, 13, "blocks its thread for 240 ms in `read` here")],
            Details::BlockingPoll {
                took_ms: 240,
                cpu_percent: 3,
                system_call: Some("read".to_owned()),
                kept_waiting: 2,
                task_kind: "task".to_owned(),
            },
        ),
        finding(
            "lock-across-await",
            Severity::Warning,
            across,
            &[(2, 28, "std Mutex taken here"), (3, 25, "and still held at this await")],
            Details::LockAcrossAwait { lock: "std Mutex".to_owned() },
        ),
        finding(
            "recursive-lock",
            Severity::Error,
            again,
            &[(3, 10, "waits for the std Mutex here, for ever"), (2, 28, "std Mutex taken here")],
            Details::RecursiveLock {
                held: "std Mutex".to_owned(),
                wanted: "std Mutex".to_owned(),
                waits: true,
                has_writer: true,
            },
        ),
        finding(
            "leaked-thread",
            Severity::Warning,
            thread,
            &[(5, 5, "thread spawned here")],
            Details::LeakedThread {
                what: "thread".to_owned(),
                thread_name: Some("worker".to_owned()),
                blocked_in: Some("Receiver::recv".to_owned()),
                threads: 1,
            },
        ),
        finding(
            "leaked-handle",
            Severity::Warning,
            child,
            &[(5, 5, "child process spawned here")],
            Details::LeakedHandle {
                command: Some("redis".to_owned()),
                state: "running".to_owned(),
                file_kind: None,
                file_name: None,
            },
        ),
    ]
}

fn test(name: &str) -> TestReport {
    TestReport {
        name: name.to_owned(),
        binary: "shop".to_owned(),
        outcome: TestOutcome::Passed,
        exit_code: None,
        signal: None,
        attempts: 1,
        duration_ms: 12,
        peak_tasks: 3,
        polls: None,
        lock_waits: None,
        lock_holds: None,
        processes: 1,
        truncated: false,
        cut_off: vec![],
        left_processes: vec![],
    }
}

fn parts(findings: Vec<Finding>) -> Parts {
    Parts {
        findings,
        tests: (0..42).map(|number| test(&format!("tests::number_{number:02}"))).collect(),
        tasks: 1_203,
        locks: 88,
        acquisitions: 1_000_310,
        build: Duration::from_millis(12_345),
        test: Duration::from_millis(905),
        ..Parts::default()
    }
}

fn report(parts: Parts) -> Report {
    let project =
        ProjectInfo { name: "shop".to_owned(), packages: names(&["shop"]), folder: String::new() };
    Report {
        // The version of the day is no part of any snapshot.
        tool: crate::report::summary::Tool {
            name: "cargo-concaudit".to_owned(),
            version: "0.0.0".to_owned(),
        },
        ..assemble(project, parts)
    }
}

#[test]
fn a_test_that_hangs_shows_who_waits_for_whom() {
    insta::assert_snapshot!(render_finding(&hung_test(), &sources, PLAIN));
}

pub fn report_of_every_rule() -> Report {
    let note = Finding {
        severity: Severity::Note,
        origin: Origin::Test,
        message: "task spawned by the test `orders` outlives it".to_owned(),
        ..lingering_task()
    };
    let mut parts = parts(vec![lingering_task(), lock_order_cycle(), long_held_lock(), note]);
    parts.tests.truncate(1);
    parts.coverage = Coverage {
        instrumented: names(&["tokio 1.54.1"]),
        not_instrumented: names(&["locks made by `const_new`"]),
        not_run: names(&["doctests of shop: `--doc` runs them, not audited"]),
        ..Coverage::default()
    };
    report(parts)
}

#[test]
fn a_lingering_task_shows_where_it_was_spawned_and_where_it_is_stuck() {
    insta::assert_snapshot!(render_finding(&lingering_task(), &sources, PLAIN));
}

#[test]
fn a_lock_order_cycle_shows_every_site_and_names_those_without_source() {
    insta::assert_snapshot!(render_finding(&lock_order_cycle(), &sources, PLAIN));
}

#[test]
fn a_long_held_lock_without_column_underlines_the_line() {
    insta::assert_snapshot!(render_finding(&long_held_lock(), &sources, PLAIN));
}

#[test]
fn what_blocks_and_what_is_left_are_told_like_the_rest() {
    let told: Vec<String> =
        of_blocking_code().iter().map(|finding| render_finding(finding, &sources, PLAIN)).collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn verbose_shows_whole_stacks_every_test_and_the_fingerprint() {
    insta::assert_snapshot!(render_finding(&lingering_task(), &sources, VERBOSE));
}

#[test]
fn colour_is_escape_sequences_around_the_same_text() {
    let colored =
        render_finding(&lingering_task(), &sources, HumanOptions { color: true, ..PLAIN });
    insta::assert_snapshot!(colored.replace('\u{1b}', "\\e"));
}

#[test]
fn a_source_that_changed_since_the_build_is_named_without_an_excerpt() {
    let emptied = |_: &str| Some("fn main() {}\n".to_owned());
    insta::assert_snapshot!(render_finding(&lingering_task(), &emptied, PLAIN));
}

#[test]
fn the_whole_report_ends_with_its_verdict() {
    insta::assert_snapshot!(render(&report_of_every_rule(), &sources, PLAIN));
}

#[test]
fn threads_are_counted_where_there_are_any() {
    let told = render(&report(Parts { threads: 4, ..parts(vec![]) }), &sources, PLAIN);
    assert!(told.contains("(1,203 tasks, 4 threads, 88 locks, 1,000,310 acquisitions)"), "{told}");
}

#[test]
fn a_clean_run_is_one_line() {
    insta::assert_snapshot!(render(&report(parts(vec![])), &sources, PLAIN));
}

#[test]
fn only_notes_are_counted_and_not_shown() {
    let note = Finding { severity: Severity::Note, ..lingering_task() };
    let suppressed = Finding { suppressed: vec![suppression()], ..long_held_lock() };
    let notes = vec![note.clone(), note.clone(), note, suppressed];
    insta::assert_snapshot!(render(&report(parts(notes)), &sources, PLAIN));
}

#[test]
fn what_was_not_seen_is_said_before_the_verdict() {
    let mut parts = parts(vec![]);
    parts.coverage = Coverage {
        not_instrumented: names(&["locks made by `const_new`: tokio gives them no span"]),
        truncated_processes: 1,
        dropped_order_edges: 1_200,
        dropped_tasks: 1,
        alike_tasks: 319_000,
        ..Coverage::default()
    };
    parts.tests[0].outcome = TestOutcome::Signalled;
    parts.tests[1].processes = 0;
    parts.interrupted = true;
    insta::assert_snapshot!(render(&report(parts), &sources, PLAIN));
}

#[test]
fn nothing_audited_is_never_called_clean() {
    let none = render(&report(Parts::default()), &sources, PLAIN);
    let mut silent = parts(vec![]);
    for test in &mut silent.tests {
        test.processes = 0;
    }
    let unheard = render(&report(silent), &sources, PLAIN);
    assert!(none.starts_with("nothing audited: no tests were run"), "{none}");
    assert!(unheard.starts_with("nothing audited: no test process was"), "{unheard}");
}

#[test]
fn hostile_text_cannot_drive_the_terminal() {
    let evil = "\u{1b}[2J\u{7}\u{202e}";
    let finding = Finding {
        message: evil.to_owned(),
        notes: vec![evil.to_owned()],
        minor_notes: vec![],
        help: evil.to_owned(),
        tests: vec![evil.to_owned(); 2],
        locations: vec![
            place(evil, 1, 1, evil, Role::Primary),
            place("gone", 1, 1, evil, Role::Secondary),
        ],
        stacks: vec![LabelledStack { label: evil.to_owned(), frames: vec![theirs(evil); 5] }],
        ..lingering_task()
    };
    let source = |file: &str| (file == evil).then(|| format!("{evil} let x;\n"));
    let text = render_finding(&finding, &source, VERBOSE);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
}

#[test]
fn columns_beyond_the_line_or_inside_a_letter_are_harmless() {
    for (line, column, marked) in [
        ("    a::b(c(d)).await", Some(5), "a::b(c(d))"),
        ("    a::b(c(", Some(5), "a::b"),
        ("    let x = é.lock().await;", Some(13), "é"),
        ("    {", Some(5), "{"),
        ("    lock  ", Some(900), "lock"),
        ("    lock  ", Some(0), "lock"),
        ("    lock  ", Some(1), "lock"),
        ("    lock  ", None, "lock"),
    ] {
        assert_eq!(&line[span_of(line, column)], marked, "{line:?} at {column:?}");
    }
}

#[test]
fn the_crate_of_a_function_is_its_first_segment() {
    for (function, name) in [
        ("tokio::runtime::task::poll", Some("tokio")),
        ("<tokio::sync::Mutex<T> as core::fmt::Debug>::fmt", Some("tokio")),
        ("<&mut hyper::Body as http::Body>::poll", Some("hyper")),
        ("core::ops::function::FnOnce::call_once", Some("std")),
        ("main", None),
        ("", None),
        ("{closure#0}::x", None),
    ] {
        assert_eq!(crate_of(function), name, "{function:?}");
    }
}

#[test]
fn verbose_tells_what_waiting_for_tasks_has_cost() {
    let mut report = report_of_every_rule();
    (report.summary.drains, report.summary.drain_ms) = (3, 120);
    let told = "held back 3 returns of `block_on` for 120 ms in all";
    assert!(render_summary(&report, VERBOSE).contains(told));
    assert!(!render_summary(&report, PLAIN).contains("held back"));
}
