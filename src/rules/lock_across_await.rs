//! `lock-across-await`: a guard of a blocking lock lives across an await.
//!
//! While the task waits, whoever wants the lock blocks its whole thread, the one
//! that would let the task go on perhaps among them.

use crate::{
    describe::{self, class_identity},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        LockAcrossAwait as Across, Process, Resource, ResourceKind, Run, origin, pointed_frame,
        short,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LockAcrossAwait;

impl Rule for LockAcrossAwait {
    fn name(&self) -> &'static str {
        "lock-across-await"
    }

    fn summary(&self) -> &'static str {
        "a guard of a std, parking_lot or similar lock lives across an await"
    }

    fn default_severity(&self) -> Severity {
        Severity::Warning
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for across in &process.locks_across_awaits {
                    let lock = process.resources.get(&across.acquisition.resource);
                    let counts = |lock: &&Resource| {
                        lock.kind.is_blocking_lock()
                            && !lock.kind.is_once_cell()
                            && !lock.is_internal()
                    };
                    let Some(lock) = lock.filter(counts) else { continue };
                    let stack = &across.acquisition.stack;
                    let origin = origin(&run.project, stack, &test.identity);
                    let severity = match origin {
                        Origin::Library => Severity::Warning,
                        Origin::Test | Origin::Dependency => Severity::Note,
                    };
                    let blamed = pointed_frame(stack);
                    let identity = vec![
                        class_identity(&run.project, lock),
                        describe::lock_kind(lock, across.acquisition.mode),
                        describe::identity(blamed),
                        describe::identity(pointed_frame(&across.await_stack)),
                    ];
                    let awaits = describe::spot(&run.project, pointed_frame(&across.await_stack));
                    let which = Which::from(describe::spot(&run.project, blamed))
                        .at(awaits)
                        .of(describe::lock_name(&run.project, lock));
                    let confidence = Confidence::Observed;
                    let rank = Rank { severity, confidence, weight: across.count };
                    let tests = [test.name.clone()];
                    groups.add_times(identity, which, rank, across.count, tests, || {
                        tell(&run.project, process, across, lock, origin)
                    });
                }
            }
        }
        groups.finish()
    }
}

fn tell(
    project: &Project,
    process: &Process,
    across: &Across,
    lock: &Resource,
    origin: Origin,
) -> Option<Draft> {
    let Across { acquisition, await_stack, .. } = across;
    let (kind, purpose) = (describe::type_name(lock), describe::purpose(lock, acquisition.mode));
    let by = pointed_frame(&acquisition.stack)
        .map_or_else(String::new, |frame| format!(" by `{}`", short(&frame.function)));
    let mut places = vec![
        describe::at_stack(project, &acquisition.stack, format!("{kind} taken{purpose} here")),
        describe::at_stack(project, await_stack, "and still held at this await"),
    ];
    if let Some(created) = &lock.created_at {
        let label = format!("{kind} {} here", describe::made(lock));
        places.push(Some(describe::at_site(project, created, label)));
    }
    let stacks = [
        describe::labelled(project, &acquisition.stack, "acquisition of the lock"),
        describe::labelled(project, await_stack, "await stack of the holder"),
    ];
    let help = match lock.kind {
        ResourceKind::TokioWatch => {
            "clone the value out of the `Ref` and drop it before the await: as long as it lives, \
             whoever sends blocks its thread"
        }
        ResourceKind::LockApiMutex | ResourceKind::LockApiRwLock => {
            "clone what is needed out of the guard and drop it before the await: as long as it \
             lives, whoever wants the lock blocks its thread"
        }
        ResourceKind::StdRwLock | ResourceKind::ParkingLotRwLock => {
            "drop the guard before the await (end its block there), or use `tokio::sync::RwLock`, \
             whose guard may live across an await"
        }
        _ => {
            "drop the guard before the await (end its block there), or use `tokio::sync::Mutex`, \
             whose guard may live across an await"
        }
    };
    Some(Draft {
        origin,
        message: format!(
            "{} is held{purpose}{by} across an await",
            describe::lock_name(project, lock)
        ),
        locations: describe::places(places)?,
        stacks: stacks.into_iter().flatten().collect(),
        notes: vec![format!("held by {}", describe::actor(project, process, &across.actor))],
        minor_notes: Vec::new(),
        help: help.to_owned(),
        details: Details::LockAcrossAwait { lock: describe::lock_kind(lock, acquisition.mode) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mode, testing::*};

    fn check(lock: Resource, change: impl FnOnce(&mut Across)) -> Vec<Finding> {
        let mut across = Across {
            acquisition: acquisition(7, "app::Pool::refresh", 40),
            await_stack: stack([lib("app::Pool::refresh::{{closure}}", 44)]),
            actor: actor(1),
            count: 3,
        };
        change(&mut across);
        let process = Process { locks_across_awaits: vec![across], ..process([], [lock]) };
        crate::rules::check(&LockAcrossAwait, &run(process), &Config::default())
    }

    #[test]
    fn a_std_guard_across_an_await_is_a_warning_with_both_lines() {
        let findings = check(std_mutex(7, 3), |_| {});
        let finding = &findings[0];
        assert_eq!(
            (finding.severity, finding.confidence),
            (Severity::Warning, Confidence::Observed)
        );
        assert_eq!(
            finding.message,
            "std Mutex created at src/lib.rs:3:9 is held by `Pool::refresh` across an await"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!((lines, finding.occurrences), (vec![40, 44, 3], 3));
        assert!(finding.help.contains("tokio::sync::Mutex"));
    }

    #[test]
    fn a_lock_without_a_place_of_its_own_is_told_by_its_first_use() {
        let findings = check(parking_lot_mutex(7, 3), |_| {});
        assert!(findings[0].message.starts_with("parking_lot Mutex first used at src/lib.rs:3:9"));
    }

    #[test]
    fn a_borrow_of_a_watch_counts_and_a_tokio_guard_may_live() {
        let watch = Resource {
            kind: ResourceKind::TokioWatch,
            creator: crate::model::Owner::Tokio,
            created_at: None,
            ..std_mutex(7, 3)
        };
        let findings = check(watch, |across| across.acquisition.mode = Mode::Shared);
        assert_eq!(
            findings[0].message,
            "tokio watch is held for reading by `Pool::refresh` across an await"
        );
        assert!(findings[0].help.contains("`Ref`"));
        assert!(check(mutex(7, 3), |_| {}).is_empty());
    }

    #[test]
    fn tests_and_dependencies_own_guards_are_notes() {
        for frame in [test_code("it::works", 9), dependency("dep::go")] {
            let findings =
                check(std_mutex(7, 3), |across| across.acquisition.stack = stack([frame]));
            assert_eq!(findings[0].severity, Severity::Note);
        }
    }
}
