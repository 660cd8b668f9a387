//! `lock-order-cycle`: locks taken in orders that form a cycle.
//!
//! The run need not have deadlocked: it is enough that one actor took B while
//! it held A, and another A while it held B. What cannot be at one time is left
//! out (a common gate lock, readers among themselves, recursion, guards that
//! were handed over, branches of one `join!`), and what only may be is told as
//! `possible`. Cycles are found on lock instances within each process, then on
//! lock classes (creation sites) over all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    config::Config,
    cycles::{Edge, Graph, Verdict},
    group::{Draft, Groups, Rank},
    registry::Rule,
    support::{Nesting, is_lock, nested, origin, site_frame},
    text,
};
use crate::{
    model::{Actor, Mode, OrderEdge, Process, Resource, Run, Test},
    project::Project,
    report::finding::{Confidence, Details, Finding, Origin, Severity},
};

/// See the module.
#[derive(Debug)]
pub struct LockOrderCycle;

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

    fn check(&self, run: &Run, _config: &Config) -> Vec<Finding> {
        let mut groups = Groups::new(self.name());
        let mut seen: Vec<BTreeSet<(String, String)>> = Vec::new();
        let mut everything: Vec<Step> = Vec::new();
        for test in &run.tests {
            for process in &test.processes {
                let steps: Vec<Step> = process
                    .edges
                    .iter()
                    .filter_map(|edge| Step::new(test, process, edge))
                    .collect();
                for (cycle, doubts) in cycles(&steps, |lock| lock.id.to_string()) {
                    seen.push(classes_of(&run.project, &cycle));
                    add(&run.project, &mut groups, &cycle, &doubts, true);
                }
                everything.extend(steps);
            }
        }
        for (cycle, mut doubts) in class_cycles(&run.project, &everything, &seen) {
            doubts.insert(Doubt::Instances);
            add(&run.project, &mut groups, &cycle, &doubts, false);
        }
        groups.finish()
    }
}

/// Why a cycle is only possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    Actors,
    Readers,
    Stacks,
    Gate,
    Instances,
}

impl Doubt {
    fn words(self) -> &'static str {
        match self {
            Self::Actors => {
                "only possible: the run did not show the orders in tasks or threads that run at \
                 the same time"
            }
            Self::Readers => {
                "only possible: a reader blocks another one only while a writer is queued between \
                 them"
            }
            Self::Stacks => {
                "only possible: the stacks do not tell whether one lock is held by the code that \
                 takes the other"
            }
            Self::Gate => {
                "only possible: another lock was taken before, whose guard was passed on to \
                 another task"
            }
            Self::Instances => {
                "only possible: the orders were seen on different locks created at the same places"
            }
        }
    }
}

/// An order edge that counts, with where it was seen.
#[derive(Debug, Clone, Copy)]
struct Step<'a> {
    test: &'a Test,
    process: &'a Process,
    edge: &'a OrderEdge,
    from: &'a Resource,
    to: &'a Resource,
    is_ambiguous: bool,
}

impl<'a> Step<'a> {
    fn new(test: &'a Test, process: &'a Process, edge: &'a OrderEdge) -> Option<Self> {
        let from = process.resources.get(&edge.from.resource)?;
        let to = process.resources.get(&edge.to.resource)?;
        let counts = |lock: &Resource| is_lock(lock.kind) && !lock.handed_over;
        if edge.to.is_try || from.id == to.id || !counts(from) || !counts(to) {
            return None;
        }
        let nesting = nested(&edge.from.stack, &edge.to.stack);
        let is_ambiguous = nesting == Nesting::Ambiguous;
        (nesting != Nesting::Separate).then_some(Self {
            test,
            process,
            edge,
            from,
            to,
            is_ambiguous,
        })
    }

