//! `recursive-lock`: a task or thread takes a lock that it holds already.
//!
//! The probe sees it happen. Where the second acquisition waits, it waits for
//! itself: nobody else can let it go on. Where it is a read beside a read, it went
//! well this time, and waits for ever once a writer queues between the two.

use crate::{
    deadlock,
    describe::{self, class_identity},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    lock_order::blocks,
    model::{
        Mode, Nesting, Process, RecursiveLock as Recursion, Resource, ResourceKind, Run, nested,
        origin, pointed_frame, short,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct RecursiveLock;

impl Rule for RecursiveLock {
    fn name(&self) -> &'static str {
        "recursive-lock"
    }

    fn summary(&self) -> &'static str {
        "a task or thread takes a lock that it holds already"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn check(&self, run: &Run, _config: &Config, explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            for process in &test.processes {
                for recursion in &process.recursive_locks {
                    let lock = process.resources.get(&recursion.held.resource);
                    let counts = |lock: &&Resource| lock.kind.is_lock() && !lock.is_internal();
                    let Some(lock) = lock.filter(counts) else { continue };
                    if recursion.waits
                        && deadlock::is_reported(process, &recursion.wanted, |knot| {
                            explained.has_knot(knot)
                        })
                    {
                        continue;
                    }
                    let told = Recursive { project: &run.project, process, recursion, lock };
                    let origin = [&recursion.held, &recursion.wanted]
                        .map(|side| origin(&run.project, &side.stack, &test.identity))
                        .into_iter()
                        .min()
                        .unwrap_or(Origin::Dependency);
                    let Some((severity, confidence)) = told.verdict(origin) else { continue };
                    let (held, wanted) = (&recursion.held, &recursion.wanted);
                    let blamed = pointed_frame(&wanted.stack);
                    let identity = vec![
                        class_identity(&run.project, lock),
                        describe::lock_kind(lock, held.mode),
                        describe::identity(pointed_frame(&held.stack)),
                        describe::lock_kind(lock, wanted.mode),
                        describe::identity(blamed),
                    ];
                    let first = describe::spot(&run.project, pointed_frame(&held.stack));
                    let which = Which::from(describe::spot(&run.project, blamed))
                        .at(first)
                        .of(describe::lock_name(&run.project, lock));
                    let rank = Rank { severity, confidence, weight: recursion.count };
                    let tests = [test.name.clone()];
                    groups.add_times(identity, which, rank, recursion.count, tests, || {
                        told.tell(origin)
                    });
                }
            }
        }
        groups.finish()
    }
}

struct Recursive<'a> {
    project: &'a Project,
    process: &'a Process,
    recursion: &'a Recursion,
    lock: &'a Resource,
}

