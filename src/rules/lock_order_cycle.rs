//! `lock-order-cycle`: locks taken in orders that form a cycle.
//!
//! The run need not have deadlocked: it is enough that one actor took B while
//! it held A, and another A while it held B. What cannot be at one time is left
//! out (a common gate lock, readers among themselves, recursion, guards that
//! were handed over, branches of one `join!`), and what only may be is told as
//! `possible`. Cycles are found on lock instances within each process, then on
//! lock classes (creation sites) over all of them.

use std::collections::BTreeSet;

use crate::{
    deadlock::ReportedKnots,
    describe::{self, class_identity},
    finding::{
        Confidence, Details, Finding, Origin, Severity, fingerprint,
        group::{Draft, Groups, Identity, Rank},
    },
    lock_order::{ClassOrders, Classes, Doubt, LockKey, Step, class_cycles, find, steps},
    model::{OrderEdge, Run, Test, origin, pointed_frame, short},
    project::Project,
    rules::{Explained, Rule, config::Config},
};

/// See the module.
#[derive(Debug)]
pub struct LockOrderCycle;

/// A cycle on instances, as one process has shown it.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Of its finding.
    pub fingerprint: String,
    /// The test.
    pub test: &'a Test,
    /// Its orders.
    pub edges: Vec<&'a OrderEdge>,
}

/// The cycles on instances that are reported, each in every process that has shown it.
pub fn seen(run: &Run) -> Vec<Seen<'_>> {
    let mut all = Vec::new();
    for test in &run.tests {
        for process in &test.processes {
            for (cycle, _) in find(&steps(test, process), &|_, lock| lock.id, |_| true, true) {
                let identity = identity(&run.project, &cycle);
                let parts: Vec<&str> = identity.iter().map(String::as_str).collect();
                all.push(Seen {
                    fingerprint: fingerprint(LockOrderCycle.name(), &parts),
                    test,
                    edges: cycle.iter().map(|step| step.edge).collect(),
                });
            }
        }
    }
    all
}

impl Rule for LockOrderCycle {
    fn name(&self) -> &'static str {
        "lock-order-cycle"
    }

    fn summary(&self) -> &'static str {
        "locks are taken in orders that form a cycle"
    }

    fn default_severity(&self) -> Severity {
        Severity::Error
    }

    fn check(&self, run: &Run, _config: &Config, explained: &Explained) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        let mut classes = Classes::default();
        let mut orders = ClassOrders::default();
        let reported = ReportedKnots::of(run, |knot| explained.has_knot(knot));
        let is_reported = |cycle: &[Step<'_>]| reported.has(cycle.iter().map(|step| step.edge));
        let mut seen: BTreeSet<BTreeSet<(LockKey, LockKey)>> = BTreeSet::new();
        for test in &run.tests {
            for process in &test.processes {
                classes.add(process);
                let steps = steps(test, process);
                for (cycle, doubts) in find(&steps, &|_, lock| lock.id, |_| true, true) {
                    seen.insert(classes.pairs(&cycle));
                    if !is_reported(&cycle) {
                        add(&run.project, &mut groups, &cycle, &doubts, true);
                    }
                }
                orders.add(&classes, &steps);
            }
        }
        for (cycle, mut doubts) in class_cycles(&classes, orders, &seen) {
            if !is_reported(&cycle) {
                doubts.insert(Doubt::Instances);
                add(&run.project, &mut groups, &cycle, &doubts, false);
            }
        }
        groups.finish()
    }
}

