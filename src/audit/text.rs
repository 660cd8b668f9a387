//! The words and places that the rules' reports share.

use crate::{
    model::{
        Actor, Frame, Mode, Owner, Process, Resource, ResourceKind, Site, Stack, TaskKind,
        pointed_frame, user_frames,
    },
    project::Project,
    report::finding::{LabelledStack, Location, Origin, Role, StackFrame},
};

pub use crate::report::words::duration;

use super::group::Spot;

/// A function's path without closures and generic arguments; of a method of a
/// trait, the type's path: `<a::B<T> as C>::d::{closure#0}` is `a::B::d`.
pub fn plain(function: &str) -> String {
    let (head, tail) = match function.strip_prefix('<') {
        Some(rest) => {
            let mut depth = 1_usize;
            let end = rest.char_indices().find_map(|(at, letter)| {
                match letter {
                    '<' => depth += 1,
                    '>' if !rest[..at].ends_with('-') => depth -= 1,
                    _ => {}
                }
                (depth == 0).then_some(at)
            });
            let (inside, tail) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
            let head = inside.split(" as ").next().unwrap_or(inside);
            (head, tail)
        }
        None => (function, ""),
    };
    let mut text = String::new();
    let mut depth = 0_usize;
    let mut last = ' ';
    for letter in head.chars().chain(tail.chars()) {
        match letter {
            '<' => depth += 1,
            '>' if last != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
        last = letter;
    }
    text.split("::")
        .filter(|part| !part.is_empty() && !part.starts_with('{'))
        .collect::<Vec<_>>()
        .join("::")
}

/// The last two segments of a function's path: enough to know it by.
pub fn short(function: &str) -> String {
    let plain = plain(function);
    let parts: Vec<&str> = plain.split("::").collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// The function of a frame as an identity that survives edits and is the same in every
/// build; of no frame, "".
pub fn identity(frame: Option<&Frame>) -> String {
    let of_frame = |frame: &Frame| frame.item.clone().unwrap_or_else(|| plain(&frame.function));
    frame.map_or_else(String::new, of_frame)
}

/// A text without its numbers, by which texts of one making are alike: names of threads
/// of a pool, messages of panics.
pub fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// Where a frame is; of no frame, nowhere.
pub fn spot(project: &Project, frame: Option<&Frame>) -> Spot {
    let file = frame.and_then(|frame| frame.file.as_deref());
    let file = file.map_or_else(String::new, |file| project.display_path(file));
    (file, frame.map_or(0, |frame| frame.line))
}

/// A place for a frame that has a line.
pub fn at_frame(project: &Project, frame: &Frame, label: impl Into<String>) -> Option<Location> {
    let file = frame.file.as_deref()?;
    (frame.line > 0).then(|| Location {
        file: project.display_path(file),
        line: frame.line,
        column: (frame.column > 0).then_some(frame.column),
        function: frame.function.clone(),
        label: label.into(),
        role: Role::Secondary,
    })
}

/// A place for a position that the compiler recorded.
pub fn at_site(project: &Project, site: &Site, label: impl Into<String>) -> Location {
    Location {
        file: project.display_path(&site.file),
        line: site.line,
        column: (site.column > 0).then_some(site.column),
        function: String::new(),
        label: label.into(),
        role: Role::Secondary,
    }
}

/// A place for a stack: its blame frame, or the nearest thing to it.
pub fn at_stack(project: &Project, stack: &Stack, label: impl Into<String>) -> Option<Location> {
    at_frame(project, pointed_frame(stack)?, label)
}

/// A place for a stack or, where that leads nowhere, for what the compiler recorded.
pub fn at_stack_or_site(
    project: &Project,
    stack: &Stack,
    site: Option<&Site>,
    label: impl Into<String>,
) -> Option<Location> {
    let label = label.into();
    at_stack(project, stack, label.clone()).or_else(|| Some(at_site(project, site?, label)))
}

/// " spawned by `Pool::start`", " spawned by the test": who has `done` it, by its stack;
/// nothing where that leads nowhere.
pub fn by(done: &str, stack: &Stack, origin: Origin) -> String {
    by_frame(done, pointed_frame(stack), origin)
}

/// The same, of a frame that is known.
pub fn by_frame(done: &str, frame: Option<&Frame>, origin: Origin) -> String {
    match (frame, origin) {
        (Some(_), Origin::Test) => format!(" {done} by the test"),
        (Some(frame), _) => format!(" {done} by `{}`", short(&frame.function)),
        (None, _) => String::new(),
    }
}

/// " `name`", or nothing.
pub fn named(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" `{name}`"))
}

/// Makes the first place the primary one, and drops repetitions. `None` where
/// there is nowhere to point at.
pub fn places(places: impl IntoIterator<Item = Option<Location>>) -> Option<Vec<Location>> {
    let mut kept: Vec<Location> = Vec::new();
    for place in places.into_iter().flatten() {
        let seen = |other: &Location| {
            (&other.file, other.line, &other.label) == (&place.file, place.line, &place.label)
        };
        if !kept.iter().any(seen) {
            kept.push(place);
        }
    }
    kept.first_mut()?.role = Role::Primary;
    Some(kept)
}

