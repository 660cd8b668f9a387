//! `lost-waker`: a task waits, and no waker of it exists: it can never run again.
//!
//! `pending()` is such a task, too, and meant to be. So a waker must have been there,
//! and have been dropped between two polls; or it is the root of a test that hangs.

use std::collections::BTreeSet;

use crate::{
    describe,
    finding::{
        Confidence, Details, Finding, Location, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        Outcome, Process, Run, Task, TaskEnd, TaskKind, Test, awaited, blame_frame, origin,
        origin_of_task, pointed_frame, short,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LostWaker;

const NAME: &str = "lost-waker";

impl Rule for LostWaker {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a task waits that nothing can wake any more"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn explain(&self, run: &Run, _config: &Config, explained: &mut Explained) {
        for test in &run.tests {
            for process in &test.processes {
                for task in process.tasks.values().filter(|task| has_lost_waker(task)) {
                    explained.add_task(process, task.id);
                }
                let snapshot = process.snapshot.as_deref().filter(|_| test.outcome.is_hang());
                let Some(snapshot) = snapshot else { continue };
                let is_lost = |task: &&Task| has_lost_waker(task) || is_stuck_root(snapshot, task);
                for task in snapshot.tasks.values().filter(is_lost) {
                    explained.add_task(snapshot, task.id);
                }
            }
        }
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            let hangs = test.outcome.is_hang();
            for (index, process) in test.processes.iter().enumerate() {
                let is_complete = test.outcome == Outcome::Passed && !process.truncated;
                for task in process.tasks.values() {
                    let is_lost = has_lost_waker(task) && (hangs || is_complete);
                    let hangs_without = hangs && index == 0 && is_stuck_root(process, task);
                    if is_lost || hangs_without {
                        Lost { project: &run.project, test, process, task }.add_to(&mut groups);
                    }
                }
            }
        }
        groups.finish()
    }
}

fn has_lost_waker(task: &Task) -> bool {
    task.lost_waker_ns != 0
        && matches!(task.kind, TaskKind::Task | TaskKind::Local | TaskKind::BlockOn)
        && task.end.is_unfinished()
}

/// Whether it is a root on the test's own thread that can never go on.
fn is_stuck_root(process: &Process, task: &Task) -> bool {
    let of_spawned_thread = || {
        let is_its = |other: &Task| other.kind == TaskKind::Thread && other.thread == task.thread;
        process.tasks.values().any(is_its)
    };
    task.kind == TaskKind::BlockOn
        && task.end == TaskEnd::Alive
        && task.polls > 0
        && task.wakers() == 0
        && !task.running
        && !task.scheduled
        && task.parent.is_none()
        && !of_spawned_thread()
}

struct Lost<'a> {
    project: &'a Project,
    test: &'a Test,
    process: &'a Process,
    task: &'a Task,
}

