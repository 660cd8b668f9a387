//! `leaked-handle`: a child process is left behind: running at the exit of its
//! parent, or dead and never waited for; or a file or socket is ([`open_files`]);
//! or a process that has left its family.

mod open_files;

use crate::{
    describe,
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{ChildProcess, LeftProcess, Outcome, Process, Run, origin, pointed_frame},
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LeakedHandle;

impl Rule for LeakedHandle {
    fn name(&self) -> &'static str {
        "leaked-handle"
    }

    fn summary(&self) -> &'static str {
        "a child process, a file or a socket is left"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in run.tests.iter().filter(|test| test.outcome == Outcome::Passed) {
            // One that its own parent has left is told of with the place.
            let mut children = test.processes.iter().flat_map(|process| &process.children);
            for left in &test.left {
                if children.all(|child| child.pid != left.pid) {
                    let identity = vec!["left".to_owned(), left.command.clone()];
                    let rank = Rank {
                        severity: Severity::Note,
                        confidence: Confidence::Observed,
                        weight: 0,
                    };
                    let which = Which::from(describe::spot(&run.project, None)).of(&left.command);
                    groups
                        .add(identity, which, rank, [test.name.clone()], || Some(tell_left(left)));
                }
            }
            for process in test.processes.iter().filter(|process| !process.truncated) {
                // What the end of a program gives back anyway is not left behind.
                if !test.is_program {
                    open_files::add(&run.project, test, process, &mut groups);
                }
                let children =
                    process.children.iter().filter(|child| !(test.is_program && child.is_zombie));
                for child in children {
                    let origin = origin(&run.project, &child.spawn_stack, &test.identity);
                    let severity = match origin {
                        Origin::Library => Severity::Warning,
                        Origin::Test | Origin::Dependency => Severity::Note,
                    };
                    let blamed = pointed_frame(&child.spawn_stack);
                    let state = if child.is_zombie { "zombie" } else { "running" };
                    let identity = vec![state.to_owned(), describe::identity(blamed)];
                    let which = Which::from(describe::spot(&run.project, blamed))
                        .of(child.command.as_deref().unwrap_or_default());
                    let confidence = Confidence::Observed;
                    let weight = process.ended_ns.saturating_sub(child.spawned_ns);
                    let rank = Rank { severity, confidence, weight };
                    groups.add(identity, which, rank, [test.name.clone()], || {
                        tell(&run.project, process, child, origin)
                    });
                }
            }
        }
        groups.finish()
    }
}

/// A process that nobody is left to wait for: who has started it is not known.
fn tell_left(left: &LeftProcess) -> Draft {
    let name = describe::named(Some(&left.command));
    Draft {
        origin: Origin::Test,
        message: format!("process{name} outlives the test: it has left its group and its parent"),
        locations: Vec::new(),
        stacks: Vec::new(),
        notes: vec![format!(
            "process {}, known by the environment that it was started with; it was left alone",
            left.pid
        )],
        minor_notes: Vec::new(),
        help: "end it with the test; a daemon that is meant to stay is best started before"
            .to_owned(),
        details: Details::LeakedHandle {
            command: Some(left.command.clone()),
            state: "running".to_owned(),
            file_kind: None,
            file_name: None,
        },
    }
}

fn tell(
    project: &Project,
    process: &Process,
    child: &ChildProcess,
    origin: Origin,
) -> Option<Draft> {
    let name = describe::named(child.command.as_deref());
    let spawner = describe::by("spawned", &child.spawn_stack, origin);
    let (state, help) = if child.is_zombie {
        (
            "has ended and was never waited for",
            "`wait` for it, so that the system can forget it: dropping a `Child` does not",
        )
    } else {
        (
            "was still running when the process exited",
            "end it with its owner: `kill` and `wait` in a `Drop`, or, with `tokio::process`, \
             `kill_on_drop(true)`",
        )
    };
    let lived = process.ended_ns.saturating_sub(child.spawned_ns);
    let minor_notes = vec![format!(
        "process {}, spawned {} before the exit",
        child.pid,
        describe::duration(lived)
    )];
    let mut notes = Vec::new();
    if let Some(actor) = &child.actor {
        notes.push(format!("spawned by {}", describe::actor(project, process, actor)));
    }
    let place = describe::at_stack(project, &child.spawn_stack, "child process spawned here");
    let stack = describe::labelled(project, &child.spawn_stack, "spawn stack of the child process");
    Some(Draft {
        origin,
        message: format!("child process{name}{spawner} {state}"),
        locations: describe::places([place])?,
        stacks: stack.into_iter().collect(),
        notes,
        minor_notes,
        help: help.to_owned(),
        details: Details::LeakedHandle {
            command: child.command.clone(),
            state: if child.is_zombie { "zombie" } else { "running" }.to_owned(),
            file_kind: None,
            file_name: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn child() -> ChildProcess {
        ChildProcess {
            pid: 77,
            command: Some("sleep".to_owned()),
            is_zombie: false,
            spawn_stack: stack([
                std("std::process::Command::spawn"),
                lib("app::Worker::start", 12),
            ]),
            spawned_ns: 1_000 * MS,
            actor: Some(thread_actor(4)),
        }
    }

    fn left(child: ChildProcess) -> Process {
        Process { children: vec![child], ..process([], []) }
    }

    fn check(process: Process) -> Vec<Finding> {
        crate::rules::check(&LeakedHandle, &run(process), &Config::default())
    }

    #[test]
    fn a_running_child_is_a_warning_with_its_spawn_site() {
        let findings = check(left(child()));
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(
            finding.message,
            "child process `sleep` spawned by `Worker::start` was still running when the process \
             exited"
        );
        assert_eq!(finding.locations[0].line, 12);
        assert!(finding.help.contains("kill_on_drop"));
    }

    #[test]
    fn a_zombie_says_what_was_forgotten() {
        let findings = check(left(ChildProcess { is_zombie: true, ..child() }));
        assert!(findings[0].message.ends_with("has ended and was never waited for"));
        assert!(findings[0].help.contains("`wait`"));
    }

    #[test]
    fn tests_own_children_are_notes_and_cut_runs_are_not_judged() {
        let by_test = ChildProcess { spawn_stack: stack([test_code("it::works", 5)]), ..child() };
        assert_eq!(check(left(by_test))[0].severity, Severity::Note);
        assert!(check(Process { truncated: true, ..left(child()) }).is_empty());
        let failed = run_of([("app::it works", Outcome::Failed, left(child()))]);
        assert!(crate::rules::check(&LeakedHandle, &failed, &Config::default()).is_empty());
        assert!(check(process([], [])).is_empty());
    }
}
