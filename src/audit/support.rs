//! What the rules need to know about stacks and waits, in one place.

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::text::plain;
use crate::{
    model::{Frame, Owner, Process, ResourceKind, Site, Stack, Test, Wait},
    project::Project,
    report::finding::Origin,
};

/// Whether a resource of this kind is a lock: something held by one actor at a
/// time, or by several readers. Permits of a semaphore are not.
pub fn is_lock(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::TokioMutex | ResourceKind::TokioRwLock)
}

/// The first frame inside the audited workspace.
pub fn blame_frame(stack: &Stack) -> Option<&Frame> {
    stack.frames.iter().find(|frame| matches!(frame.owner, Owner::Workspace(_)))
}

/// The blame frame, or where the workspace takes no part, the first frame that
/// is neither the runtime's nor the standard library's.
pub fn site_frame(stack: &Stack) -> Option<&Frame> {
    let dependency = |frame: &&Frame| matches!(frame.owner, Owner::Dependency(_));
    blame_frame(stack).or_else(|| stack.frames.iter().find(dependency))
}

/// The frames that a person wants to read: without the probe's, and without
/// the runtime's and the harness's below the last frame of anybody else.
pub fn user_frames(stack: &Stack) -> impl Iterator<Item = &Frame> {
    let own = |frame: &Frame| matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_));
    let end = stack.frames.iter().rposition(own).map_or(0, |last| last + 1);
    stack.frames[..end].iter().filter(|frame| frame.owner != Owner::Probe)
}

/// Whose code a stack blames.
pub fn origin(project: &Project, test: &Test, stack: &Stack, site: Option<&Site>) -> Origin {
    if let Some(frame) = blame_frame(stack) {
        let in_test_file = frame.file.as_deref().is_some_and(|file| is_test_file(project, file));
        return if in_test_file || is_test_function(test, &frame.function) {
            Origin::Test
        } else {
            Origin::Library
        };
    }
    match site {
        Some(site) if stack.frames.is_empty() && project.package_of(&site.file).is_some() => {
            if is_test_file(project, &site.file) {
                Origin::Test
            } else {
                Origin::Library
            }
        }
        _ => Origin::Dependency,
    }
}

fn is_test_file(project: &Project, file: &Utf8Path) -> bool {
    let Some(package) = project.package_of(file) else { return false };
    let first = file.strip_prefix(&package.root).ok().and_then(|path| path.components().next());
    matches!(first.map(|part| part.as_str()), Some("tests" | "benches" | "examples"))
}

/// Whether a function is the test's own: the test itself or what is nested in
/// it, or lies in a module `tests` or `test`, where helpers of tests live.
fn is_test_function(test: &Test, function: &str) -> bool {
    let function = plain(function);
    let mut segments = function.split("::");
    let _crate = segments.next();
    let path: Vec<&str> = segments.collect();
    let test_path: Vec<&str> =
        test.name.split_once(' ').map_or(Vec::new(), |(_, path)| path.split("::").collect());
    (!test_path.is_empty() && path.starts_with(&test_path))
        || path.iter().rev().skip(1).any(|segment| matches!(*segment, "tests" | "test"))
}

/// How two acquisitions of one task relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    /// The second was made while the first's owner was on the stack.
    Nested,
    /// They belong to two branches of a `join!` or the like.
    Separate,
    /// The stacks do not tell.
    Ambiguous,
}

