//! `orphaned-task`: a task was cancelled while it owned the `JoinHandle` of a task that
//! it had spawned, and that one lives on; or it awaited the handle, and dropped it before
//! that one had ended.
//!
//! Whoever drops a handle on purpose does so long before. Where it goes with the
//! future of the parent, the parent was waiting for the task, or meant to. A handle that
//! is awaited and then dropped, in a `select!` that another branch has won for one, may be
//! meant so once; a place whose tasks pile up is not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    describe,
    finding::{
        Confidence, Details, Finding, Location, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        OrphanedTask as Orphan, Outcome, Process, Run, Task, TaskEnd, Test, awaited,
        origin_of_task, pointed_frame, spawner,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct OrphanedTask;

const NAME: &str = "orphaned-task";

impl Rule for OrphanedTask {
    fn name(&self) -> &'static str {
        NAME
    }

    fn summary(&self) -> &'static str {
        "a cancelled task leaves behind a task that it waited for"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["orphaned"]
    }

    fn explain(&self, run: &Run, _config: &Config, explained: &mut Explained) {
        let tests = run.tests.iter();
        for (test, process) in
            tests.flat_map(|test| test.processes.iter().map(move |it| (test, it)))
        {
            let repeated = repeated(test, process);
            for orphan in orphans(test, process).filter(|orphan| never_ended(orphan)) {
                if !is_tolerable(orphan, repeated.contains(&orphan.child.id)) {
                    explained.add_task(process, orphan.child.id);
                }
            }
        }
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in run.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            for process in test.processes.iter().filter(|process| !process.truncated) {
                let repeated = repeated(test, process);
                for orphan in orphans(test, process) {
                    let project = &run.project;
                    let is_repeated = repeated.contains(&orphan.child.id);
                    if is_tolerable(orphan, is_repeated) {
                        continue;
                    }
                    Orphaned { project, test, process, orphan, is_repeated }.add_to(&mut groups);
                }
            }
        }
        groups.finish()
    }
}

/// Those that count.
fn orphans<'a>(test: &Test, process: &'a Process) -> impl Iterator<Item = &'a Orphan> {
    let limit = u64::try_from(test.thresholds.orphaned.as_nanos()).unwrap_or(u64::MAX);
    process.orphaned_tasks.iter().filter(move |orphan| {
        (orphan.parent.end == TaskEnd::Cancelled || orphan.dropped_ns.is_some())
            // Somebody had an `AbortHandle` of it.
            && orphan.child.end != TaskEnd::Cancelled
            && orphan.outlived_ns.saturating_sub(orphan.starved_ns) >= limit
    })
}

/// So many of one place that live at once are no accident.
const PILE: usize = 3;

/// Those whose handle was awaited and dropped, and of which their place left more and more:
/// by the id of the task.
fn repeated(test: &Test, process: &Process) -> BTreeSet<u64> {
    let mut by_place: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    let dropped = orphans(test, process)
        .filter(|orphan| orphan.dropped_ns.is_some() && orphan.is_there_at_the_end);
    for orphan in dropped {
        let place = pointed_frame(&orphan.child.spawn_stack)
            .map(|frame| (frame.file.clone(), frame.line, frame.column));
        by_place.entry(place).or_default().push(orphan.child.id);
    }
    by_place.into_values().filter(|tasks| tasks.len() >= PILE).flatten().collect()
}

/// Whether another rule tells of it, or nobody need to: one that never ended is told as
/// lingering.
fn is_tolerable(orphan: &Orphan, is_repeated: bool) -> bool {
    orphan.dropped_ns.is_some() && !is_repeated && never_ended(orphan)
}

fn never_ended(orphan: &Orphan) -> bool {
    orphan.child.end.is_unfinished()
}

struct Orphaned<'a> {
    project: &'a Project,
    test: &'a Test,
    process: &'a Process,
    orphan: &'a Orphan,
    /// See [`repeated`].
    is_repeated: bool,
}

