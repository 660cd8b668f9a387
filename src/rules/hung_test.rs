//! `hung-test`: a test that did not end within its time limit.
//!
//! What it tells is in [`crate::hang`]. Where a knot
//! explains it, that is the finding.

use crate::{
    describe::{self, counted, duration},
    finding::{
        Confidence, Details, Finding, HungProcess, LabelledStack, Location, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    hang::{Call, Hang, HeldUp, Node, Standstill, Starvation, Step},
    model::{
        Awaited, CallKind, Outcome, Run, Stack, TaskEnd, TaskKind, Test, UnreadPanic, in_place,
        origin, pointed_frame,
    },
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct HungTest;

impl Rule for HungTest {
    fn name(&self) -> &'static str {
        "hung-test"
    }

    fn summary(&self) -> &'static str {
        "a test did not end within its time limit"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["time-limit"]
    }

    fn check(&self, run: &Run, _config: &Config, explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        let ended_by_us = run
            .tests
            .iter()
            .filter(|test| test.outcome.is_hang() || test.outcome == Outcome::TooSlow);
        for test in ended_by_us.filter(|test| !is_explained(test, explained)) {
            let Some(process) = test.processes.iter().find_map(|it| it.snapshot.as_deref()) else {
                continue;
            };
            let hang = Hang::new(&run.project, process, &test.identity);
            let steps = hang.chain();
            if !is_reported(&hang, &steps, explained) {
                let held_up = hang.held_up(steps.iter().map(|step| step.node));
                Hung { hang: &hang, steps, held_up, test }.add_to(&mut groups);
            }
        }
        groups.finish()
    }
}

/// Whether a knot is why it hangs, and a rule tells of it.
fn is_explained(test: &Test, explained: &Explained) -> bool {
    let mut knots = test.processes.iter().flat_map(|process| &process.knots);
    knots.any(|knot| explained.has_knot(knot))
}

/// Whether a rule tells of the one that keeps all waiting.
fn is_reported(hang: &Hang<'_>, steps: &[Step<'_>], explained: &Explained) -> bool {
    let last = steps.last().and_then(|step| hang.record(step.node));
    last.is_some_and(|task| explained.has_task(hang.process, task.id))
}

const HELP_OF_DRIVER: &str = "do not block or compute for long on a runtime's thread: await, yield, \
                              or move it into `spawn_blocking`";

struct Hung<'a> {
    hang: &'a Hang<'a>,
    /// From the test's body to the one that keeps all waiting.
    steps: Vec<Step<'a>>,
    /// The lock that one of them holds while others wait for it.
    held_up: Option<HeldUp<'a>>,
    test: &'a Test,
}

