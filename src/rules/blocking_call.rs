//! `blocking-call`: a call blocks its thread in the middle of a task's poll.
//!
//! A worker that blocks runs none of the other tasks that wait for it. A call's
//! length is what the clock says less the time in which the whole process was
//! starved of CPU.

use std::time::Duration;

use crate::{
    describe::{self, class_identity, counted},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        BlockingCall as Call, Owner, Process, Resource, Run, TaskKind, TestIdentity, in_place,
        origin, pointed_frame, short, went_into_test,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct BlockingCall;

impl Rule for BlockingCall {
    fn name(&self) -> &'static str {
        "blocking-call"
    }

    fn summary(&self) -> &'static str {
        "a call blocks the thread that a task runs on"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["blocking-call"]
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for call in &process.blocking_calls {
                    let lock = call.resource.and_then(|id| process.resources.get(&id));
                    let is_short =
                        Duration::from_nanos(blocked_ns(call)) < test.thresholds.blocking_call;
                    if is_short || may_block(call) || lock.is_some_and(Resource::is_internal) {
                        continue;
                    }
                    let origin = origin(&run.project, &call.stack, &test.identity);
                    let severity = match origin {
                        Origin::Library | Origin::Test if stops_all(call) => Severity::Warning,
                        Origin::Library if call.actor.kind == TaskKind::BlockOn => Severity::Note,
                        // The lock was the library's, and its time went into the test's code.
                        Origin::Library
                            if lock.is_some_and(|lock| {
                                is_held_for_test(&run.project, process, lock, &test.identity)
                            }) =>
                        {
                            Severity::Note
                        }
                        Origin::Library => Severity::Warning,
                        _ => Severity::Note,
                    };
                    let blamed = pointed_frame(&call.stack);
                    let mut identity = vec![call.operation.clone(), describe::identity(blamed)];
                    identity.extend(lock.map(|lock| class_identity(&run.project, lock)));
                    let which = Which::from(describe::spot(&run.project, blamed)).of(lock
                        .map_or_else(String::new, |lock| describe::lock_name(&run.project, lock)));
                    let confidence = Confidence::Observed;
                    let rank = Rank { severity, confidence, weight: blocked_ns(call) };
                    let tests = [test.name.clone()];
                    groups.add_times(identity, which, rank, call.count, tests, || {
                        tell(&run.project, process, call, lock, origin)
                    });
                }
            }
        }
        groups.finish()
    }
}

/// Whether a lock was never held for long but for the test's own code.
fn is_held_for_test(
    project: &Project,
    process: &Process,
    lock: &Resource,
    test: &TestIdentity,
) -> bool {
    let mut long =
        process.all_holds().filter(|hold| hold.acquisition.resource == lock.id).peekable();
    long.peek().is_some() && long.all(|hold| went_into_test(project, process, hold, test))
}

fn blocked_ns(call: &Call) -> u64 {
    call.longest_ns.saturating_sub(call.starved_ns)
}

/// Whether it is in its right to block: on a thread that is there to be blocked, or
/// after tokio was told.
fn may_block(call: &Call) -> bool {
    match call.actor.kind {
        TaskKind::Blocking | TaskKind::Thread => true,
        TaskKind::BlockOn if call.parent_kind == Some(TaskKind::Blocking) => true,
        TaskKind::BlockOn | TaskKind::Task | TaskKind::Local => in_place(&call.stack),
    }
}

/// The scheduler of a runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flavor {
    /// The thread of its `block_on` runs all of its tasks.
    CurrentThread,
    /// Its tasks have threads of their own.
    MultiThread,
}

impl Flavor {
    fn name(self) -> &'static str {
        match self {
            Self::CurrentThread => "current-thread",
            Self::MultiThread => "multi-thread",
        }
    }
}

/// That of the runtime whose `block_on` the call was made in, by the innermost frame of
/// a scheduler; `None`: none is seen, as where a `Handle` runs it. Holds for tokio 1.20 to
/// 1.54.
fn flavor(call: &Call) -> Option<Flavor> {
    let mut frames = call.thread_stack.frames.iter().filter(|frame| frame.owner == Owner::Tokio);
    frames.find_map(|frame| {
        let file = frame.file.as_ref().map_or("", |file| file.as_str());
        // In an optimised build, the name may lack its path.
        let is_of = |module: &str| {
            frame.function.contains(&format!("::{module}::"))
                || file.contains(&format!("/runtime/scheduler/{module}"))
                || file.contains(&format!("/runtime/{module}"))
        };
        if is_of("current_thread") || is_of("basic_scheduler") {
            Some(Flavor::CurrentThread)
        } else if is_of("multi_thread") || is_of("thread_pool") {
            Some(Flavor::MultiThread)
        } else {
            None
        }
    })
}

