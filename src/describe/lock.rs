//! What locks are called.

use super::site;
use crate::{
    model::{Mode, Owner, Resource, ResourceKind, short},
    project::Project,
};

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
        _ if !resource.kind.has_readers() => kind.to_owned(),
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
        Mode::Exclusive if resource.kind.has_readers() => " for writing",
        Mode::Exclusive => "",
    }
}
