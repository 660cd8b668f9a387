//! `silent-panic`: a task or thread panicked, nobody read its `JoinHandle`, and the
//! test passed.

use crate::{
    describe,
    finding::{
        Confidence, Details, Finding, Location, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        Outcome, Owner, Process, Run, Stack, TaskEnd, TaskKind, Test, UnreadPanic, origin,
        origin_of_site, plain, pointed_frame,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct SilentPanic;

impl Rule for SilentPanic {
    fn name(&self) -> &'static str {
        "silent-panic"
    }

    fn summary(&self) -> &'static str {
        "a task or thread panicked, nobody read its handle, and the test passed"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in run.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            for process in test.processes.iter().filter(|process| !is_meant_to_panic(process)) {
                for panic in process.panics.iter().filter(|panic| !panic.is_of_main) {
                    Silent { project: &run.project, test, panic }.add_to(&mut groups);
                }
            }
        }
        groups.finish()
    }
}

/// Whether the test itself panicked though it passed: a `#[should_panic]`, or one that
/// catches panics. What else panics in it is its subject.
fn is_meant_to_panic(process: &Process) -> bool {
    process.panics.iter().any(|panic| panic.is_of_main)
        || process
            .tasks
            .values()
            .any(|task| task.kind == TaskKind::BlockOn && task.end == TaskEnd::Panicked)
}

struct Silent<'a> {
    project: &'a Project,
    test: &'a Test,
    panic: &'a UnreadPanic,
}