fn add(
    project: &Project,
    groups: &mut Groups,
    cycle: &[Step],
    doubts: &BTreeSet<Doubt>,
    on_instances: bool,
) {
    // The first edge is the one that the workspace is to blame for, then the
    // first in the source, whatever lock happened to come first.
    let place = |step: &Step| {
        let frame = pointed_frame(&step.edge.to.stack);
        let origin = origin(project, &step.edge.to.stack, &step.test.identity);
        (origin, frame.map(|frame| (frame.file.clone(), frame.line)))
    };
    let first = (0..cycle.len()).min_by_key(|&at| place(&cycle[at])).unwrap_or(0);
    let cycle: Vec<Step> = cycle[first..].iter().chain(&cycle[..first]).copied().collect();

    let identity = identity(project, &cycle);
    let spot = describe::spot(project, pointed_frame(&cycle[0].edge.to.stack));
    let origin = cycle
        .iter()
        .flat_map(|step| {
            [&step.edge.from, &step.edge.to]
                .map(|side| origin(project, &side.stack, &step.test.identity))
        })
        .min()
        .unwrap_or(Origin::Dependency);
    let is_likely = doubts.is_empty();
    let rank = Rank {
        severity: match origin {
            Origin::Library | Origin::Test if is_likely => Severity::Error,
            Origin::Library if on_instances && !doubts.iter().any(|doubt| doubt.is_of_place()) => {
                Severity::Warning
            }
            Origin::Library | Origin::Test | Origin::Dependency => Severity::Note,
        },
        confidence: if is_likely { Confidence::Likely } else { Confidence::Possible },
        weight: u64::MAX - cycle.len() as u64,
    };
    let tests: BTreeSet<String> = cycle.iter().map(|step| step.test.name.clone()).collect();
    groups.add(identity, spot, rank, tests, || tell(project, &cycle, doubts, origin, on_instances));
}

/// What a cycle is recognised by, wherever it is told from.
fn identity(project: &Project, cycle: &[Step]) -> Identity {
    let orders: BTreeSet<String> = cycle
        .iter()
        .map(|step| {
            let side = |lock, stack| {
                format!(
                    "{} by {}",
                    class_identity(project, lock),
                    describe::identity(pointed_frame(stack))
                )
            };
            let (from, to) = (&step.edge.from.stack, &step.edge.to.stack);
            format!("{}, then {}", side(step.from, from), side(step.to, to))
        })
        .collect();
    orders.into_iter().collect()
}

