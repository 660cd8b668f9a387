//! Which tasks linger, and which of them stand for the rest: the topmost of those
//! that spawned each other.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Process, Task, TaskKind},
    rules::lingering_task::unstopped::unstopped,
};

/// How long a task must have idled to be judged where no root was held back for
/// its sake: as long as one would have been at most.
const GRACE_NS: u64 = 100_000_000;

/// Since its last poll.
pub fn idle_ns(process: &Process, task: &Task) -> u64 {
    if task.running { 0 } else { task.end_ns(process).saturating_sub(task.last_poll_ended_ns) }
}

/// Whether the end of its runtime or of the process found a task unfinished
/// that had its chance to finish.
fn lingers(process: &Process, task: &Task) -> bool {
    idles(process, task) || unstopped(process, task).is_some()
}

/// The same of a task that waits for something.
fn idles(process: &Process, task: &Task) -> bool {
    matches!(task.kind, TaskKind::Task | TaskKind::Local)
        && task.end.is_unfinished()
        && task.polls > 0
        // Woken and not polled again: the next poll might have been its last.
        && (!task.scheduled || task.drained)
        // Cut off in the middle, by a `LocalSet` that was dropped within a test
        // or by an exit, it had no time to react to anything.
        && (task.had_grace || idle_ns(process, task) >= GRACE_NS)
}

/// The topmost lingering tasks, each with the number of those below it.
pub fn tops(process: &Process) -> BTreeMap<u64, u64> {
    /// What stands above a task.
    #[derive(Clone, Copy)]
    enum Above {
        /// Nothing that is still there.
        Nothing,
        /// A lingering task.
        Top(u64),
        /// A task that is still there and might yet have finished, and have
        /// stopped what it spawned: no verdict.
        Undecided,
    }
    let mut known: BTreeMap<u64, Above> = BTreeMap::new();
    let mut tops: BTreeMap<u64, u64> = BTreeMap::new();
    for task in process.tasks.values().filter(|task| lingers(process, task)) {
        // Up to the first task whose own top is known, then down again; loops
        // cannot be, but what a process sends is not to be trusted.
        let mut path = Vec::new();
        let mut seen = BTreeSet::new();
        let mut current = task;
        let mut above = loop {
            if let Some(above) = known.get(&current.id) {
                break if matches!(above, Above::Nothing) {
                    Above::Top(current.id)
                } else {
                    *above
                };
            }
            path.push(current.id);
            if !seen.insert(current.id) {
                break Above::Nothing;
            }
            match current.parent.and_then(|id| process.tasks.get(&id)) {
                Some(parent) if lingers(process, parent) => current = parent,
                Some(parent)
                    if matches!(parent.kind, TaskKind::Task | TaskKind::Local)
                        && parent.end.is_unfinished() =>
                {
                    break Above::Undecided;
                }
                _ => break Above::Nothing,
            }
        };
        while let Some(id) = path.pop() {
            known.entry(id).or_insert(above);
            if matches!(above, Above::Nothing) {
                above = Above::Top(id);
            }
        }
        let own = *known.entry(task.id).or_insert(Above::Nothing);
        match own {
            Above::Nothing => {
                tops.entry(task.id).or_insert(0);
            }
            Above::Top(_) | Above::Undecided => {}
        }
    }
    // A second pass, since a task may come before its top.
    for above in known.values() {
        if let Above::Top(top) = above {
            *tops.entry(*top).or_insert(0) += 1;
        }
    }
    tops
}
