//! `self-waking-task`: a task wakes itself over and over, instead of waiting for what it
//! waits for.
//!
//! The rule is tokio-console's: more than half of a task's wakes are its own. Here it also
//! takes a number of them, since whoever gives way to others now and then does so, too.

use crate::{
    describe::{self, counted, group_digits},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    model::{Process, Run, SelfWaking, Stack, Test, origin, plain, pointed_frame, short},
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct SelfWakingTask;

/// Functions that wake their task so that others get their turn, after much that was ready.
const GIVING_WAY: [&str; 5] = [
    "tokio::task::yield_now",
    "tokio::task::coop",
    "tokio::coop",
    "futures_util::stream::futures_unordered",
    "futures_lite::future::yield_now",
];

impl Rule for SelfWakingTask {
    fn name(&self) -> &'static str {
        "self-waking-task"
    }

    fn summary(&self) -> &'static str {
        "a task wakes itself over and over instead of waiting"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["self-wakes"]
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for waking in &process.self_waking {
                    let is_meant = waking.self_wakes >= test.thresholds.self_wakes
                        && waking.self_wakes.saturating_mul(2) > waking.wakes
                        && !gives_way(&waking.stack);
                    if is_meant {
                        add(&mut groups, &run.project, test, process, waking);
                    }
                }
            }
        }
        groups.finish()
    }
}

fn gives_way(stack: &Stack) -> bool {
    stack.frames.iter().any(|frame| {
        let function = plain(&frame.function);
        GIVING_WAY.iter().any(|part| function.contains(part))
    })
}

fn add(
    groups: &mut Groups,
    project: &Project,
    test: &Test,
    process: &Process,
    waking: &SelfWaking,
) {
    let blamed = pointed_frame(&waking.stack);
    let origin = origin(project, &waking.stack, &test.identity);
    let severity = match origin {
        Origin::Library => Severity::Warning,
        Origin::Test | Origin::Dependency => Severity::Note,
    };
    let rank = Rank { severity, confidence: Confidence::Observed, weight: waking.self_wakes };
    groups.add_times(
        vec![describe::identity(blamed)],
        describe::spot(project, blamed),
        rank,
        waking.count,
        [test.name.clone()],
        || tell(project, test, process, waking, origin),
    );
}

fn tell(
    project: &Project,
    test: &Test,
    process: &Process,
    waking: &SelfWaking,
    origin: Origin,
) -> Option<Draft> {
    let SelfWaking { wakes, self_wakes, .. } = *waking;
    let percent = self_wakes.saturating_mul(100) / wakes.max(1);
    let mut places = vec![describe::at_stack(
        project,
        &waking.stack,
        format!("wakes itself here, {} times", group_digits(self_wakes)),
    )];
    if let Some(at) = &waking.actor.spawned_at
        && project.package_of(&at.file).is_some()
    {
        places.push(Some(describe::at_site(project, at, "task spawned here")));
    }
    let place = match pointed_frame(&waking.stack) {
        Some(_) if origin == Origin::Test => " in the test".to_owned(),
        Some(frame) => format!(" in `{}`", short(&frame.function)),
        None => String::new(),
    };
    let mut notes = vec![format!("it is {}", describe::actor(project, process, &waking.actor))];
    if waking.count > 1 {
        let tasks = counted(waking.count, "task", "tasks");
        notes.push(format!("{tasks} did so; the numbers are those of the one that did most"));
    }
    let stacks = [
        (&waking.stack, "stack of one of its wakes"),
        (&waking.spawn_stack, "spawn stack of the task"),
    ];
    Some(Draft {
        origin,
        message: format!(
            "a task woke itself {} times{place}: {percent} % of its wakes were its own",
            group_digits(self_wakes)
        ),
        locations: describe::places(places)?,
        stacks: stacks
            .into_iter()
            .filter_map(|(stack, label)| describe::labelled(project, stack, label))
            .collect(),
        notes,
        minor_notes: vec![format!("the threshold is {}", group_digits(test.thresholds.self_wakes))],
        help: "let what it waits for wake it: keep the waker (`Context::waker().clone()`) with the \
               state that changes, and wake it there; or await a `Notify`, a channel or a timer. To \
               give others their turn, await `tokio::task::yield_now()`"
            .to_owned(),
        details: Details::SelfWakingTask {
            wakes,
            self_wakes,
            tasks: waking.count,
            limit: test.thresholds.self_wakes,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Frame, testing::*};

    fn check(self_wakes: u64, wakes: u64, frames: impl IntoIterator<Item = Frame>) -> Vec<Finding> {
        let waking = SelfWaking {
            actor: actor(1),
            stack: stack(frames),
            spawn_stack: stack([lib("app::Pool::start", 20)]),
            wakes,
            self_wakes,
            count: 2,
        };
        let process = Process { self_waking: vec![waking], ..process([], []) };
        crate::rules::check(&SelfWakingTask, &run(process), &Config::default())
    }

    #[test]
    fn who_wakes_itself_for_more_than_half_of_the_time_is_told_with_the_place() {
        let findings = check(1_500, 2_000, [lib("app::Gate::poll", 30)]);
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "a task woke itself 1,500 times in `Gate::poll`: 75 % of its wakes were its own"
        );
        assert_eq!((finding.locations[0].line, finding.occurrences), (30, 2));
    }

    #[test]
    fn few_wakes_or_the_lesser_half_of_them_are_fine() {
        assert!(check(999, 999, [lib("app::Gate::poll", 30)]).is_empty());
        assert!(check(1_500, 3_000, [lib("app::Gate::poll", 30)]).is_empty());
    }

    #[test]
    fn who_gives_way_to_others_is_fine() {
        let giving_way = dependency("futures_util::stream::futures_unordered::poll_next");
        assert!(check(5_000, 5_000, [giving_way, lib("app::all", 30)]).is_empty());
    }

    #[test]
    fn tests_and_dependencies_that_do_so_are_notes() {
        for frame in [test_code("it::works", 5), dependency("dep::go")] {
            assert_eq!(check(2_000, 2_000, [frame])[0].severity, Severity::Note);
        }
    }
}