    /// What its actor held, the first lock included.
    fn held(&self) -> impl Iterator<Item = (&'a Resource, Mode)> + use<'a> {
        let process = self.process;
        let gates = self.edge.gates.iter();
        std::iter::once((self.from, self.edge.from.mode)).chain(
            gates.filter_map(|gate| Some((process.resources.get(&gate.resource)?, gate.mode))),
        )
    }
}

/// The lock class: the static, or the creation site and the type.
fn class(project: &Project, lock: &Resource) -> Option<String> {
    (lock.static_name.is_some() || lock.created_at.is_some())
        .then(|| text::lock_name(project, lock))
}

fn classes_of(project: &Project, cycle: &[Step]) -> BTreeSet<(String, String)> {
    let pair = |step: &Step| Some((class(project, step.from)?, class(project, step.to)?));
    cycle.iter().filter_map(pair).collect()
}

type Found<'a> = Vec<(Vec<Step<'a>>, BTreeSet<Doubt>)>;

/// Cycles over what `name` takes for one lock, one per component.
fn cycles<'a>(steps: &[Step<'a>], name: impl Fn(&Resource) -> String) -> Found<'a> {
    find(steps, &name, |_| true, true)
}

fn class_cycles<'a>(
    project: &Project,
    steps: &[Step<'a>],
    seen: &[BTreeSet<(String, String)>],
) -> Found<'a> {
    let name = |lock: &Resource| class(project, lock).unwrap_or_default();
    // A class whose instances pass their guards on orders nothing.
    let handed_over: BTreeSet<String> = steps
        .chunk_by(|one, next| std::ptr::eq(one.process, next.process))
        .flat_map(|steps| steps[0].process.resources.values())
        .filter(|lock| lock.handed_over)
        .map(name)
        .collect();
    // One of each kind will do; a thousand tests show the same edges.
    let mut distinct = BTreeSet::new();
    let steps: Vec<Step> = steps
        .iter()
        .filter(|step| {
            let (from, to) = (name(step.from), name(step.to));
            let counts = |class: &String| !class.is_empty() && !handed_over.contains(class);
            if from == to || !counts(&from) || !counts(&to) {
                return false;
            }
            let place = |stack| site_frame(stack).map(|frame| (frame.function.clone(), frame.line));
            let gates: BTreeSet<(String, Mode)> =
                step.held().skip(1).map(|(lock, mode)| (name(lock), mode)).collect();
            let (edge, modes) = (step.edge, (step.edge.from.mode, step.edge.to.mode));
            distinct.insert((
                from,
                to,
                modes,
                place(&edge.from.stack),
                place(&edge.to.stack),
                gates,
            ))
        })
        .copied()
        .collect();
    let is_new = |cycle: &[Step]| {
        let classes = classes_of(project, cycle);
        !seen.iter().any(|seen| classes.is_subset(seen))
    };
    find(&steps, &name, is_new, false)
}

fn find<'a>(
    steps: &[Step<'a>],
    name: &impl Fn(&Resource) -> String,
    is_new: impl Fn(&[Step]) -> bool,
    on_instances: bool,
) -> Found<'a> {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    let mut number = |lock: &Resource| {
        let next = numbers.len();
        *numbers.entry(name(lock)).or_insert(next)
    };
    let edges: Vec<Edge> = steps
        .iter()
        .map(|step| Edge {
            from: number(step.from),
            held: step.edge.from.mode,
            to: number(step.to),
            taken: step.edge.to.mode,
        })
        .collect();
    let mut has_writer = vec![false; numbers.len()];
    for edge in &edges {
        has_writer[edge.from] |= edge.held == Mode::Exclusive;
        has_writer[edge.to] |= edge.taken == Mode::Exclusive;
    }
    let processes: BTreeMap<*const Process, &Process> =
        steps.iter().map(|step| (std::ptr::from_ref(step.process), step.process)).collect();
    for process in processes.values() {
        let of_tasks = process.tasks.values().flat_map(|task| &task.holds);
        for hold in process.holds.iter().chain(of_tasks) {
            let lock = process.resources.get(&hold.acquisition.resource);
            let known = lock.and_then(|lock| numbers.get(&name(lock)));
            if let Some(&known) = known {
                has_writer[known] |= hold.acquisition.mode == Mode::Exclusive;
            }
        }
    }

    let mut found: Found = Vec::new();
    let mut covered: BTreeSet<usize> = BTreeSet::new();
    // First without queued writers: those cycles need less to come true.
    for reads_block in [vec![false; numbers.len()], has_writer] {
        let cycles = Graph::new(&edges, &reads_block).cycles(|cycle| {
            let told: Vec<Step> = cycle.iter().map(|&edge| steps[edge]).collect();
            match doubts(&told, name) {
                Some(_) if !is_new(&told) => Verdict::Refused,
                Some(doubts) if doubts.is_empty() || !on_instances => Verdict::Best,
                Some(_) => Verdict::Accepted,
                None => Verdict::Refused,
            }
        });
        let before = covered.clone();
        for cycle in cycles {
            let locks: BTreeSet<usize> = cycle.iter().map(|&edge| edges[edge].from).collect();
            if !before.is_disjoint(&locks) {
                continue;
            }
            let told: Vec<Step> = cycle.iter().map(|&edge| steps[edge]).collect();
            if let Some(doubts) = doubts(&told, name) {
                covered.extend(locks);
                found.push((told, doubts));
            }
        }
    }
    found
}

