//! `lingering-task`: a spawned task outlives what could have stopped it.
//!
//! Runtimes with live tasks are the rule in healthy suites, so four steps
//! stand between "alive at the end" and a finding. The probe does the first
//! (drain) and tells who dropped a task (who stops it); rolling up and the
//! severity of the top are done here.

mod left_behind;
mod owners;
mod rollup;
mod unstopped;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    describe::{self, counted},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Spot, Which},
    },
    model::{
        Awaited, Frame, Hold, Outcome, Owner, Process, Run, Task, TaskEnd, TaskKind, Test, Wait,
        awaited, drops_own_runtime, in_initialiser, is_of_static, origin_of_task, pointed_frame,
        short, spawner, static_frame,
    },
    project::Project,
    rules::{
        Explained, Rule,
        config::Config,
        lingering_task::{
            left_behind::left_behind,
            owners::{awaits_token, owner_of},
            rollup::{idle_ns, tops},
            unstopped::{Unstopped, unstopped},
        },
    },
};

/// See the module.
#[derive(Debug)]
pub struct LingeringTask;

impl Rule for LingeringTask {
    fn name(&self) -> &'static str {
        "lingering-task"
    }

    fn summary(&self) -> &'static str {
        "a spawned task outlives what could have stopped it"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["drain-idle", "drain-max", "drain-total"]
    }

    fn check(&self, run: &Run, _config: &Config, explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in run.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            for process in test.processes.iter().filter(|process| !process.truncated) {
                let project = &run.project;
                let left = left_behind(process);
                for (id, descendants) in tops(process) {
                    if explained.has_task(process, id) {
                        continue;
                    }
                    let Some(task) = process.tasks.get(&id) else { continue };
                    let unstopped = unstopped(process, task);
                    if test.is_program && unstopped.is_none() && !left.contains(&id) {
                        continue;
                    }
                    Lingering { project, test, process, task, descendants, unstopped }
                        .add_to(&mut groups);
                }
            }
        }
        groups.finish()
    }
}

struct Lingering<'a> {
    project: &'a Project,
    test: &'a Test,
    process: &'a Process,
    task: &'a Task,
    descendants: u64,
    unstopped: Option<Unstopped>,
}