/// Whether a whole runtime stands still: its `block_on` sleeps on its one thread, and
/// there are tasks that this thread should run. Other calls of a test are often how it
/// arranges what it tests; this one is a `sleep` of the wrong library.
fn stops_all(call: &Call) -> bool {
    call.operation == "thread::sleep"
        && call.actor.kind == TaskKind::BlockOn
        && call.others > 0
        && flavor(call) == Some(Flavor::CurrentThread)
}

fn tell(
    project: &Project,
    process: &Process,
    call: &Call,
    lock: Option<&Resource>,
    origin: Origin,
) -> Option<Draft> {
    let blocked = describe::duration(blocked_ns(call));
    let by = pointed_frame(&call.stack)
        .map_or_else(String::new, |frame| format!(" by `{}`", short(&frame.function)));
    let is_root = call.actor.kind == TaskKind::BlockOn;
    let what = if is_root { "a `block_on`" } else { "a task" };
    let operation = &call.operation;
    let mut places = vec![describe::at_stack(
        project,
        &call.stack,
        format!("blocks its thread for {blocked} here"),
    )];
    if let Some(lock) = lock
        && let Some(created) = &lock.created_at
    {
        let label = format!("{} {} here", describe::type_name(lock), describe::made(lock));
        places.push(Some(describe::at_site(project, created, label)));
    }
    let mut notes = Vec::new();
    let mut minor_notes = Vec::new();
    let called_by = format!("called by {}", describe::actor(project, process, &call.actor));
    if let Some(at) = &call.actor.spawned_at
        && !is_root
        && project.package_of(&at.file).is_some()
    {
        places.push(Some(describe::at_site(project, at, "task spawned here")));
        minor_notes.push(called_by);
    } else {
        notes.push(called_by);
    }
    if let Some(lock) = lock {
        let waited = format!("it waited for the {}", describe::lock_name(project, lock));
        // Where it was made has a label.
        let has_label = lock.static_name.is_none() && lock.created_at.is_some();
        if has_label { &mut minor_notes } else { &mut notes }.push(waited);
    }
    if call.count > 1 {
        let calls = counted(call.count, "call", "calls");
        notes.push(format!("the longest of {calls}"));
    }
    let flavor = flavor(call).filter(|_| is_root);
    match flavor {
        Some(Flavor::CurrentThread) if call.others > 0 => notes.push(format!(
            "it runs in the argument of a `block_on`, or in the body of `#[tokio::test]`, on a \
             current-thread runtime: {} that {} alive could not run, and no timer could fire",
            counted(call.others, "other task", "other tasks"),
            if call.others == 1 { "was" } else { "were" },
        )),
        Some(Flavor::CurrentThread) => notes.push(
            "it runs in the argument of a `block_on`, or in the body of `#[tokio::test]`; no \
             other task was alive that could have run meanwhile"
                .to_owned(),
        ),
        Some(Flavor::MultiThread) => notes.push(
            "it runs in the argument of a `block_on`, or in the body of `#[tokio::test]`, on a \
             multi-thread runtime: other tasks go on, and only what is beside it in the same \
             `join!` or `select!` waits"
                .to_owned(),
        ),
        None if is_root => notes.push(
            "it runs in the argument of a `block_on`, or in the body of `#[tokio::test]`, which \
             holds up other tasks on a current-thread runtime only"
                .to_owned(),
        ),
        None => {}
    }
    Some(Draft {
        origin,
        message: format!("`{operation}`{by} blocks the thread of {what} for {blocked}"),
        locations: describe::places(places)?,
        stacks: describe::labelled(project, &call.stack, "stack of the call").into_iter().collect(),
        notes,
        minor_notes,
        help: advice(operation).to_owned(),
        details: Details::BlockingCall {
            operation: operation.clone(),
            blocked_ms: blocked_ns(call) / 1_000_000,
            task_kind: if is_root { "block-on" } else { "task" }.to_owned(),
            runtime: flavor.map(|flavor| flavor.name().to_owned()),
            others: (flavor == Some(Flavor::CurrentThread)).then_some(call.others),
        },
    })
}

