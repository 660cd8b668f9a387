//! What lingers in a program while it runs on.
//!
//! What a program has in the background until its end is no leak, whoever spawned it: that
//! one task starts others and is done is how many services begin. Tasks whose parents are
//! gone and of which one place has left several are.

use std::collections::{BTreeMap, BTreeSet};

use super::rollup::tops;
use crate::{
    model::{Process, Task, TaskKind, pointed_frame},
    rules::lingering_task::rollup::idle_ns,
};

/// So many of one place that live at once are no accident.
const PILE: usize = 3;
/// How long one must have been idle: what its parent has left a moment ago may be about to end.
const IDLE_NS: u64 = 1_000_000_000;

/// The topmost lingering tasks of a program that it has left behind.
pub fn left_behind(process: &Process) -> BTreeSet<u64> {
    let mut by_place: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for task in tops(process).into_keys().filter_map(|id| process.tasks.get(&id)) {
        if is_parent_gone(process, task) && idle_ns(process, task) >= IDLE_NS {
            let place = pointed_frame(&task.spawn_stack)
                .map(|frame| (frame.file.clone(), frame.line, frame.column));
            by_place.entry(place).or_default().push(task.id);
        }
    }
    by_place.into_values().filter(|tasks| tasks.len() >= PILE).flatten().collect()
}

/// Whether it was spawned by a task that has ended.
fn is_parent_gone(process: &Process, task: &Task) -> bool {
    let Some(parent) = task.parent else { return false };
    matches!(task.parent_kind, Some(TaskKind::Task | TaskKind::Local))
        && process.tasks.get(&parent).is_none_or(|parent| !parent.end.is_unfinished())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::*;

    fn left(count: u64, parent: Option<u64>, kind: TaskKind) -> usize {
        let of = |id| Task { parent, parent_kind: Some(kind), ..task(id) };
        left_behind(&process((10..10 + count).map(of), [])).len()
    }

    #[test]
    fn several_of_one_place_are_left_behind_and_a_few_are_services() {
        assert_eq!(left(2, Some(1), TaskKind::Task), 0);
        assert_eq!(left(3, Some(1), TaskKind::Task), 3);
    }

    #[test]
    fn what_main_has_spawned_lives_until_it_returns() {
        assert_eq!(left(5, Some(1), TaskKind::BlockOn), 0);
        assert_eq!(left(5, None, TaskKind::Task), 0);
    }
}
