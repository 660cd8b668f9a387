//! Builds models by hand, for the tests of the rules.

use std::sync::Arc;

use crate::{
    config::{DEFAULT_TIME_LIMIT, Thresholds},
    model::{
        Acquisition, Actor, Clock, Frame, FrameData, Hold, Knot, Mode, OrderEdge, Outcome, Owner,
        Party, Process, Resource, ResourceKind, Run, Site, Stack, Task, TaskEnd, TaskKind, Test,
        TestIdentity, Wait,
    },
    project::{Package, Project},
};

/// One millisecond, in nanoseconds.
pub const MS: u64 = 1_000_000;

/// A frame of the audited package, in its `src/lib.rs`.
pub fn lib(function: &str, line: u32) -> Frame {
    frame(function, "/w/src/lib.rs", line, Owner::Workspace("app".to_owned()))
}

/// A frame of the audited package, in its `tests/it.rs`.
pub fn test_code(function: &str, line: u32) -> Frame {
    frame(function, "/w/tests/it.rs", line, Owner::Workspace("app".to_owned()))
}

/// A frame of tokio.
pub fn tokio(function: &str) -> Frame {
    frame(function, "/registry/tokio/src/lib.rs", 1, Owner::Tokio)
}

/// A frame of the probe, which its facades are.
pub fn probe(function: &str) -> Frame {
    frame(function, "/cache/probe/src/std/src/lib.rs", 1, Owner::Probe)
}

/// A frame of the standard library.
pub fn std(function: &str) -> Frame {
    frame(function, "/rustc/library/std/src/lib.rs", 1, Owner::Std)
}

/// A frame of a dependency.
pub fn dependency(function: &str) -> Frame {
    frame(function, "/registry/dep/src/lib.rs", 3, Owner::Dependency("dep".to_owned()))
}

fn frame(function: &str, file: &str, line: u32, owner: Owner) -> Frame {
    Frame::from(FrameData {
        function: function.to_owned(),
        file: Some(file.into()),
        line,
        column: 5,
        owner,
        item: None,
        inlined: false,
        address: 0,
    })
}

/// Innermost first.
pub fn stack(frames: impl IntoIterator<Item = Frame>) -> Arc<Stack> {
    Arc::new(Stack { frames: frames.into_iter().collect() })
}

/// A passed test `app::it works` of one process.
pub fn run(process: Process) -> Run {
    run_of([("app::it works", Outcome::Passed, process)])
}

/// Tests of one process each.
pub fn run_of<'a>(tests: impl IntoIterator<Item = (&'a str, Outcome, Process)>) -> Run {
    let package = Package { name: "app".to_owned(), root: "/w".into() };
    let project =
        Project { workspace_root: "/w".into(), packages: vec![package], ..Project::default() };
    let tests = tests.into_iter().map(|(name, outcome, process)| Test {
        name: name.to_owned(),
        identity: TestIdentity {
            crate_name: "app".to_owned(),
            path: name.split_once(' ').map(|(_, path)| path.to_owned()),
        },
        is_program: false,
        is_optimised: false,
        package: "app".to_owned(),
        thresholds: Thresholds::default(),
        time_limit: Some(DEFAULT_TIME_LIMIT),
        outcome,
        processes: vec![process],
        left: vec![],
    });
    Run { project: Arc::new(project), tests: tests.collect() }
}

/// A process that ended after five seconds.
pub fn process(
    tasks: impl IntoIterator<Item = Task>,
    resources: impl IntoIterator<Item = Resource>,
) -> Process {
    Process {
        ended_ns: 5_000 * MS,
        tasks: tasks.into_iter().map(|task| (task.id, task)).collect(),
        resources: resources.into_iter().map(|resource| (resource.id, resource)).collect(),
        ..Process::default()
    }
}

/// A task that a shutdown dropped while it waited for a channel, spawned by
/// `app::Pool::start`.
pub fn task(id: u64) -> Task {
    Task {
        id,
        kind: TaskKind::Task,
        name: None,
        spawned_at: Some(site(20)),
        spawn_stack: stack([tokio("tokio::task::spawn"), lib("app::Pool::start", 20)]),
        parent: None,
        spawned_on: None,
        parent_kind: None,
        created_ns: 0,
        ended_ns: 4_000 * MS,
        end: TaskEnd::Shutdown,
        drop_stack: stack([]),
        polls: 3,
        last_poll_started_ns: 1_000 * MS,
        last_poll_ended_ns: 1_000 * MS,
        last_wake_ns: 1_000 * MS,
        scheduled: false,
        running: false,
        drained: true,
        had_grace: true,
        aborted_ns: None,
        waited_for_ns: 0,
        thread: 100 + id,
        waker_clones: 4,
        waker_drops: 3,
        lost_waker_ns: 0,
        lost_waker_stack: stack([]),
        waits: vec![channel_wait()],
        holds: Vec::new(),
    }
}

/// A wait for a channel, at `app::Pool::serve`.
pub fn channel_wait() -> Wait {
    Wait {
        stack: stack([
            tokio("tokio::sync::mpsc::chan::Rx<T,S>::recv"),
            lib("app::Pool::serve::{{closure}}", 33),
        ]),
        resource: None,
        operation: String::new(),
        due_ns: None,
        since_ns: 1_000 * MS,
        task: None,
    }
}

/// A place in the audited package's `src/lib.rs`.
pub fn site(line: u32) -> Site {
    Site { file: "/w/src/lib.rs".into(), line, column: 9 }
}