impl Silent<'_> {
    /// Whose code the panic is, where that is known.
    fn panicked_in(&self) -> Option<Origin> {
        if pointed_frame(&self.panic.stack).is_some() {
            return Some(origin(self.project, &self.panic.stack, &self.test.identity));
        }
        self.panic.location.as_ref().map(|site| origin_of_site(self.project, site))
    }

    /// Whose code spawned what panicked.
    fn spawned_in(&self) -> Origin {
        let by_stack = origin(self.project, &self.panic.spawn_stack, &self.test.identity);
        match &self.panic.actor.spawned_at {
            Some(site) if pointed_frame(&self.panic.spawn_stack).is_none() => {
                origin_of_site(self.project, site)
            }
            _ => by_stack,
        }
    }

    fn rank(&self) -> (Severity, Origin) {
        match (self.panicked_in(), self.spawned_in()) {
            (Some(Origin::Library), _) | (None, Origin::Library) => {
                (Severity::Error, Origin::Library)
            }
            (Some(Origin::Test), _) if self.is_explicit() => (Severity::Note, Origin::Test),
            // What the test asserted did not hold, and it passed all the same.
            (Some(Origin::Test), _) | (None, Origin::Test) => (Severity::Warning, Origin::Test),
            (Some(Origin::Dependency), Origin::Library) => (Severity::Error, Origin::Library),
            (Some(Origin::Dependency), Origin::Test) => (Severity::Note, Origin::Test),
            (_, Origin::Dependency) => (Severity::Note, Origin::Dependency),
        }
    }

    /// Whether it is a `panic!`, which is there to panic, and no `unwrap`, no `expect` and no
    /// assertion, which are there not to.
    fn is_explicit(&self) -> bool {
        const RAISED: &[&str] = &[
            "core::panicking::panic_fmt",
            "core::panicking::panic_display",
            "core::panicking::panic_explicit",
            "std::panicking::begin_panic",
            "std::rt::begin_panic",
            "std::rt::panic_fmt",
        ];
        let is_of_assert =
            self.panic.message.as_deref().is_some_and(|it| it.starts_with("assertion "));
        // Outermost of the frames between the panic and who raised it.
        let frames = &self.panic.stack.frames;
        let raised = frames.iter().take_while(|frame| {
            !matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_) | Owner::Tokio)
        });
        let raised = raised.last().map(|frame| plain(&frame.function));
        !is_of_assert
            && raised.is_some_and(|name| RAISED.iter().any(|known| name.starts_with(known)))
    }

    fn add_to(&self, groups: &mut Groups) {
        let (severity, origin) = self.rank();
        let raiser = pointed_frame(&self.panic.stack);
        let spawner = pointed_frame(&self.panic.spawn_stack);
        let identity = vec![describe::identity(raiser), describe::identity(spawner)];
        let spot = match (&self.panic.location, raiser.or(spawner)) {
            (Some(site), None) => (self.project.display_path(&site.file), site.line),
            (_, frame) => describe::spot(self.project, frame),
        };
        let rank = Rank { severity, confidence: Confidence::Observed, weight: 0 };
        let which = Which::from(spot)
            .at(describe::spot(self.project, spawner))
            .of(describe::without_digits(self.panic.message.as_deref().unwrap_or_default()));
        groups.add(identity, which, rank, [self.test.name.clone()], || self.tell(origin));
    }

    fn what(&self) -> &'static str {
        match self.panic.actor.kind {
            TaskKind::Task | TaskKind::BlockOn => "task",
            TaskKind::Blocking => "blocking task",
            TaskKind::Local => "local task",
            TaskKind::Thread => "thread",
        }
    }

    /// The panic's line: its own, or the workspace's nearest to it.
    fn raised_at(&self) -> Option<Location> {
        let label = "panicked here";
        describe::at_stack_or_site(
            self.project,
            &self.panic.stack,
            self.panic.location.as_ref(),
            label,
        )
    }

    fn spawned_at(&self) -> Option<Location> {
        let label = format!("{} spawned here", self.what());
        let stack: &Stack = &self.panic.spawn_stack;
        describe::at_stack_or_site(self.project, stack, self.panic.actor.spawned_at.as_ref(), label)
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, panic, .. } = *self;
        let what = self.what();
        let name = describe::named(panic.name.as_deref());
        let spawner = describe::by("spawned", &panic.spawn_stack, self.spawned_in());
        let said = panic.message.as_deref().map(first_line);
        let said = said.map_or_else(String::new, |said| format!(" ({said})"));
        let mut notes = Vec::new();
        let mut minor_notes = Vec::new();
        let panicked_at = panic.location.as_ref().map(|site| describe::site(project, site));
        match (&panic.message, &panicked_at) {
            (Some(message), Some(at)) => {
                // The headline has a short one in full, and a label says where.
                let is_said = first_line(message) == *message;
                let told = format!("panicked at {at}: {message}");
                if is_said { &mut minor_notes } else { &mut notes }.push(told);
            }
            (None, Some(at)) => notes.push(format!("panicked at {at}, without a text")),
            (_, None) => notes.push(
                "where it panicked is not known: the panic was resumed, or the program has a panic \
                 hook that does not call the one before"
                    .to_owned(),
            ),
        }
        notes.push(if panic.is_detached {
            "its `JoinHandle` had been dropped before: nobody could learn of it".to_owned()
        } else {
            "its `JoinHandle` was not read by the end of the test".to_owned()
        });
        let help = if panic.actor.kind == TaskKind::Thread {
            "keep the `JoinHandle`, `join` it, and pass the panic on \
             (`std::panic::resume_unwind`); or use `std::thread::scope`, which does"
        } else {
            "keep the `JoinHandle` and await it (a `JoinSet` and its `join_next` where there are \
             many), or catch the panic in the task and report it; in a test, `.await.unwrap()` the \
             handle"
        };
        let stacks = [
            describe::labelled(project, &panic.stack, "stack of the panic"),
            describe::labelled(project, &panic.spawn_stack, format!("spawn stack of the {what}")),
        ];
        Some(Draft {
            origin,
            message: format!("{what}{name}{spawner} panicked{said}, and nobody noticed"),
            locations: describe::places([self.raised_at(), self.spawned_at()])?,
            stacks: stacks.into_iter().flatten().collect(),
            notes,
            minor_notes,
            help: help.to_owned(),
            details: Details::SilentPanic {
                task_kind: match panic.actor.kind {
                    TaskKind::Task | TaskKind::BlockOn => "task",
                    TaskKind::Blocking => "blocking",
                    TaskKind::Local => "local",
                    TaskKind::Thread => "thread",
                }
                .to_owned(),
                task_name: panic.name.clone(),
                panic_message: panic.message.clone(),
                panicked_at,
                detached: panic.is_detached,
            },
        })
    }
}