/// Whether `acquired` happened in the future that took `held`, judged by where
/// the two stacks part, seen from the outermost frame.
pub fn nested(held: &Stack, acquired: &Stack) -> Nesting {
    if held.frames.is_empty() || acquired.frames.is_empty() {
        return Nesting::Ambiguous;
    }
    let mut pairs = held.frames.iter().rev().zip(acquired.frames.iter().rev());
    let mut caller: Option<&Frame> = None;
    let Some((one, other)) = pairs.find(|(one, other)| {
        let same = one.function == other.function && one.line == other.line;
        if same {
            caller = Some(one);
        }
        !same
    }) else {
        return Nesting::Nested;
    };
    let joins = |frame: &Frame| {
        ["join", "select", "poll_fn", "PollFn", "futures_unordered", "FuturesUnordered"]
            .iter()
            .any(|name| frame.function.contains(name))
    };
    let parts_in_combinator = joins(one) || joins(other) || caller.is_some_and(joins);
    match (parts_in_combinator, one.function == other.function) {
        (true, false) => Nesting::Separate,
        (true, true) => Nesting::Ambiguous,
        (false, true) => Nesting::Nested,
        // The same line calls two functions: one may hand its guard to the other.
        (false, false) => match blame_frame(held) {
            Some(frame) if caller.is_some_and(|caller| caller == frame) => Nesting::Nested,
            _ => Nesting::Ambiguous,
        },
    }
}

/// What kind of thing a branch of a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Awaited {
    Lock,
    Semaphore,
    Timer,
    Channel,
    Notify,
    Io,
    Join,
    Barrier,
    Other,
}

impl std::fmt::Display for Awaited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lock => "a lock",
            Self::Semaphore => "a semaphore's permit",
            Self::Timer => "a timer",
            Self::Channel => "a channel",
            Self::Notify => "a notification",
            Self::Io => "I/O",
            Self::Join => "another task to finish",
            Self::Barrier => "a barrier",
            Self::Other => "an event",
        })
    }
}

/// Parts of function names that give a leaf future away.
const LEAVES: &[(&str, Awaited)] = &[
    ("mpsc", Awaited::Channel),
    ("oneshot", Awaited::Channel),
    ("broadcast", Awaited::Channel),
    ("watch::", Awaited::Channel),
    ("channel", Awaited::Channel),
    ("flume", Awaited::Channel),
    ("time::sleep", Awaited::Timer),
    ("time::interval", Awaited::Timer),
    ("time::timeout", Awaited::Timer),
    ("sync::mutex", Awaited::Lock),
    ("sync::rwlock", Awaited::Lock),
    ("sync::notify", Awaited::Notify),
    ("cancellation_token", Awaited::Notify),
    ("sync::barrier", Awaited::Barrier),
    ("runtime::task::join", Awaited::Join),
    ("task::join_set", Awaited::Join),
    ("scheduled_io", Awaited::Io),
    ("runtime::io", Awaited::Io),
    ("io::async_fd", Awaited::Io),
    ("tokio::net", Awaited::Io),
    ("tokio::process", Awaited::Io),
    ("tokio::signal", Awaited::Io),
];

/// What a wait is for: by its resource, else by the functions it is in.
pub fn awaited(process: &Process, wait: &Wait) -> Awaited {
    if wait.due_ns.is_some() {
        return Awaited::Timer;
    }
    let resource = wait.resource.and_then(|id| process.resources.get(&id));
    match resource.map(|resource| resource.kind) {
        Some(ResourceKind::TokioMutex | ResourceKind::TokioRwLock) => return Awaited::Lock,
        Some(ResourceKind::TokioSleep | ResourceKind::TokioInterval) => return Awaited::Timer,
        Some(ResourceKind::TokioOneshot) => return Awaited::Channel,
        Some(ResourceKind::TokioBarrier) => return Awaited::Barrier,
        // Bounded channels and locks are semaphores inside: the stack knows better.
        Some(ResourceKind::TokioSemaphore | ResourceKind::Other) | None => {}
    }
    // Innermost first, and never past the first line of the user's own: what
    // the callers are named says nothing about the leaf.
    wait.stack
        .frames
        .iter()
        .take_while(|frame| !matches!(frame.owner, Owner::Workspace(_)))
        .find_map(|frame| {
            let hit = |(name, _): &&(&str, Awaited)| frame.function.contains(name);
            LEAVES.iter().find(hit).map(|(_, awaited)| *awaited)
        })
        .unwrap_or(if resource.is_some_and(|known| known.kind == ResourceKind::TokioSemaphore) {
            Awaited::Semaphore
        } else {
            Awaited::Other
        })
}

/// Stable across runs and unrelated edits.
pub fn fingerprint(rule: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&rule).chain(parts) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
