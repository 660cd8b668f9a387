//! Tasks that nothing stops while they run: blocking ones, and those that were
//! aborted in the middle of a poll. They are told by `lingering-task`.

use crate::{
    describe,
    finding::{Origin, Severity},
    model::{Process, Stack, Task, TaskEnd, TaskKind, is_worker, plain},
};

/// What shows that a task went on though it should have stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstopped {
    /// It had been aborted, and lived on for so many nanoseconds.
    Aborted(u64),
    /// It still ran when the process exited.
    AtExit,
    /// The shutdown of its runtime waited for it, for so many nanoseconds.
    WaitedFor(u64),
}

/// What is shorter than this is no more than a late end.
const LEAST_NS: u64 = 100_000_000;
/// A shutdown that waits for this long is more than a note.
const LONG_NS: u64 = 1_000_000_000;

/// Whether a task went on though it should have stopped.
pub fn unstopped(process: &Process, task: &Task) -> Option<Unstopped> {
    if !matches!(task.kind, TaskKind::Task | TaskKind::Local | TaskKind::Blocking)
        || is_worker(task)
    {
        return None;
    }
    let aborted = task.aborted_ns.map(|at| task.end_ns(process).saturating_sub(at));
    match aborted.filter(|late| *late >= LEAST_NS) {
        Some(late) => Some(Unstopped::Aborted(late)),
        None if task.kind != TaskKind::Blocking => None,
        None if task.end == TaskEnd::Alive => {
            (task.running && task.polls > 0).then_some(Unstopped::AtExit)
        }
        None => {
            (task.waited_for_ns >= LEAST_NS).then_some(Unstopped::WaitedFor(task.waited_for_ns))
        }
    }
}

impl Unstopped {
    /// Of a task that `origin` spawned.
    pub fn severity(self, task: &Task, origin: Origin) -> Severity {
        match self {
            _ if origin != Origin::Library || is_of_tokio(&task.spawn_stack) => Severity::Note,
            Self::Aborted(_) if task.end == TaskEnd::Alive && !is_timed(task) => Severity::Error,
            Self::AtExit if is_blocked(task) && !is_timed(task) => Severity::Error,
            Self::WaitedFor(ns) if ns < LONG_NS => Severity::Note,
            // That its polls are long has a rule of its own.
            Self::Aborted(_) if task.end != TaskEnd::Alive && task.kind != TaskKind::Blocking => {
                Severity::Note
            }
            Self::Aborted(_) | Self::AtExit | Self::WaitedFor(_) => Severity::Warning,
        }
    }

    /// How bad it is among those that are equally severe.
    pub fn weight(self) -> u64 {
        match self {
            // Of one closure, that it was aborted in vain says most.
            Self::Aborted(ns) => ns.saturating_add(u64::MAX / 2),
            Self::WaitedFor(ns) => ns,
            Self::AtExit => 0,
        }
    }

    /// The end of a sentence that begins with the task.
    pub fn words(self, task: &Task) -> String {
        let doing = doing(task);
        match self {
            Self::Aborted(ns) if task.end == TaskEnd::Alive => format!(
                "was aborted and went on: still {doing} when the process exited, {} later",
                describe::duration(ns)
            ),
            Self::Aborted(ns) => {
                format!("was aborted, and went on for {} all the same", describe::duration(ns))
            }
            Self::AtExit => {
                format!("was never stopped: still {doing} when the process exited")
            }
            Self::WaitedFor(ns) => format!(
                "was never told to stop: the shutdown of its runtime waited {} for it",
                describe::duration(ns)
            ),
        }
    }

    /// Why it could not be stopped.
    pub fn notes(self, task: &Task) -> Vec<String> {
        let why = match self {
            _ if task.kind == TaskKind::Blocking => {
                "a blocking task that has begun cannot be aborted, and the drop of its runtime \
                 waits for it"
            }
            _ => "a task that is aborted stops at its next `.await`, and no earlier",
        };
        vec![why.to_owned()]
    }
}

/// What to do about a task that is [`Unstopped`].
pub fn help(task: &Task) -> &'static str {
    if task.kind == TaskKind::Blocking {
        "tell the closure to stop: let it look at a flag that its owner sets, or wait for a \
         channel that its owner closes, and await its `JoinHandle`"
    } else {
        "let the poll return now and then (`yield_now`), or move what it does to \
         `spawn_blocking` and tell that to stop"
    }
}

/// "blocked in `thread::sleep`", as far as it is known.
fn doing(task: &Task) -> String {
    match task.waits.first() {
        Some(wait) if task.kind == TaskKind::Blocking && !wait.operation.is_empty() => {
            format!("blocked in `{}`", wait.operation)
        }
        _ => "running".to_owned(),
    }
}

fn is_blocked(task: &Task) -> bool {
    task.waits.first().is_some_and(|wait| !wait.operation.is_empty())
}

