//! `leaked-thread`: a thread still runs when the process exits, or a runtime, with
//! its worker threads, was never dropped.
//!
//! A thread below a leaked one is explained by it. One that the initialisation of a
//! static spawns is meant to stay.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    describe::{self, counted},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        Outcome, Owner, Process, Run, Task, TaskEnd, TaskKind, Test, TestIdentity, in_initialiser,
        is_of_static, is_worker, origin, pointed_frame, static_frame,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LeakedThread;

impl Rule for LeakedThread {
    fn name(&self) -> &'static str {
        "leaked-thread"
    }

    fn summary(&self) -> &'static str {
        "a thread still runs when the process exits"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn explain(&self, run: &Run, _config: &Config, explained: &mut Explained) {
        for test in &run.tests {
            for process in &test.processes {
                let threads = threads_of_leaked_runtimes(&run.project, &test.identity, process);
                let ran_there = |task: &&Task| {
                    task.kind == TaskKind::Task
                        && task.end == TaskEnd::Alive
                        && threads.contains(&task.thread)
                };
                for task in process.tasks.values().filter(ran_there) {
                    explained.add_task(process, task.id);
                }
            }
        }
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in run.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            for process in test.processes.iter().filter(|process| !process.truncated) {
                let project = &run.project;
                // The end of a program ends its threads.
                if test.is_program {
                    continue;
                }
                for (id, count) in tops(process) {
                    let Some(task) = process.tasks.get(&id) else { continue };
                    let (what, threads) = (What::Thread, BTreeSet::new());
                    Leaked { project, test, process, what, task, count, threads }
                        .add_to(&mut groups);
                }
                for (task, threads) in runtimes(process) {
                    let (what, count) = (What::Runtime, threads.len() as u64);
                    Leaked { project, test, process, what, task, count, threads }
                        .add_to(&mut groups);
                }
            }
        }
        groups.finish()
    }
}

/// What was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A thread, with so many further ones below it.
    Thread,
    /// A runtime of tokio's, with so many workers.
    Runtime,
}

fn is_leaked(task: &Task) -> bool {
    task.kind == TaskKind::Thread && task.end == TaskEnd::Alive && task.ended_ns == 0
}

/// The topmost leaked threads, each with the number of those below it.
fn tops(process: &Process) -> BTreeMap<u64, u64> {
    let mut tops: BTreeMap<u64, u64> = BTreeMap::new();
    for thread in process.tasks.values().filter(|task| is_leaked(task)) {
        // The outermost leaked one of those that led to it; loops cannot be, but
        // what a process sends is not to be trusted.
        let mut top = thread.id;
        let mut seen = BTreeSet::from([thread.id]);
        let mut parent = thread.parent;
        while let Some(task) = parent.and_then(|id| process.tasks.get(&id)) {
            if !seen.insert(task.id) {
                // Of a loop, its lowest.
                top = seen.iter().copied().find(|id| is_known_leaked(process, *id)).unwrap_or(top);
                break;
            }
            if is_leaked(task) {
                top = task.id;
            }
            parent = task.parent;
        }
        let below = tops.entry(top).or_insert(0);
        if top != thread.id {
            *below += 1;
        }
    }
    tops
}

fn is_known_leaked(process: &Process, id: u64) -> bool {
    process.tasks.get(&id).is_some_and(is_leaked)
}

/// The runtimes that were never dropped, each by one of its workers, with the
/// threads of all of them. One per stack that built it, since nothing tells two of
/// one line apart.
fn runtimes(process: &Process) -> Vec<(&Task, BTreeSet<u64>)> {
    let mut runtimes: BTreeMap<(String, u32), (&Task, BTreeSet<u64>)> = BTreeMap::new();
    let workers =
        process.tasks.values().filter(|task| task.end == TaskEnd::Alive && is_worker(task));
    for worker in workers {
        let frame = pointed_frame(&worker.spawn_stack);
        let built_by = (describe::identity(frame), frame.map_or(0, |frame| frame.line));
        let (_, threads) = runtimes.entry(built_by).or_insert((worker, BTreeSet::new()));
        threads.insert(worker.thread);
    }
    runtimes.into_values().collect()
}