impl Lingering<'_> {
    fn add_to(&self, groups: &mut Groups) {
        let task = self.task;
        let is_static = task.end == TaskEnd::Alive && is_of_static(self.process, task);
        let spawner = self.spawner();
        // The order in which a `select!` polls its branches is random; this is not.
        let awaiter = task
            .waits
            .iter()
            .filter_map(|wait| pointed_frame(&wait.stack))
            .min_by_key(|frame| describe::identity(Some(frame)));
        // What a task that runs was doing is another thing in each run.
        let state = match (task.kind, self.unstopped) {
            (TaskKind::Blocking, _) => "blocking".to_owned(),
            (_, Some(_)) => "aborted".to_owned(),
            (_, None) => describe::identity(awaiter),
        };
        let mut identity = vec![describe::identity(spawner), state];
        let spot = match (spawner, &task.spawned_at) {
            (None, Some(site)) => (self.project.display_path(&site.file), site.line),
            _ => describe::spot(self.project, spawner),
        };
        let origin = origin_of_task(self.project, task, &self.test.identity);
        // Meant to live as long as the process.
        if is_static {
            identity.push("static".to_owned());
        }
        let severity = match (origin, self.unstopped) {
            _ if is_static => Severity::Note,
            (_, Some(unstopped)) => unstopped.severity(task, origin),
            // The library has a runtime of its own, and its drop is how it stops its tasks.
            (Origin::Library, None) if self.is_stopped_by_its_runtime() => Severity::Note,
            (Origin::Library, None) if self.goes_on_by_itself() => Severity::Warning,
            (Origin::Library, None) => Severity::Error,
            (Origin::Test | Origin::Dependency, None) => Severity::Note,
        };
        let weight = self.unstopped.map_or_else(|| self.idle_ns(), Unstopped::weight);
        let rank = Rank { severity, confidence: Confidence::Observed, weight };
        groups
            .add(identity, self.which(spot), rank, [self.test.name.clone()], || self.tell(origin));
    }

    /// Those are alike that were spawned on one line and wait on the same lines for the
    /// same things; of what runs or blocks, another thing in each run, only the former.
    fn which(&self, spot: Spot) -> Which {
        let Self { project, process, task, .. } = *self;
        let mut which = Which::from(spot);
        if self.unstopped.is_none() && task.kind != TaskKind::Blocking {
            for wait in self.distinct_waits() {
                let lock = wait.resource.and_then(|id| process.resources.get(&id));
                let lock = lock.map_or_else(String::new, |lock| describe::lock_name(project, lock));
                which = which
                    .at(describe::spot(project, pointed_frame(&wait.stack)))
                    .of(awaited(process, wait).to_string())
                    .of(lock);
            }
        }
        which
    }

    /// Who is to blame for it.
    fn spawner(&self) -> Option<&Frame> {
        let task = self.task;
        if task.end == TaskEnd::Alive && in_initialiser(&task.spawn_stack) {
            return static_frame(&task.spawn_stack);
        }
        spawner(self.project, task, &self.test.identity)
    }

    /// Whether the runtime that was shut down belongs to the library that spawned it.
    fn is_stopped_by_its_runtime(&self) -> bool {
        self.task.end == TaskEnd::Shutdown
            && drops_own_runtime(self.project, &self.task.drop_stack, &self.test.identity)
    }

    fn kinds(&self) -> Vec<Awaited> {
        self.task.waits.iter().map(|wait| awaited(self.process, wait)).collect()
    }

    /// Whether one of its branches goes on by itself some day.
    fn has_timer(&self) -> bool {
        self.kinds().iter().any(Awaited::must_come)
    }

    /// The same, or whether it waits for the end of a task of which that holds.
    fn goes_on_by_itself(&self) -> bool {
        fn goes_on(process: &Process, task: &Task, seen: &mut BTreeSet<u64>) -> bool {
            if !seen.insert(task.id) {
                return false;
            }
            let must_come = |wait: &Wait| match (awaited(process, wait), wait.task) {
                (Awaited::Join, Some(joined)) => process
                    .tasks
                    .get(&joined)
                    .is_some_and(|joined| goes_on(process, joined, &mut seen.clone())),
                // Whom a task that was dropped had waited for nobody tells: one of its own.
                (Awaited::Join, None) => {
                    let is_own =
                        |other: &&Task| other.parent == Some(task.id) && other.end.is_unfinished();
                    let mut own = process.tasks.values().filter(is_own).peekable();
                    own.peek().is_some() && own.all(|own| goes_on(process, own, &mut seen.clone()))
                }
                (awaited, _) => awaited.must_come(),
            };
            task.waits.iter().any(must_come)
        }
        goes_on(self.process, self.task, &mut BTreeSet::new())
    }

    fn idle_ns(&self) -> u64 {
        idle_ns(self.process, self.task)
    }

    /// Until the first timer wakes it, where that is known.
    fn due_in_ns(&self) -> Option<u64> {
        let due = self.task.waits.iter().filter_map(|wait| wait.due_ns).min()?;
        Some(due.saturating_sub(self.task.end_ns(self.process)))
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, task, .. } = *self;
        let places = self.places()?;
        let spawn_stack = describe::labelled(project, &task.spawn_stack, "spawn stack of the task");
        let waits = if task.kind == TaskKind::Blocking {
            task.waits.iter().collect()
        } else {
            self.distinct_waits()
        };
        let label = if task.kind == TaskKind::Blocking {
            "stack of the task"
        } else {
            "await stack of the task"
        };
        let stacks = waits
            .into_iter()
            .filter_map(|wait| describe::labelled(project, &wait.stack, label))
            .chain(spawn_stack)
            .collect();
        Some(Draft {
            origin,
            message: self.message(origin),
            locations: places,
            stacks,
            notes: self.notes(origin),
            minor_notes: self.minor_notes(origin),
            help: self.help().to_owned(),
            details: Details::LingeringTask {
                task_kind: match task.kind {
                    TaskKind::Local => "local",
                    TaskKind::Blocking => "blocking",
                    TaskKind::Task | TaskKind::BlockOn | TaskKind::Thread => "task",
                }
                .to_owned(),
                task_name: task.name.clone(),
                idle_ms: self.idle_ns() / 1_000_000,
                waits_for: match self.unstopped {
                    Some(_) => Vec::new(),
                    None => self
                        .distinct_waits()
                        .into_iter()
                        .map(|wait| what(&waits_for(project, process, task, wait)).to_owned())
                        .collect(),
                },
                wakers: task.wakers(),
                due_in_ms: self.due_in_ns().map(|ns| ns / 1_000_000),
                descendants: self.descendants,
                owner: owner_of(task).map(|owner| owner.name().to_owned()),
                ended_by: match task.end {
                    TaskEnd::Alive => "process-exit",
                    TaskEnd::Shutdown => "runtime-shutdown",
                    TaskEnd::Completed | TaskEnd::Panicked => "itself",
                    TaskEnd::Cancelled => "abort",
                }
                .to_owned(),
                aborted_ms: match self.unstopped {
                    Some(Unstopped::Aborted(ns)) => Some(ns / 1_000_000),
                    _ => None,
                },
                shutdown_waited_ms: match self.unstopped {
                    Some(Unstopped::WaitedFor(ns)) => Some(ns / 1_000_000),
                    _ => None,
                },
            },
        })
    }

    fn message(&self, origin: Origin) -> String {
        let task = self.task;
        let name = describe::named(task.name.as_deref());
        let spawner = describe::by_frame("spawned", self.spawner(), origin);
        if let Some(unstopped) = self.unstopped {
            let kind = if task.kind == TaskKind::Blocking { "blocking task" } else { "task" };
            return format!("{kind}{name}{spawner} {}", unstopped.words(task));
        }
        let end = match task.end {
            TaskEnd::Alive => "when the process exited",
            _ => "when its runtime shut down",
        };
        let waiting = if task.running {
            "running".to_owned()
        } else if self.has_timer() {
            match self.due_in_ns() {
                Some(0) => "waiting for a timer that is due".to_owned(),
                Some(ns) => format!("waiting for a timer due in {}", describe::duration(ns)),
                None => "waiting for a timer".to_owned(),
            }
        } else if task.wakers() == 0 {
            "pending, with no waker left,".to_owned()
        } else {
            self.waiting()
        };
        format!("task{name}{spawner} was never stopped: still {waiting} {end}")
    }

    /// In full of one wait, in short of several.
    fn waiting(&self) -> String {
        let Self { project, process, task, .. } = *self;
        let words = match *self.distinct_waits() {
            [] => return "pending".to_owned(),
            [wait] => waits_for(project, process, task, wait),
            _ => {
                let kinds: BTreeSet<String> =
                    self.kinds().iter().map(|kind| what(&kind.to_string()).to_owned()).collect();
                format!("waits for {}", kinds.into_iter().collect::<Vec<_>>().join(" or "))
            }
        };
        words.strip_prefix("waits").map_or(words.clone(), |rest| format!("waiting{rest}"))
    }

    fn places(&self) -> Option<Vec<crate::finding::Location>> {
        let Self { project, process, task, .. } = *self;
        let label = "task spawned here";
        let in_workspace =
            task.spawned_at.as_ref().filter(|site| project.package_of(&site.file).is_some());
        let spawned = self
            .spawner()
            .filter(|frame| matches!(frame.owner, Owner::Workspace(_)))
            .and_then(|frame| describe::at_frame(project, frame, label))
            .or_else(|| in_workspace.map(|site| describe::at_site(project, site, label)))
            .or_else(|| describe::at_stack(project, &task.spawn_stack, label))
            .or_else(|| {
                task.spawned_at.as_ref().map(|site| describe::at_site(project, site, label))
            });
        let mut places = vec![Some(spawned?)];
        if task.kind == TaskKind::Blocking {
            for wait in &task.waits {
                let label = match wait.operation.as_str() {
                    "" => "last seen here".to_owned(),
                    operation => format!("blocked in `{operation}` here"),
                };
                places.push(describe::at_stack(project, &wait.stack, label));
            }
            return describe::places(places);
        }
        for wait in self.distinct_waits() {
            let label = format!("{} here", awaited(process, wait));
            places.push(describe::at_stack(project, &wait.stack, label));
            let lock = wait.resource.and_then(|id| process.resources.get(&id));
            let Some(lock) = lock.filter(|lock| lock.kind.is_lock()) else { continue };
            if let Some(created) = &lock.created_at {
                let label = format!("{} {} here", describe::type_name(lock), describe::made(lock));
                places.push(Some(describe::at_site(project, created, label)));
            }
            for hold in holders(process, lock.id) {
                let label = "the lock's holder acquired it here";
                places.push(describe::at_stack(project, &hold.acquisition.stack, label));
            }
        }
        describe::places(places)
    }

    /// One wait per await site.
    fn distinct_waits(&self) -> Vec<&Wait> {
        // The order in which a `select!` polls is random; the report's is not.
        let mut distinct = BTreeMap::new();
        for wait in &self.task.waits {
            let frame = pointed_frame(&wait.stack);
            let place = frame.map(|frame| (&frame.file, frame.line, &frame.function));
            let kind = awaited(self.process, wait).to_string();
            distinct.entry((place, kind, wait.resource)).or_insert(wait);
        }
        distinct.into_values().collect()
    }

    /// What it waits for: "it waits for data on an mpsc channel", with whether the
    /// message or a label says as much.
    fn wait_notes(&self, origin: Origin) -> Vec<(String, bool)> {
        let Self { project, process, task, .. } = *self;
        if self.unstopped.is_some() {
            return Vec::new();
        }
        let message = self.message(origin);
        let of_wait = |wait: &Wait| {
            let words = waits_for(project, process, task, wait);
            let has_label = words == awaited(process, wait).to_string()
                && describe::at_stack(project, &wait.stack, "").is_some();
            let is_said = has_label || message.contains(what(&words));
            (format!("it {words}"), is_said)
        };
        self.distinct_waits().into_iter().map(of_wait).collect()
    }

    /// What the message and the labels say already, and the marks that it has left.
    fn minor_notes(&self, origin: Origin) -> Vec<String> {
        let task = self.task;
        let said = self.wait_notes(origin).into_iter().filter(|(_, is_said)| *is_said);
        let mut notes: Vec<String> = said.map(|(note, _)| note).collect();
        if !task.running && self.unstopped.is_none() {
            notes.push(format!(
                "idle for {} after {}",
                describe::duration(self.idle_ns()),
                counted(task.polls, "poll", "polls")
            ));
        }
        if task.wakers() > 0 && self.unstopped.is_none() {
            notes.push(format!("{} can still wake it", counted(task.wakers(), "waker", "wakers")));
        }
        notes
    }

    fn notes(&self, origin: Origin) -> Vec<String> {
        let Self { process, task, .. } = *self;
        let unsaid = self.wait_notes(origin).into_iter().filter(|(_, is_said)| !is_said);
        let mut notes: Vec<String> = unsaid.map(|(note, _)| note).collect();
        if let Some(unstopped) = self.unstopped {
            notes.extend(unstopped.notes(task));
        }
        if awaits_token(process, task) {
            notes.push("nobody cancelled its token".to_owned());
        }
        if self.unstopped.is_none()
            && let Some(owner) = owner_of(task)
        {
            notes.push(owner.note(process).to_owned());
        }
        if task.wakers() == 0 && !task.running && self.unstopped.is_none() {
            notes.push("no waker is left: nothing can ever wake it".to_owned());
        }
        match task.parent.map(|id| process.tasks.get(&id)) {
            None => {}
            // A root ends with what it is the body of, and a thread is no task.
            Some(_) if matches!(task.parent_kind, Some(TaskKind::BlockOn | TaskKind::Thread)) => {}
            Some(Some(parent)) if parent.end == TaskEnd::Cancelled => {
                notes.push("the task that spawned it had been cancelled".to_owned());
            }
            Some(Some(parent)) if parent.end == TaskEnd::Panicked => {
                notes.push("the task that spawned it had panicked".to_owned());
            }
            Some(Some(parent)) if parent.end != TaskEnd::Completed => {}
            Some(_) => notes.push("the task that spawned it had finished".to_owned()),
        }
        if task.end == TaskEnd::Alive && is_of_static(process, task) {
            notes.push("made by the initialisation of a static: probably meant to stay".to_owned());
        }
        if self.is_stopped_by_its_runtime() {
            notes.push(
                "the runtime is one of the library's own, whose drop ends its tasks".to_owned(),
            );
        }
        if self.descendants > 0 {
            let tasks = counted(self.descendants, "further task", "further tasks");
            notes.push(format!("{tasks} below it lingered too"));
        }
        notes
    }

    fn help(&self) -> &'static str {
        if self.unstopped.is_some() {
            return unstopped::help(self.task);
        }
        let kinds = self.kinds();
        if self.task.wakers() == 0 && !self.task.running && kinds.is_empty() {
            return "a future that returns `Pending` must keep the waker and call it; until then \
                    keep the `JoinHandle` and abort the task when its owner is dropped";
        }
        kinds.iter().map(advice).min().unwrap_or_else(|| advice(&Awaited::Other)).1
    }
}