fn is_timed(task: &Task) -> bool {
    task.waits.first().is_some_and(|wait| wait.operation == "thread::sleep")
}

/// Whether tokio spawned it to do what an await of the program's asked for: there is
/// no way to do that without a thread, and none to stop it.
fn is_of_tokio(spawn_stack: &Stack) -> bool {
    const PARTS: &[&str] =
        &["tokio::fs::", "tokio::io::blocking", "tokio::net::addr", "tokio::io::std"];
    spawn_stack.frames.iter().any(|frame| {
        let name = plain(&frame.function);
        PARTS.iter().any(|part| name.starts_with(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{Details, Finding},
        model::{Wait, testing::*},
        rules::{config::Config, lingering_task::LingeringTask},
    };

    fn blocking(change: impl FnOnce(&mut Task)) -> Task {
        let mut blocking = Task {
            kind: TaskKind::Blocking,
            end: TaskEnd::Alive,
            ended_ns: 0,
            polls: 1,
            running: true,
            waits: vec![Wait { operation: "Receiver::recv".to_owned(), ..channel_wait() }],
            ..task(1)
        };
        change(&mut blocking);
        blocking
    }

    /// One that completed by itself.
    fn ended(change: impl FnOnce(&mut Task)) -> Task {
        let mut ended = blocking(|_| {});
        (ended.end, ended.ended_ns, ended.running) = (TaskEnd::Completed, 4_000 * MS, false);
        change(&mut ended);
        ended
    }

    fn check(task: Task) -> Option<Finding> {
        crate::rules::check(&LingeringTask, &run(process([task], [])), &Config::default()).pop()
    }

    #[test]
    fn a_closure_that_runs_at_the_exit_says_what_it_is_blocked_in() {
        let finding = check(blocking(|_| {})).unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "blocking task spawned by `Pool::start` was never stopped: still blocked in \
             `Receiver::recv` when the process exited"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [20, 33]);
        let severity = |operation: &str| {
            let wait = Wait { operation: operation.to_owned(), ..channel_wait() };
            check(blocking(|task| task.waits = vec![wait])).unwrap().severity
        };
        assert_eq!(severity("thread::sleep"), Severity::Warning);
        assert_eq!(severity(""), Severity::Warning, "somewhere in the kernel");
        let busy = check(blocking(|task| task.waits.clear())).unwrap();
        assert_eq!(busy.severity, Severity::Warning);
    }

    #[test]
    fn a_closure_that_never_began_and_one_that_is_done_are_silent() {
        assert!(check(blocking(|task| task.running = false)).is_none());
        assert!(check(blocking(|task| task.polls = 0)).is_none());
        assert!(check(ended(|_| {})).is_none());
    }

    #[test]
    fn a_worker_of_a_runtime_is_none_of_them() {
        let worker = blocking(|task| {
            task.spawn_stack = stack([
                tokio("tokio::runtime::scheduler::multi_thread::worker::Launch::launch"),
                lib("app::Pool::start", 20),
            ]);
        });
        assert!(check(worker).is_none());
    }

    #[test]
    fn what_a_shutdown_waited_for_is_bad_where_it_was_long() {
        let waited = |ms| check(ended(|task| task.waited_for_ns = ms * MS));
        assert!(waited(50).is_none());
        assert_eq!(waited(300).unwrap().severity, Severity::Note);
        let finding = waited(2_000).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.ends_with("the shutdown of its runtime waited 2.0 s for it"));
    }

    #[test]
    fn what_goes_on_after_an_abort_is_told_by_how_long() {
        let aborted = |at: u64| check(ended(|task| task.aborted_ns = Some(at * MS)));
        assert!(aborted(3_950).is_none());
        let finding = aborted(2_000).unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(finding.message.ends_with("was aborted, and went on for 2.0 s all the same"));
        let Details::LingeringTask { aborted_ms, .. } = finding.details else { panic!() };
        assert_eq!(aborted_ms, Some(2_000));
        let in_a_poll = Task { end: TaskEnd::Cancelled, aborted_ns: Some(2_000 * MS), ..task(1) };
        assert_eq!(check(in_a_poll).unwrap().severity, Severity::Note);
        let alive = check(blocking(|task| task.aborted_ns = Some(2_000 * MS))).unwrap();
        assert_eq!(alive.severity, Severity::Error);
        assert!(
            alive.message.contains("still blocked in `Receiver::recv` when the process exited")
        );
    }

    #[test]
    fn what_tokio_does_on_a_thread_of_its_own_is_a_note() {
        let reads = blocking(|task| {
            task.spawn_stack = stack([
                tokio("tokio::task::blocking::spawn_blocking"),
                tokio("<tokio::io::blocking::Blocking<T> as tokio::io::AsyncRead>::poll_read"),
                lib("app::Pool::start", 20),
            ]);
        });
        assert_eq!(check(reads).unwrap().severity, Severity::Note);
    }
}
