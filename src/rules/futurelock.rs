//! `futurelock`: a task waits for what a future of its own has that it polls no more.
//!
//! Oxide's RFD 609. The future has the lock, or was granted its place in the queue,
//! and could only let go of it if it were polled; the task, which alone can poll it,
//! waits for the lock elsewhere.

use crate::{
    deadlock::{self, Cycle},
    describe,
    finding::{Details, Finding, Severity, group::Draft},
    model::{Party, Run, last_polled_at, pointed_frame, short},
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct Futurelock;

impl Rule for Futurelock {
    fn name(&self) -> &'static str {
        deadlock::FUTURELOCK
    }

    fn summary(&self) -> &'static str {
        "a task waits for a lock that a future of its own has, which it polls no more"
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

const LAST_POLLED: &str = "that future was last polled from here";

fn tell(cycle: &Cycle<'_>) -> Option<Draft> {
    let project = cycle.project;
    // The one with the future: of several parties, the one that was granted its place.
    let party: &Party =
        cycle.parties.iter().find(|party| party.is_granted).unwrap_or(&cycle.parties[0]);
    let held = party.held.as_ref()?;
    let future = pointed_frame(&held.stack);
    let name = future.map(|frame| short(&frame.function));
    let whose = name.as_ref().map_or_else(
        || "a future that it polls no more".to_owned(),
        |name| format!("a future that it polls no more, `{name}`,"),
    );
    let polled = last_polled_at(&held.stack, &party.stack);
    let (then, now) = polled.unzip();
    let lock = cycle.held(party)?;
    let kind = deadlock::kind(lock, held.mode);
    let lock_name = cycle.name(lock, held.mode);
    // Both may well have been polled by one function, and be of another one.
    let subject =
        now.map_or_else(|| cycle.subject(party), |frame| format!("`{}`", short(&frame.function)));
    let has = if party.is_granted { "was granted" } else { "holds" };
    let message = if cycle.parties.len() == 1 {
        format!(
            "{subject} waits for ever for {lock_name}: {whose} {has} it, and can never release it"
        )
    } else {
        format!(
            "{} wait for each other for ever, one of them for a future of its own that it polls \
             no more: {}",
            cycle.crowd(),
            cycle.chain()
        )
    };

    let mut places = Vec::new();
    if cycle.parties.len() == 1 {
        let who = cycle.who(party);
        let label = format!("{who} waits for {kind} here, for ever, and polls nothing else");
        places.push(describe::at_stack(project, &party.stack, label));
        let label = if party.is_granted {
            format!("the future that nobody polls waited for {kind} here, and was granted it")
        } else {
            format!("the future that nobody polls took {kind} here, and holds it")
        };
        places.push(describe::at_stack(project, &held.stack, label));
        if let Some(frame) = then {
            places.push(describe::at_frame(project, frame, LAST_POLLED));
        }
        let elsewhere = now.filter(|frame| Some(*frame) != pointed_frame(&party.stack));
        if let Some(frame) = elsewhere {
            places.push(describe::at_frame(
                project,
                frame,
                "and the task awaits something else here",
            ));
        }
        places.extend(cycle.created());
    } else {
        places.extend(cycle.locations());
        if let Some(frame) = then {
            places.push(describe::at_frame(project, frame, LAST_POLLED));
        }
    }
    let mut notes = cycle.notes();
    if party.is_granted {
        notes.push(
            "whoever has waited longest gets it first: it is reserved for that future, and for \
             nobody else, until that is polled or dropped"
                .to_owned(),
        );
    }
    Some(Draft {
        origin: cycle.origin(),
        message,
        locations: describe::places(places)?,
        stacks: cycle.stacks(),
        notes,
        minor_notes: cycle.minor_notes(),
        help: "do not keep a future that has been polled without polling it on: drop it before \
               the other await, `tokio::spawn` it and await its `JoinHandle`, or move that await \
               out of the arm into a branch of the same `select!` or `join!`; in a `select!` hand \
               it over by value, not as `&mut`"
            .to_owned(),
        details: Details::Futurelock {
            lock: describe::lock_kind(lock, held.mode),
            future: name.unwrap_or_default(),
            last_polled_at: then.and_then(|frame| cycle.place(frame)),
            parties: cycle.details(),
            behind: cycle.knot.behind,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::Confidence,
        model::{Knot, Process, RecursiveLock as Recursion, testing::*},
        rules::{deadlock::Deadlock, recursive_lock::RecursiveLock},
    };

    /// `op` waits directly below `do_stuff`, the paused one below its `timeout`.
    fn rfd() -> Party {
        let mut party = party(1, (7, "app::op", 12), (7, "app::op", 12));
        party.stack = stack([
            tokio("tokio::sync::mutex::Mutex<T>::lock::{{closure}}"),
            lib("app::op::{{closure}}", 12),
            lib("app::do_stuff::{{closure}}", 33),
        ]);
        party.held.as_mut().unwrap().stack = stack([
            tokio("tokio::sync::mutex::Mutex<T>::lock::{{closure}}"),
            lib("app::op::{{closure}}", 12),
            tokio("<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll"),
            lib("app::do_stuff::{{closure}}", 30),
        ]);
        party
    }

    fn process_of(party: Party) -> Process {
        let knot = Knot { parties: vec![party], behind: 0, ..knot() };
        Process { knots: vec![knot], ..process([task(1)], [mutex(7, 3)]) }
    }

    #[test]
    fn a_place_granted_to_a_future_that_nobody_polls_is_told_with_that_future() {
        let granted = Party { is_granted: true, ..rfd() };
        let findings =
            crate::rules::check(&Futurelock, &run(process_of(granted)), &Config::default());
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Observed));
        assert_eq!(
            finding.message,
            "`app::do_stuff` waits for ever for tokio Mutex created at src/lib.rs:3:9: a future \
             that it polls no more, `app::op`, was granted it, and can never release it"
        );
        let lines: Vec<u32> = finding.locations.iter().map(|place| place.line).collect();
        assert_eq!(lines, [12, 12, 30, 33, 3]);
        let Details::Futurelock { last_polled_at, .. } = &finding.details else { panic!() };
        assert_eq!(last_polled_at.as_deref(), Some("src/lib.rs:30:5"));
    }

    #[test]
    fn a_guard_in_a_future_that_was_left_counts_and_one_of_its_own_is_a_deadlock() {
        let found = |party: Party| {
            let run = run(process_of(party));
            let config = Config::default();
            (
                crate::rules::check(&Futurelock, &run, &config).len(),
                crate::rules::check(&Deadlock, &run, &config).len(),
            )
        };
        assert_eq!(found(rfd()), (1, 0));
        let mut own = rfd();
        own.held.as_mut().unwrap().stack = stack([
            tokio("tokio::sync::mutex::Mutex<T>::lock::{{closure}}"),
            lib("app::do_stuff::{{closure}}", 30),
        ]);
        assert_eq!(found(own.clone()), (0, 1));
        // The guard came out of the timeout.
        own.held.as_mut().unwrap().stack = stack([
            tokio("tokio::sync::mutex::Mutex<T>::lock::{{closure}}"),
            tokio("<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll"),
            lib("app::do_stuff::{{closure}}", 30),
        ]);
        assert_eq!(found(own), (0, 1));
    }

    #[test]
    fn what_a_knot_tells_is_not_told_again_as_a_recursion() {
        let party = rfd();
        let recursion = Recursion {
            held: party.held.clone().unwrap(),
            wanted: crate::model::Acquisition {
                stack: std::sync::Arc::clone(&party.stack),
                ..party.held.clone().unwrap()
            },
            actor: actor(1),
            waits: true,
            has_writer: false,
            count: 1,
        };
        let run = run(Process { recursive_locks: vec![recursion], ..process_of(party) });
        let without = Config { disabled: ["futurelock".to_owned()].into() };
        assert!(crate::rules::check(&RecursiveLock, &run, &Config::default()).is_empty());
        assert_eq!(crate::rules::check(&RecursiveLock, &run, &without).len(), 1);
    }
}