/// What speaks against a cycle coming true; `None` where it cannot.
fn doubts(cycle: &[Step], name: &impl Fn(&Resource) -> String) -> Option<BTreeSet<Doubt>> {
    let mut doubts = BTreeSet::new();
    let mut held: BTreeMap<String, Vec<(usize, Mode, bool)>> = BTreeMap::new();
    for (at, step) in cycle.iter().enumerate() {
        for (lock, mode) in step.held() {
            // What has no class is still one lock within its process.
            let key = match name(lock) {
                empty if empty.is_empty() => format!("{}/{}", step.process.pid, lock.id),
                key => key,
            };
            held.entry(key).or_default().push((at, mode, lock.handed_over));
        }
    }
    for holds in held.values() {
        for (at, one) in holds.iter().enumerate() {
            for other in &holds[at + 1..] {
                if one.0 == other.0 || (one.1 == Mode::Shared && other.1 == Mode::Shared) {
                    continue;
                }
                if one.2 || other.2 {
                    doubts.insert(Doubt::Gate);
                } else {
                    return None;
                }
            }
        }
    }
    for (at, step) in cycle.iter().enumerate() {
        let next = cycle[(at + 1) % cycle.len()];
        if step.edge.to.mode == Mode::Shared && next.edge.from.mode == Mode::Shared {
            doubts.insert(Doubt::Readers);
        }
        if step.is_ambiguous {
            doubts.insert(Doubt::Stacks);
        }
    }
    let one_process = cycle.windows(2).all(|pair| std::ptr::eq(pair[0].process, pair[1].process));
    if one_process && !have_concurrent_actors(cycle) {
        doubts.insert(Doubt::Actors);
    }
    Some(doubts)
}

/// Whether each edge can be given an actor of its own such that all of them may
/// run at one time. Backtracking with a bound on the steps, beyond which the
/// answer is no.
fn have_concurrent_actors(cycle: &[Step]) -> bool {
    fn choose<'a>(rest: &[Step<'a>], chosen: &mut Vec<&'a Actor>, budget: &mut u32) -> bool {
        let Some((step, rest)) = rest.split_first() else { return true };
        let edge: &'a OrderEdge = step.edge;
        for actor in &edge.actors {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            if chosen.iter().all(|other| are_concurrent(actor, other)) {
                chosen.push(actor);
                if choose(rest, chosen, budget) {
                    return true;
                }
                chosen.pop();
            }
        }
        false
    }
    choose(cycle, &mut Vec::new(), &mut 10_000)
}

/// Whether nothing that the run shows orders what two actors did: they are not
/// one, their lives overlap, and neither was done with it before it spawned the
/// other or began after the other had ended.
fn are_concurrent(one: &Actor, other: &Actor) -> bool {
    let is_same = match (one.task, other.task) {
        (Some(one), Some(other)) => one == other,
        // A thread and what it polls take turns.
        _ => one.thread == other.thread,
    };
    let ends_before = |a: &Actor, b: &Actor| a.ended_ns.is_some_and(|ended| ended <= b.created_ns);
    let is_ordered = |ancestor: &Actor, child: &Actor| {
        ancestor.task.is_some_and(|task| child.ancestors.contains(&task))
            && (ancestor.last_ns < child.created_ns
                || child.ended_ns.is_some_and(|ended| ancestor.first_ns > ended))
    };
    !is_same
        && !ends_before(one, other)
        && !ends_before(other, one)
        && !is_ordered(one, other)
        && !is_ordered(other, one)
}

