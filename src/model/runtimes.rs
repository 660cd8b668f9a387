//! What the stacks of tokio's runtimes tell.

use super::{Frame, Owner, Stack, Task, TaskKind, TestIdentity, origin_of_frame, path::crate_of};
use crate::{finding::Origin, project::Project};

/// Whether the runtime or `LocalSet` whose drop this is belongs to the project's own
/// library: that has a function which drops it, or a type which has it as a field.
pub fn drops_own_runtime(project: &Project, drop_stack: &Stack, test: &TestIdentity) -> bool {
    const DROP: &[&str] =
        &["core::ptr::drop_in_place<", "core::ptr::drop_in_place::<", "drop_glue<"];
    let frames = &drop_stack.frames;
    let Some(start) = frames.iter().rposition(|frame| frame.owner == Owner::Tokio) else {
        return false;
    };
    for frame in &frames[start..] {
        if matches!(frame.owner, Owner::Workspace(_)) {
            return origin_of_frame(project, frame, test) == Origin::Library;
        }
        let dropped = DROP.iter().find_map(|prefix| frame.function.strip_prefix(prefix));
        if dropped.is_some_and(|name| is_of_project(project, name)) {
            return true;
        }
    }
    false
}

fn is_of_project(project: &Project, name: &str) -> bool {
    let name = crate_of(name);
    project.packages.iter().any(|package| package.name.replace('-', "_") == name)
}

/// Whether it is no more than a worker of a multi-thread runtime, which tokio has as a
/// blocking task. Holds for tokio 1.20 to 1.54.
pub fn is_worker(task: &Task) -> bool {
    const PARTS: &[&str] =
        &["::worker::Launch::launch", "::Launch>::launch", "::worker::block_in_place"];
    // What is spawned within `block_in_place` has somebody's own frames before that.
    let of_runtime =
        |frame: &&Frame| !matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_));
    task.kind == TaskKind::Blocking
        && task.spawn_stack.frames.iter().take_while(of_runtime).any(|frame| {
            let name = &frame.function;
            name.contains("tokio::runtime::") && PARTS.iter().any(|part| name.contains(part))
        })
}

/// Whether a stack is within a `block_in_place`, where a task may block.
pub fn in_place(stack: &Stack) -> bool {
    stack.frames.iter().any(|frame| {
        frame.function.contains("tokio::") && frame.function.contains("::block_in_place")
    })
}
