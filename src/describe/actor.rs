//! What tasks and threads are called.

use super::site;
use crate::{
    model::{Actor, Process, TaskKind, pointed_frame},
    project::Project,
};

/// "task 12 spawned at src/lib.rs:20:5", "the `block_on` at tests/it.rs:3:1",
/// "thread `worker` spawned at src/lib.rs:20:5", "task 12", "thread 3".
pub fn actor(project: &Project, process: &Process, actor: &Actor) -> String {
    let record = actor.task.and_then(|id| process.tasks.get(&id));
    let at = actor.spawned_at.as_ref().map(|at| site(project, at)).or_else(|| {
        let frame = pointed_frame(&record?.spawn_stack)?;
        let file = frame.file.as_deref()?;
        Some(format!("{}:{}:{}", project.display_path(file), frame.line, frame.column))
    });
    let name = record.and_then(|record| record.name.as_ref());
    let who = match (actor.kind, name, actor.task) {
        (TaskKind::BlockOn, _, Some(_)) if at.is_some() => {
            return format!("the `block_on` at {}", at.unwrap_or_default());
        }
        (TaskKind::Thread, Some(name), _) => format!("thread `{name}`"),
        (TaskKind::Thread, None, _) | (_, _, None) => format!("thread {}", actor.thread),
        (TaskKind::Blocking, _, Some(id)) => format!("blocking task {id}"),
        (_, Some(name), Some(_)) => format!("task `{name}`"),
        (_, None, Some(id)) => format!("task {id}"),
    };
    at.map_or(who.clone(), |at| format!("{who} spawned at {at}"))
}

/// " `name`", or nothing.
pub fn named(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" `{name}`"))
}
