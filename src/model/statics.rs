//! What the initialisation of a static makes.

use std::collections::BTreeSet;

use super::{Frame, Owner, Process, Stack, Task, path::plain};

/// Whether a stack is below the initialisation of a static: what is made there is
/// meant to live as long as the process.
pub fn in_initialiser(stack: &Stack) -> bool {
    stack.frames.iter().any(is_initialiser)
}

fn is_initialiser(frame: &Frame) -> bool {
    const PARTS: &[&str] = &["::OnceLock", "::LazyLock", "::Once::", "lazy_static", "once_cell"];
    !matches!(frame.owner, Owner::Workspace(_))
        && PARTS.iter().any(|part| plain(&frame.function).contains(part))
}

/// The frame to blame for what the initialisation of a static makes: of the stack's frames
/// those within that, whoever happened to be the first to use the static.
pub fn static_frame(stack: &Stack) -> Option<&Frame> {
    let end = stack.frames.iter().rposition(is_initialiser).unwrap_or(stack.frames.len());
    let within = &stack.frames[..end];
    let is_own = |frame: &&Frame| matches!(frame.owner, Owner::Workspace(_));
    let is_of_crate = |frame: &&Frame| matches!(frame.owner, Owner::Dependency(_));
    within.iter().find(is_own).or_else(|| within.iter().rfind(is_of_crate))
}

/// Whether the initialisation of a static made a task or thread, or the thread that it
/// was spawned on, and so on.
pub fn is_of_static(process: &Process, task: &Task) -> bool {
    let mut seen = BTreeSet::new();
    let mut current = Some(task);
    while let Some(task) = current.filter(|task| seen.insert(task.id)) {
        if in_initialiser(&task.spawn_stack) {
            return true;
        }
        let by_id = |id| process.tasks.get(&id);
        current = task.spawned_on.and_then(by_id).or_else(|| task.parent.and_then(by_id));
    }
    false
}