/// How to stop a task that waits for this; lower ones are more to the point.
fn advice(awaited: &Awaited) -> (u8, &'static str) {
    match awaited {
        Awaited::Timer { .. } => (
            1,
            "tell the task to stop instead of letting it sleep: `select!` between the timer and a \
             `CancellationToken`, or keep the `JoinHandle` and abort it when its owner is dropped",
        ),
        Awaited::Channel { sends: false, .. } => (
            2,
            "close the channel when the owner is dropped (the task must not hold an end of it that \
             keeps it open), or keep the `JoinHandle` and abort the task",
        ),
        Awaited::Channel { sends: true, .. } | Awaited::Closed { .. } => (
            3,
            "drop the receiver when nobody reads it any more, so that sending fails, or keep the \
             `JoinHandle` and abort the task when its owner is dropped",
        ),
        Awaited::Lock { .. } | Awaited::Semaphore | Awaited::Cell(_) => (
            4,
            "find out why the holder does not release it; keep the `JoinHandle` and abort the task \
             when its owner is dropped",
        ),
        Awaited::Notify | Awaited::Event => (
            5,
            "notify the task when its owner is dropped, for one with a `CancellationToken` and its \
             `DropGuard`, or keep the `JoinHandle` and abort it",
        ),
        Awaited::Cancellation => (
            // Whatever else it waits for, this is how it means to be stopped.
            0,
            "cancel the token when its owner is dropped: keep its `DropGuard` there. A child token \
             is cancelled with its parent, and not the other way round",
        ),
        Awaited::Io(_) | Awaited::Signal | Awaited::ChildProcess => (
            6,
            "`select!` between that event and a `CancellationToken` that the owner cancels on \
             drop, or keep the `JoinHandle` (or a `JoinSet`) and abort the task",
        ),
        Awaited::Join => (
            7,
            "stop the task that it waits for first; a `JoinSet` aborts its tasks when it is dropped",
        ),
        Awaited::Barrier | Awaited::Other => (
            8,
            "keep the `JoinHandle` and abort or await it when the owner is dropped, spawn into a \
             `JoinSet`, or give the task a `CancellationToken`",
        ),
    }
}

