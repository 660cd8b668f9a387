//! Which frame of a stack to blame, which to show, and whose code it is.

use camino::Utf8Path;

use super::{Frame, Hold, Owner, Process, Site, Stack, Task, crate_of};
use crate::{finding::Origin, project::Project};

/// The test in whose process something was seen.
#[derive(Debug, Clone, Default)]
pub struct TestIdentity {
    /// The crate name of the test binary, `my_crate`.
    pub crate_name: String,
    /// Its path in the binary, `tests::it_works`; `None` where the binary is
    /// one unit.
    pub path: Option<String>,
}

/// The first frame, from inside, within the audited workspace.
pub fn blame_frame(stack: &Stack) -> Option<&Frame> {
    stack.frames.iter().find(|frame| matches!(frame.owner, Owner::Workspace(_)))
}

/// The frame that made the library call: the first, from inside, that is
/// neither the runtime's, the standard library's nor the probe's; nor, where
/// anything lies further out, that of a lock's own crate.
pub fn site_frame(stack: &Stack) -> Option<&Frame> {
    let mut frames = stack
        .frames
        .iter()
        .filter(|frame| matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_)));
    let first = frames.clone().next();
    frames.find(|frame| !is_lock_plumbing(frame)).or(first)
}

/// The frame that a finding points at and is grouped by: the blame frame, or
/// where the workspace takes no part, the site's.
pub fn pointed_frame(stack: &Stack) -> Option<&Frame> {
    blame_frame(stack).or_else(|| site_frame(stack))
}

/// The inside of a lock: its code is compiled into whoever uses it.
fn is_lock_plumbing(frame: &Frame) -> bool {
    let Owner::Dependency(name) = &frame.owner else { return false };
    matches!(name.as_str(), "lock_api" | "parking_lot" | "parking_lot_core")
}

/// Whose code a stack blames.
pub fn origin(project: &Project, stack: &Stack, test: &TestIdentity) -> Origin {
    blame_frame(stack).map_or(Origin::Dependency, |frame| origin_of_frame(project, frame, test))
}

/// Whether most of the time of a hold went into the test's own code: a closure or a future
/// of its that the library runs under its lock, as it is asked to.
pub fn went_into_test(
    project: &Project,
    process: &Process,
    hold: &Hold,
    test: &TestIdentity,
) -> bool {
    let held_ns = hold.released_ns.unwrap_or(process.ended_ns).saturating_sub(hold.acquired_ns);
    hold.awaited_ns.saturating_mul(2) >= held_ns
        && origin(project, &hold.await_stack, test) == Origin::Test
}

/// Whose code spawned a task: by its [`spawner`], by its site where its spawn stack has
/// no symbols.
pub fn origin_of_task(project: &Project, task: &Task, test: &TestIdentity) -> Origin {
    let usable = task.spawn_stack.frames.iter().any(|frame| frame.file.is_some());
    match (&task.spawned_at, usable) {
        (_, true) => spawner(project, task, test)
            .map_or(Origin::Dependency, |frame| origin_of_frame(project, frame, test)),
        (Some(site), false) => origin_of_site(project, site),
        (None, false) => Origin::Dependency,
    }
}

/// The frame that is to blame for a task: who spawned it, by the stack of that. A function
/// that only passes its caller's future on to tokio is not: there it is the caller.
///
/// Whose future it is shows where it waits: in the outermost frame of the project's, in
/// which the runtime polls it.
pub fn spawner<'a>(project: &Project, task: &'a Task, test: &TestIdentity) -> Option<&'a Frame> {
    let frames = &task.spawn_stack.frames;
    let blamed = pointed_frame(&task.spawn_stack)?;
    let own = |frame: &&Frame| matches!(frame.owner, Owner::Workspace(_));
    let body = task.waits.iter().find_map(|wait| wait.stack.frames.iter().rev().find(own));
    if !own(&blamed) || body.is_some_and(|body| is_within(body, blamed)) {
        return Some(blamed);
    }
    let mut callers = frames
        .iter()
        .filter(own)
        .skip_while(|frame| is_within(frame, blamed) || is_within(blamed, frame));
    let is_of_test = |frame: &Frame| origin_of_frame(project, frame, test) == Origin::Test;
    if body.is_some_and(is_of_test) && !is_of_test(blamed) {
        // The test's future, which library code was asked to run. Where that is a task of its
        // own that has spawned it, the test is nowhere on the stack.
        return callers.find(|frame| is_of_test(frame)).or(Some(blamed));
    }
    let is_others = body.is_some_and(|body| scope_of(body) != scope_of(blamed));
    if is_others && is_named_spawn(blamed) { callers.next().or(Some(blamed)) } else { Some(blamed) }
}