fn add(
    project: &Project,
    groups: &mut Groups<BTreeSet<(String, String)>>,
    cycle: &[Step],
    doubts: &BTreeSet<Doubt>,
    on_instances: bool,
) {
    // The first edge is the one that the workspace is to blame for, then the
    // first in the source, whatever lock happened to come first.
    let place = |step: &Step| {
        let frame = site_frame(&step.edge.to.stack);
        let origin = origin(project, step.test, &step.edge.to.stack, None);
        (origin, frame.map(|frame| (frame.file.clone(), frame.line)))
    };
    let first = (0..cycle.len()).min_by_key(|&at| place(&cycle[at])).unwrap_or(0);
    let cycle: Vec<Step> = cycle[first..].iter().chain(&cycle[..first]).copied().collect();

    let key: BTreeSet<(String, String)> = cycle
        .iter()
        .map(|step| {
            let function = |stack| text::identity(site_frame(stack));
            (function(&step.edge.from.stack), function(&step.edge.to.stack))
        })
        .collect();
    let origin = cycle
        .iter()
        .flat_map(|step| {
            [&step.edge.from, &step.edge.to]
                .map(|side| origin(project, step.test, &side.stack, None))
        })
        .min()
        .unwrap_or(Origin::Dependency);
    let is_likely = doubts.is_empty();
    let rank = Rank {
        severity: if is_likely && origin != Origin::Dependency {
            Severity::Error
        } else {
            Severity::Note
        },
        confidence: if is_likely { Confidence::Likely } else { Confidence::Possible },
        weight: u64::MAX - cycle.len() as u64,
    };
    let tests: BTreeSet<String> = cycle.iter().map(|step| step.test.name.clone()).collect();
    let identity = key.iter().map(|(from, to)| format!("{from}>{to}")).collect();
    groups.add(key, rank, tests, || tell(project, &cycle, doubts, origin, on_instances, identity));
}