impl Lost<'_> {
    /// Whose code dropped the waker or, where no code of the workspace did, waits.
    fn origin(&self) -> Origin {
        let stacks = std::iter::once(&self.task.lost_waker_stack)
            .chain(self.task.waits.iter().map(|wait| &wait.stack));
        stacks
            .filter(|stack| blame_frame(stack).is_some())
            .map(|stack| origin(self.project, stack, &self.test.identity))
            .next()
            .unwrap_or_else(|| origin_of_task(self.project, self.task, &self.test.identity))
    }

    fn was_registered(&self) -> bool {
        self.task.lost_waker_ns != 0
    }

    fn is_root(&self) -> bool {
        self.task.kind == TaskKind::BlockOn
    }

    fn stuck_ns(&self) -> u64 {
        let end = self.task.end_ns(self.process);
        end.saturating_sub(self.task.lost_waker_ns.max(self.task.last_poll_ended_ns))
    }

    fn add_to(&self, groups: &mut Groups) {
        let dropper = pointed_frame(&self.task.lost_waker_stack);
        let waiter = self.task.waits.first().and_then(|wait| pointed_frame(&wait.stack));
        let spawner = pointed_frame(&self.task.spawn_stack);
        let origin = self.origin();
        let severity = match origin {
            _ if self.is_root() && self.test.outcome.is_hang() => Severity::Error,
            Origin::Library => Severity::Error,
            Origin::Test => Severity::Warning,
            Origin::Dependency => Severity::Note,
        };
        let identity = [dropper, waiter, spawner].map(describe::identity).to_vec();
        let spot = describe::spot(self.project, dropper.or(waiter).or(spawner));
        let which = Which::from(spot)
            .at(describe::spot(self.project, waiter))
            .at(describe::spot(self.project, spawner));
        let weight = self.stuck_ns();
        let rank = Rank { severity, confidence: Confidence::Observed, weight };
        groups.add(identity, which, rank, [self.test.name.clone()], || self.tell(origin));
    }

    fn spawned(&self) -> Option<Location> {
        let label = if self.is_root() { "`block_on` called here" } else { "task spawned here" };
        describe::at_stack_or_site(
            self.project,
            &self.task.spawn_stack,
            self.task.spawned_at.as_ref(),
            label,
        )
    }

    fn message(&self, origin: Origin) -> String {
        let name = describe::named(self.task.name.as_deref());
        let who = if self.is_root() {
            "the `block_on` of the test".to_owned()
        } else {
            format!("task{name}{}", describe::by("spawned", &self.task.spawn_stack, origin))
        };
        let why = if self.was_registered() {
            let by = pointed_frame(&self.task.lost_waker_stack)
                .map_or_else(String::new, |frame| format!(" by `{}`", short(&frame.function)));
            format!("its last waker was dropped{by} without a wake")
        } else {
            "its last poll returned `Pending` and kept no waker".to_owned()
        };
        format!("{who} can never run again: {why}")
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, task, .. } = *self;
        let lost = &task.lost_waker_stack;
        let mut places = vec![describe::at_stack(project, lost, "its last waker is dropped here")];
        let mut stacks =
            vec![describe::labelled(project, lost, "where the last waker was dropped")];
        let mut waits = BTreeSet::new();
        for wait in &task.waits {
            let what = awaited(process, wait).to_string();
            places.push(describe::at_stack(project, &wait.stack, format!("it {what} here")));
            stacks.push(describe::labelled(project, &wait.stack, "await stack of the task"));
            waits.insert(what);
        }
        places.push(self.spawned());
        stacks.push(describe::labelled(project, &task.spawn_stack, "spawn stack of the task"));
        let mut minor_notes = vec![
            "it is neither scheduled nor running, and no clone of its waker is left".to_owned(),
        ];
        if self.stuck_ns() >= 1_000_000 {
            let stuck = describe::duration(self.stuck_ns());
            minor_notes.insert(0, format!("stuck for {stuck} when it was last seen"));
        }
        let help = if self.was_registered() {
            "wake before the waker goes: whoever drops or overwrites a stored waker must call \
             `wake` on it, and what several tasks may wait for needs a waker for each \
             (`tokio::sync::Notify`)"
        } else {
            "a future that returns `Pending` must keep a clone of the waker and see to it that it \
             is called; `pending()` never ends"
        };
        Some(Draft {
            origin,
            message: self.message(origin),
            locations: describe::places(places)?,
            stacks: stacks.into_iter().flatten().collect(),
            notes: Vec::new(),
            minor_notes,
            help: help.to_owned(),
            details: Details::LostWaker {
                task_kind: match task.kind {
                    TaskKind::BlockOn => "block-on",
                    TaskKind::Local => "local",
                    TaskKind::Task | TaskKind::Blocking | TaskKind::Thread => "task",
                }
                .to_owned(),
                task_name: task.name.clone(),
                registered: self.was_registered(),
                stuck_ms: self.stuck_ns() / 1_000_000,
                waits_for: waits.into_iter().collect(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::testing::*, rules::lingering_task::LingeringTask};

    fn lost() -> Task {
        Task {
            lost_waker_ns: 2_000 * MS,
            lost_waker_stack: stack([lib("app::Slot::set", 44), lib("app::Pool::serve", 70)]),
            waker_drops: 4,
            ..task(1)
        }
    }

    fn root() -> Task {
        Task {
            kind: TaskKind::BlockOn,
            end: TaskEnd::Alive,
            ended_ns: 0,
            waker_drops: 4,
            waits: Vec::new(),
            spawn_stack: stack([test_code("it::works", 5)]),
            ..task(1)
        }
    }

    fn check(outcome: Outcome, tasks: impl IntoIterator<Item = Task>) -> Vec<Finding> {
        let run = run_of([("app::it works", outcome, process(tasks, []))]);
        crate::rules::check(&LostWaker, &run, &Config::default())
    }

    #[test]
    fn a_waker_dropped_without_a_wake_is_an_error_at_that_line() {
        let findings = check(Outcome::Passed, [lost()]);
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.origin), (Severity::Error, Origin::Library));
        assert_eq!(
            finding.message,
            "task spawned by `Pool::start` can never run again: its last waker was dropped by \
             `Slot::set` without a wake"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [44, 33, 20]);
        assert_eq!(finding.minor_notes[0], "stuck for 2.0 s when it was last seen");
    }

    #[test]
    fn a_task_that_never_had_a_waker_is_none_of_this_rules() {
        let pending = Task { waker_drops: 4, ..task(1) };
        assert!(check(Outcome::Passed, [pending]).is_empty());
    }

    #[test]
    fn ended_tasks_and_failed_tests_are_not_judged() {
        for end in [TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked] {
            assert!(check(Outcome::Passed, [Task { end, ..lost() }]).is_empty());
        }
        assert!(check(Outcome::Failed, [lost()]).is_empty());
        assert_eq!(check(Outcome::TimedOut, [lost()]).len(), 1);
    }

    #[test]
    fn a_test_that_hangs_on_a_root_without_a_waker_is_an_error() {
        let findings = check(Outcome::TimedOut, [root()]);
        assert_eq!((findings[0].severity, findings[0].origin), (Severity::Error, Origin::Test));
        assert!(findings[0].message.starts_with("the `block_on` of the test can never run again"));
        assert!(check(Outcome::Passed, [root()]).is_empty());
        assert!(check(Outcome::TimedOut, [Task { waker_drops: 3, ..root() }]).is_empty());
        assert!(check(Outcome::TimedOut, [Task { scheduled: true, ..root() }]).is_empty());
    }

    #[test]
    fn a_root_of_a_spawned_thread_may_keep_a_runtime_going() {
        let of_thread = Task { thread: root().thread, ..thread(7) };
        assert!(check(Outcome::TimedOut, [root(), of_thread]).is_empty());
    }

    #[test]
    fn what_the_tests_own_futures_lose_is_a_warning() {
        let by_test = stack([test_code("it::works", 5)]);
        let findings = check(Outcome::Passed, [Task { lost_waker_stack: by_test, ..lost() }]);
        assert_eq!((findings[0].severity, findings[0].origin), (Severity::Warning, Origin::Test));
    }

    #[test]
    fn a_lost_task_is_told_once() {
        let run = run(process([lost()], []));
        assert!(crate::rules::check(&LingeringTask, &run, &Config::default()).is_empty());
        let alone = Config { disabled: [NAME.to_owned()].into() };
        assert_eq!(crate::rules::check(&LingeringTask, &run, &alone).len(), 1);
    }
}