/// Whether a function or closure is within another function.
fn is_within(inner: &Frame, outer: &Frame) -> bool {
    let outer = own_function(&outer.function);
    inner.function.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A function without the closures in it that a frame is of.
fn own_function(function: &str) -> &str {
    function.split("::{{closure}}").next().unwrap_or(function)
}

/// The type or module that a function is in.
fn scope_of(frame: &Frame) -> &str {
    let name = own_path(own_function(&frame.function));
    // Of `<a::B as c::D>::e` it is the path of the type.
    if frame.function.starts_with('<') {
        name
    } else {
        name.rsplit_once("::").map_or("", |(scope, _)| scope)
    }
}

/// Whether a function is called as those are that do nothing else.
fn is_named_spawn(frame: &Frame) -> bool {
    let name = own_function(&frame.function).rsplit("::").next().unwrap_or_default();
    let name = name.split('<').next().unwrap_or_default();
    name == "spawn" || name.starts_with("spawn_")
}

/// Whose code a site is in.
pub fn origin_of_site(project: &Project, site: &Site) -> Origin {
    match project.package_of(&site.file) {
        None => Origin::Dependency,
        Some(_) if is_test_file(project, &site.file) => Origin::Test,
        Some(_) => Origin::Library,
    }
}

/// Whose code a frame of the workspace is.
pub fn origin_of_frame(project: &Project, frame: &Frame, test: &TestIdentity) -> Origin {
    if !matches!(frame.owner, Owner::Workspace(_)) {
        return Origin::Dependency;
    }
    let in_test_file = frame.file.as_deref().is_some_and(|file| is_test_file(project, file));
    if in_test_file || in_test_module(&frame.function) || in_test_function(&frame.function, test) {
        Origin::Test
    } else {
        Origin::Library
    }
}

/// Under `tests/`, `benches/` or `examples/` of its package, a file that only a test build
/// has, or a file or folder of `src/` that is named as test code is.
fn is_test_file(project: &Project, file: &Utf8Path) -> bool {
    let Some(package) = project.package_of(file) else { return false };
    if project.test_sources.contains(file) {
        return true;
    }
    let Ok(inside) = file.strip_prefix(&package.root) else { return false };
    let mut parts = inside.components().map(|part| part.as_str());
    match parts.next() {
        Some("tests" | "benches" | "examples") => true,
        Some(first) => std::iter::once(first).chain(parts).any(|part| {
            matches!(
                part.strip_suffix(".rs").unwrap_or(part),
                "tests" | "test" | "test_util" | "test_utils"
            )
        }),
        None => false,
    }
}

fn in_test_module(function: &str) -> bool {
    let path = own_path(function);
    let segments: Vec<&str> = path.split("::").collect();
    // The last segment is the function itself, which may be called `test`.
    let modules = segments.len().saturating_sub(1);
    segments[..modules].iter().any(|segment| matches!(*segment, "tests" | "test"))
}

fn in_test_function(function: &str, test: &TestIdentity) -> bool {
    let Some(path) = &test.path else { return false };
    if crate_of(function) != test.crate_name {
        return false;
    }
    let own = own_path(function);
    // rstest's case `it::case_1` is what libtest lists; its body is in `it`.
    let path = path.split_once("::case_").map_or(path.as_str(), |(body, _)| body);
    let full = format!("{}::{path}", test.crate_name);
    own == full || own.strip_prefix(&full).is_some_and(|rest| rest.starts_with("::"))
}

/// The path of a function, for `<a::B as c::D>::e` that of `a::B`.
fn own_path(function: &str) -> &str {
    let rest = function.trim_start_matches(['<', '&', '(']).trim_start_matches("mut ");
    let end = rest.find([' ', '<', '>', ',']).unwrap_or(rest.len());
    &rest[..end]
}

/// The frames that a person wants, innermost first: the leaf future, and
/// everything of the user's and of dependencies outward from it, without the
/// waker's and the semaphore's insides, the runtime and the test harness.
pub fn user_frames(stack: &Stack) -> Vec<&Frame> {
    let frames = &stack.frames;
    let start = frames
        .iter()
        .position(|frame| !is_plumbing(frame))
        // Below the first frame of a person's, the nearest one of tokio's that
        // has a public name is the leaf.
        .unwrap_or(0);
    let mut seen_user = false;
    let mut out: Vec<&Frame> = Vec::new();
    for frame in &frames[start..] {
        let user = matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_));
        if is_outside(frame) && (seen_user || !out.is_empty()) {
            break;
        }
        seen_user |= user;
        if is_plumbing(frame) {
            continue;
        }
        // Of the closures within one of tokio's functions, the function will do.
        if frame.owner == Owner::Tokio
            && out.last().is_some_and(|inner| {
                inner.owner == Owner::Tokio && inner.function.starts_with(&frame.function)
            })
        {
            out.pop();
        }
        out.push(frame);
    }
    out
}