impl Hung<'_> {
    fn add_to(&self, groups: &mut Groups) {
        let Self { hang, test, .. } = self;
        let frame = self.blamed().and_then(pointed_frame);
        let mut identity: Vec<String> = self
            .steps
            .iter()
            .map(|step| describe::identity(step.stack().and_then(pointed_frame)))
            .collect();
        // Of those of which nothing is known, each is a cause of its own.
        if identity.iter().all(String::is_empty) {
            identity.push(test.name.clone());
        }
        let rank = Rank {
            severity: Severity::Error,
            confidence: Confidence::Observed,
            weight: hang.now_ns(),
        };
        let spot = describe::spot(hang.project, frame);
        groups.add(identity, spot, rank, [test.name.clone()], || Some(self.tell()));
    }

    /// The stack of the innermost wait that has a line.
    fn blamed(&self) -> Option<&Stack> {
        let own = |stack: &&Stack| {
            origin(self.hang.project, stack, &self.test.identity) != Origin::Dependency
        };
        if let Some(HeldUp { hold, .. }) = &self.held_up
            && own(&&*hold.acquisition.stack)
        {
            return Some(&hold.acquisition.stack);
        }
        let stacks = || self.steps.iter().rev().filter_map(Step::stack);
        let to_blame =
            self.steps.iter().rev().filter(|step| !step.waits_for_driver()).filter_map(Step::stack);
        to_blame
            .clone()
            .find(own)
            .or_else(|| stacks().find(own))
            .or_else(|| stacks().find(|stack| pointed_frame(stack).is_some()))
    }

    fn tell(&self) -> Draft {
        let Self { hang, test, .. } = self;
        let process = hang.tell();
        Draft {
            origin: self
                .blamed()
                .map_or(Origin::Dependency, |it| origin(hang.project, it, &test.identity)),
            message: self.message(),
            locations: describe::places(self.places()).unwrap_or_default(),
            stacks: self.stacks(),
            notes: self.panicked().into_iter().chain(notes(&process, self.limit_ms())).collect(),
            minor_notes: Vec::new(),
            help: self.help().to_owned(),
            details: Details::HungTest { limit_ms: self.limit_ms(), process },
        }
    }

    /// Tasks and threads that have panicked: what they were to do is not done.
    fn panicked(&self) -> Option<String> {
        let tasks = self.test.processes.iter().flat_map(|process| process.tasks.values());
        let tasks = tasks.filter(|task| task.end == TaskEnd::Panicked);
        let tasks = tasks.map(|task| ("task".to_owned(), self.hang.whence(task)));
        let is_thread =
            |panic: &&UnreadPanic| panic.actor.kind == TaskKind::Thread && !panic.is_of_main;
        let threads = self.hang.process.panics.iter().filter(is_thread);
        let threads = threads.map(|panic| {
            let name = describe::named(panic.name.as_deref());
            (format!("thread{name}"), self.hang.place(&panic.spawn_stack))
        });
        let panicked: Vec<(String, Option<String>)> = tasks.chain(threads).collect();
        let ((what, whence), others) = panicked.split_last()?;
        let spawned = whence.as_ref().map_or_else(String::new, |at| format!(" spawned at {at}"));
        Some(match others.len() {
            0 => format!("the {what}{spawned} has panicked: what it was to do is not done"),
            others => format!(
                "{} tasks and threads have panicked, the last of them the {what}{spawned}: what \
                 they were to do is not done",
                others + 1
            ),
        })
    }

    fn limit_ms(&self) -> u64 {
        let limit = self.test.time_limit.unwrap_or_default();
        u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
    }

    fn message(&self) -> String {
        let name = self.test.identity.path.as_ref().unwrap_or(&self.test.name);
        let ended = match self.test.outcome {
            Outcome::Hung => format!("test `{name}` hangs"),
            _ => format!("test `{name}` did not end within {}", limit(self.limit_ms())),
        };
        if self.test.outcome == Outcome::TooSlow {
            let sentence = self.hang.sentence(&self.steps);
            return format!("{ended} nor within many times that, though it got on: {sentence}");
        }
        if self.steps.is_empty() {
            return format!("{ended}, and nothing is known of what it waits for");
        }
        match &self.held_up {
            Some(held_up) => format!("{ended}: {}", self.holds_up(held_up)),
            None => format!("{ended}: {}", self.hang.sentence(&self.steps)),
        }
    }

    /// That of the chain of which it is a part.
    fn step_of(&self, node: Node) -> Option<&Step<'_>> {
        self.steps.iter().find(|step| step.node == node)
    }

    /// "the test's body holds tokio Mutex created at src/a.rs:7:9 (taken at src/a.rs:12) and
    /// waits for data on a oneshot channel at src/a.rs:14, while the task spawned at
    /// src/a.rs:20 waits for that lock at src/a.rs:22".
    fn holds_up(&self, held_up: &HeldUp<'_>) -> String {
        let Self { hang, .. } = self;
        let HeldUp { lock, hold, holder, waiter, waits, others } = held_up;
        let at =
            |stack: &Stack| hang.place(stack).map_or_else(String::new, |at| format!(" at {at}"));
        let purpose = describe::purpose(lock, hold.acquisition.mode);
        let step = self.step_of(*holder);
        let doing = step.map_or_else(|| "waits".to_owned(), |step| hang.clause(step));
        let others = match others {
            0 => String::new(),
            count => format!(", as do {}", counted(*count as u64, "other", "others")),
        };
        format!(
            "{} holds {}{purpose} (taken{}) and {doing}, while {} waits for that lock{}{others}",
            hang.name(*holder),
            describe::lock_name(hang.project, lock),
            at(&hold.acquisition.stack),
            hang.name(*waiter),
            at(waits),
        )
    }

    /// Where it hangs, and what leads there from the test's body; innermost first.
    fn places(&self) -> Vec<Option<Location>> {
        let Self { hang, .. } = self;
        let mut places = Vec::new();
        if let Some(HeldUp { lock, hold, holder, waiter, waits, .. }) = &self.held_up {
            let kind = describe::type_name(lock);
            let label = format!("{} took the {kind} here, and holds it", hang.name(*holder));
            places.push(describe::at_stack(hang.project, &hold.acquisition.stack, label));
            let label = format!("{} waits for the {kind} here", hang.name(*waiter));
            places.push(describe::at_stack(hang.project, waits, label));
        }
        let blamed = self.blamed();
        for step in self.steps.iter().rev() {
            let who = hang.name(step.node);
            if let Some(stack) = step.stack() {
                let label = format!("{who} {} here", self.doing(step));
                let place = describe::at_stack(hang.project, stack, label);
                let is_blamed = blamed.is_some_and(|blamed| std::ptr::eq(blamed, stack));
                places.insert(if is_blamed { 0 } else { places.len() }, place);
            }
            let record = hang.record(step.node);
            let spawned = record.filter(|_| Some(step.node) != hang.start());
            places.push(spawned.and_then(|task| {
                let is_root = task.kind == TaskKind::BlockOn;
                let label = if is_root { "started here" } else { "spawned here" };
                let site = task.spawned_at.as_ref();
                let own = site.filter(|at| hang.project.package_of(&at.file).is_some());
                own.map(|at| describe::at_site(hang.project, at, label))
                    .or_else(|| describe::at_stack(hang.project, &task.spawn_stack, label))
            }));
        }
        places
    }

    fn doing(&self, step: &Step<'_>) -> String {
        match &step.standstill {
            Standstill::Awaits(branches) => branches
                .first()
                .map_or_else(|| "is pending".to_owned(), |branch| self.hang.awaited(branch)),
            Standstill::Blocks(Call { lock: Some(lock), .. }) => {
                format!("waits for the {}", describe::type_name(lock))
            }
            Standstill::Blocks(call) => format!("is blocked in {}", call.name),
            Standstill::Computes { .. } => "computes".to_owned(),
            Standstill::Starves { .. } | Standstill::Runs(_) => String::new(),
        }
    }

    /// The stack where it hangs, in full.
    fn stacks(&self) -> Vec<LabelledStack> {
        if let Some(HeldUp { hold, holder, waiter, waits, .. }) = &self.held_up {
            let project = self.hang.project;
            let step = self.step_of(*holder);
            let (holder, waiter) = (self.hang.name(*holder), self.hang.name(*waiter));
            let taken = format!("where {holder} took the lock");
            let meanwhile = format!("where {holder} waits meanwhile");
            return [
                describe::labelled(project, &hold.acquisition.stack, taken),
                step.and_then(Step::stack)
                    .and_then(|stack| describe::labelled(project, stack, meanwhile)),
                describe::labelled(project, waits, format!("where {waiter} waits for the lock")),
            ]
            .into_iter()
            .flatten()
            .collect();
        }
        let Some(blamed) = self.blamed() else { return Vec::new() };
        let of = self
            .steps
            .iter()
            .find(|step| step.stack().is_some_and(|stack| std::ptr::eq(stack, blamed)));
        let who = of.map_or_else(String::new, |step| format!(" ({})", self.hang.name(step.node)));
        let label = format!("where it hangs{who}");
        describe::labelled(self.hang.project, blamed, label).into_iter().collect()
    }

    /// What to do about the last one of the chain.
    fn help(&self) -> &'static str {
        if self.held_up.is_some() {
            return "release the lock before waiting: whoever is to end that wait may need the \
                    lock first";
        }
        let Some(step) = self.steps.last() else {
            return "end the test earlier, or raise --time-limit";
        };
        if step.waits_for_driver() {
            return HELP_OF_DRIVER;
        }
        match &step.standstill {
            Standstill::Awaits(branches) => {
                let other = branches.iter().find(|branch| !branch.awaited.must_come());
                match other.or(branches.first()).map(|branch| &branch.awaited) {
                    Some(awaited) => help_with(awaited),
                    None => {
                        "keep the waker that the future is polled with, and wake it when there is \
                         something to do"
                    }
                }
            }
            Standstill::Blocks(call) => self.help_with_call(step.node, call),
            Standstill::Computes { .. } => {
                "see that the loop comes to its end; and yield in it now and then, so that others \
                 of its thread can run"
            }
            Standstill::Starves { why, .. } => match why {
                Starvation::Pool => {
                    "a blocking task must not wait for another one of its pool: await outside of \
                     `spawn_blocking`, bound how many run at a time, or raise \
                     `max_blocking_threads`"
                }
                Starvation::NotDriven => {
                    "use `Runtime::block_on`, which drives the runtime's tasks, or a runtime with \
                     workers"
                }
                Starvation::Thread => HELP_OF_DRIVER,
                Starvation::Unknown => {
                    "keep the runtime running (`block_on`) for as long as its tasks are needed"
                }
            },
            Standstill::Runs(_) => "end the test earlier, or raise --time-limit",
        }
    }

    fn help_with_call(&self, node: Node, call: &Call<'_>) -> &'static str {
        // Its thread may run tasks that are yet to come, too.
        let is_in_poll = self.hang.is_polled(node)
            && !in_place(call.stack)
            && matches!(
                call.operation,
                "Receiver::recv" | "SyncSender::send" | "Condvar::wait" | "JoinHandle::join"
            );
        if is_in_poll || !self.hang.kept_by(node).is_empty() {
            return "do not block a runtime's thread: await an asynchronous counterpart of the \
                    call, or move it into `spawn_blocking`";
        }
        match (call.kind(), call.operation) {
            (Some(CallKind::Drive), _) if call.since_ns.is_some() && self.hang.is_polled(node) => {
                "do not drive a future within the poll of another one: it keeps the runtime's \
                 thread from what it waits for. Make the function `async` and await it, or call \
                 it in `spawn_blocking`"
            }
            (Some(CallKind::Drive), _) => {
                "see what the future waits for, and who is to bring that about"
            }
            (Some(CallKind::Receive), _) | (None, "Receiver::recv") => {
                "a receiver goes on until every sender is dropped: look for one that is kept \
                 alive, in a struct or by a thread that waits itself"
            }
            (Some(CallKind::Send), _) => {
                "see who is to receive from the channel: it is full, and nobody receives from it"
            }
            (Some(CallKind::Cell), _) => {
                "an initialiser must not need what it initialises, nor wait for who waits for it"
            }
            (None, "SyncSender::send") => {
                "see who is to make room in the channel by receiving from it"
            }
            (None, "Condvar::wait") => {
                "notify the Condvar after each change of what it is waited for, while the lock is \
                 held or after it; it does not remember that it was notified"
            }
            (None, "JoinHandle::join") => "tell the thread to end before you join it",
            (None, "Barrier::wait") => "see that as many wait at the Barrier as it was made for",
            (None, "thread::sleep") => "wait for an event rather than for time",
            (None, "thread::park") => "see who is to unpark the thread",
            (None, "thread::scope") => "tell the threads of the scope to end before it does",
            (None, "Condvar::wait_timeout" | "Receiver::recv_timeout" | "thread::park_timeout") => {
                "it waits again whenever its time is over: see what is to end the loop around it"
            }
            (None, _) if call.lock.is_some() => {
                "see who holds the lock, and why it is not released"
            }
            (None, _) => "give the call a time limit, or see who is to end it",
        }
    }
}

