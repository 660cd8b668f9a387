//! The orders of a whole run as a graph to look at.

use std::collections::{BTreeMap, BTreeSet};

use super::orders::steps;
use crate::{
    describe::lock_name,
    finding::{LockGraph, LockOrder},
    model::{Run, Stack, pointed_frame},
    project::Project,
};

/// Pairs of locks that are kept.
const MAX_ORDERS: usize = 4_000;

/// Of one pair of locks.
#[derive(Debug, Default)]
struct Seen {
    held_at: Option<String>,
    taken_at: Option<String>,
    /// The last test that has shown it: tests come one after the other.
    last_test: Option<usize>,
    tests: u64,
}

/// The orders that count, between locks by what they are called. Two locks that are called
/// alike are one, and have no order.
pub fn graph(run: &Run) -> LockGraph {
    let mut orders: BTreeMap<(String, String), Seen> = BTreeMap::new();
    let mut left_out = 0;
    for (number, test) in run.tests.iter().enumerate() {
        for process in &test.processes {
            for step in steps(test, process) {
                let names = (lock_name(&run.project, step.from), lock_name(&run.project, step.to));
                if names.0 == names.1 {
                    continue;
                }
                let is_full = orders.len() >= MAX_ORDERS;
                if is_full && !orders.contains_key(&names) {
                    left_out += 1;
                    continue;
                }
                let seen = orders.entry(names).or_insert_with(|| Seen {
                    held_at: place(&run.project, &step.edge.from.stack),
                    taken_at: place(&run.project, &step.edge.to.stack),
                    ..Seen::default()
                });
                if seen.last_test != Some(number) {
                    seen.last_test = Some(number);
                    seen.tests += 1;
                }
            }
        }
    }
    let names: BTreeSet<&String> = orders.keys().flat_map(|(from, to)| [from, to]).collect();
    let numbers: BTreeMap<&String, usize> =
        names.iter().enumerate().map(|(number, name)| (*name, number)).collect();
    LockGraph {
        locks: names.iter().map(|name| (*name).clone()).collect(),
        orders: orders
            .iter()
            .map(|((from, to), seen)| LockOrder {
                from: numbers[from],
                to: numbers[to],
                held_at: seen.held_at.clone(),
                taken_at: seen.taken_at.clone(),
                tests: seen.tests,
            })
            .collect(),
        left_out,
    }
}

/// `src/lib.rs:30`
fn place(project: &Project, stack: &Stack) -> Option<String> {
    let frame = pointed_frame(stack)?;
    let file = frame.file.as_deref()?;
    Some(format!("{}:{}", project.display_path(file), frame.line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Outcome,
        testing::{edge, mutex, process, run_of},
    };

    #[test]
    fn an_order_is_told_once_with_the_number_of_its_tests() {
        let of = || {
            let mut process = process([], [mutex(1, 7), mutex(2, 9)]);
            process.edges = vec![edge(1, 2, "f", 1), edge(1, 2, "g", 2), edge(2, 1, "h", 3)];
            process
        };
        let run = run_of([("a", Outcome::Passed, of()), ("b", Outcome::Passed, of())]);
        let graph = graph(&run);
        assert_eq!(graph.locks.len(), 2, "{graph:?}");
        let told: Vec<_> =
            graph.orders.iter().map(|order| (order.from, order.to, order.tests)).collect();
        assert_eq!(told, [(0, 1, 2), (1, 0, 2)]);
        assert!(graph.orders.iter().all(|order| order.taken_at.is_some()), "{graph:?}");
    }
}