/// A stack to be shown, unless nothing of it is worth showing.
pub fn labelled(
    project: &Project,
    stack: &Stack,
    label: impl Into<String>,
) -> Option<LabelledStack> {
    let frames: Vec<StackFrame> = user_frames(stack)
        .into_iter()
        .map(|frame| StackFrame {
            function: frame.function.clone(),
            file: frame.file.as_deref().map(|file| project.display_path(file)),
            line: (frame.line > 0).then_some(frame.line),
            first_party: matches!(frame.owner, Owner::Workspace(_)),
        })
        .collect();
    (!frames.is_empty()).then(|| LabelledStack { label: label.into(), frames })
}

/// `src/lib.rs:7:9`
pub fn site(project: &Project, site: &Site) -> String {
    format!("{}:{}:{}", project.display_path(&site.file), site.line, site.column)
}

/// `tokio Mutex`, `DashMap shard`, or what else it is.
pub fn type_name(resource: &Resource) -> &str {
    let is_dashmap = matches!(&resource.creator, Owner::Dependency(name) if name == "dashmap");
    match resource.kind {
        ResourceKind::TokioMutex => "tokio Mutex",
        ResourceKind::TokioRwLock => "tokio RwLock",
        ResourceKind::TokioSemaphore => "tokio Semaphore",
        ResourceKind::TokioMpsc => "tokio mpsc channel",
        ResourceKind::StdMutex => "std Mutex",
        ResourceKind::StdRwLock => "std RwLock",
        ResourceKind::ParkingLotMutex => "parking_lot Mutex",
        ResourceKind::ParkingLotRwLock => "parking_lot RwLock",
        ResourceKind::LockApiMutex | ResourceKind::LockApiRwLock if is_dashmap => "DashMap shard",
        ResourceKind::LockApiMutex => "lock_api Mutex",
        ResourceKind::LockApiRwLock => "lock_api RwLock",
        ResourceKind::StdOnce => "std Once",
        ResourceKind::StdOnceLock => "std OnceLock",
        ResourceKind::StdLazyLock => "std LazyLock",
        ResourceKind::TokioWatch => "tokio watch",
        _ if resource.concrete_type.is_empty() => "resource",
        _ => &resource.concrete_type,
    }
}

/// Whether it can be taken for reading.
fn has_readers(resource: &Resource) -> bool {
    matches!(
        resource.kind,
        ResourceKind::TokioRwLock
            | ResourceKind::StdRwLock
            | ResourceKind::ParkingLotRwLock
            | ResourceKind::LockApiRwLock
            | ResourceKind::TokioWatch
    )
}

/// What a lock is called in a sentence: "static `LOCK`", "std Mutex created at
/// src/lib.rs:7:9", "tokio Mutex made by a `const fn`".
pub fn lock_name(project: &Project, resource: &Resource) -> String {
    let kind = type_name(resource);
    if let Some(name) = &resource.static_name {
        format!("static `{}`", short(name))
    } else if let Some(created) = &resource.created_at {
        let how = made(resource);
        format!("{kind} {how} at {}", site(project, created))
    } else if resource.kind == ResourceKind::TokioMutex
        || resource.kind == ResourceKind::TokioRwLock
    {
        format!("{kind} made by a `const fn`")
    } else {
        kind.to_owned()
    }
}

/// "created", or "first used" where no more is known of its origin.
pub fn made(resource: &Resource) -> &'static str {
    if resource.is_first_use { "first used" } else { "created" }
}

/// "tokio Mutex", "std RwLock (read)"
pub fn lock_kind(resource: &Resource, mode: Mode) -> String {
    let kind = type_name(resource);
    match mode {
        _ if !has_readers(resource) => kind.to_owned(),
        Mode::Shared => format!("{kind} (read)"),
        Mode::Upgradable => format!("{kind} (upgradable read)"),
        Mode::Exclusive => format!("{kind} (write)"),
    }
}

/// How a lock is taken, as the end of a phrase: " for reading", or nothing where it
/// can be taken in one way only.
pub fn purpose(resource: &Resource, mode: Mode) -> &'static str {
    match mode {
        Mode::Shared => " for reading",
        Mode::Upgradable => " for upgradable reading",
        Mode::Exclusive if has_readers(resource) => " for writing",
        Mode::Exclusive => "",
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_by_their_last_two_segments() {
        assert_eq!(short("my_crate::pool::Pool::new::{{closure}}"), "Pool::new");
        assert_eq!(short("my_crate::run::{closure#0}::{closure#1}"), "my_crate::run");
        assert_eq!(short("<my_crate::Pool<T> as core::ops::Drop>::drop"), "Pool::drop");
        assert_eq!(short("<my_crate::Pool>::get::<u8>"), "Pool::get");
        assert_eq!(plain("a::f<fn() -> b::C<D>>::g"), "a::f::g");
        assert_eq!(plain("<unbalanced"), "unbalanced");
        assert_eq!(plain(""), "");
    }
}