/// Who holds a lock at the end.
fn holders(process: &Process, resource: u64) -> Vec<&Hold> {
    let mut holders: Vec<&Hold> = Vec::new();
    let of_tasks = process.tasks.values().flat_map(|task| &task.holds);
    for hold in of_tasks.chain(&process.holds) {
        let same = |other: &&Hold| other.holder == hold.holder;
        if hold.released_ns.is_none()
            && hold.acquisition.resource == resource
            && !holders.iter().any(same)
        {
            holders.push(hold);
        }
    }
    holders
}

/// "waits for a Mutex created at src/lib.rs:7:9, held by task 12 spawned at
/// src/lib.rs:20:5"
fn waits_for(project: &Project, process: &Process, task: &Task, wait: &Wait) -> String {
    let mut words = awaited(process, wait).to_string();
    let Some(resource) = wait.resource.and_then(|id| process.resources.get(&id)) else {
        return words;
    };
    if let Some(name) = &resource.static_name {
        words = format!("{words}, the static `{}`", short(name));
    } else if let Some(created) = &resource.created_at {
        words = format!("{words} created at {}", describe::site(project, created));
    }
    for hold in holders(process, resource.id).into_iter().take(3) {
        words += ", held by ";
        if hold.holder.task == Some(task.id) {
            words += "the task itself";
        } else {
            words += &describe::actor(project, process, &hold.holder);
        }
    }
    words
}