fn advice(operation: &str) -> &'static str {
    match operation.split("::").next().unwrap_or_default() {
        "thread" if operation.ends_with("sleep") => {
            "await `tokio::time::sleep` instead: the thread runs other tasks meanwhile"
        }
        "Mutex" | "RwLock" => {
            "hold the lock for moments only, everywhere (release it before slow work); where that \
             cannot be, await a lock of `tokio::sync`, or move the work to `spawn_blocking`"
        }
        "Condvar" | "thread" => {
            "await a `tokio::sync::Notify` or a channel instead, or move the work to \
             `spawn_blocking`"
        }
        "Receiver" | "SyncSender" => {
            "use `tokio::sync::mpsc` and await it, or move the work to `spawn_blocking`"
        }
        "Barrier" => "await a `tokio::sync::Barrier` instead",
        "JoinHandle" => {
            "join the thread within `spawn_blocking` and await that, or let the thread send its \
             result through a `tokio::sync::oneshot`"
        }
        _ => "move the work to `spawn_blocking`, or await something that does not block",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn check(change: impl FnOnce(&mut Call)) -> Vec<Finding> {
        let mut call = Call {
            operation: "thread::sleep".to_owned(),
            stack: stack([probe("concaudit_std::thread::sleep"), lib("app::Pool::retry", 40)]),
            resource: None,
            actor: actor(1),
            parent_kind: None,
            longest_ns: 50 * MS,
            starved_ns: 0,
            count: 2,
            thread_stack: stack([]),
            others: 0,
        };
        change(&mut call);
        let process = Process { blocking_calls: vec![call], ..process([], [std_mutex(7, 3)]) };
        crate::rules::check(&BlockingCall, &run(process), &Config::default())
    }

    #[test]
    fn a_sleep_in_a_task_is_a_warning_that_says_how_long() {
        let findings = check(|_| {});
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "`thread::sleep` by `Pool::retry` blocks the thread of a task for 50 ms"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!((lines, finding.occurrences), (vec![40, 20], 2));
        assert!(finding.help.contains("tokio::time::sleep"));
    }

    #[test]
    fn a_wait_for_a_lock_names_the_lock() {
        let findings = check(|call| {
            call.operation = "Mutex::lock".to_owned();
            call.resource = Some(7);
        });
        let told = "it waited for the std Mutex created at src/lib.rs:3:9".to_owned();
        assert!(findings[0].minor_notes.contains(&told), "its label says it");
        assert!(findings[0].locations.iter().any(|place| place.label.contains("created here")));
        assert!(findings[0].help.contains("tokio::sync"));
    }

    #[test]
    fn short_calls_and_starved_ones_are_silent() {
        assert!(check(|call| call.longest_ns = 9 * MS).is_empty());
        assert!(check(|call| call.starved_ns = 45 * MS).is_empty());
    }

    #[test]
    fn who_may_block_is_silent() {
        for kind in [TaskKind::Blocking, TaskKind::Thread] {
            assert!(check(|call| call.actor.kind = kind).is_empty());
        }
        let within_blocking = |call: &mut Call| {
            call.actor.kind = TaskKind::BlockOn;
            call.parent_kind = Some(TaskKind::Blocking);
        };
        assert!(check(within_blocking).is_empty());
        for function in [
            "tokio::task::blocking::block_in_place",
            "tokio::runtime::scheduler::multi_thread::worker::block_in_place",
        ] {
            let stack = stack([lib("app::Pool::retry", 40), tokio(function)]);
            assert!(check(|call| call.stack = stack).is_empty());
        }
    }

    #[test]
    fn roots_tests_and_dependencies_are_notes() {
        let root = check(|call| call.actor.kind = TaskKind::BlockOn);
        assert_eq!(root[0].severity, Severity::Note);
        assert!(root[0].message.contains("a `block_on`"));
        for frame in [test_code("it::works", 9), dependency("dep::go")] {
            assert_eq!(check(|call| call.stack = stack([frame]))[0].severity, Severity::Note);
        }
    }

    #[test]
    fn a_test_that_sleeps_is_a_warning_where_that_stops_other_tasks() {
        let sleep = |scheduler: &str, others: u64| {
            check(|call| {
                call.actor.kind = TaskKind::BlockOn;
                call.stack = stack([test_code("it::works::{{closure}}", 5)]);
                call.thread_stack = stack([
                    test_code("it::works::{{closure}}", 5),
                    tokio(&format!("tokio::runtime::scheduler::{scheduler}::block_on")),
                ]);
                call.others = others;
            })
            .remove(0)
        };
        let stops = sleep("current_thread::CurrentThread", 2);
        assert_eq!((stops.severity, stops.origin), (Severity::Warning, Origin::Test));
        assert!(
            stops
                .notes
                .iter()
                .any(|note| note.contains("2 other tasks that were alive could not run"))
        );
        assert_eq!(sleep("current_thread::CurrentThread", 0).severity, Severity::Note);
        assert_eq!(sleep("multi_thread::MultiThread", 2).severity, Severity::Note);
        assert_eq!(sleep("", 2).severity, Severity::Note, "not known");
    }

    #[test]
    fn what_else_a_test_waits_for_is_no_more_than_a_note() {
        let findings = check(|call| {
            call.operation = "Receiver::recv".to_owned();
            call.actor.kind = TaskKind::BlockOn;
            call.thread_stack =
                stack([tokio("tokio::runtime::scheduler::current_thread::CoreGuard::block_on")]);
            call.others = 2;
        });
        assert_eq!(findings[0].severity, Severity::Note);
    }
}