/// The one future in the runtime's own modules that a person awaits.
fn is_join_handle(frame: &Frame) -> bool {
    frame.function.trim_start_matches(['<', '&']).starts_with("tokio::runtime::task::join::")
}

fn is_plumbing(frame: &Frame) -> bool {
    const PARTS: &[&str] = &[
        "tokio::sync::task::",
        "tokio::sync::batch_semaphore::",
        "tokio::sync::notify::NotifiedProject",
        "tokio::sync::notify::Notified::poll_notified",
        "tokio::sync::mpsc::chan::",
        "tokio::sync::oneshot::Task",
        "tokio::sync::oneshot::Inner",
        "tokio::sync::mutex::Mutex<T>::acquire",
        "tokio::runtime::time::",
        "tokio::runtime::Timer",
        "tokio::runtime::io::",
        "tokio::runtime::task::",
        "tokio::time::driver::",
        "tokio::time::sleep::Sleep::poll_elapsed",
        "tokio::time::timeout::poll_delay",
        "tokio::io::driver::",
        "tokio::io::poll_evented::",
        "tokio::loom::",
        "tokio::task::coop::",
        "tokio::coop::",
        "tokio::util::",
        "tokio::macros::",
    ];
    match frame.owner {
        Owner::Probe | Owner::Std | Owner::Unknown => true,
        Owner::Tokio => {
            if is_join_handle(frame) {
                return false;
            }
            let name = frame.function.trim_start_matches(['<', '&']);
            let hit = PARTS.iter().any(|part| name.starts_with(part));
            // What the macros expand to has the user's name and tokio's file.
            hit || !name.contains("tokio::") || name.contains("as tokio::sync::task::")
        }
        Owner::Dependency(_) => {
            is_lock_plumbing(frame) || frame.function.contains("::atomic_waker::")
        }
        Owner::Workspace(_) => false,
    }
}

