//! `deadlock`: tasks or threads that wait for each other, and never go on.
//!
//! The probe sees it happen: each party waits, without limit and with nothing else
//! that could wake it, for what the next one has.

use crate::{
    deadlock::{self, Cycle},
    describe,
    finding::{Details, Finding, Severity, group::Draft},
    model::{Mode, ResourceKind, Run, TaskKind},
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct Deadlock;

impl Rule for Deadlock {
    fn name(&self) -> &'static str {
        deadlock::DEADLOCK
    }

    fn summary(&self) -> &'static str {
        "tasks or threads wait for each other, or for themselves, for ever"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn explain(&self, run: &Run, _config: &Config, explained: &mut Explained) {
        for knot in deadlock::knots(run, self.name()) {
            explained.add_knot(knot);
        }
    }

    fn check(&self, run: &Run, _config: &Config, _explained: &Explained) -> Vec<Finding> {
        deadlock::findings(run, self.name(), tell)
    }
}

fn tell(cycle: &Cycle<'_>) -> Option<Draft> {
    let message = match cycle.parties[..] {
        [_] => alone(cycle),
        [_, _] => format!("{} wait for each other for ever: {}", cycle.crowd(), cycle.chain()),
        _ => format!("{} wait in a circle for ever: {}", cycle.crowd(), cycle.chain()),
    };
    Some(Draft {
        origin: cycle.origin(),
        message,
        locations: describe::places(cycle.locations())?,
        stacks: cycle.stacks(),
        notes: cycle.notes(),
        minor_notes: cycle.minor_notes(),
        help: help(cycle).to_owned(),
        details: Details::Deadlock { parties: cycle.details(), behind: cycle.knot.behind },
    })
}

/// Of one that waits for itself.
fn alone(cycle: &Cycle<'_>) -> String {
    let party = cycle.parties[0];
    let subject = cycle.subject(party);
    let what = if party.actor.kind == TaskKind::Thread { "thread" } else { "task" };
    let (Some(lock), Some(held)) = (cycle.wanted(party), &party.held) else {
        if let Some(channel) = cycle.wanted(party) {
            let name = describe::lock_name(cycle.project, channel);
            return format!(
                "{subject} waits for room in {name}, from which its own {what} receives, for ever"
            );
        }
        return format!("{subject} waits for the end of its own {what}, for ever");
    };
    let name = describe::lock_name(cycle.project, lock);
    let wants = describe::purpose(lock, party.wanted_mode);
    let holds = describe::purpose(lock, held.mode);
    if lock.kind.is_once_cell() {
        return format!("{subject} needs {name}, which its own {what} is initialising, for ever");
    }
    if lock.kind == ResourceKind::TokioSemaphore && cycle.unreleased().is_some() {
        let name = cycle.name(lock, party.wanted_mode);
        return format!(
            "{subject} waits for {name}, which its own {what} took and has never released, for ever"
        );
    }
    format!("{subject} waits for {name}{wants}, which its own {what} holds{holds}, for ever")
}