impl Orphaned<'_> {
    fn add_to(&self, groups: &mut Groups) {
        let child = &self.orphan.child;
        let spawner = spawner(self.project, child, &self.test.identity);
        let origin = origin_of_task(self.project, child, &self.test.identity);
        let severity = match origin {
            Origin::Library if self.is_repeated => Severity::Warning,
            Origin::Library if never_ended(self.orphan) => Severity::Warning,
            // A task may be there for its work to be done though its parent is
            // cancelled.
            _ => Severity::Note,
        };
        let identity = vec![describe::identity(spawner)];
        let spot = describe::spot(self.project, spawner);
        let weight = self.orphan.outlived_ns;
        let rank = Rank { severity, confidence: Confidence::Observed, weight };
        let parent = describe::spot(self.project, pointed_frame(&self.orphan.parent.spawn_stack));
        groups.add(identity, Which::from(spot).at(parent), rank, [self.test.name.clone()], || {
            self.tell(origin)
        });
    }

    fn spawned(&self, task: &Task, label: &str) -> Option<Location> {
        describe::at_stack_or_site(self.project, &task.spawn_stack, task.spawned_at.as_ref(), label)
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, orphan, .. } = *self;
        let Orphan { child, parent, .. } = orphan;
        let name = describe::named(child.name.as_deref());
        let spawner =
            describe::by_frame("spawned", spawner(project, child, &self.test.identity), origin);
        let outlived = describe::duration(orphan.outlived_ns);
        let is_dropped = orphan.dropped_ns.is_some();
        let (ended, end) = match child.end {
            TaskEnd::Completed => ("completed", format!("lived on for {outlived}")),
            TaskEnd::Panicked => ("panicked", format!("lived on for {outlived} and panicked")),
            TaskEnd::Cancelled => ("cancelled", format!("lived on for {outlived}")),
            TaskEnd::Alive | TaskEnd::Shutdown => ("never", "lives on".to_owned()),
        };
        let mut places = vec![
            self.spawned(child, "task spawned here"),
            self.spawned(
                parent,
                if is_dropped {
                    "by this task, which awaited its handle and dropped it"
                } else {
                    "by this task, which had its handle and was cancelled"
                },
            ),
        ];
        let mut stacks = Vec::new();
        let mut notes = Vec::new();
        let mut waits = BTreeSet::new();
        if never_ended(orphan) {
            let event =
                if is_dropped { "its handle was dropped" } else { "its parent was cancelled" };
            notes.push(format!("still there {outlived} after {event}"));
            for wait in &child.waits {
                let what = awaited(process, wait).to_string();
                places.push(describe::at_stack(project, &wait.stack, format!("{what} here")));
                stacks.push(describe::labelled(project, &wait.stack, "await stack of the task"));
                waits.insert(what);
            }
        }
        notes.extend(waits.iter().map(|what| format!("it {what}")));
        notes.push(
            if is_dropped {
                "nobody can await or abort it: its `JoinHandle` was dropped, which does not end \
                 the task"
            } else {
                "nobody can await or abort it: its `JoinHandle` went with its parent"
            }
            .to_owned(),
        );
        if self.is_repeated {
            notes.push(format!(
                "{PILE} or more tasks of this place were there at the end of the test, each \
                 without a handle"
            ));
        }
        stacks.push(describe::labelled(project, &child.spawn_stack, "spawn stack of the task"));
        stacks.push(describe::labelled(project, &parent.spawn_stack, "spawn stack of its parent"));
        Some(Draft {
            origin,
            message: if is_dropped {
                format!("task{name}{spawner} {end} after its `JoinHandle` was awaited and dropped")
            } else {
                format!(
                    "task{name}{spawner} {end} after the task that had its handle was cancelled"
                )
            },
            locations: describe::places(places)?,
            stacks: stacks.into_iter().flatten().collect(),
            notes,
            minor_notes: Vec::new(),
            help: if is_dropped {
                "await the handle by reference (`&mut handle`) and `abort` it where another branch \
                 wins; or keep it in an `AbortOnDropHandle` (tokio-util), or spawn into a `JoinSet`: \
                 both abort the task as they are dropped"
            } else {
                "spawn it into a `JoinSet` of the parent's, or keep its handle in an \
                   `AbortOnDropHandle` (tokio-util): both abort the task as they are dropped; or \
                   give it a child token of the parent's `CancellationToken`, with a `DropGuard`"
            }
            .to_owned(),
            details: Details::OrphanedTask {
                task_name: child.name.clone(),
                outlived_ms: orphan.outlived_ns / 1_000_000,
                ended: ended.to_owned(),
                waits_for: waits.into_iter().collect(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::testing::*, rules::lingering_task::LingeringTask};

    fn orphan() -> Orphan {
        let parent = Task {
            end: TaskEnd::Cancelled,
            ended_ns: 1_000 * MS,
            spawn_stack: stack([lib("app::Pool::run", 50)]),
            ..task(1)
        };
        Orphan {
            child: Task { parent: Some(1), ..task(2) },
            parent,
            dropped_ns: None,
            is_there_at_the_end: true,
            outlived_ns: 3_000 * MS,
            starved_ns: 0,
        }
    }

    fn process_with(change: impl FnOnce(&mut Orphan)) -> Process {
        let mut orphan = orphan();
        change(&mut orphan);
        let child = orphan.child.clone();
        Process { orphaned_tasks: vec![orphan], ..process([child], []) }
    }

    fn check(change: impl FnOnce(&mut Orphan)) -> Vec<Finding> {
        crate::rules::check(&OrphanedTask, &run(process_with(change)), &Config::default())
    }

    #[test]
    fn a_task_that_its_cancelled_parent_waited_for_is_a_warning_with_all_places() {
        let findings = check(|_| {});
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.origin), (Severity::Warning, Origin::Library));
        assert_eq!(
            finding.message,
            "task spawned by `Pool::start` lives on after the task that had its handle was cancelled"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [20, 50, 33]);
        assert!(finding.notes.contains(&"it waits for data on an mpsc channel".to_owned()));
    }

    #[test]
    fn one_that_ended_by_itself_is_a_note_and_one_that_was_aborted_is_silent() {
        let ended = check(|orphan| orphan.child.end = TaskEnd::Completed);
        assert_eq!(ended[0].severity, Severity::Note);
        assert!(ended[0].message.contains("lived on for 3.0 s"));
        assert!(check(|orphan| orphan.child.end = TaskEnd::Cancelled).is_empty());
    }

    #[test]
    fn handles_that_are_awaited_and_dropped_again_and_again_are_a_warning() {
        let pile = |count: u64, change: fn(&mut Orphan)| {
            let orphans: Vec<Orphan> = (0..count)
                .map(|at| {
                    let mut orphan = Orphan { dropped_ns: Some(900 * MS), ..orphan() };
                    orphan.child.id = 10 + at;
                    orphan.child.end = TaskEnd::Completed;
                    orphan.parent.end = TaskEnd::Completed;
                    change(&mut orphan);
                    orphan
                })
                .collect();
            let process = Process { orphaned_tasks: orphans, ..process([], []) };
            crate::rules::check(&OrphanedTask, &run(process), &Config::default())
        };
        let many = pile(3, |_| {});
        assert_eq!((many[0].severity, many[0].occurrences), (Severity::Warning, 3));
        assert_eq!(
            many[0].message,
            "task spawned by `Pool::start` lived on for 3.0 s after its `JoinHandle` was awaited \
             and dropped"
        );
        assert_eq!(pile(2, |_| {})[0].severity, Severity::Note);
        let done = pile(3, |orphan| orphan.is_there_at_the_end = false);
        assert_eq!(done[0].severity, Severity::Note);
        let lingering = pile(1, |orphan| orphan.child.end = TaskEnd::Shutdown);
        assert!(lingering.is_empty(), "told as that");
    }

    #[test]
    fn a_short_life_or_a_starved_one_and_a_shutdown_are_silent() {
        assert!(check(|orphan| orphan.outlived_ns = 99 * MS).is_empty());
        assert!(check(|orphan| orphan.starved_ns = 2_950 * MS).is_empty());
        assert!(check(|orphan| orphan.parent.end = TaskEnd::Shutdown).is_empty());
        assert!(check(|orphan| orphan.parent.end = TaskEnd::Panicked).is_empty());
    }

    #[test]
    fn an_orphan_is_told_once() {
        let run = run(process_with(|_| {}));
        assert!(crate::rules::check(&LingeringTask, &run, &Config::default()).is_empty());
        let alone = Config { disabled: [NAME.to_owned()].into() };
        assert_eq!(crate::rules::check(&LingeringTask, &run, &alone).len(), 1);
    }
}