/// The runtime that polls, or the harness: whatever is further out is nobody's.
fn is_outside(frame: &Frame) -> bool {
    const PARTS: &[&str] = &[
        "tokio::runtime::task::",
        "tokio::runtime::scheduler::",
        "tokio::runtime::thread_pool::",
        "tokio::runtime::basic_scheduler::",
        "tokio::runtime::context::",
        "tokio::runtime::runtime::Runtime::block_on",
        "tokio::runtime::handle::Handle::block_on",
        "tokio::park::",
        "concaudit_tracing::instrument::",
        "std::rt::",
        "std::sys::backtrace::__rust_begin_short_backtrace",
        "test::",
    ];
    let name = frame.function.trim_start_matches(['<', '&']);
    !is_join_handle(frame) && PARTS.iter().any(|part| name.starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FrameData;
    use crate::model::shapes::{
        self, ACCEPT, DELAY, JOIN, LOCK, NOTIFIED, RECV, SEND, SLEEP, TIMEOUT, USER,
    };

    #[test]
    fn a_test_is_told_by_its_function_and_by_its_module() {
        let test = TestIdentity { crate_name: "app".into(), path: Some("it_works".into()) };
        assert!(in_test_function("app::it_works::{{closure}}", &test));
        assert!(!in_test_function("app::it_works_too", &test));
        assert!(in_test_module("app::net::tests::helper"));
        assert!(!in_test_module("app::net::test"));
    }

    #[test]
    fn a_case_of_rstest_has_its_body_in_the_function_above() {
        let test = TestIdentity { crate_name: "app".into(), path: Some("it::case_1_small".into()) };
        assert!(in_test_function("app::it::{{closure}}", &test));
        assert!(in_test_function("app::it::case_1_small", &test));
        assert!(!in_test_function("app::item", &test));
    }

    #[test]
    fn a_person_sees_the_leaf_and_the_code_that_awaits_it() {
        const SENDER: &str = "tokio::sync::mpsc::bounded::Sender<T>";
        let sender = ["reserve_inner", "reserve", "send"]
            .map(|method| format!("{SENDER}::{method}::{{{{closure}}}}"));
        let table: &[(&[&[&str]], &[&str])] = &[
            (&[RECV], &["tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}"]),
            (&[SEND], &sender.each_ref().map(String::as_str)),
            (&[ACCEPT], &["tokio::net::tcp::listener::TcpListener::accept::{{closure}}"]),
            (&[SLEEP, DELAY, TIMEOUT], &[SLEEP[SLEEP.len() - 1], TIMEOUT[0]]),
            (&[JOIN], &[JOIN[JOIN.len() - 1]]),
            (&[LOCK], &["tokio::sync::mutex::Mutex<T>::lock::{{closure}}"]),
            (&[NOTIFIED], &[NOTIFIED[NOTIFIED.len() - 1]]),
        ];
        for (leaf, shown) in table {
            let stack = shapes::in_task(leaf);
            let frames: Vec<&str> =
                user_frames(&stack).iter().map(|frame| frame.function.as_str()).collect();
            assert_eq!(frames, [*shown, &[USER]].concat());
        }
    }

    #[test]
    fn the_inside_of_a_lock_gives_way_to_who_takes_it() {
        let frame = |function: &str, owner| {
            Frame::from(FrameData {
                function: function.to_owned(),
                file: None,
                line: 1,
                column: 0,
                owner,
                item: None,
                inlined: false,
                address: 0,
            })
        };
        let dependency = |name: &str| Owner::Dependency(name.to_owned());
        let inside = [
            frame("parking_lot::raw_mutex::RawMutex::lock", Owner::Probe),
            frame("lock_api::mutex::Mutex<R,T>::lock", dependency("lock_api")),
        ];
        let names = |frames: Vec<&Frame>| {
            frames.iter().map(|frame| frame.function.clone()).collect::<Vec<_>>()
        };
        let outside = frame("dashmap::DashMap<K,V,S>::get", dependency("dashmap"));
        let stack = Stack { frames: inside.iter().cloned().chain([outside.clone()]).collect() };
        assert_eq!(site_frame(&stack), Some(&outside));
        assert_eq!(names(user_frames(&stack)), [&*outside.function]);
        let alone = Stack { frames: inside.to_vec() };
        assert_eq!(pointed_frame(&alone), Some(&alone.frames[1]));
    }

    #[test]
    fn a_stack_of_the_runtime_alone_is_shown_without_the_probe() {
        let mut stack = Stack { frames: shapes::in_task(&[SLEEP]).frames.clone() };
        stack.frames.retain(|frame| frame.function != USER);
        let frames: Vec<&str> =
            user_frames(&stack).iter().map(|frame| frame.function.as_str()).collect();
        assert_eq!(frames, [SLEEP[SLEEP.len() - 1]]);
        assert!(user_frames(&Stack::default()).is_empty());
    }
}