fn help(cycle: &Cycle<'_>) -> &'static str {
    if cycle.is_any_wanted(|lock| lock.kind.is_once_cell()) {
        return "an initialiser must not need what it initialises, nor a lock or a cell whose \
                holder needs that: compute what it needs first, or hand it in";
    }
    if cycle.is_any_wanted(|lock| lock.kind == ResourceKind::TokioMpsc) {
        return "whoever receives from a bounded channel must not wait for who sends to it: \
                release the lock before you send, receive in a task of its own, or use `try_send`";
    }
    let is_bound =
        |party: &&crate::model::Party| party.wanted.is_none() && party.operation.is_empty();
    if cycle.parties.iter().any(is_bound) {
        return "do not hold a lock across an await that others of its thread block on: release \
                it before the await, or use an asynchronous lock";
    }
    let waits_for_end = cycle.parties.iter().any(|party| party.wanted.is_none());
    match cycle.parties[..] {
        [_] if cycle.unreleased().is_some()
            && cycle.is_any_wanted(|lock| lock.kind == ResourceKind::TokioSemaphore) =>
        {
            "release the permit before another one is needed: what was forgotten or leaked is held \
             for ever"
        }
        [party] => match party.held.as_ref().map(|held| (held.mode, party.wanted_mode)) {
            Some((Mode::Shared | Mode::Upgradable, Mode::Exclusive)) => {
                "release the read guard first and check again under the write guard, or take the \
                 lock for writing from the start"
            }
            _ => {
                "release the guard before the inner code locks, or hand the inner code what the \
                 guard gives access to instead of the lock"
            }
        },
        _ if waits_for_end => {
            "release the guard before you join: what is waited for needs the lock to come to its \
             end"
        }
        _ => {
            "take these locks in the same order everywhere, or release the first before the \
             second is taken; or put what they guard under one lock"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Confidence,
        model::{Knot, Process, testing::*},
    };

    fn check(parties: Vec<crate::model::Party>) -> Vec<Finding> {
        let knot = Knot { parties, ..knot() };
        let process = Process {
            knots: vec![knot],
            ..process([thread(4)], [mutex(7, 3), mutex(8, 4), std_rwlock(9, 5)])
        };
        crate::rules::check(&Deadlock, &run(process), &Config::default())
    }

    #[test]
    fn two_tasks_that_cross_are_told_with_all_four_lines() {
        let findings = check(vec![
            party(1, (7, "app::Bank::transfer", 40), (8, "app::Bank::transfer", 41)),
            party(2, (8, "app::Bank::audit", 50), (7, "app::Bank::audit", 51)),
        ]);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Observed));
        assert_eq!(
            finding.message,
            "2 tasks wait for each other for ever: `Bank::audit` holds tokio Mutex created at \
             src/lib.rs:4:9 and waits for tokio Mutex created at src/lib.rs:3:9; `Bank::transfer` \
             holds tokio Mutex created at src/lib.rs:3:9 and waits for tokio Mutex created at \
             src/lib.rs:4:9"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [51, 50, 41, 40, 3, 4]);
        assert_eq!(finding.locations[0].label, "task 2 waits for the tokio Mutex here, for ever");
        assert_eq!(finding.stacks.len(), 4);
        assert_eq!(
            finding.notes,
            [
                "task 2 was spawned at src/lib.rs:20:9",
                "task 1 was spawned at src/lib.rs:20:9",
                "3 further tasks or threads are stuck behind them",
            ]
        );
        assert_eq!(
            finding.minor_notes,
            [
                "task 2 spawned at src/lib.rs:20:9 holds tokio Mutex created at src/lib.rs:4:9 \
                 (taken 2.0 s before), waits for tokio Mutex created at src/lib.rs:3:9 in \
                 `Mutex::lock` (since 1.0 s)",
                "task 1 spawned at src/lib.rs:20:9 holds tokio Mutex created at src/lib.rs:3:9 \
                 (taken 2.0 s before), waits for tokio Mutex created at src/lib.rs:4:9 in \
                 `Mutex::lock` (since 1.0 s)",
                "certain 1.0 s after the last of these waits began",
            ]
        );
    }

    #[test]
    fn whoever_comes_first_it_is_one_cause() {
        let one = party(1, (7, "app::Bank::transfer", 40), (8, "app::Bank::transfer", 41));
        let other = party(2, (8, "app::Bank::audit", 50), (7, "app::Bank::audit", 51));
        let told = |parties| check(parties).remove(0).fingerprint;
        assert_eq!(told(vec![one.clone(), other.clone()]), told(vec![other, one]));
    }

    #[test]
    fn one_that_waits_for_itself_is_told_how() {
        let mut alone = party(4, (9, "app::Table::get", 40), (9, "app::Table::fill", 44));
        alone.actor = thread_actor(4);
        alone.name = Some("works".to_owned());
        alone.held.as_mut().unwrap().mode = Mode::Shared;
        let finding = check(vec![alone]).remove(0);
        assert_eq!(
            finding.message,
            "`Table::fill` waits for std RwLock created at src/lib.rs:5:9 for writing, which its \
             own thread holds for reading, for ever"
        );
        assert!(finding.help.contains("for writing from the start"));
        assert!(finding.locations[0].label.starts_with("the test's thread waits"));
    }

    #[test]
    fn a_join_of_one_that_needs_the_lock_is_told() {
        let mut waiter = party(1, (7, "app::stop", 40), (7, "app::stop", 41));
        (waiter.actor, waiter.wanted) = (thread_actor(1), None);
        waiter.operation = "JoinHandle::join".to_owned();
        let mut joined = party(4, (7, "app::work", 50), (7, "app::work", 51));
        (joined.actor, joined.held) = (thread_actor(4), None);
        joined.name = Some("worker".to_owned());
        let finding = check(vec![joined, waiter]).remove(0);
        assert_eq!(
            finding.message,
            "2 threads wait for each other for ever: `app::stop` holds tokio Mutex created at \
             src/lib.rs:3:9 and waits for the end of thread `worker`; `app::work` waits for tokio \
             Mutex created at src/lib.rs:3:9"
        );
        assert!(finding.help.contains("before you join"));
    }
}