impl Recursive<'_> {
    /// `None`: no bug.
    fn verdict(&self, origin: Origin) -> Option<(Severity, Confidence)> {
        let Recursion { held, wanted, waits, has_writer, .. } = self.recursion;
        // A count of 0: the wait ended, so it was not for itself.
        if held.resource != wanted.resource || self.recursion.count == 0 {
            return None;
        }
        // Branches of one task are polled on, each for itself.
        if nested(&held.stack, &wanted.stack) != Nesting::Nested {
            return None;
        }
        if *waits {
            let severity =
                if origin == Origin::Dependency { Severity::Note } else { Severity::Error };
            return Some((severity, Confidence::Observed));
        }
        // What does not wait though it is kept out is allowed to recur; and a try
        // gives up where it would have to wait.
        if wanted.is_try || blocks(held.mode, wanted.mode) {
            return None;
        }
        // tokio's queues are fair by promise, and what nobody writes needs no lock.
        let is_fair =
            matches!(self.lock.kind, ResourceKind::TokioRwLock | ResourceKind::TokioWatch);
        Some(match (has_writer, origin) {
            (false, Origin::Library) if is_fair => (Severity::Warning, Confidence::Possible),
            (false, _) => (Severity::Note, Confidence::Possible),
            (true, Origin::Library) => (Severity::Warning, Confidence::Likely),
            (true, _) => (Severity::Note, Confidence::Likely),
        })
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, recursion, lock } = *self;
        let Recursion { held, wanted, waits, has_writer, .. } = recursion;
        let (kind, name) = (describe::type_name(lock), describe::lock_name(project, lock));
        let actor = describe::actor(project, process, &recursion.actor);
        let by = pointed_frame(&wanted.stack)
            .map_or_else(String::new, |frame| format!(" by `{}`", short(&frame.function)));
        let (first, second) =
            (describe::purpose(lock, held.mode), describe::purpose(lock, wanted.mode));
        let message = if *waits && held.mode == Mode::Exclusive && first == second {
            format!("{name} is taken again{by} while it is held: it waits for itself for ever")
        } else if *waits {
            format!(
                "{name} is taken{second}{by} while it is held{first}: it waits for itself for ever"
            )
        } else {
            format!("{name} is taken{second}{by} while it is held{first} already")
        };
        let again = if *waits {
            format!("waits for the {kind}{second} here, for ever")
        } else {
            format!("taken{second} again here")
        };
        let mut places = vec![
            describe::at_stack(project, &wanted.stack, again),
            describe::at_stack(project, &held.stack, format!("{kind} taken{first} here")),
        ];
        if let Some(created) = &lock.created_at {
            let label = format!("{kind} {} here", describe::made(lock));
            places.push(Some(describe::at_site(project, created, label)));
        }
        let stacks = [
            describe::labelled(project, &wanted.stack, "the lock taken again"),
            describe::labelled(project, &held.stack, "the lock taken, and held meanwhile"),
        ];
        let mut notes = vec![format!("by {actor}")];
        if !waits {
            notes.push(
                if *has_writer {
                    "a writer was seen: once one queues between the two, the second waits for it, \
                     it waits for the first, and both wait for ever"
                } else {
                    "no other writer was seen: where one queues between the two, both wait for ever"
                }
                .to_owned(),
            );
        }
        let help = match (held.mode, wanted.mode) {
            (Mode::Exclusive, _) => {
                "release the guard before the inner code locks, or hand the inner code what the \
                 guard gives access to instead of the lock"
            }
            (_, Mode::Exclusive) => {
                "release the read guard first and check again under the write guard, or take the \
                 lock for writing from the start"
            }
            _ => {
                "hand the inner code the guard, or what it gives access to, instead of the lock; \
                 or release the first guard before"
            }
        };
        Some(Draft {
            origin,
            message,
            locations: describe::places(places)?,
            stacks: stacks.into_iter().flatten().collect(),
            notes,
            minor_notes: Vec::new(),
            help: help.to_owned(),
            details: Details::RecursiveLock {
                held: describe::lock_kind(lock, held.mode),
                wanted: describe::lock_kind(lock, wanted.mode),
                waits: *waits,
                has_writer: *has_writer,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn check(lock: Resource, change: impl FnOnce(&mut Recursion)) -> Vec<Finding> {
        let mut recursion = Recursion {
            held: acquisition(7, "app::Pool::outer", 40),
            wanted: acquisition(7, "app::Pool::inner", 50),
            actor: thread_actor(4),
            waits: true,
            has_writer: true,
            count: 1,
        };
        change(&mut recursion);
        let process = Process { recursive_locks: vec![recursion], ..process([thread(4)], [lock]) };
        crate::rules::check(&RecursiveLock, &run(process), &Config::default())
    }

    fn reads(recursion: &mut Recursion) {
        (recursion.held.mode, recursion.wanted.mode) = (Mode::Shared, Mode::Shared);
        recursion.waits = false;
    }

    #[test]
    fn a_mutex_taken_twice_waits_for_itself() {
        let findings = check(std_mutex(7, 3), |_| {});
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Observed));
        assert_eq!(
            finding.message,
            "std Mutex created at src/lib.rs:3:9 is taken again by `Pool::inner` while it is held: \
             it waits for itself for ever"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [50, 40, 3]);
        assert_eq!(finding.notes, ["by thread `worker-4` spawned at src/lib.rs:20:5"]);
    }

    #[test]
    fn reading_what_one_writes_waits_for_itself() {
        let findings = check(std_rwlock(7, 3), |recursion| recursion.wanted.mode = Mode::Shared);
        assert_eq!(
            findings[0].message,
            "std RwLock created at src/lib.rs:3:9 is taken for reading by `Pool::inner` while it \
             is held for writing: it waits for itself for ever"
        );
    }

    #[test]
    fn a_read_beside_a_read_is_as_bad_as_the_writers_that_were_seen() {
        let seen = check(std_rwlock(7, 3), reads);
        let found = (seen[0].severity, seen[0].confidence);
        assert_eq!(found, (Severity::Warning, Confidence::Likely));
        assert!(seen[0].message.ends_with("while it is held for reading already"));
        let unseen = check(std_rwlock(7, 3), |recursion| {
            reads(recursion);
            recursion.has_writer = false;
        });
        let found = (unseen[0].severity, unseen[0].confidence);
        assert_eq!(found, (Severity::Note, Confidence::Possible));
    }

    #[test]
    fn a_read_beside_a_read_of_a_fair_lock_is_a_warning_whoever_writes() {
        let unwritten = |recursion: &mut Recursion| {
            reads(recursion);
            recursion.has_writer = false;
        };
        let findings = check(rwlock(7, 3), unwritten);
        let found = (findings[0].severity, findings[0].confidence);
        assert_eq!(found, (Severity::Warning, Confidence::Possible));
        let findings = check(rwlock(7, 3), |recursion| {
            unwritten(recursion);
            for side in [&mut recursion.held, &mut recursion.wanted] {
                side.stack = stack([test_code("it::works", 5)]);
            }
        });
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn what_is_allowed_to_recur_or_only_tries_is_silent() {
        assert!(check(parking_lot_mutex(7, 3), |recursion| recursion.waits = false).is_empty());
        let tried = |recursion: &mut Recursion| {
            reads(recursion);
            recursion.wanted.is_try = true;
        };
        assert!(check(std_rwlock(7, 3), tried).is_empty());
    }

    #[test]
    fn tests_own_deadlocks_are_errors_and_dependencies_notes() {
        let of = |frame: fn() -> crate::model::Frame| {
            check(std_mutex(7, 3), |recursion| {
                recursion.held.stack = stack([frame()]);
                recursion.wanted.stack = stack([frame()]);
            })
            .remove(0)
            .severity
        };
        assert_eq!(of(|| test_code("it::works", 5)), Severity::Error);
        assert_eq!(of(|| dependency("dep::go")), Severity::Note);
    }
}
