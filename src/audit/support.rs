//! What more than one rule needs to know beyond the model.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::{
    model::{
        Frame, Owner, Process, Resource, ResourceKind, Stack, Task, TaskKind, TestIdentity,
        crate_of, origin_of_frame, site_frame,
    },
    project::Project,
    report::finding::Origin,
};

/// Whether a resource of this kind is a lock: something held by one actor at a
/// time, or by several readers. Permits of a semaphore are not.
pub fn is_lock(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::TokioMutex
        | ResourceKind::TokioRwLock
        | ResourceKind::StdMutex
        | ResourceKind::StdRwLock
        | ResourceKind::ParkingLotMutex
        | ResourceKind::ParkingLotRwLock
        | ResourceKind::LockApiMutex
        | ResourceKind::LockApiRwLock
        | ResourceKind::StdOnce
        | ResourceKind::StdOnceLock
        | ResourceKind::StdLazyLock
        | ResourceKind::TokioWatch => true,
        ResourceKind::TokioSemaphore
        | ResourceKind::TokioMpsc
        | ResourceKind::TokioSleep
        | ResourceKind::TokioInterval
        | ResourceKind::TokioOneshot
        | ResourceKind::TokioBarrier
        | ResourceKind::Other => false,
    }
}

/// Whether a lock blocks the thread of who waits for it.
pub fn is_blocking_lock(kind: ResourceKind) -> bool {
    is_lock(kind) && !matches!(kind, ResourceKind::TokioMutex | ResourceKind::TokioRwLock)
}

/// Whether it is a cell that is initialised once, and held while its initialiser runs:
/// that others wait meanwhile is what it is for.
pub fn is_once_cell(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::StdOnce | ResourceKind::StdOnceLock | ResourceKind::StdLazyLock)
}

/// Whether a lock is the inside of something that everybody uses and nobody orders:
/// of the logging that a workspace frame happens to call, for one.
pub fn is_internal(lock: &Resource) -> bool {
    const CRATES: &[&str] = &["tracing", "log", "sharded_slab", "thread_local"];
    let Owner::Dependency(name) = &lock.creator else { return false };
    let name = name.replace('-', "_");
    CRATES.contains(&name.as_str()) || name.starts_with("tracing_")
}

/// Whether a stack is below the initialisation of a static: what is made there is
/// meant to live as long as the process.
pub fn in_initialiser(stack: &Stack) -> bool {
    stack.frames.iter().any(is_initialiser)
}

fn is_initialiser(frame: &Frame) -> bool {
    const PARTS: &[&str] = &["::OnceLock", "::LazyLock", "::Once::", "lazy_static", "once_cell"];
    !matches!(frame.owner, Owner::Workspace(_))
        && PARTS.iter().any(|part| super::text::plain(&frame.function).contains(part))
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

/// The class of a lock as an identity that survives edits: its kind, and the
/// static that it is or the function that creates it (or is first to use it);
/// without that, the file that creates it. Locks that one function creates are not
/// told apart, since only their lines could.
pub fn class_identity(project: &Project, lock: &Resource) -> String {
    let kind = super::text::type_name(lock);
    if let Some(name) = &lock.static_name {
        return format!("{kind} {}", super::text::plain(name));
    }
    if let Some(frame) = site_frame(&lock.created_stack) {
        return format!("{kind} {}", super::text::identity(Some(frame)));
    }
    match &lock.created_at {
        Some(site) => format!("{kind} {}", lasting_path(project, &site.file, &lock.creator)),
        None => format!("{kind} "),
    }
}

/// The path of a file, without what differs between machines and versions.
fn lasting_path(project: &Project, file: &Utf8Path, owner: &Owner) -> String {
    let path = project.display_path(file);
    match owner {
        Owner::Dependency(name) => {
            let inside = path.rsplit_once("/src/").map_or("", |(_, inside)| inside);
            format!("{name} {inside}")
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::testing::*, model::Owner};

    #[test]
    fn a_class_is_known_by_its_static_its_creator_or_its_file_and_never_by_a_line() {
        let run = run(process([], []));
        let identity = |lock: &Resource| class_identity(&run.project, lock);
        let std = |line| Resource { created_stack: stack([]), ..std_mutex(1, line) };
        assert_eq!(identity(&std(3)), "std Mutex src/lib.rs");
        assert_eq!(identity(&std(3)), identity(&std(4)));
        assert_eq!(identity(&parking_lot_mutex(1, 3)), "parking_lot Mutex app::State::new");
        let named = Resource { static_name: Some("app::LOCK".to_owned()), ..std(3) };
        assert_eq!(identity(&named), "std Mutex app::LOCK");
        let mut of_dependency = std(3);
        of_dependency.creator = Owner::Dependency("moka".to_owned());
        of_dependency.created_at.as_mut().unwrap().file =
            "/home/me/registry/src/index/moka-0.12.1/src/cache/base.rs".into();
        assert_eq!(identity(&of_dependency), "std Mutex moka cache/base.rs");
    }

    #[test]
    fn the_locks_of_logging_are_internal() {
        let mut lock = std_mutex(1, 3);
        assert!(!is_internal(&lock));
        lock.creator = Owner::Dependency("tracing-subscriber".to_owned());
        assert!(is_internal(&lock));
    }
}