/// "a Mutex" of "waits for a Mutex".
fn what(words: &str) -> &str {
    let rest = words.strip_prefix("waits ").unwrap_or(words);
    rest.strip_prefix("for ").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Role::{Primary, Secondary},
        model::testing::*,
    };

    fn check(process: Process) -> Vec<Finding> {
        crate::rules::check(&LingeringTask, &run(process), &Config::default())
    }

    fn check_task(change: impl FnOnce(&mut Task)) -> Vec<Finding> {
        let mut only = task(1);
        change(&mut only);
        check(process([only], []))
    }

    fn timer(due_ns: Option<u64>) -> Wait {
        let frames = [
            tokio("<tokio::time::sleep::Sleep as core::future::future::Future>::poll"),
            lib("app::Pool::reap", 50),
        ];
        Wait { stack: stack(frames), due_ns, ..channel_wait() }
    }

    #[test]
    fn a_library_task_that_waits_for_a_channel_at_shutdown_is_an_error() {
        let findings = check_task(|_| {});
        assert_eq!(findings.len(), 1);
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "task spawned by `Pool::start` was never stopped: still waiting for data on an \
             mpsc channel when its runtime shut down"
        );
        let places: Vec<_> =
            finding.locations.iter().map(|place| (place.line, place.role)).collect();
        assert_eq!(places, [(20, Primary), (33, Secondary)]);
        assert_eq!(finding.locations[0].file, "src/lib.rs");
        assert_eq!(finding.notes, [] as [&str; 0], "the message says it all");
        let minor = [
            "it waits for data on an mpsc channel",
            "idle for 3.0 s after 3 polls",
            "1 waker can still wake it",
        ];
        assert_eq!(finding.minor_notes, minor);
        assert!(finding.help.contains("close the channel"));
    }

    #[test]
    fn a_task_alive_at_process_exit_lingers_too() {
        let findings = check_task(|task| {
            task.end = TaskEnd::Alive;
            task.ended_ns = 0;
        });
        assert!(findings[0].message.ends_with("when the process exited"));
    }

    #[test]
    fn a_task_that_ended_or_was_stopped_is_silent() {
        for end in [TaskEnd::Completed, TaskEnd::Cancelled, TaskEnd::Panicked] {
            assert!(check_task(|task| task.end = end).is_empty(), "{end:?}");
        }
    }

    #[test]
    fn a_task_that_had_no_chance_to_finish_is_silent() {
        let woken = |task: &mut Task| {
            task.scheduled = true;
            task.drained = false;
        };
        assert!(check_task(woken).is_empty());
        assert!(check_task(|task| task.polls = 0).is_empty());
        assert!(check_task(|task| task.kind = TaskKind::Blocking).is_empty());
        assert!(check_task(|task| task.kind = TaskKind::BlockOn).is_empty());
        assert!(check_task(|task| task.kind = TaskKind::Thread).is_empty());
        assert_eq!(check_task(|task| task.scheduled = true).len(), 1, "the drain polled it");
    }

    #[test]
    fn only_passed_tests_and_whole_processes_are_judged() {
        for outcome in [Outcome::Failed, Outcome::TimedOut, Outcome::Signalled(6)] {
            let run = run_of([("app::it works", outcome, process([task(1)], []))]);
            assert!(crate::rules::check(&LingeringTask, &run, &Config::default()).is_empty());
        }
        let cut = Process { truncated: true, ..process([task(1)], []) };
        assert!(check(cut).is_empty());
    }

    #[test]
    fn a_timer_makes_it_a_warning_that_says_when() {
        let findings = check_task(|task| task.waits.push(timer(Some(32_000 * MS))));
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].message.contains("a timer due in 28 s"), "{}", findings[0].message);
        let unknown = check_task(|task| task.waits = vec![timer(None)]);
        assert_eq!(unknown[0].severity, Severity::Warning);
    }

    #[test]
    fn several_branches_are_told_in_short_and_each_by_a_label() {
        let findings = check_task(|task| {
            let frames = [
                tokio("<tokio::sync::notify::Notified as core::future::future::Future>::poll"),
                lib("app::Pool::serve::{{closure}}", 36),
            ];
            task.waits.push(Wait { stack: stack(frames), ..channel_wait() });
        });
        let finding = &findings[0];
        assert!(
            finding.message.contains("still waiting for a Notify or data on an mpsc channel when"),
            "{}",
            finding.message
        );
        assert!(finding.notes.is_empty(), "the labels say it: {:?}", finding.notes);
        assert!(finding.minor_notes.contains(&"it waits for a Notify".to_owned()));
        let labels: Vec<&str> =
            finding.locations.iter().map(|place| place.label.as_str()).collect();
        let waits = ["waits for data on an mpsc channel here", "waits for a Notify here"];
        assert_eq!(labels[1..], waits);
    }

    #[test]
    fn what_a_static_spawns_is_a_note_where_its_runtime_was_not_dropped() {
        let of_static = |task: &mut Task| {
            let initialiser = std("std::sync::once_lock::OnceLock<T>::get_or_init");
            task.spawn_stack = stack([lib("app::Pool::start", 20), initialiser]);
        };
        assert_eq!(check_task(of_static)[0].severity, Severity::Error);
        let mut stays = task(1);
        of_static(&mut stays);
        stays.end = TaskEnd::Alive;
        let findings = check(process([stays, task(2)], []));
        let severities: Vec<Severity> = findings.iter().map(|found| found.severity).collect();
        assert_eq!(severities.len(), 2, "they are told apart");
        assert!(severities.contains(&Severity::Note) && severities.contains(&Severity::Error));
    }

    #[test]
    fn one_that_waits_for_a_task_with_a_timer_goes_on_as_that_one_does() {
        let join = tokio("<tokio::runtime::task::join::JoinHandle<T> as Future>::poll");
        let joins = || Wait {
            stack: stack([join.clone(), lib("app::Pool::supervise::{{closure}}", 30)]),
            ..channel_wait()
        };
        let sleeps = || Wait {
            stack: stack([tokio("tokio::time::sleep::Sleep::poll"), lib("app::Pool::rest", 31)]),
            due_ns: Some(9_000 * MS),
            ..channel_wait()
        };
        let severity = |wait: Wait, child_waits: Wait| {
            let top = Task { waits: vec![wait], ..task(1) };
            let child = Task { parent: Some(1), waits: vec![child_waits], ..task(2) };
            let findings = crate::rules::check(
                &LingeringTask,
                &run(process([top, child], [])),
                &Config::default(),
            );
            findings[0].severity
        };
        assert_eq!(severity(joins(), sleeps()), Severity::Warning);
        assert_eq!(severity(Wait { task: Some(2), ..joins() }, sleeps()), Severity::Warning);
        assert_eq!(severity(joins(), channel_wait()), Severity::Error);
        assert_eq!(severity(channel_wait(), sleeps()), Severity::Error);
    }

    #[test]
    fn tasks_of_one_function_are_one_finding_that_lists_every_spawn() {
        let mut other = task(2);
        other.spawn_stack = stack([tokio("tokio::task::spawn"), lib("app::Pool::start", 24)]);
        let findings = check(process([task(1), other], []));
        assert_eq!((findings.len(), findings[0].occurrences), (1, 2));
        let last = findings[0].locations.last().unwrap();
        assert_eq!((last.line, last.label.as_str()), (24, "likewise: task spawned here"));
    }

    #[test]
    fn tests_and_dependencies_own_tasks_are_notes() {
        let by_test = check_task(|task| {
            task.spawn_stack = stack([test_code("it::works::{{closure}}", 5)]);
        });
        assert_eq!((by_test[0].severity, by_test[0].origin), (Severity::Note, Origin::Test));
        let by_unit_test = check_task(|task| {
            task.spawn_stack = stack([lib("app::works::{{closure}}", 5)]);
        });
        assert_eq!(by_unit_test[0].origin, Origin::Test);
        let by_dependency = check_task(|task| task.spawn_stack = stack([dependency("dep::go")]));
        let found = (by_dependency[0].severity, by_dependency[0].origin);
        assert_eq!(found, (Severity::Note, Origin::Dependency));
    }

    #[test]
    fn an_abandoned_server_explains_its_connections() {
        let mut server = task(1);
        server.spawn_stack = stack([test_code("it::works", 5)]);
        let connections = (2..102).map(|id| Task { parent: Some(1), ..task(id) });
        let nested = Task { parent: Some(50), ..task(500) };
        let findings = check(process(connections.chain([server, nested]), []));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(findings[0].notes.contains(&"101 further tasks below it lingered too".to_owned()));
    }

    #[test]
    fn a_connection_that_survives_its_server_is_its_own_top() {
        let gone = check(process([Task { parent: Some(1), ..task(2) }], []));
        assert_eq!(gone[0].severity, Severity::Error);
        for end in [TaskEnd::Cancelled, TaskEnd::Panicked, TaskEnd::Completed] {
            let parent = Task { end, ..task(1) };
            assert_eq!(check(process([parent, Task { parent: Some(1), ..task(2) }], [])).len(), 1);
        }
    }

    #[test]
    fn a_parent_that_might_have_finished_might_have_stopped_its_children() {
        let parent = Task { scheduled: true, drained: false, ..task(1) };
        assert!(check(process([parent, Task { parent: Some(1), ..task(2) }], [])).is_empty());
        let root = Task { kind: TaskKind::BlockOn, end: TaskEnd::Alive, ..task(1) };
        assert_eq!(check(process([root, Task { parent: Some(1), ..task(2) }], [])).len(), 1);
    }

    #[test]
    fn parents_in_a_loop_do_not_hang_the_audit() {
        let loops = [Task { parent: Some(2), ..task(1) }, Task { parent: Some(1), ..task(2) }];
        assert_eq!(check(process(loops, [])).len(), 1);
    }

    #[test]
    fn a_lock_is_named_with_its_holder() {
        let mut waiter = task(1);
        let frames = [tokio("tokio::sync::mutex::Mutex<T>::lock"), lib("app::Pool::serve", 33)];
        waiter.waits = vec![Wait { stack: stack(frames), resource: Some(7), ..channel_wait() }];
        let mut holder = task(12);
        holder.end = TaskEnd::Alive;
        holder.spawn_stack = stack([test_code("it::works", 5)]);
        let mut held = hold(7, 0);
        held.released_ns = None;
        held.holder = actor(12);
        holder.holds = vec![held];
        let findings = check(process([waiter, holder], [mutex(7, 3)]));
        let finding = findings.iter().find(|found| found.severity == Severity::Error).unwrap();
        let Details::LingeringTask { waits_for, .. } = &finding.details else { panic!() };
        assert_eq!(
            waits_for[0],
            "a Mutex created at src/lib.rs:3:9, held by task 12 spawned at src/lib.rs:20:9"
        );
        assert_eq!(
            finding.message,
            "task spawned by `Pool::start` was never stopped: still waiting for a Mutex created at \
             src/lib.rs:3:9, held by task 12 spawned at src/lib.rs:20:9 when its runtime shut down"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [20, 33, 3, 40]);
    }

    #[test]
    fn one_cause_in_many_tests_is_one_finding() {
        let slow = Task { last_poll_ended_ns: 0, ..task(1) };
        let run = run_of([
            ("app::it a", Outcome::Passed, process([task(1), task(2)], [])),
            ("app::it b", Outcome::Passed, process([slow], [])),
        ]);
        let findings = crate::rules::check(&LingeringTask, &run, &Config::default());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].tests, ["app::it a", "app::it b"]);
        assert_eq!(findings[0].occurrences, 3);
        assert!(matches!(findings[0].details, Details::LingeringTask { idle_ms: 4_000, .. }));
    }

    #[test]
    fn a_task_without_wakers_says_so() {
        let findings = check_task(|task| {
            task.waker_drops = task.waker_clones;
            task.waits.clear();
        });
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].message.contains("no waker left"));
        assert!(findings[0].help.starts_with("a future that returns `Pending`"));
    }
}
