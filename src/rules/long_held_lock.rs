//! `long-held-lock`: a lock held so long that others had to wait for it, or
//! would have had to.
//!
//! A hold's length is what the clock says less the time in which the whole
//! process was starved of CPU, so that a busy machine accuses nobody.

use std::time::Duration;

use crate::{
    describe::{self, class_identity, counted},
    finding::{
        Confidence, Details, Finding, Origin, Severity,
        group::{Draft, Groups, Rank, Which},
    },
    model::{
        Hold, Mode, Outcome, Owner, Process, Resource, Run, TaskKind, Test, origin, pointed_frame,
        went_into_test,
    },
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LongHeldLock;

impl Rule for LongHeldLock {
    fn name(&self) -> &'static str {
        "long-held-lock"
    }

    fn summary(&self) -> &'static str {
        "a lock is held for long, across an await or while others wait for it"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn thresholds(&self) -> &'static [&'static str] {
        &["long-hold", "contended-hold", "wait"]
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        for test in &run.tests {
            let was_cut =
                test.outcome.is_ended_by_us() || matches!(test.outcome, Outcome::Signalled(_));
            for process in &test.processes {
                for hold in process.all_holds() {
                    if hold.released_ns.is_none() && (was_cut || process.truncated) {
                        continue;
                    }
                    let lock = process.resources.get(&hold.acquisition.resource);
                    let counts = |lock: &&Resource| {
                        lock.kind.is_lock() && !lock.kind.is_once_cell() && !lock.is_internal()
                    };
                    let Some(lock) = lock.filter(counts) else {
                        continue;
                    };
                    let told = Held { project: &run.project, test, process, hold, lock };
                    let Some(severity) = told.severity() else { continue };
                    let origin = origin(&run.project, &hold.acquisition.stack, &test.identity);
                    let is_own = origin == Origin::Library
                        && !went_into_test(&run.project, process, hold, &test.identity);
                    let severity = if is_own { severity } else { Severity::Note };
                    let blamed = pointed_frame(&hold.acquisition.stack);
                    let identity = vec![
                        class_identity(&run.project, lock),
                        describe::lock_kind(lock, hold.acquisition.mode),
                        describe::identity(blamed),
                    ];
                    let which = Which::from(describe::spot(&run.project, blamed))
                        .of(describe::lock_name(&run.project, lock));
                    let rank =
                        Rank { severity, confidence: Confidence::Observed, weight: told.held_ns() };
                    let tests = [test.name.clone()];
                    groups.add(identity, which, rank, tests, || told.tell(origin));
                }
            }
        }
        groups.finish()
    }
}

struct Held<'a> {
    project: &'a Project,
    test: &'a Test,
    process: &'a Process,
    hold: &'a Hold,
    lock: &'a Resource,
}

