//! `blocking-call`: a call blocks its thread in the middle of a task's poll.
//!
//! A worker that blocks runs none of the other tasks that wait for it. A call's
//! length is what the clock says less the time in which the whole process was
//! starved of CPU.

use std::time::Duration;

use super::{
    config::Config,
    group::{Draft, Groups, Rank},
    long_held_lock::{holds, is_of_test},
    registry::Rule,
    support::{class_identity, in_place, is_internal},
    text,
};
use crate::{
    model::{
        BlockingCall as Call, Process, Resource, Run, TaskKind, TestIdentity, origin, pointed_frame,
    },
    project::Project,
    report::{
        finding::{Confidence, Details, Finding, Origin, Severity},
        words::counted,
    },
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

    fn check(&self, run: &Run, config: &Config) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for call in &process.blocking_calls {
                    let lock = call.resource.and_then(|id| process.resources.get(&id));
                    let is_short = Duration::from_nanos(blocked_ns(call)) < config.blocking_call;
                    if is_short || may_block(call) || lock.is_some_and(is_internal) {
                        continue;
                    }
                    let origin = origin(&run.project, &call.stack, &test.identity);
                    let severity = match origin {
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
                    let mut identity = vec![call.operation.clone(), text::identity(blamed)];
                    identity.extend(lock.map(|lock| class_identity(&run.project, lock)));
                    let spot = text::spot(&run.project, blamed);
                    let confidence = Confidence::Observed;
                    let rank = Rank { severity, confidence, weight: blocked_ns(call) };
                    let tests = [test.name.clone()];
                    groups.add_times(identity, spot, rank, call.count, tests, || {
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
    let mut long = holds(process).filter(|hold| hold.acquisition.resource == lock.id).peekable();
    long.peek().is_some() && long.all(|hold| is_of_test(project, process, hold, test))
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

fn tell(
    project: &Project,
    process: &Process,
    call: &Call,
    lock: Option<&Resource>,
    origin: Origin,
) -> Option<Draft> {
    let blocked = text::duration(blocked_ns(call));
    let by = pointed_frame(&call.stack)
        .map_or_else(String::new, |frame| format!(" by `{}`", text::short(&frame.function)));
    let is_root = call.actor.kind == TaskKind::BlockOn;
    let what = if is_root { "a `block_on`" } else { "a task" };
    let operation = &call.operation;
    let mut places =
        vec![text::at_stack(project, &call.stack, format!("blocks its thread for {blocked} here"))];
    if let Some(lock) = lock
        && let Some(created) = &lock.created_at
    {
        let label = format!("{} {} here", text::type_name(lock), text::made(lock));
        places.push(Some(text::at_site(project, created, label)));
    }
    let mut notes = Vec::new();
    let mut minor_notes = Vec::new();
    let called_by = format!("called by {}", text::actor(project, process, &call.actor));
    if let Some(at) = &call.actor.spawned_at
        && !is_root
        && project.package_of(&at.file).is_some()
    {
        places.push(Some(text::at_site(project, at, "task spawned here")));
        minor_notes.push(called_by);
    } else {
        notes.push(called_by);
    }
    if let Some(lock) = lock {
        let waited = format!("it waited for the {}", text::lock_name(project, lock));
        // Where it was made has a label.
        let has_label = lock.static_name.is_none() && lock.created_at.is_some();
        if has_label { &mut minor_notes } else { &mut notes }.push(waited);
    }
    if call.count > 1 {
        let calls = counted(call.count, "call", "calls");
        notes.push(format!("the longest of {calls}"));
    }
    if is_root {
        notes.push(
            "it runs in the argument of a `block_on`, or in the body of `#[tokio::test]`, which \
             holds up other tasks on a current-thread runtime only"
                .to_owned(),
        );
    }
    Some(Draft {
        origin,
        message: format!("`{operation}`{by} blocks the thread of {what} for {blocked}"),
        locations: text::places(places)?,
        stacks: text::labelled(project, &call.stack, "stack of the call").into_iter().collect(),
        notes,
        minor_notes,
        help: advice(operation).to_owned(),
        details: Details::BlockingCall {
            operation: operation.clone(),
            blocked_ms: blocked_ns(call) / 1_000_000,
            task_kind: if is_root { "block-on" } else { "task" }.to_owned(),
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
    use crate::audit::testing::*;

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
        };
        change(&mut call);
        let process = Process { blocking_calls: vec![call], ..process([], [std_mutex(7, 3)]) };
        BlockingCall.check(&run(process), &Config::default())
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
}
