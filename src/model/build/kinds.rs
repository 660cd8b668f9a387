//! From the words of the protocol to those of the model.

use std::sync::Arc;

use crate::{
    model::{
        Counters, Distribution, FileKind, Frame, Mode, Owner, ResourceKind, Site, Stack, TaskKind,
    },
    telemetry::proto,
};

/// The stack of a panic, without the hooks that are called for it, the program's own
/// among them.
pub(super) fn without_hooks(stack: Arc<Stack>) -> Arc<Stack> {
    let of_std = |frame: &Frame| frame.function.starts_with("std::panicking::");
    match stack.frames.iter().position(of_std) {
        None | Some(0) => stack,
        Some(at) => Arc::new(Stack { frames: stack.frames[at..].to_vec() }),
    }
}

pub(super) fn file_kind(kind: proto::OpenFileKind) -> FileKind {
    match kind {
        proto::OpenFileKind::File => FileKind::File,
        proto::OpenFileKind::Directory => FileKind::Directory,
        proto::OpenFileKind::Fifo => FileKind::Fifo,
        proto::OpenFileKind::TcpListener => FileKind::TcpListener,
        proto::OpenFileKind::TcpStream => FileKind::TcpStream,
        proto::OpenFileKind::Udp => FileKind::Udp,
        proto::OpenFileKind::Unix => FileKind::Unix,
        proto::OpenFileKind::Socket => FileKind::Socket,
    }
}

pub(super) fn site_of(frame: &Frame) -> Option<Site> {
    Some(Site { file: frame.file.clone()?, line: frame.line, column: frame.column })
}

pub(super) fn resource_kind(kind: proto::ResourceKind, creator: &Owner) -> ResourceKind {
    match kind {
        proto::ResourceKind::TokioMutex => ResourceKind::TokioMutex,
        proto::ResourceKind::TokioRwlock => ResourceKind::TokioRwLock,
        proto::ResourceKind::TokioSemaphore => ResourceKind::TokioSemaphore,
        proto::ResourceKind::TokioSleep => ResourceKind::TokioSleep,
        proto::ResourceKind::TokioInterval => ResourceKind::TokioInterval,
        proto::ResourceKind::TokioOneshot => ResourceKind::TokioOneshot,
        proto::ResourceKind::TokioBarrier => ResourceKind::TokioBarrier,
        proto::ResourceKind::StdMutex => ResourceKind::StdMutex,
        // tokio uses std's for nothing but this.
        proto::ResourceKind::StdRwlock if *creator == Owner::Tokio => ResourceKind::TokioWatch,
        proto::ResourceKind::StdRwlock => ResourceKind::StdRwLock,
        proto::ResourceKind::ParkingLotMutex => ResourceKind::ParkingLotMutex,
        proto::ResourceKind::ParkingLotRwlock => ResourceKind::ParkingLotRwLock,
        proto::ResourceKind::LockApiMutex => ResourceKind::LockApiMutex,
        proto::ResourceKind::LockApiRwlock => ResourceKind::LockApiRwLock,
        proto::ResourceKind::StdOnce => ResourceKind::StdOnce,
        proto::ResourceKind::StdOnceLock => ResourceKind::StdOnceLock,
        proto::ResourceKind::StdLazyLock => ResourceKind::StdLazyLock,
        proto::ResourceKind::Other => ResourceKind::Other,
    }
}

/// The static as it was declared: `lazy_static!` has one within a function of its own.
pub(super) fn declared_static(name: String) -> String {
    let of_lazy_static = name
        .strip_suffix("::deref::__stability::LAZY")
        .and_then(|owner| owner.strip_prefix('<')?.split_once(" as "));
    match of_lazy_static {
        Some((declared, _)) => declared.to_owned(),
        None => name,
    }
}

/// Whether a semaphore was made for the room in a bounded channel.
pub(super) fn is_within_channel(created: &Stack) -> bool {
    let of_tokio = created.frames.iter().take_while(|frame| frame.owner != Owner::Unknown);
    of_tokio
        .take_while(|frame| !matches!(frame.owner, Owner::Workspace(_)))
        .any(|frame| frame.function.starts_with("tokio::sync::mpsc::"))
}