impl Held<'_> {
    fn held_ns(&self) -> u64 {
        let end = self.hold.released_ns.unwrap_or(self.process.ended_ns);
        end.saturating_sub(self.hold.acquired_ns).saturating_sub(self.hold.starved_ns)
    }

    fn waited_ns(&self) -> u64 {
        self.hold.waiters.iter().map(|waiter| waiter.waited_ns).max().unwrap_or(0)
    }

    fn is_contended(&self) -> bool {
        Duration::from_nanos(self.held_ns()) >= self.test.thresholds.contended_hold
            && Duration::from_nanos(self.waited_ns()) >= self.test.thresholds.wait
    }

    /// Whether the lock is that of a channel's receiver which several threads share, and
    /// one of them waits for a message while the others queue here to do the same: at the
    /// lock or at the channel, they are idle.
    fn is_shared_receiver(&self) -> bool {
        const RECEIVE: &str = "Receiver<T>::recv";
        let Self { hold, .. } = self;
        let is_receiving = hold.await_stack.frames.iter().any(|frame| {
            !matches!(frame.owner, Owner::Workspace(_)) && frame.function.contains(RECEIVE)
        });
        let site = |stack| pointed_frame(stack).map(|frame| (&frame.file, frame.line));
        let here = site(&hold.acquisition.stack);
        hold.holder.kind == TaskKind::Thread
            && is_receiving
            && Duration::from_nanos(self.held_ns().saturating_sub(hold.awaited_ns))
                < self.test.thresholds.contended_hold
            && here.is_some()
            && hold.waiters.iter().all(|waiter| site(&waiter.stack) == here)
    }

    fn severity(&self) -> Option<Severity> {
        if self.is_shared_receiver() {
            return None;
        }
        if self.is_contended() {
            return Some(Severity::Error);
        }
        // Readers do not exclude readers: only a waiting writer makes a long read matter.
        let long = Duration::from_nanos(self.held_ns()) >= self.test.thresholds.long_hold;
        (long && self.hold.acquisition.mode == Mode::Exclusive).then_some(Severity::Warning)
    }

    fn tell(&self, origin: Origin) -> Option<Draft> {
        let Self { project, process, hold, lock, .. } = *self;
        let held = describe::duration(self.held_ns());
        let waited = describe::duration(self.waited_ns());
        let contended = self.is_contended();
        let purpose = describe::purpose(lock, hold.acquisition.mode);
        let mut message = format!("{} held{purpose} for {held}", describe::type_name(lock));
        let awaited = hold.awaited_ns > 0;
        let is_thread = hold.holder.kind == TaskKind::Thread;
        if awaited && !is_thread {
            message += " across an await";
        }
        if contended {
            message = format!("{message} while others waited up to {waited} for it");
        }

        let here = format!("lock taken{purpose} here");
        let created = describe::made(lock);
        let taken = match describe::at_stack(project, &hold.acquisition.stack, here) {
            Some(place) => place,
            None => describe::at_site(
                project,
                lock.created_at.as_ref()?,
                format!("lock {created} here"),
            ),
        };
        let mut places = vec![Some(taken)];
        let mut stacks =
            vec![describe::labelled(project, &hold.acquisition.stack, "acquisition of the lock")];
        if awaited {
            let (label, title) = if is_thread {
                ("the holder is blocked here meanwhile", "where the holder is blocked")
            } else {
                ("the holder awaits here meanwhile", "await stack of the holder")
            };
            places.push(describe::at_stack(project, &hold.await_stack, label));
            stacks.push(describe::labelled(project, &hold.await_stack, title));
        }
        if contended {
            for waiter in hold.waiters.iter().take(3) {
                places.push(describe::at_stack(project, &waiter.stack, "waited for here"));
                stacks.push(describe::labelled(project, &waiter.stack, "stack of a waiter"));
            }
        }
        if let Some(created) = &lock.created_at {
            let label = format!("{} {} here", describe::type_name(lock), describe::made(lock));
            places.push(Some(describe::at_site(project, created, label)));
        }

        let mut minor_notes = Vec::new();
        let mut notes = vec![format!(
            "held by {}{}",
            describe::actor(project, process, &hold.holder),
            if hold.released_ns.is_none() { ", to the end of the process" } else { "" }
        )];
        if awaited {
            let longest = describe::duration(hold.awaited_ns);
            notes.push(if is_thread {
                format!("the holder was blocked for {longest} of it")
            } else {
                format!("the holder's longest await meanwhile took {longest}")
            });
        } else if hold.holder.kind != TaskKind::Thread {
            minor_notes.push("the holder did not await meanwhile".to_owned());
        }
        if contended {
            for waiter in hold.waiters.iter().take(3) {
                let who = describe::actor(project, process, &waiter.actor);
                notes.push(format!("{who} waited for {}", describe::duration(waiter.waited_ns)));
            }
            if hold.waiters.len() > 3 {
                let more = hold.waiters.len() as u64 - 3;
                notes.push(format!("{} too", counted(more, "more waiter", "more waiters")));
            }
        }
        if hold.starved_ns > 0 {
            let starved = describe::duration(hold.starved_ns);
            minor_notes.push(format!("{starved} in which the process got no CPU are not counted"));
        }

        let advice = if awaited && !is_thread {
            "release the guard before the await: copy out what is needed and drop the guard, or \
             give the data to one task and send it messages"
        } else {
            "do the long work before the lock is taken or after it is released, and hold the lock \
             only to exchange the result"
        };
        let kind = describe::lock_kind(lock, hold.acquisition.mode);
        Some(Draft {
            origin,
            message,
            locations: describe::places(places)?,
            stacks: stacks.into_iter().flatten().collect(),
            notes,
            minor_notes,
            help: advice.to_owned(),
            details: Details::LongHeldLock {
                lock: kind,
                held_ms: self.held_ns() / 1_000_000,
                waited_ms: self.waited_ns() / 1_000_000,
                awaited_ms: hold.awaited_ns / 1_000_000,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Waiter, testing::*};

    fn waiter(ms: u64) -> Waiter {
        let frames = [tokio("tokio::sync::mutex::Mutex<T>::lock"), lib("app::Pool::get", 60)];
        Waiter { actor: actor(2), stack: stack(frames), waited_ns: ms * MS }
    }

    fn check_hold(change: impl FnOnce(&mut Hold), ms: u64) -> Vec<Finding> {
        let mut held = hold(7, ms);
        change(&mut held);
        let process = Process { holds: vec![held], ..process([], [mutex(7, 3)]) };
        crate::rules::check(&LongHeldLock, &run(process), &Config::default())
    }

    #[test]
    fn a_hold_that_made_another_wait_is_an_error_with_both_sites() {
        let findings = check_hold(
            |hold| {
                hold.waiters = vec![waiter(90)];
                hold.awaited_ns = 100 * MS;
                hold.await_stack = stack([lib("app::Pool::refresh", 44)]);
            },
            120,
        );
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(
            findings[0].message,
            "tokio Mutex held for 120 ms across an await while others waited up to 90 ms for it"
        );
        let lines: Vec<u32> = findings[0].locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [40, 44, 60, 3]);
    }

    #[test]
    fn time_that_went_into_the_tests_own_closure_is_a_note() {
        let findings = check_hold(
            |hold| {
                hold.waiters = vec![waiter(90)];
                hold.awaited_ns = 100 * MS;
                hold.await_stack = stack([
                    tokio("tokio::time::sleep::Sleep::poll"),
                    test_code("it::works::{{closure}}", 5),
                    lib("app::Cache::get_with::{{closure}}", 44),
                ]);
            },
            120,
        );
        assert_eq!(findings[0].severity, Severity::Note);
        let findings = check_hold(
            |hold| {
                hold.waiters = vec![waiter(90)];
                hold.awaited_ns = 30 * MS;
                hold.await_stack = stack([test_code("it::works::{{closure}}", 5)]);
            },
            120,
        );
        assert_eq!(findings[0].severity, Severity::Error, "the rest of it is the library's");
    }

    #[test]
    fn short_holds_and_short_waits_are_silent() {
        assert!(check_hold(|hold| hold.waiters = vec![waiter(90)], 99).is_empty());
        assert!(check_hold(|hold| hold.waiters = vec![waiter(9)], 500).is_empty());
        assert!(check_hold(|_| {}, 999).is_empty());
    }

    #[test]
    fn threads_that_share_a_receiver_queue_for_nothing_else() {
        let receiving = |hold: &mut Hold| {
            hold.holder = thread_actor(4);
            let site = Arc::clone(&hold.acquisition.stack);
            hold.waiters = vec![Waiter { actor: thread_actor(5), stack: site, waited_ns: 80 * MS }];
            hold.awaited_ns = 2_000 * MS;
            let recv = std("std::sync::mpsc::Receiver<T>::recv");
            hold.await_stack = stack([recv, lib("app::Pool::work", 41)]);
        };
        assert!(check_hold(receiving, 2_000).is_empty());
        let other_site = |hold: &mut Hold| {
            receiving(hold);
            hold.waiters.push(waiter(80));
        };
        assert_eq!(check_hold(other_site, 2_000)[0].severity, Severity::Error);
        let at_work = |hold: &mut Hold| {
            receiving(hold);
            hold.awaited_ns = 1_000 * MS;
        };
        assert_eq!(check_hold(at_work, 2_000)[0].severity, Severity::Error);
        let asleep = |hold: &mut Hold| {
            receiving(hold);
            hold.await_stack = stack([std("std::thread::sleep"), lib("app::Pool::work", 41)]);
        };
        let lines: Vec<u32> =
            check_hold(asleep, 2_000)[0].locations.iter().map(|place| place.line).collect();
        assert!(lines.contains(&41), "where the holder is blocked: {lines:?}");
    }

    #[test]
    fn a_second_without_waiters_is_a_warning() {
        let findings = check_hold(|_| {}, 1_200);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(findings[0].message, "tokio Mutex held for 1.2 s");
    }

    #[test]
    fn time_without_cpu_is_not_held_against_the_holder() {
        assert!(check_hold(|hold| hold.starved_ns = 300 * MS, 1_200).is_empty());
    }

    #[test]
    fn long_reads_matter_only_to_a_waiting_writer() {
        let read = |hold: &mut Hold| hold.acquisition.mode = Mode::Shared;
        assert!(check_hold(read, 3_000).is_empty());
        let contended = check_hold(
            |hold| {
                read(hold);
                hold.waiters = vec![waiter(50)];
            },
            200,
        );
        assert_eq!(contended[0].severity, Severity::Error);
    }

    #[test]
    fn a_thread_that_holds_a_std_lock_is_told_like_a_task() {
        let mut held = Hold { holder: thread_actor(4), ..hold(7, 120) };
        held.waiters = vec![Waiter { actor: thread_actor(5), ..waiter(90) }];
        let threads = [thread(4), thread(5)];
        let process =
            |lock| Process { holds: vec![held.clone()], ..process(threads.clone(), [lock]) };
        let findings =
            crate::rules::check(&LongHeldLock, &run(process(std_mutex(7, 3))), &Config::default());
        let finding = &findings[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.message,
            "std Mutex held for 120 ms while others waited up to 90 ms for it"
        );
        assert_eq!(
            finding.notes,
            [
                "held by thread `worker-4` spawned at src/lib.rs:20:5",
                "thread `worker-5` spawned at src/lib.rs:20:5 waited for 90 ms"
            ]
        );
        let mut of_logging = std_mutex(7, 3);
        of_logging.creator = crate::model::Owner::Dependency("tracing-core".to_owned());
        let run = run(process(of_logging));
        assert!(crate::rules::check(&LongHeldLock, &run, &Config::default()).is_empty());
    }

    #[test]
    fn an_upgradable_reader_matters_to_those_it_keeps_out_only() {
        let upgradable = |hold: &mut Hold| hold.acquisition.mode = Mode::Upgradable;
        assert!(check_hold(upgradable, 3_000).is_empty());
    }

    #[test]
    fn a_hold_that_a_kill_cut_short_is_no_hold() {
        let open = Hold { released_ns: None, ..hold(7, 0) };
        let process = || Process { holds: vec![open.clone()], ..process([], [mutex(7, 3)]) };
        let check = |outcome, process| {
            let run = run_of([("app::it works", outcome, process)]);
            crate::rules::check(&LongHeldLock, &run, &Config::default()).len()
        };
        assert_eq!(check(Outcome::TimedOut, process()), 0);
        assert_eq!(check(Outcome::Passed, Process { truncated: true, ..process() }), 0);
        assert_eq!(check(Outcome::Failed, process()), 1);
    }

    #[test]
    fn tests_own_holds_are_notes_and_semaphores_are_no_locks() {
        let in_test =
            check_hold(|hold| hold.acquisition.stack = stack([test_code("it::works", 9)]), 1_200);
        assert_eq!(in_test[0].severity, Severity::Note);
        let mut permits = mutex(7, 3);
        permits.kind = crate::model::ResourceKind::TokioSemaphore;
        let process = Process { holds: vec![hold(7, 1_200)], ..process([], [permits]) };
        assert!(crate::rules::check(&LongHeldLock, &run(process), &Config::default()).is_empty());
    }

    #[test]
    fn holds_of_one_class_and_site_are_one_finding_and_none_counts_twice() {
        let mut holder = task(1);
        holder.holds = vec![hold(7, 1_200)];
        let holds = vec![hold(7, 1_200), hold(8, 1_500)];
        let process = Process { holds, ..process([holder], [mutex(7, 3), mutex(8, 3)]) };
        let findings = crate::rules::check(&LongHeldLock, &run(process), &Config::default());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].occurrences, 2);
        assert!(matches!(findings[0].details, Details::LongHeldLock { held_ms: 1_500, .. }));
    }
}