fn tell(
    project: &Project,
    cycle: &[Step],
    doubts: &BTreeSet<Doubt>,
    origin: Origin,
    on_instances: bool,
    identity: Vec<String>,
) -> Option<Draft> {
    let names: Vec<String> = cycle.iter().map(|step| text::lock_name(project, step.from)).collect();
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
        .filter_map(|step| site_frame(&step.edge.to.stack))
        .map(|frame| format!("`{}`", text::short(&frame.function)))
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
    let verb = |mode: Mode, lock: &Resource| match mode {
        Mode::Exclusive => text::type_name(lock).to_owned(),
        Mode::Shared => format!("{} (for reading)", text::type_name(lock)),
    };
    for (at, step) in cycle.iter().enumerate() {
        let (held, taken) = (&locks[at], &locks[(at + 1) % cycle.len()]);
        let (from, to) = (&step.edge.from, &step.edge.to);
        let label = format!("takes {} {taken} while it holds {held}", verb(to.mode, step.to));
        places.push(text::at_stack(project, &to.stack, label));
        let label = format!("{} {held} taken here", verb(from.mode, step.from));
        places.push(text::at_stack(project, &from.stack, label));
        let label = format!("{taken} taken while {held} is held");
        stacks.push(text::labelled(project, &to.stack, label));
        let label = format!("{held} taken, to be held while {taken} is taken");
        stacks.push(text::labelled(project, &from.stack, label));
        let who = step.edge.actors.first().map_or_else(
            || "unknown".to_owned(),
            |actor| text::actor(project, step.process, actor),
        );
        notes.push(format!("{held} then {taken}: {who} in {}", step.test.name));
    }
    for (step, letter) in cycle.iter().zip(&locks) {
        if let Some(created) = &step.from.created_at {
            let kind = text::type_name(step.from);
            let label = if classes.len() == 1 {
                format!("each {kind} created here")
            } else {
                format!("{kind} {letter} created here")
            };
            places.push(Some(text::at_site(project, created, label)));
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
        identity,
        locations: text::places(places)?,
        stacks: stacks.into_iter().flatten().collect(),
        notes,
        help: help.to_owned(),
        details: Details::LockOrderCycle { locks: names, on_instances },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::testing::*,
        model::{Gate, Outcome},
    };

    fn of(edges: Vec<OrderEdge>) -> Process {
        let locks = (1..=4).map(|id| mutex(id, id as u32));
        Process { edges, ..process([], locks) }
    }

    fn check(edges: Vec<OrderEdge>) -> Vec<Finding> {
        LockOrderCycle.check(&run(of(edges)), &Config::default())
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
            "Mutex created at src/lib.rs:2:9 and Mutex created at src/lib.rs:1:9 are taken in \
             opposite orders by `app::f` and `app::g`"
        );
        let labels: Vec<_> =
            finding.locations.iter().map(|at| (at.line, at.label.as_str())).collect();
        assert_eq!(
            labels[..2],
            [(10, "takes Mutex B while it holds A"), (20, "Mutex A taken here")]
        );
        assert_eq!(finding.stacks.len(), 4);
    }

    #[test]
    fn a_transfer_locks_two_instances_of_one_class_in_both_orders() {
        let edges =
            vec![edge(1, 2, "app::Bank::transfer", 1), edge(2, 1, "app::Bank::transfer", 2)];
        let process = Process { edges, ..process([], [mutex(1, 7), mutex(2, 7)]) };
        let findings = LockOrderCycle.check(&run(process), &Config::default());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(
            findings[0].message,
            "two instances of the Mutex created at src/lib.rs:7:9 are taken in both orders by \
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
        assert!(LockOrderCycle.check(&run(process), &Config::default()).is_empty());
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
        assert!(LockOrderCycle.check(&run(only), &Config::default()).is_empty());
        let writers = vec![hold(1, 1), hold(2, 1)];
        let written = Process { edges, holds: writers, ..process([], locks()) };
        let findings = LockOrderCycle.check(&run(written), &Config::default());
        assert_eq!(
            (findings[0].severity, findings[0].confidence),
            (Severity::Note, Confidence::Possible)
        );
    }

    #[test]
    fn orders_that_did_not_run_at_one_time_are_only_possible() {
        let is_possible = |findings: Vec<Finding>| {
            findings[0].severity == Severity::Note && findings[0].confidence == Confidence::Possible
        };
        assert!(is_possible(changed(|one, other| other.actors = one.actors.clone())));
        assert!(is_possible(changed(|one, other| {
            one.actors[0].ended_ns = Some(30 * MS);
            other.actors[0].created_ns = 30 * MS;
        })));
        let child = |other: &mut OrderEdge| {
            other.actors[0].created_ns = 21 * MS;
            other.actors[0].ended_ns = Some(40 * MS);
            other.actors[0].ancestors = vec![1];
        };
        assert!(is_possible(changed(|_, other| child(other))), "done before the spawn");
        assert!(is_possible(changed(|one, other| {
            child(other);
            (one.actors[0].first_ns, one.actors[0].last_ns) = (41 * MS, 50 * MS);
        })));
        assert!(!is_possible(changed(|one, other| {
            child(other);
            one.actors[0].last_ns = 30 * MS;
        })));
    }

    #[test]
    fn branches_of_a_join_are_not_nested() {
        let branch = |function: &str, line| {
            let poll = dependency("core::future::poll_fn::PollFn<F>::poll");
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
        let findings = LockOrderCycle.check(&run, &Config::default());
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
        let findings = LockOrderCycle.check(&run, &Config::default());
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].occurrences, findings[0].tests.len()), (2, 2));
    }

    #[test]
    fn a_cycle_of_dependencies_is_a_note() {
        let findings = changed(|one, other| {
            for side in [&mut one.from, &mut one.to, &mut other.from, &mut other.to] {
                side.stack = stack([dependency("dep::f")]);
            }
        });
        assert_eq!(
            (findings[0].severity, findings[0].origin),
            (Severity::Note, Origin::Dependency)
        );
    }
}