fn help_with(awaited: &Awaited) -> &'static str {
    match awaited {
        Awaited::Channel { sends: true, .. } => {
            "see who is to receive from the channel: it is full, and nobody receives from it"
        }
        Awaited::Closed { .. } => "see who keeps the receiver, and is to drop it",
        Awaited::Cell(_) => {
            "see who initialises the cell: an initialiser must not need the cell itself, nor \
             wait for who waits for it"
        }
        Awaited::Event => "see who is to notify the event",
        Awaited::Channel { .. } => {
            "a receiver goes on until every sender is dropped: look for one that is kept alive, \
             by the receiving task itself or by one that waits for it"
        }
        Awaited::Notify => {
            "see who is to notify it: `notify_waiters` reaches only those that wait already, \
             `notify_one` is kept for the next one"
        }
        Awaited::Cancellation => "see who is to cancel the token",
        Awaited::Join => "tell the task to end (or abort it) before you wait for it",
        Awaited::Io(_) => "see who is at the other end, and give the operation a `timeout`",
        Awaited::Timer { .. } => {
            "let the test wait for an event rather than for time, or raise --time-limit"
        }
        Awaited::Barrier => "see that as many wait at the Barrier as it was made for",
        Awaited::Lock { .. } | Awaited::Semaphore => "see who holds it, and why it is not released",
        Awaited::Signal => "see who is to send the signal",
        Awaited::ChildProcess => {
            "see why the child process does not end; kill it, or wait for it with a `timeout`"
        }
        Awaited::Other => "see who is to wake the future",
    }
}