/// As much of a panic's message as fits into a sentence.
fn first_line(message: &str) -> String {
    const LENGTH: usize = 80;
    let line = message.lines().next().unwrap_or_default();
    let short: String = line.chars().take(LENGTH).collect();
    if short.len() < message.len() { format!("{short}..") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn unread() -> UnreadPanic {
        UnreadPanic {
            actor: actor(1),
            name: None,
            spawn_stack: stack([tokio("tokio::task::spawn"), lib("app::Pool::start", 20)]),
            message: Some("no such row: 7".to_owned()),
            location: Some(site(33)),
            stack: stack([std("core::panicking::panic_fmt"), lib("app::Pool::serve", 33)]),
            is_detached: true,
            is_of_main: false,
        }
    }

    fn check(panics: impl IntoIterator<Item = UnreadPanic>) -> Vec<Finding> {
        let process = Process { panics: panics.into_iter().collect(), ..process([], []) };
        crate::rules::check(&SilentPanic, &run(process), &Config::default())
    }

    #[test]
    fn a_panic_of_library_code_is_an_error_at_the_panic_and_the_spawn() {
        let findings = check([unread()]);
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.origin), (Severity::Error, Origin::Library));
        assert_eq!(
            finding.message,
            "task spawned by `Pool::start` panicked (no such row: 7), and nobody noticed"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [33, 20]);
        assert_eq!(finding.minor_notes, ["panicked at src/lib.rs:33:9: no such row: 7"]);
        assert!(finding.notes[0].contains("dropped before"));
    }

    #[test]
    fn severity_goes_by_whose_code_panicked_and_whose_spawned() {
        use Severity::{Error, Note, Warning};
        let spawned =
            [lib("app::Pool::start", 20), test_code("it::works", 5), dependency("dep::go")];
        let panicked = [lib("app::f", 2), test_code("it::works", 9), dependency("dep::f")];
        let severities: Vec<Vec<Severity>> = panicked
            .iter()
            .map(|panicked| {
                let of = |spawned: &crate::model::Frame| {
                    let (stack, spawn_stack) =
                        (stack([panicked.clone()]), stack([spawned.clone()]));
                    check([UnreadPanic { spawn_stack, stack, ..unread() }])[0].severity
                };
                spawned.iter().map(of).collect()
            })
            .collect();
        assert_eq!(
            severities,
            [[Error, Error, Error], [Warning, Warning, Warning], [Error, Note, Note]]
        );
    }

    #[test]
    fn an_explicit_panic_of_the_test_is_a_note_and_what_it_asserts_is_not() {
        let of = |raised: &[&str], message: &str| {
            let frames = raised.iter().map(|function| std(function));
            let stack = stack(frames.chain([test_code("it::works::{{closure}}", 9)]));
            let message = Some(message.to_owned());
            check([UnreadPanic { message, stack, ..unread() }])[0].severity
        };
        let (hook, fmt) = ("std::panicking::panic_with_hook", "core::panicking::panic_fmt");
        assert_eq!(of(&[hook, fmt], "on purpose"), Severity::Note);
        assert_eq!(of(&[hook, fmt], "assertion failed: it holds"), Severity::Warning);
        assert_eq!(of(&[hook, fmt, "core::result::unwrap_failed"], "oh"), Severity::Warning);
        assert_eq!(of(&[hook, fmt, "core::option::expect_failed"], "oh"), Severity::Warning);
        assert_eq!(of(&[hook, fmt, "core::panicking::panic"], "assertion"), Severity::Warning);
    }

    #[test]
    fn a_panic_that_the_hook_did_not_see_is_told_by_its_spawn() {
        let bare = UnreadPanic { message: None, location: None, stack: stack([]), ..unread() };
        let findings = check([bare]);
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(findings[0].locations[0].line, 20);
        assert_eq!(
            findings[0].message,
            "task spawned by `Pool::start` panicked, and nobody noticed"
        );
        assert!(findings[0].notes[0].contains("is not known"));
    }

    #[test]
    fn a_test_that_panics_itself_or_fails_is_not_judged() {
        let of_main = UnreadPanic { is_of_main: true, ..unread() };
        assert!(check([of_main, unread()]).is_empty());
        let root =
            crate::model::Task { kind: TaskKind::BlockOn, end: TaskEnd::Panicked, ..task(9) };
        let process = Process { panics: vec![unread()], ..process([root], []) };
        assert!(crate::rules::check(&SilentPanic, &run(process), &Config::default()).is_empty());
        let process = Process { panics: vec![unread()], ..Process::default() };
        let failed = run_of([("app::it works", Outcome::Failed, process)]);
        assert!(crate::rules::check(&SilentPanic, &failed, &Config::default()).is_empty());
    }

    #[test]
    fn a_long_message_is_cut_in_the_sentence() {
        assert_eq!(first_line("one\ntwo"), "one..");
        assert_eq!(first_line(&"x".repeat(200)).len(), 82);
        assert_eq!(first_line("short"), "short");
    }
}
