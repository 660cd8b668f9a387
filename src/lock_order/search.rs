//! The cycles among the orders of a process, and among those of lock classes.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::{
    classes::{ClassOrders, Classes, LockKey},
    cycles::{Edge, Graph, Verdict, blocks},
    orders::{Doubt, Step},
};
use crate::model::{Actor, Mode, Nesting, OrderEdge, Process, Resource, TaskKind, nested};

pub type Found<'a> = Vec<(Vec<Step<'a>>, BTreeSet<Doubt>)>;

pub fn class_cycles<'a>(
    classes: &Classes,
    mut orders: ClassOrders<'a>,
    seen: &BTreeSet<BTreeSet<(LockKey, LockKey)>>,
) -> Found<'a> {
    orders.entangle(classes);
    let steps = orders.distinct(classes);
    let is_new = |cycle: &[Step]| {
        let pairs = classes.pairs(cycle);
        !seen.iter().any(|seen| pairs.is_subset(seen))
    };
    find(&steps, &|process, lock| classes.of(process, lock), is_new, false)
}

/// Cycles over what `key` takes for one lock, one per component at most.
pub fn find<'a>(
    steps: &[Step<'a>],
    key: &impl Fn(&Process, &Resource) -> LockKey,
    is_new: impl Fn(&[Step]) -> bool,
    on_instances: bool,
) -> Found<'a> {
    let mut numbers: FxHashMap<LockKey, usize> = FxHashMap::default();
    let mut number = |step: &Step, lock: &Resource| {
        let next = numbers.len();
        *numbers.entry(key(step.process, lock)).or_insert(next)
    };
    let edges: Vec<Edge> = steps
        .iter()
        .map(|step| Edge {
            from: number(step, step.from),
            held: step.edge.from.mode,
            to: number(step, step.to),
            taken: step.edge.to.mode,
        })
        .collect();
    let mut has_writer = vec![false; numbers.len()];
    for edge in &edges {
        has_writer[edge.from] |= edge.held == Mode::Exclusive;
        has_writer[edge.to] |= edge.taken == Mode::Exclusive;
    }
    for step in steps {
        // A writer that was brief has left nothing but this.
        for lock in [step.from, step.to].into_iter().filter(|lock| lock.written) {
            if let Some(&known) = numbers.get(&key(step.process, lock)) {
                has_writer[known] = true;
            }
        }
    }

    let mut found: Found = Vec::new();
    let mut covered: BTreeSet<usize> = BTreeSet::new();
    // First without queued writers: those cycles need less to come true.
    let mut rounds = vec![vec![false; numbers.len()]];
    if edges.iter().any(|edge| edge.held != Mode::Exclusive) {
        rounds.push(has_writer);
    }
    for reads_block in rounds {
        let cycles = Graph::new(&edges, &reads_block).cycles(|cycle| {
            let told: Vec<Step> = cycle.iter().map(|&edge| steps[edge]).collect();
            match doubts(&told, key) {
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
            if let Some(doubts) = doubts(&told, key) {
                covered.extend(locks);
                found.push((told, doubts));
            }
        }
    }
    found
}

/// What speaks against a cycle coming true; `None` where it cannot.
fn doubts(
    cycle: &[Step],
    key: &impl Fn(&Process, &Resource) -> LockKey,
) -> Option<BTreeSet<Doubt>> {
    let mut doubts = BTreeSet::new();
    let mut held: BTreeMap<LockKey, Vec<(usize, Mode, bool)>> = BTreeMap::new();
    for (at, step) in cycle.iter().enumerate() {
        for (lock, mode) in step.held() {
            held.entry(key(step.process, lock)).or_default().push((at, mode, lock.handed_over));
        }
    }
    for holds in held.values() {
        for (at, one) in holds.iter().enumerate() {
            for other in &holds[at + 1..] {
                if one.0 == other.0 || !blocks(one.1, other.1) {
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
        if !blocks(next.edge.from.mode, step.edge.to.mode) {
            doubts.insert(Doubt::Readers);
        }
        if step.is_ambiguous {
            doubts.insert(Doubt::Stacks);
        }
        if step.is_timed {
            doubts.insert(Doubt::Timed);
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
    type Taken<'a> = (&'a OrderEdge, &'a Actor);
    fn choose<'a>(rest: &[Step<'a>], chosen: &mut Vec<Taken<'a>>, budget: &mut u32) -> bool {
        let Some((step, rest)) = rest.split_first() else { return true };
        let edge: &'a OrderEdge = step.edge;
        for actor in &edge.actors {
            if *budget == 0 {
                return false;
            }
            *budget -= 1;
            let fits = |&(other_edge, other): &Taken<'_>| {
                are_concurrent(actor, other)
                    || (actor.task.is_some()
                        && actor.task == other.task
                        && are_branches(edge, other_edge))
            };
            if chosen.iter().all(fits) {
                chosen.push((edge, actor));
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

/// Whether one task took both in branches of a `join!` or the like, which run
/// side by side as two tasks would.
fn are_branches(one: &OrderEdge, other: &OrderEdge) -> bool {
    nested(&one.from.stack, &other.from.stack) == Nesting::Separate
}

/// Whether nothing that the run shows orders what two actors did: they are not
/// one, and neither was done with it, and had let the other one know (by spawning it, by
/// ending for one that joins, by a message, a notification or a barrier), before the
/// other one began. Who was faster is not asked.
fn are_concurrent(one: &Actor, other: &Actor) -> bool {
    // A thread and what it polls take turns.
    let is_thread = |actor: &Actor| actor.kind == TaskKind::Thread;
    let is_same = (one.task.is_some() && one.task == other.task)
        || ((is_thread(one) || is_thread(other)) && one.thread == other.thread);
    !is_same && !is_over_for(one, other) && !is_over_for(other, one)
}

/// Whether all that `one` did was over, as `other` could know, when that one began.
fn is_over_for(one: &Actor, other: &Actor) -> bool {
    let (Some(task), Some(known)) = (one.task, &other.known) else { return false };
    match known.epochs.get(&task) {
        Some(epoch) => *epoch >= one.epoch,
        // What was left out to bound memory is the oldest.
        None => known.is_cut && one.last_ns < other.first_ns,
    }
}