/// A time limit as it was given: "60 s".
fn limit(ms: u64) -> String {
    match ms {
        _ if !ms.is_multiple_of(1_000) => format!("{ms} ms"),
        0..=120_000 => format!("{} s", ms / 1_000),
        _ => duration(ms.saturating_mul(1_000_000)),
    }
}

/// What is known beyond the tree.
fn notes(process: &HungProcess, limit_ms: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if process.is_still {
        notes.push(
            "nothing ran and no timer was pending: it would never have ended by itself".to_owned(),
        );
    } else if process.threads.iter().any(|thread| thread.cpu_ms * 2 > limit_ms) {
        notes.push("it was busy: it may hang, or just need more time".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activity, Process, Task, TaskEnd, Thread, Wait, testing::*};

    const MS: u64 = 1_000_000;

    /// The thread of the test `works`, which runs tasks of `thread`'s number.
    fn test_thread(activity: Activity) -> Thread {
        Thread {
            number: 10,
            name: "works".to_owned(),
            id: 100,
            record: None,
            activity,
            stack: stack([lib("app::spin", 70), lib("app::works", 5)]),
            cpu_ns: 4_900 * MS,
            waits: Vec::new(),
            holds: Vec::new(),
            joins: None,
        }
    }

    fn alive(id: u64) -> Task {
        Task {
            ended_ns: 0,
            end: TaskEnd::Alive,
            thread: 100,
            parent: Some(1),
            parent_kind: Some(TaskKind::BlockOn),
            ..task(id)
        }
    }

    /// The test's body, which waits so.
    fn body(waits: Vec<Wait>) -> Task {
        Task { kind: TaskKind::BlockOn, parent: None, parent_kind: None, waits, ..alive(1) }
    }

    fn wait(leaf: &str, line: u32) -> Wait {
        let stack = stack([tokio(leaf), lib("app::works::{{closure}}", line)]);
        Wait { stack, ..channel_wait() }
    }

    fn join() -> Wait {
        wait("<tokio::runtime::task::join::JoinHandle<T> as core::future::future::Future>::poll", 6)
    }

    fn check_of(outcome: Outcome, snapshot: Process) -> Vec<Finding> {
        let process = Process { snapshot: Some(Box::new(snapshot)), ..process([], []) };
        crate::rules::check(
            &HungTest,
            &run_of([("app::it works", outcome, process)]),
            &Config::default(),
        )
    }

    fn check(tasks: Vec<Task>) -> Finding {
        let blocked = test_thread(Activity::Blocked("epoll_wait".to_owned()));
        let snapshot = Process { threads: vec![blocked], ..process(tasks, [mutex(7, 3)]) };
        let findings = check_of(Outcome::TimedOut, snapshot);
        let [finding] = <[Finding; 1]>::try_from(findings).expect("one finding");
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Observed));
        finding
    }

    fn hung(finding: &Finding) -> &HungProcess {
        let Details::HungTest { process, limit_ms: 60_000 } = &finding.details else {
            panic!("{:?}", finding.details)
        };
        process
    }

    #[test]
    fn the_way_leads_from_the_body_to_the_one_that_waits_for_nobody() {
        let finding = check(vec![body(vec![join()]), alive(2)]);
        assert_eq!(
            finding.message,
            "test `works` did not end within 60 s: it waits at src/lib.rs:6 for the task spawned \
             at src/lib.rs:20, which waits for data on an mpsc channel at src/lib.rs:33"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [33, 20, 6]);
        assert!(finding.help.contains("until every sender is dropped"));
        assert_eq!(
            finding.notes,
            ["nothing ran and no timer was pending: it would never have ended by itself"]
        );
        let process = hung(&finding);
        assert_eq!(process.parties.len(), 1);
        let body = &process.parties[0];
        assert_eq!((body.who.as_str(), body.polls), ("the test's body", 3));
        assert_eq!(body.waits[0].on[0].who, "task 2");
    }

    #[test]
    fn a_joined_task_is_the_one_that_is_told_or_of_one_line() {
        let elsewhere = Task { spawned_at: Some(site(50)), ..alive(3) };
        let two = check(vec![body(vec![join()]), alive(2), elsewhere.clone()]);
        assert!(two.message.ends_with("it waits for a task to finish at src/lib.rs:6"));
        assert_eq!(hung(&two).parties.len(), 3);
        let told = Wait { task: Some(3), ..join() };
        let told = check(vec![body(vec![told]), alive(2), elsewhere]);
        assert!(told.message.contains(" for the task spawned at src/lib.rs:50, which"));
        let many = check(vec![body(vec![join()]), alive(2), alive(3), alive(4)]);
        assert!(many.message.contains(" for one of the 3 tasks spawned at src/lib.rs:20, which"));
        let below = &hung(&many).parties[0].waits[0].on;
        assert_eq!((below.len(), below[0].count), (1, 3));
    }

    #[test]
    fn a_lock_leads_to_its_holder() {
        let lock = wait("tokio::sync::mutex::Mutex<T>::lock::{{closure}}", 6);
        let lock = Wait { resource: Some(7), ..lock };
        let held = crate::model::Hold { released_ns: None, ..hold(7, 0) };
        let holder = Task { holds: vec![held], ..alive(2) };
        let finding = check(vec![body(vec![lock]), holder]);
        assert!(
            finding.message.contains(
                "the task spawned at src/lib.rs:20 holds tokio Mutex created at src/lib.rs:3:9 \
                 (taken at src/lib.rs:40) and waits for data on an mpsc channel at src/lib.rs:33, \
                 while the test's body waits for that lock at src/lib.rs:6"
            ),
            "{}",
            finding.message
        );
        let [lock] = &hung(&finding).locks[..] else { panic!("{finding:?}") };
        assert_eq!((lock.held_ms, lock.taken_at.as_deref()), (4_000, Some("src/lib.rs:40")));
    }

    #[test]
    fn a_task_that_is_not_polled_blames_who_has_its_thread() {
        let computing = Task { running: true, waits: Vec::new(), ..alive(2) };
        let ready = Task { polls: 0, scheduled: true, spawned_at: Some(site(50)), ..alive(3) };
        let waits = Wait { task: Some(3), ..join() };
        let snapshot = Process {
            threads: vec![test_thread(Activity::Running)],
            ..process([body(vec![waits]), computing, ready], [])
        };
        let finding = check_of(Outcome::TimedOut, snapshot).remove(0);
        assert!(
            finding.message.ends_with(
                "for the task spawned at src/lib.rs:50, which was never polled, since its thread is \
                 kept busy by the task spawned at src/lib.rs:20, which has computed at \
                 src/lib.rs:70 for 4.0 s without a pause at an `.await` (4.0 s on the CPU)"
            ),
            "{}",
            finding.message
        );
        assert_eq!(finding.locations[0].line, 70);
        assert!(!hung(&finding).is_still);
    }

    #[test]
    fn a_timer_says_that_it_may_go_on() {
        let timer = Wait {
            due_ns: Some(8_000 * MS),
            ..wait("<tokio::time::sleep::Sleep as core::future::future::Future>::poll", 6)
        };
        let finding = check(vec![body(vec![timer])]);
        assert!(finding.message.ends_with("it waits for a timer due in 3.0 s at src/lib.rs:6"));
        assert!(finding.notes.is_empty());
        assert_eq!(hung(&finding).parties[0].waits[0].due_in_ms, Some(3_000));
    }

    #[test]
    fn of_several_timers_the_first_is_told_and_of_many_polls_their_number() {
        let sleep = "<tokio::time::sleep::Sleep as core::future::future::Future>::poll";
        let timer = |due: u64| Wait { due_ns: Some(due * MS), ..wait(sleep, 6) };
        let looping = Task {
            polls: 5_012,
            ..body(vec![timer(9_000), timer(6_000), wait("tokio::sync::notify::Notified", 6)])
        };
        let finding = check(vec![looping]);
        assert!(
            finding.message.ends_with(
                "it waits at src/lib.rs:6 for a Notify or for a timer due in 1.0 s, again and again \
                 (5,012 polls)"
            ),
            "{}",
            finding.message
        );
    }

    #[test]
    fn who_has_lost_its_waker_is_told_of_by_the_rule_for_that() {
        let lost = Task { waker_drops: 4, ..body(Vec::new()) };
        let check = |config: &Config| {
            let snapshot = Process {
                threads: vec![test_thread(Activity::Blocked("epoll_wait".to_owned()))],
                ..process([lost.clone()], [])
            };
            let process = Process { snapshot: Some(Box::new(snapshot)), ..process([], []) };
            let run = run_of([("app::it works", Outcome::TimedOut, process)]);
            crate::rules::check(&HungTest, &run, config).len()
        };
        assert_eq!(check(&Config::default()), 0);
        let disabled = ["lost-waker".to_owned()].into();
        assert_eq!(check(&Config { disabled }), 1);
    }

    #[test]
    fn a_ring_is_walked_once() {
        let lock = Wait { task: Some(1), ..channel_wait() };
        let back = Task { waits: vec![lock], ..alive(2) };
        let finding = check(vec![body(vec![join()]), back]);
        assert!(finding.message.ends_with("which waits at src/lib.rs:33 for the test's body"));
        let again = &hung(&finding).parties[0].waits[0].on[0].waits[0].on[0];
        assert!(again.is_told_above && again.waits.is_empty());
    }

    #[test]
    fn without_runtime_the_thread_tells() {
        let blocked = Thread {
            waits: vec![Wait {
                operation: "Condvar::wait".to_owned(),
                stack: stack([probe("concaudit_std::sync::Condvar::wait"), lib("app::works", 6)]),
                ..channel_wait()
            }],
            ..test_thread(Activity::Blocked("futex".to_owned()))
        };
        let snapshot = Process { threads: vec![blocked], ..process([], []) };
        let finding = check_of(Outcome::TimedOut, snapshot).remove(0);
        assert!(finding.message.ends_with("it is blocked in `Condvar::wait` at src/lib.rs:6"));
        assert!(finding.help.starts_with("notify the Condvar"));
    }

    #[test]
    fn what_ended_otherwise_or_is_a_knot_or_was_not_seen_is_no_finding() {
        let snapshot = || process([body(vec![join()]), alive(2)], []);
        assert_eq!(check_of(Outcome::TimedOut, snapshot()).len(), 1);
        for outcome in [Outcome::Passed, Outcome::Deadlocked, Outcome::Interrupted] {
            assert_eq!(check_of(outcome, snapshot()).len(), 0);
        }
        let knot = crate::model::Knot {
            parties: vec![party(1, (7, "app::a", 1), (7, "app::a", 2))],
            ..knot()
        };
        let tied = Process {
            snapshot: Some(Box::new(snapshot())),
            knots: vec![knot],
            ..process([], [mutex(7, 3)])
        };
        let run = run_of([("app::it works", Outcome::TimedOut, tied)]);
        assert_eq!(crate::rules::check(&HungTest, &run, &Config::default()).len(), 0);
        let disabled = ["deadlock".to_owned(), "futurelock".to_owned()].into();
        let alone = Config { disabled };
        assert_eq!(
            crate::rules::check(&HungTest, &run, &alone).len(),
            1,
            "nobody else tells of it"
        );
        let unseen = run_of([("app::it works", Outcome::TimedOut, process([], []))]);
        assert_eq!(crate::rules::check(&HungTest, &unseen, &Config::default()).len(), 0);
    }
}