/// The worker threads of runtimes that are themselves reported, as more than a note:
/// that explains the tasks that they ran.
fn threads_of_leaked_runtimes(
    project: &Project,
    test: &TestIdentity,
    process: &Process,
) -> BTreeSet<u64> {
    runtimes(process)
        .into_iter()
        .filter(|(worker, _)| severity(project, test, process, worker) > Severity::Note)
        .flat_map(|(_, threads)| threads)
        .collect()
}

fn severity(project: &Project, test: &TestIdentity, process: &Process, task: &Task) -> Severity {
    match origin(project, &task.spawn_stack, test) {
        Origin::Library if !is_of_static(process, task) => Severity::Warning,
        _ => Severity::Note,
    }
}

struct Leaked<'a> {
    project: &'a Project,
    test: &'a Test,
    process: &'a Process,
    what: What,
    task: &'a Task,
    count: u64,
    /// Of a runtime: its workers'.
    threads: BTreeSet<u64>,
}

impl Leaked<'_> {
    fn add_to(&self, groups: &mut Groups) {
        let stack = &self.task.spawn_stack;
        let blamed = pointed_frame(stack);
        let origin = origin(self.project, stack, &self.test.identity);
        let severity = severity(self.project, &self.test.identity, self.process, self.task);
        let what = match self.what {
            What::Thread => "thread",
            What::Runtime => "runtime",
        };
        // Not what it was doing: that is another thing in each run.
        // What a dependency spawns is its own affair, whichever test has it do so.
        let spawner = stack
            .frames
            .iter()
            .find(|frame| !matches!(frame.owner, Owner::Std | Owner::Probe | Owner::Tokio))
            .filter(|frame| matches!(frame.owner, Owner::Dependency(_)))
            .filter(|_| self.what == What::Thread && origin != Origin::Library);
        let made_by = if in_initialiser(stack) { static_frame(stack) } else { spawner.or(blamed) };
        let identity = vec![what.to_owned(), describe::identity(made_by)];
        let spot = describe::spot(self.project, blamed);
        let rank = Rank { severity, confidence: Confidence::Observed, weight: self.lived_ns() };
        let name = self.task.name.clone().filter(|_| self.what == What::Thread);
        let which = Which::from(spot)
            .of(self.blocked_in().unwrap_or_default())
            .of(name.map_or_else(String::new, |name| describe::without_digits(&name)));
        groups.add(identity, which, rank, [self.test.name.clone()], || self.tell(origin));
    }

    fn lived_ns(&self) -> u64 {
        self.process.ended_ns.saturating_sub(self.task.created_ns)
    }

    /// Of a runtime: the tasks in it that are still there.
    fn tasks(&self) -> u64 {
        let is_in_it = |task: &&Task| {
            task.kind == TaskKind::Task
                && task.end == TaskEnd::Alive
                && task.polls > 0
                && self.threads.contains(&task.thread)
        };
        self.process.tasks.values().filter(is_in_it).count() as u64
    }

    /// The call that it is blocked in.
    fn blocked_in(&self) -> Option<&str> {
        let operation = self.task.waits.first()?.operation.as_str();
        (self.what == What::Thread && !operation.is_empty()).then_some(operation)
    }

    fn message(&self, origin: Origin) -> String {
        let done = if self.what == What::Runtime { "built" } else { "spawned" };
        let by = describe::by(done, &self.task.spawn_stack, origin);
        if self.what == What::Runtime {
            return format!(
                "the worker threads of a Runtime{by} were still running when the process \
                 exited"
            );
        }
        let name = describe::named(self.task.name.as_deref());
        let doing = self
            .blocked_in()
            .map_or_else(String::new, |operation| format!(", blocked in `{operation}`,"));
        format!("thread{name}{by} was still running{doing} when the process exited")
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, task, .. } = *self;
        let is_thread = self.what == What::Thread;
        let spawned = if is_thread { "thread spawned here" } else { "Runtime built here" };
        let mut places = vec![describe::at_stack_or_site(
            project,
            &task.spawn_stack,
            task.spawned_at.as_ref(),
            spawned,
        )];
        let mut stacks = Vec::new();
        let mut notes = Vec::new();
        if is_thread && let Some(wait) = task.waits.first() {
            let (at, label) = if wait.operation.is_empty() {
                ("last seen here".to_owned(), "where the thread was last seen".to_owned())
            } else {
                let operation = &wait.operation;
                (format!("blocked in `{operation}` here"), "stack of the thread".to_owned())
            };
            places.push(describe::at_stack(project, &wait.stack, at));
            stacks.push(describe::labelled(project, &wait.stack, label));
            let lock = wait.resource.and_then(|id| process.resources.get(&id));
            if let Some(lock) = lock {
                notes.push(format!("it waits for the {}", describe::lock_name(project, lock)));
            }
        }
        let label = if is_thread { "spawn stack of the thread" } else { "where it was built" };
        stacks.push(describe::labelled(project, &task.spawn_stack, label));
        let done = if is_thread { "spawned" } else { "built" };
        let lived = format!("{done} {} before the exit", describe::duration(self.lived_ns()));
        if is_thread && self.count > 0 {
            let threads = counted(self.count, "further thread", "further threads");
            notes.push(format!("{threads} below it still ran too"));
        }
        if !is_thread {
            notes.push(counted(self.count, "worker thread", "worker threads"));
            let tasks = self.tasks();
            if tasks > 0 {
                notes.push(format!("{} had not ended in it", counted(tasks, "task", "tasks")));
            }
        }
        if is_of_static(process, task) {
            notes.push("made by the initialisation of a static: probably meant to stay".to_owned());
        }
        let help = if is_thread {
            "give the thread an end that comes with its owner (a channel that the owner closes, a \
             flag that it sets), keep the `JoinHandle`, and join it in the owner's `Drop`; or use \
             `std::thread::scope`"
        } else {
            "drop the `Runtime` with its owner, or call `shutdown_timeout`; one that is leaked or \
             kept in a static ends its tasks nowhere"
        };
        Some(Draft {
            origin,
            message: self.message(origin),
            locations: describe::places(places)?,
            stacks: stacks.into_iter().flatten().collect(),
            notes,
            minor_notes: vec![lived],
            help: help.to_owned(),
            details: Details::LeakedThread {
                what: if is_thread { "thread" } else { "runtime" }.to_owned(),
                thread_name: task.name.clone().filter(|_| is_thread),
                blocked_in: self.blocked_in().map(str::to_owned),
                threads: if is_thread { self.count + 1 } else { self.count },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn check(tasks: impl IntoIterator<Item = Task>) -> Vec<Finding> {
        crate::rules::check(&LeakedThread, &run(process(tasks, [])), &Config::default())
    }

    fn worker(id: u64, builder: crate::model::Frame) -> Task {
        Task {
            kind: TaskKind::Blocking,
            name: None,
            thread: id,
            waits: Vec::new(),
            spawn_stack: stack([
                tokio("tokio::runtime::blocking::pool::Spawner::spawn_blocking"),
                tokio("tokio::runtime::scheduler::multi_thread::worker::Launch::launch"),
                tokio("tokio::runtime::builder::Builder::build"),
                builder,
            ]),
            ..thread(id)
        }
    }

    #[test]
    fn a_thread_of_the_library_is_a_warning_that_says_what_it_is_doing() {
        let findings = check([thread(4)]);
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "thread `worker-4` spawned by `Pool::start` was still running, blocked in \
             `Condvar::wait`, when the process exited"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!((lines, finding.stacks.len()), (vec![20, 33], 2));
    }

    #[test]
    fn a_thread_that_ended_and_a_task_are_silent() {
        let ended = Task { end: TaskEnd::Completed, ended_ns: 9, ..thread(4) };
        let alive = Task { end: TaskEnd::Alive, ended_ns: 0, ..task(5) };
        assert!(check([ended, alive]).is_empty());
    }

    #[test]
    fn only_passed_tests_and_whole_processes_are_judged() {
        let failed = run_of([("app::it works", Outcome::Failed, process([thread(4)], []))]);
        assert!(crate::rules::check(&LeakedThread, &failed, &Config::default()).is_empty());
        let cut = Process { truncated: true, ..process([thread(4)], []) };
        assert!(crate::rules::check(&LeakedThread, &run(cut), &Config::default()).is_empty());
    }

    #[test]
    fn a_leaked_thread_explains_those_below_it_and_loops_do_not_hang() {
        let below = |id, parent| Task { parent: Some(parent), ..thread(id) };
        let spawner = Task { end: TaskEnd::Completed, parent: Some(4), ..task(5) };
        let findings = check([thread(4), spawner, below(6, 5), below(7, 6)]);
        assert_eq!((findings.len(), findings[0].occurrences), (1, 1));
        assert!(findings[0].notes.contains(&"2 further threads below it still ran too".to_owned()));
        assert_eq!(check([below(4, 5), below(5, 4)]).len(), 1);
    }

    #[test]
    fn singletons_tests_and_dependencies_are_notes() {
        let initialisers = [
            "std::sync::once_lock::OnceLock<T>::get_or_init",
            "std::sync::lazy_lock::LazyLock<T,F>::force",
            "std::sync::poison::once::Once::call_once",
            "once_cell::sync::OnceCell<T>::get_or_init",
            "lazy_static::lazy::Lazy<T>::get",
        ];
        let spawned = |frames: Vec<crate::model::Frame>| {
            check([Task { spawn_stack: stack(frames), ..thread(4) }]).remove(0).severity
        };
        for function in initialisers {
            let frames = vec![lib("app::Pool::start", 20), std(function), lib("app::pool", 9)];
            assert_eq!(spawned(frames), Severity::Note, "{function}");
        }
        let closure = std("<app::F as core::ops::function::FnOnce<()>>::call_once");
        assert_eq!(spawned(vec![lib("app::Pool::start", 20), closure]), Severity::Warning);
        assert_eq!(spawned(vec![test_code("it::works", 5)]), Severity::Note);
        assert_eq!(spawned(vec![dependency("dep::go")]), Severity::Note);
    }

    #[test]
    fn what_a_dependency_spawns_for_several_tests_is_one_finding() {
        let of_test = |id, name, line| {
            let frames = [
                std("std::thread::spawn"),
                dependency("executor::Pool::grow"),
                test_code(name, line),
            ];
            Task { spawn_stack: stack(frames), ..thread(id) }
        };
        let findings = check([of_test(4, "it::works", 5), of_test(5, "it::works_again", 9)]);
        assert_eq!((findings.len(), findings[0].occurrences), (1, 2));
    }

    #[test]
    fn a_runtime_that_was_never_dropped_is_one_finding() {
        let built = || lib("app::Client::new", 12);
        let findings = check([worker(1, built()), worker(2, built())]);
        assert_eq!(findings.len(), 1);
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.occurrences), (Severity::Warning, 1));
        assert_eq!(
            finding.message,
            "the worker threads of a Runtime built by `Client::new` were still running when the \
             process exited"
        );
        assert!(finding.notes.contains(&"2 worker threads".to_owned()));
        let inside = Task { end: TaskEnd::Alive, ended_ns: 0, thread: 2, ..task(5) };
        let process = process([worker(1, built()), worker(2, built()), inside.clone()], []);
        let run = run(process);
        let told = crate::rules::check(&LeakedThread, &run, &Config::default());
        assert!(told[0].notes.contains(&"1 task had not ended in it".to_owned()));
        let lingering = crate::rules::lingering_task::LingeringTask;
        assert!(crate::rules::check(&lingering, &run, &Config::default()).is_empty(), "told once");
        let without = Config { disabled: ["leaked-thread".to_owned()].into() };
        let findings = crate::rules::check(&lingering, &run, &without);
        assert_eq!(findings.len(), 1, "a rule that is not asked explains nothing");
        let by_test = check([worker(1, test_code("it::works", 5))]);
        assert_eq!(by_test[0].severity, Severity::Note);
        let dropped = Task { end: TaskEnd::Completed, ended_ns: 5, ..worker(1, built()) };
        assert!(check([dropped]).is_empty());
    }
}
