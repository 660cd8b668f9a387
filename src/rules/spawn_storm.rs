//! `spawn-storm`: many tasks of one spawn site are alive at once, and nothing bounds
//! how many.

use crate::{
    describe::{self, counted},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank},
    },
    model::{Process, Run, SpawnStorm as Storm, Test, origin, origin_of_site, pointed_frame},
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct SpawnStorm;

impl Rule for SpawnStorm {
    fn name(&self) -> &'static str {
        "spawn-storm"
    }

    fn summary(&self) -> &'static str {
        "many tasks of one spawn site are alive at once"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["spawn-storm"]
    }

    fn check(&self, run: &Run, _config: &Config, explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for storm in &process.spawn_storms {
                    let is_told = explained.has_spawn_site(process, storm.spawned_at.as_ref());
                    if !is_told && storm.peak > test.thresholds.spawn_storm {
                        add(&mut groups, &run.project, test, process, storm);
                    }
                }
            }
        }
        groups.finish()
    }
}

fn add(groups: &mut Groups, project: &Project, test: &Test, process: &Process, storm: &Storm) {
    let spawner = pointed_frame(&storm.spawn_stack);
    let origin = match &storm.spawned_at {
        Some(site) if spawner.is_none() => origin_of_site(project, site),
        _ => origin(project, &storm.spawn_stack, &test.identity),
    };
    let severity = match origin {
        Origin::Library => Severity::Warning,
        Origin::Test | Origin::Dependency => Severity::Note,
    };
    let identity = vec![describe::identity(spawner)];
    let spot = describe::spot(project, spawner);
    let rank = Rank { severity, confidence: Confidence::Observed, weight: storm.peak };
    groups.add(identity, spot, rank, [test.name.clone()], || {
        tell(project, test, process, storm, origin)
    });
}

fn tell(
    project: &Project,
    test: &Test,
    process: &Process,
    storm: &Storm,
    origin: Origin,
) -> Option<Draft> {
    let spawner = describe::by("spawned", &storm.spawn_stack, origin);
    let peak = counted(storm.peak, "task", "tasks");
    let label = format!("spawned here, {peak} at once");
    let place =
        describe::at_stack_or_site(project, &storm.spawn_stack, storm.spawned_at.as_ref(), label);
    let mut notes = vec![format!(
        "{} spawned there in all; the most were alive {} after the start",
        counted(storm.spawned, "task", "tasks"),
        describe::duration(storm.peak_ns)
    )];
    if let Some(by) = &storm.spawner {
        notes.push(format!("spawned by {}", describe::actor(project, process, by)));
    }
    let stack = describe::labelled(
        project,
        &storm.spawn_stack,
        "spawn stack of the task that went above the threshold",
    );
    Some(Draft {
        origin,
        message: format!("{peak}{spawner} were alive at once: nothing bounds them"),
        locations: describe::places([place])?,
        stacks: stack.into_iter().collect(),
        notes,
        minor_notes: vec![format!("the threshold is {}", test.thresholds.spawn_storm)],
        help: "bound them: acquire a permit of a `Semaphore` before the spawn and give it to the \
               task, await `join_next` of a `JoinSet` that is full before spawning into it, or \
               keep futures instead of tasks (`buffer_unordered`)"
            .to_owned(),
        details: Details::SpawnStorm {
            peak: storm.peak,
            spawned: storm.spawned,
            limit: test.thresholds.spawn_storm,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Frame, testing::*};

    fn storm(peak: u64, spawner: Frame) -> Storm {
        Storm {
            spawned_at: Some(site(20)),
            spawn_stack: stack([tokio("tokio::task::spawn"), spawner]),
            spawner: Some(actor(1)),
            peak,
            peak_ns: 40 * MS,
            spawned: 5_000,
        }
    }

    fn check(storms: impl IntoIterator<Item = Storm>) -> Vec<Finding> {
        let process = Process { spawn_storms: storms.into_iter().collect(), ..process([], []) };
        crate::rules::check(&SpawnStorm, &run(process), &Config::default())
    }

    #[test]
    fn more_than_the_threshold_is_a_warning_at_the_spawn() {
        let findings = check([storm(1_001, lib("app::Pool::start", 20))]);
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "1,001 tasks spawned by `Pool::start` were alive at once: nothing bounds them"
        );
        assert_eq!(finding.locations[0].line, 20);
        assert_eq!(
            finding.notes,
            [
                "5,000 tasks spawned there in all; the most were alive 40 ms after the start",
                "spawned by task 1 spawned at src/lib.rs:20:9",
            ]
        );
    }

    #[test]
    fn the_threshold_itself_is_silent() {
        assert!(check([storm(1_000, lib("app::Pool::start", 20))]).is_empty());
    }

    #[test]
    fn the_highest_of_several_runs_is_told_once() {
        let at = |peak| storm(peak, lib("app::Pool::start", 20));
        let findings = check([at(1_500), at(3_000), at(2_000)]);
        assert_eq!((findings.len(), findings[0].occurrences), (1, 3));
        assert!(findings[0].message.starts_with("3,000 tasks"));
    }

    #[test]
    fn tests_and_dependencies_storms_are_notes() {
        for frame in [test_code("it::works", 5), dependency("dep::go")] {
            assert_eq!(check([storm(2_000, frame)])[0].severity, Severity::Note);
        }
    }
}