pub(super) fn actor_kind(actor: &proto::Actor) -> TaskKind {
    if actor.task == 0 { TaskKind::Thread } else { task_kind(actor.kind()) }
}

/// Whether a future was dropped by the shutdown of its runtime or `LocalSet`.
///
/// From inside outward the first of the runtime's frames that tells decides: a
/// task that is cancelled may own a runtime, whose tasks are then shut down.
/// Holds for tokio 1.20 to 1.54.
pub(super) fn is_shutdown(drop_stack: &Stack) -> bool {
    const SHUTDOWN: &[&str] = &[
        "::close_and_shutdown_all",
        // Spawned on a runtime that was shut down already.
        "::OwnedTasks<S>::bind",
        "::Runtime as core::ops::drop::Drop>",
        "::LocalRuntime as core::ops::drop::Drop>",
        "::LocalSet as core::ops::drop::Drop>",
        "::BasicScheduler as core::ops::drop::Drop>",
        "::ThreadPool as core::ops::drop::Drop>",
        "::BlockingPool as core::ops::drop::Drop>",
        "::Runtime::shutdown_",
        "::CurrentThread::shutdown",
        "::current_thread::shutdown2",
        "::MultiThread::shutdown",
        "::worker::Core::pre_shutdown",
        "::worker::Core::shutdown",
        "::worker::Shared::shutdown",
        "::worker::Handle::shutdown_core",
        "::blocking::pool::",
        "::Runtime>",
        "::LocalSet>",
    ];
    drop_stack
        .frames
        .iter()
        .find_map(|frame| {
            let name = frame.function.as_str();
            let of_tokio = name.contains("tokio::runtime::") || name.contains("tokio::task::");
            if of_tokio && SHUTDOWN.iter().any(|part| name.contains(part)) {
                Some(true)
            } else if name.contains("tokio::runtime::task::harness::Harness")
                && name.ends_with("::poll")
            {
                Some(false)
            } else {
                None
            }
        })
        .unwrap_or(false)
}

pub(super) fn task_kind(kind: proto::TaskKind) -> TaskKind {
    match kind {
        proto::TaskKind::Task => TaskKind::Task,
        proto::TaskKind::BlockOn => TaskKind::BlockOn,
        proto::TaskKind::Blocking => TaskKind::Blocking,
        proto::TaskKind::Local => TaskKind::Local,
        proto::TaskKind::Thread => TaskKind::Thread,
    }
}

pub(super) fn mode(mode: proto::LockMode) -> Mode {
    match mode {
        proto::LockMode::Exclusive => Mode::Exclusive,
        proto::LockMode::Shared => Mode::Shared,
        proto::LockMode::Upgradable => Mode::Upgradable,
    }
}

pub(super) fn counters(counters: &proto::Counters) -> Counters {
    Counters {
        tasks_spawned: counters.tasks_spawned,
        threads_spawned: counters.threads_spawned,
        peak_tasks: counters.peak_tasks,
        locks_seen: counters.locks_seen,
        acquisitions: counters.acquisitions,
        drains: counters.drains,
        drain_ns: counters.drain_ns,
        dropped_order_edges: counters.dropped_order_edges,
        dropped_stacks: counters.dropped_stacks,
        dropped_tasks: counters.dropped_tasks,
        dropped_holds: counters.dropped_holds,
        dropped_events: counters.dropped_events,
        allocator_locks: counters.allocator_locks,
        alike_tasks: counters.alike_tasks,
        polls: distribution(counters.polls.as_ref()),
        lock_waits: distribution(counters.lock_waits.as_ref()),
        lock_holds: distribution(counters.lock_holds.as_ref()),
    }
}

fn distribution(told: Option<&proto::Distribution>) -> Distribution {
    let Some(told) = told else { return Distribution::default() };
    let mut counts = [0; Distribution::CLASSES];
    for (count, told) in counts.iter_mut().zip(&told.counts) {
        *count = *told;
    }
    Distribution { counts, longest_ns: told.longest_ns }
}

/// 0 stands for "none".
pub(super) fn some(id: u64) -> Option<u64> {
    (id != 0).then_some(id)
}