fn tell(
    project: &Project,
    cycle: &[Step],
    doubts: &BTreeSet<Doubt>,
    origin: Origin,
    on_instances: bool,
) -> Option<Draft> {
    let names: Vec<String> =
        cycle.iter().map(|step| describe::lock_name(project, step.from)).collect();
    let classes: BTreeSet<&String> = names.iter().collect();
    // Instances of one class are told apart by letters.
    let letter = |at: usize| {
        char::from_u32(u32::from('A') + at as u32)
            .filter(char::is_ascii_uppercase)
            .map_or_else(|| format!("#{at}"), String::from)
    };
    let locks: Vec<String> = (0..cycle.len()).map(letter).collect();
    let functions: BTreeSet<String> = cycle
        .iter()
        .filter_map(|step| pointed_frame(&step.edge.to.stack))
        .map(|frame| format!("`{}`", short(&frame.function)))
        .collect();
    let by = match functions.len() {
        0 => String::new(),
        1..=3 => format!(" by {}", functions.into_iter().collect::<Vec<_>>().join(" and ")),
        many => format!(" by {many} functions"),
    };
    let message = match (cycle.len(), classes.len()) {
        (2, 1) => format!("two instances of the {} are taken in both orders{by}", names[0]),
        (2, _) => format!("{} and {} are taken in opposite orders{by}", names[0], names[1]),
        (many, 1) => format!("{many} instances of the {} are taken in a circle{by}", names[0]),
        (many, _) => format!("{many} locks are taken in orders that form a circle{by}"),
    };

    let mut places = Vec::new();
    let mut stacks = Vec::new();
    let mut notes = Vec::new();
    for (at, step) in cycle.iter().enumerate() {
        let (held, taken) = (&locks[at], &locks[(at + 1) % cycle.len()]);
        let (from, to) = (&step.edge.from, &step.edge.to);
        let (kind, purpose) = (describe::type_name(step.to), describe::purpose(step.to, to.mode));
        let label = format!("takes {kind} {taken}{purpose} while it holds {held}");
        places.push(describe::at_stack(project, &to.stack, label));
        let (kind, purpose) =
            (describe::type_name(step.from), describe::purpose(step.from, from.mode));
        let label = format!("{kind} {held} taken{purpose} here");
        places.push(describe::at_stack(project, &from.stack, label));
        let label = format!("{taken} taken while {held} is held");
        stacks.push(describe::labelled(project, &to.stack, label));
        let label = format!("{held} taken, to be held while {taken} is taken");
        stacks.push(describe::labelled(project, &from.stack, label));
        let who = step.edge.actors.first().map_or_else(
            || "unknown".to_owned(),
            |actor| describe::actor(project, step.process, actor),
        );
        notes.push(format!("{held} then {taken}: {who} in {}", step.test.name));
    }
    for (step, letter) in cycle.iter().zip(&locks) {
        if let Some(created) = &step.from.created_at {
            let kind = describe::type_name(step.from);
            let made = describe::made(step.from);
            let label = if classes.len() == 1 {
                format!("each {kind} {made} here")
            } else {
                format!("{kind} {letter} {made} here")
            };
            places.push(Some(describe::at_site(project, created, label)));
        }
    }
    notes.extend(doubts.iter().map(|doubt| doubt.words().to_owned()));
    let help = if classes.len() == 1 {
        "order the instances by something that both sides see alike, an id for one, and always \
         take the lower one first"
    } else {
        "take the locks in one order everywhere, release the first before the second is taken, or \
         put what they guard under one lock"
    };
    Some(Draft {
        origin,
        message,
        locations: describe::places(places)?,
        stacks: stacks.into_iter().flatten().collect(),
        notes,
        minor_notes: Vec::new(),
        help: help.to_owned(),
        details: Details::LockOrderCycle { confirmed_in: None, locks: names, on_instances },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{
        Actor, Gate, Mode, OrderEdge, Outcome, Process, Resource, Stack, testing::*,
    };

    fn of(edges: Vec<OrderEdge>) -> Process {
        let locks = (1..=4).map(|id| mutex(id, id as u32));
        Process { edges, ..process([], locks) }
    }

    fn check(edges: Vec<OrderEdge>) -> Vec<Finding> {
        crate::rules::check(&LockOrderCycle, &run(of(edges)), &Config::default())
    }

    fn inversion(change: impl FnOnce(&mut OrderEdge, &mut OrderEdge)) -> Vec<OrderEdge> {
        let (mut one, mut other) = (edge(1, 2, "app::f", 1), edge(2, 1, "app::g", 2));
        change(&mut one, &mut other);
        vec![one, other]
    }

    fn changed(change: impl FnOnce(&mut OrderEdge, &mut OrderEdge)) -> Vec<Finding> {
        check(inversion(change))
    }

    #[test]
    fn opposite_orders_of_two_tasks_are_an_error_with_all_sites() {
        let findings = changed(|_, _| {});
        assert_eq!(findings.len(), 1);
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Likely));
        assert_eq!(
            finding.message,
            "tokio Mutex created at src/lib.rs:2:9 and tokio Mutex created at src/lib.rs:1:9 are taken in \
             opposite orders by `app::f` and `app::g`"
        );
        let labels: Vec<_> =
            finding.locations.iter().map(|at| (at.line, at.label.as_str())).collect();
        assert_eq!(
            labels[..2],
            [(10, "takes tokio Mutex B while it holds A"), (20, "tokio Mutex A taken here")]
        );
        assert_eq!(finding.stacks.len(), 4);
    }

    #[test]
    fn what_deadlocked_on_the_same_lines_is_reported_once() {
        let parties = vec![
            party(1, (1, "app::f", 10), (2, "app::f", 20)),
            party(2, (2, "app::g", 20), (1, "app::g", 10)),
        ];
        let knotted = |parties| Process {
            knots: vec![crate::model::Knot { parties, ..knot() }],
            ..of(inversion(|_, _| {}))
        };
        let check =
            |process| crate::rules::check(&LockOrderCycle, &run(process), &Config::default());
        assert!(check(knotted(parties.clone())).is_empty());
        // Elsewhere it is another cause.
        let mut elsewhere = parties;
        elsewhere[1].stack = acquisition(1, "app::g", 11).stack;
        assert_eq!(check(knotted(elsewhere)).len(), 1);
    }

    #[test]
    fn a_transfer_locks_two_instances_of_one_class_in_both_orders() {
        let edges =
            vec![edge(1, 2, "app::Bank::transfer", 1), edge(2, 1, "app::Bank::transfer", 2)];
        let process = Process { edges, ..process([], [mutex(1, 7), mutex(2, 7)]) };
        let findings = crate::rules::check(&LockOrderCycle, &run(process), &Config::default());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(
            findings[0].message,
            "two instances of the tokio Mutex created at src/lib.rs:7:9 are taken in both orders by \
             `Bank::transfer`"
        );
    }

    #[test]
    fn three_locks_in_a_circle_are_found() {
        let edges = [(1, 2), (2, 3), (3, 1)].map(|(a, b)| edge(a, b, "app::f", a)).to_vec();
        let findings = check(edges);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].message.starts_with("3 locks are taken in orders that form a circle"));
    }

    #[test]
    fn what_cannot_block_makes_no_cycle() {
        assert!(check(vec![edge(1, 2, "app::f", 1), edge(1, 2, "app::g", 2)]).is_empty());
        assert!(changed(|one, _| one.to.is_try = true).is_empty());
        assert_eq!(changed(|one, _| one.from.is_try = true).len(), 1, "what is held counts");
        assert!(check(vec![edge(1, 1, "app::f", 1), edge(1, 1, "app::f", 2)]).is_empty());
        let mut process = of(inversion(|_, _| {}));
        process.resources.get_mut(&2).unwrap().handed_over = true;
        assert!(crate::rules::check(&LockOrderCycle, &run(process), &Config::default()).is_empty());
    }

    #[test]
    fn a_gate_lock_kills_the_cycle_unless_both_only_read_it() {
        let gated = |mode| {
            changed(|one, other| {
                one.gates.push(Gate { resource: 3, mode });
                other.gates.push(Gate { resource: 3, mode: Mode::Shared });
            })
        };
        assert!(gated(Mode::Exclusive).is_empty());
        assert_eq!(gated(Mode::Shared).len(), 1);
    }

    #[test]
    fn a_cycle_without_the_gate_is_found_beside_the_one_with_it() {
        let mut edges = inversion(|one, other| {
            one.gates.push(Gate { resource: 3, mode: Mode::Exclusive });
            other.gates.push(Gate { resource: 3, mode: Mode::Exclusive });
        });
        edges.push(edge(2, 1, "app::h", 3));
        let findings = check(edges);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.ends_with("by `app::f` and `app::h`"));
    }

    #[test]
    fn readers_among_themselves_need_a_queued_writer() {
        let read = |one: &mut OrderEdge, other: &mut OrderEdge| {
            for side in [&mut one.from, &mut one.to, &mut other.from, &mut other.to] {
                side.mode = Mode::Shared;
            }
        };
        let locks = || [rwlock(1, 1), rwlock(2, 2)];
        let edges = inversion(read);
        let only = Process { edges: edges.clone(), ..process([], locks()) };
        assert!(crate::rules::check(&LockOrderCycle, &run(only), &Config::default()).is_empty());
        let written = |lock| Resource { written: true, ..lock };
        let written = Process { edges, ..process([], locks().map(written)) };
        let findings = crate::rules::check(&LockOrderCycle, &run(written), &Config::default());
        assert_eq!(
            (findings[0].severity, findings[0].confidence),
            (Severity::Warning, Confidence::Possible)
        );
    }

    #[test]
    fn orders_that_the_program_puts_in_sequence_are_only_possible() {
        let is_possible = |findings: Vec<Finding>| {
            findings[0].severity == Severity::Warning
                && findings[0].confidence == Confidence::Possible
        };
        let later = |other: &mut OrderEdge, known: u32| {
            other.actors[0].created_ns = 30 * MS;
            (other.actors[0].first_ns, other.actors[0].last_ns) = (40 * MS, 50 * MS);
            if known > 0 {
                other.actors = vec![knowing(other.actors[0].clone(), 1, known)];
            }
        };
        assert!(is_possible(changed(|one, other| other.actors = one.actors.clone())));
        assert!(is_possible(changed(|_, other| later(other, 1))), "told of it");
        assert!(
            !is_possible(changed(|one, other| {
                one.actors[0].ended_ns = Some(30 * MS);
                later(other, 0);
            })),
            "only faster"
        );
        assert!(
            !is_possible(changed(|one, other| {
                one.actors[0].epoch = 2;
                later(other, 1);
            })),
            "told before it was done"
        );
        let again = |one: &mut OrderEdge, other: &mut OrderEdge| {
            later(other, 1);
            other.actors[0].ended_ns = Some(60 * MS);
            let after = Actor { epoch: 2, ..one.actors[0].clone() };
            one.actors.push(knowing(after, 2, 1));
        };
        assert!(is_possible(changed(again)), "before the spawn and after the join");
        let cut = |one: &mut OrderEdge, other: &mut OrderEdge| {
            later(other, 7);
            let known = crate::model::Clock { epochs: [(9, 1)].into(), is_cut: true };
            other.actors[0].known = Some(Arc::new(known));
            one.actors[0].last_ns = 39 * MS;
        };
        assert!(is_possible(changed(cut)), "not known, to be on the safe side");
    }

    #[test]
    fn a_time_limit_around_the_second_lock_alone_makes_it_only_possible() {
        let limited = |side: &mut crate::model::Acquisition| {
            let limit = tokio("tokio::time::timeout::Timeout<T>::poll");
            side.stack = stack(side.stack.frames.iter().cloned().chain([limit]));
        };
        let second = changed(|one, _| limited(&mut one.to));
        assert_eq!(
            (second[0].severity, second[0].confidence),
            (Severity::Warning, Confidence::Possible)
        );
        let both = changed(|one, _| {
            limited(&mut one.from);
            limited(&mut one.to);
        });
        assert_eq!(both[0].severity, Severity::Error);
    }

    #[test]
    fn a_possible_cycle_of_test_code_alone_is_a_note() {
        let findings = changed(|one, other| {
            other.actors = one.actors.clone();
            for side in [&mut one.from, &mut one.to, &mut other.from, &mut other.to] {
                side.stack = stack([test_code("it::works", 5)]);
            }
        });
        assert_eq!(
            (findings[0].severity, findings[0].confidence),
            (Severity::Note, Confidence::Possible)
        );
    }

    #[test]
    fn branches_of_a_join_are_not_nested() {
        let branch = |function: &str, line| {
            let poll = dependency("futures_util::future::join::Join<A,B>::poll");
            stack([tokio("tokio::sync::mutex::Mutex<T>::lock"), lib(function, line), poll])
        };
        assert!(
            changed(|one, _| {
                one.from.stack = branch("app::left", 10);
                one.to.stack = branch("app::right", 20);
            })
            .is_empty()
        );
    }

    #[test]
    fn orders_of_two_tests_meet_on_classes_only_as_a_note() {
        let one = of(vec![edge(1, 2, "app::f", 1)]);
        let other = of(vec![edge(2, 1, "app::g", 1)]);
        let run =
            run_of([("app::it a", Outcome::Passed, one), ("app::it b", Outcome::Failed, other)]);
        let findings = crate::rules::check(&LockOrderCycle, &run, &Config::default());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Note);
        assert_eq!(findings[0].tests, ["app::it a", "app::it b"]);
        let Details::LockOrderCycle { on_instances, .. } = findings[0].details else { panic!() };
        assert!(!on_instances);
    }

    #[test]
    fn one_cause_in_many_tests_is_one_finding_and_not_told_again_of_its_classes() {
        let process = || of(inversion(|_, _| {}));
        let run = run_of([
            ("app::it a", Outcome::Passed, process()),
            ("app::it b", Outcome::Passed, process()),
        ]);
        let findings = crate::rules::check(&LockOrderCycle, &run, &Config::default());
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].occurrences, findings[0].tests.len()), (2, 2));
    }

    #[test]
    fn a_cycle_counts_where_the_workspace_takes_part_in_every_order() {
        let theirs = || stack([dependency("dep::f")]);
        let half = changed(|one, other| {
            (one.from.stack, other.to.stack) = (theirs(), theirs());
        });
        assert_eq!((half[0].severity, half[0].origin), (Severity::Error, Origin::Library));
        let one_order = changed(|one, _| (one.from.stack, one.to.stack) = (theirs(), theirs()));
        assert!(one_order.is_empty());
    }

    #[test]
    fn locks_of_any_kind_and_actors_of_any_kind_make_one_cycle() {
        let edges = inversion(|_, other| other.actors = vec![thread_actor(4)]);
        let locks = [mutex(1, 1), parking_lot_mutex(2, 2)];
        let process = Process { edges, ..process([thread(4)], locks) };
        let findings = crate::rules::check(&LockOrderCycle, &run(process), &Config::default());
        let finding = &findings[0];
        assert_eq!((finding.severity, finding.confidence), (Severity::Error, Confidence::Likely));
        assert_eq!(
            finding.message,
            "parking_lot Mutex first used at src/lib.rs:2:9 and tokio Mutex created at \
             src/lib.rs:1:9 are taken in opposite orders by `app::f` and `app::g`"
        );
        assert!(finding.notes.contains(
            &"A then B: thread `worker-4` spawned at src/lib.rs:20:5 in app::it works".to_owned()
        ));
    }

    #[test]
    fn one_thread_after_the_other_or_with_what_it_polls_is_no_two_actors() {
        let possible = |one: Actor, other: Actor| {
            let findings = changed(|first, second| {
                (first.actors, second.actors) = (vec![one], vec![other]);
            });
            findings[0].confidence == Confidence::Possible
        };
        assert!(!possible(thread_actor(1), thread_actor(2)));
        assert!(possible(thread_actor(1), thread_actor(1)));
        let polled = Actor { thread: thread_actor(1).thread, ..actor(2) };
        assert!(possible(thread_actor(1), polled));
        assert!(possible(thread_actor(1), knowing(thread_actor(2), 1, 1)), "joined");
    }

    #[test]
    fn upgradable_readers_exclude_each_other() {
        let upgradable = |one: &mut OrderEdge, other: &mut OrderEdge, wanted| {
            one.from.mode = Mode::Upgradable;
            other.to.mode = wanted;
        };
        let check = |wanted| {
            let edges = inversion(|one, other| upgradable(one, other, wanted));
            let process = Process { edges, ..process([], [std_rwlock(1, 1), mutex(2, 2)]) };
            crate::rules::check(&LockOrderCycle, &run(process), &Config::default())
        };
        let findings = check(Mode::Upgradable);
        assert_eq!(findings[0].confidence, Confidence::Likely);
        let label = "takes std RwLock B for upgradable reading while it holds A";
        assert!(findings[0].locations.iter().any(|place| place.label.contains(label)));
        assert!(check(Mode::Shared).is_empty(), "no writer was seen");
    }

    #[test]
    fn a_likely_cycle_of_test_code_is_an_error() {
        let findings = changed(|one, other| {
            for side in [&mut one.from, &mut one.to, &mut other.from, &mut other.to] {
                side.stack = stack([test_code("it::works", 5)]);
            }
        });
        assert_eq!((findings[0].severity, findings[0].origin), (Severity::Error, Origin::Test));
    }

    /// Of two pairs of locks, in one pair of functions.
    fn two_inversions() -> Vec<OrderEdge> {
        vec![
            edge(1, 2, "app::f", 1),
            edge(2, 1, "app::g", 2),
            edge(3, 4, "app::f", 1),
            edge(4, 3, "app::g", 2),
        ]
    }

    #[test]
    fn two_inversions_in_one_pair_of_functions_are_two_findings() {
        let mut process = of(two_inversions());
        for (id, function) in [(3, "app::Cache::new"), (4, "app::Index::new")] {
            let lock = process.resources.get_mut(&id).unwrap();
            lock.created_stack = stack([lib(function, id as u32)]);
        }
        let findings = crate::rules::check(&LockOrderCycle, &run(process), &Config::default());
        assert_eq!(findings.len(), 2);
        assert_ne!(findings[0].fingerprint, findings[1].fingerprint);
    }

    #[test]
    fn inversions_that_only_lines_tell_apart_are_one_finding_that_lists_them() {
        let findings = check(two_inversions());
        assert_eq!((findings.len(), findings[0].occurrences), (1, 2));
        let at_30 = |place: &&crate::finding::Location| {
            place.line == 30 && place.label.starts_with("likewise: takes tokio Mutex")
        };
        let places = &findings[0].locations;
        assert!(places.iter().any(|place| at_30(&place)), "{places:?}");
        assert_eq!(findings[0].variants.len(), 2);
    }

    #[test]
    fn a_fingerprint_survives_a_shift_of_lines_and_another_start() {
        let print = |findings: Vec<Finding>| findings[0].fingerprint.clone();
        let mut shifted = inversion(|_, _| {});
        for edge in &mut shifted {
            for side in [&mut edge.from, &mut edge.to] {
                let line = side.resource as u32 * 10 + 3;
                let function = side.stack.frames[1].function.clone();
                side.stack =
                    stack([tokio("tokio::sync::mutex::Mutex<T>::lock"), lib(&function, line)]);
            }
        }
        let mut turned = inversion(|_, _| {});
        turned.reverse();
        let plain = print(changed(|_, _| {}));
        assert_eq!(print(check(shifted)), plain);
        assert_eq!(print(check(turned)), plain);
    }

    /// The edges have stacks of some hundred functions, as a real run's have.
    fn at_scale(locks: u64, count: usize, back: u64) -> Process {
        let stacks: Vec<Arc<Stack>> = (0..300)
            .map(|at| {
                let frames = (0..12).map(|depth| lib(&format!("app::f{at}::{depth}"), at));
                stack([tokio("tokio::sync::mutex::Mutex<T>::lock")].into_iter().chain(frames))
            })
            .collect();
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        let side = |resource: u64, random: &mut dyn FnMut(u64) -> u64| crate::model::Acquisition {
            stack: Arc::clone(&stacks[random(300) as usize]),
            ..acquisition(resource, "", 0)
        };
        let make = |from: u64, to: u64, random: &mut dyn FnMut(u64) -> u64| OrderEdge {
            from: side(from + 1, random),
            to: side(to + 1, random),
            actors: vec![actor(1 + random(50))],
            gates: Vec::new(),
        };
        let mut edges = Vec::with_capacity(count + back as usize);
        for _ in 0..count {
            let (a, b) = (random(locks), random(locks));
            edges.push(make(a.min(b), a.max(b), &mut random));
        }
        for at in 0..back {
            edges.push(make(locks - 1 - at, at, &mut random));
        }
        let resources = (1..=locks).map(|id| mutex(id, id as u32));
        Process { edges, ..process([], resources) }
    }

    #[test]
    #[ignore = "a measurement: run with --release --nocapture"]
    #[expect(clippy::print_stderr, reason = "a measurement is there to be read")]
    fn the_whole_rule_at_scale() {
        for (locks, count) in [(5_000, 500_000), (10_000, 1_000_000)] {
            for back in [0, 1_000] {
                let run = run(at_scale(locks, count, back));
                let started = std::time::Instant::now();
                let findings = crate::rules::check(&LockOrderCycle, &run, &Config::default()).len();
                let took = started.elapsed();
                let test = &run.tests[0];
                let steps = steps(test, &test.processes[0]);
                let stepped = started.elapsed().checked_sub(took).unwrap_or_default();
                let found = find(&steps, &|_, lock| lock.id, |_| true, true).len();
                let searched = started.elapsed().saturating_sub(took + stepped);
                eprintln!(
                    "{locks} locks, {count} edges, {back} back: rule {took:?} ({findings}), of \
                     which steps {stepped:?}, find on instances {searched:?} ({found})"
                );
            }
        }
    }
}