/// A mutex created at a line, in `app::State::new`.
pub fn mutex(id: u64, line: u32) -> Resource {
    Resource {
        id,
        kind: ResourceKind::TokioMutex,
        concrete_type: "Mutex".to_owned(),
        created_at: Some(site(line)),
        is_first_use: false,
        creator: Owner::Workspace("app".to_owned()),
        static_name: None,
        handed_over: false,
        written: false,
        created_stack: stack([lib("app::State::new", line)]),
    }
}

/// A std mutex created at a line.
pub fn std_mutex(id: u64, line: u32) -> Resource {
    let kind = ResourceKind::StdMutex;
    Resource { kind, concrete_type: String::new(), ..mutex(id, line) }
}

/// A std reader-writer lock created at a line.
pub fn std_rwlock(id: u64, line: u32) -> Resource {
    Resource { kind: ResourceKind::StdRwLock, ..std_mutex(id, line) }
}

/// A `parking_lot` mutex first used at a line, in `app::State::new`.
pub fn parking_lot_mutex(id: u64, line: u32) -> Resource {
    let kind = ResourceKind::ParkingLotMutex;
    Resource { kind, is_first_use: true, ..std_mutex(id, line) }
}

/// A reader-writer lock created at a line.
pub fn rwlock(id: u64, line: u32) -> Resource {
    let kind = ResourceKind::TokioRwLock;
    Resource { kind, concrete_type: "RwLock".to_owned(), ..mutex(id, line) }
}

/// A task of this id, alive all the time, on a thread of its own.
pub fn actor(task: u64) -> Actor {
    Actor {
        kind: TaskKind::Task,
        spawned_at: Some(site(20)),
        task: Some(task),
        thread: 100 + task,
        first_ns: 10 * MS,
        last_ns: 20 * MS,
        created_ns: MS,
        ended_ns: None,
        ancestors: Vec::new(),
        epoch: 1,
        known: None,
    }
}

/// The same, who knows that an actor is done with an epoch.
pub fn knowing(actor: Actor, other: u64, epoch: u32) -> Actor {
    let known = Clock { epochs: [(other, epoch)].into(), is_cut: false };
    Actor { known: Some(Arc::new(known)), ..actor }
}

/// A thread of this record, spawned by code that is not known.
pub fn thread_actor(id: u64) -> Actor {
    Actor { kind: TaskKind::Thread, spawned_at: None, ..actor(id) }
}

/// A thread that lives at the exit, spawned by `app::Pool::start`, blocked in
/// `app::Pool::work`.
pub fn thread(id: u64) -> Task {
    Task {
        kind: TaskKind::Thread,
        name: Some(format!("worker-{id}")),
        spawned_at: None,
        spawn_stack: stack([probe("concaudit_std::thread::spawn"), lib("app::Pool::start", 20)]),
        ended_ns: 0,
        end: TaskEnd::Alive,
        polls: 0,
        waits: vec![Wait {
            stack: stack([probe("concaudit_std::sync::Condvar::wait"), lib("app::Pool::work", 33)]),
            operation: "Condvar::wait".to_owned(),
            ..channel_wait()
        }],
        ..task(id)
    }
}

/// An exclusive acquisition by a function at a line.
pub fn acquisition(resource: u64, function: &str, line: u32) -> Acquisition {
    let stack = stack([tokio("tokio::sync::mutex::Mutex<T>::lock"), lib(function, line)]);
    Acquisition { resource, mode: Mode::Exclusive, stack, is_try: false }
}

/// While `from` was held at line 10 × `from`, `to` was acquired at line
/// 10 × `to`, in one function.
pub fn edge(from: u64, to: u64, function: &str, task: u64) -> OrderEdge {
    OrderEdge {
        from: acquisition(from, function, from as u32 * 10),
        to: acquisition(to, function, to as u32 * 10),
        actors: vec![actor(task)],
        gates: Vec::new(),
    }
}

/// A hold of a lock, from 1 s on, this many milliseconds, by task 1.
pub fn hold(resource: u64, ms: u64) -> Hold {
    Hold {
        acquisition: acquisition(resource, "app::Pool::refresh", 40),
        holder: actor(1),
        acquired_ns: 1_000 * MS,
        released_ns: Some((1_000 + ms) * MS),
        starved_ns: 0,
        awaited_ns: 0,
        await_stack: stack([]),
        waiters: Vec::new(),
    }
}

/// A knot of nobody yet, found after four seconds, with three behind it.
pub fn knot() -> Knot {
    Knot {
        closed_ns: 3_000 * MS,
        found_ns: 4_000 * MS,
        parties: Vec::new(),
        behind: 3,
        is_at_rest: false,
    }
}

/// A task that took a lock by a function at a line, two seconds before the knot was
/// found, and waits for another one since a second.
pub fn party(task: u64, held: (u64, &str, u32), wanted: (u64, &str, u32)) -> Party {
    let wanted = acquisition(wanted.0, wanted.1, wanted.2);
    Party {
        actor: actor(task),
        name: None,
        wanted: Some(wanted.resource),
        wanted_mode: wanted.mode,
        stack: wanted.stack,
        operation: "Mutex::lock".to_owned(),
        waits_since_ns: 3_000 * MS,
        held: Some(acquisition(held.0, held.1, held.2)),
        held_since_ns: 2_000 * MS,
        is_granted: false,
        first_await: Arc::default(),
        holds: Vec::new(),
    }
}
