//! Await stacks as tokio 1.54.1 gives them in an unoptimised build, for tests.

use std::sync::Arc;

use super::{Frame, FrameData, Owner, Stack, Wait, crate_of};

/// `Receiver::recv`.
pub const RECV: &[&str] = &[
    "<&core::task::wake::Waker as tokio::sync::task::atomic_waker::WakerRef>::into_waker",
    "tokio::sync::task::atomic_waker::AtomicWaker::do_register::{{closure}}",
    "std::panic::catch_unwind",
    "tokio::sync::task::atomic_waker::AtomicWaker::register_by_ref",
    "tokio::sync::mpsc::chan::Rx<T,S>::recv::{{closure}}",
    "tokio::loom::std::unsafe_cell::UnsafeCell<T>::with_mut",
    "tokio::sync::mpsc::chan::Rx<T,S>::recv",
    "tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}::{{closure}}",
    "<core::future::poll_fn::PollFn<F> as core::future::future::Future>::poll",
    "tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}",
];

/// `Sender::send` on a full channel.
pub const SEND: &[&str] = &[
    "tokio::sync::batch_semaphore::Semaphore::poll_acquire::{{closure}}",
    "tokio::sync::batch_semaphore::Semaphore::poll_acquire",
    "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll",
    "tokio::sync::mpsc::bounded::Sender<T>::reserve_inner::{{closure}}",
    "tokio::sync::mpsc::bounded::Sender<T>::reserve::{{closure}}",
    "tokio::sync::mpsc::bounded::Sender<T>::send::{{closure}}",
];

/// `TcpListener::accept`.
pub const ACCEPT: &[&str] = &[
    "<tokio::runtime::io::scheduled_io::Readiness as core::future::future::Future>::poll",
    "tokio::runtime::io::scheduled_io::ScheduledIo::readiness::{{closure}}",
    "tokio::runtime::io::registration::Registration::readiness::{{closure}}",
    "tokio::runtime::io::registration::Registration::async_io::{{closure}}",
    "tokio::net::tcp::listener::TcpListener::accept::{{closure}}",
];

/// A `Sleep`.
pub const SLEEP: &[&str] = &[
    "tokio::sync::task::atomic_waker::AtomicWaker::register_by_ref",
    "tokio::runtime::time::entry::StateCell::poll",
    "tokio::runtime::time::entry::TimerEntry::poll_elapsed",
    "tokio::runtime::Timer::poll_elapsed",
    "tokio::time::sleep::Sleep::poll_elapsed",
    "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
];

/// What `timeout` adds around its timer.
pub const DELAY: &[&str] =
    &["tokio::time::timeout::poll_delay::{{closure}}", "tokio::time::timeout::poll_delay"];

/// What `timeout` adds around either branch.
pub const TIMEOUT: &[&str] =
    &["<tokio::time::timeout::Timeout<T> as core::future::future::Future>::poll"];

/// A `JoinHandle`.
pub const JOIN: &[&str] = &[
    "tokio::runtime::task::harness::can_read_output",
    "tokio::runtime::task::harness::Harness<T,S>::try_read_output",
    "tokio::runtime::task::raw::try_read_output",
    "tokio::runtime::task::raw::RawTask::try_read_output",
    "<tokio::runtime::task::join::JoinHandle<T> as core::future::future::Future>::poll",
];

/// `Mutex::lock`, with tokio's `tracing` feature.
pub const LOCK: &[&str] = &[
    "tokio::sync::batch_semaphore::Semaphore::poll_acquire::{{closure}}",
    "tokio::sync::batch_semaphore::Semaphore::poll_acquire",
    "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll",
    "tokio::sync::mutex::Mutex<T>::acquire::{{closure}}",
    "tokio::sync::mutex::Mutex<T>::lock::{{closure}}::{{closure}}",
    "<tokio::util::trace::InstrumentedAsyncOp<F> as core::future::future::Future>::poll",
    "tokio::sync::mutex::Mutex<T>::lock::{{closure}}",
];

/// `RwLock::read`, with tokio's `tracing` feature.
pub const READ: &[&str] = &[
    "tokio::sync::batch_semaphore::Semaphore::poll_acquire",
    "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll",
    "tokio::sync::rwlock::RwLock<T>::read::{{closure}}::{{closure}}",
    "<tokio::util::trace::InstrumentedAsyncOp<F> as core::future::future::Future>::poll",
    "tokio::sync::rwlock::RwLock<T>::read::{{closure}}",
];

/// `Notified`.
pub const NOTIFIED: &[&str] = &[
    "tokio::sync::notify::NotifiedProject::poll_notified::{{closure}}",
    "core::option::Option<T>::map",
    "tokio::sync::notify::NotifiedProject::poll_notified",
    "tokio::sync::notify::Notified::poll_notified",
    "<tokio::sync::notify::Notified as core::future::future::Future>::poll",
];

/// The user's `async fn` that awaits.
pub const USER: &str = "app::pool::serve::{{closure}}";

/// A task's await stack: the probe's waker, the leaf, [`USER`], the runtime.
pub fn in_task(leaf: &[&[&str]]) -> Arc<Stack> {
    let inner = [
        "concaudit_tracing::waker::clone",
        "<core::task::wake::Waker as core::clone::Clone>::clone",
    ];
    let outer = [
        USER,
        "<concaudit_tracing::instrument::Instrumented<T> as core::future::future::Future>::poll",
        "tokio::runtime::task::core::Core<T,S>::poll::{{closure}}",
        "tokio::runtime::task::harness::Harness<T,S>::poll",
        "tokio::runtime::scheduler::multi_thread::worker::Context::run_task",
        "std::thread::local::LocalKey<T>::with",
        "tokio::runtime::blocking::pool::Inner::run",
        "std::sys::backtrace::__rust_begin_short_backtrace",
    ];
    let functions = inner.iter().chain(leaf.iter().copied().flatten()).chain(&outer);
    Arc::new(Stack { frames: functions.map(|function| frame(function)).collect() })
}

/// A wait with this stack of which tokio told nothing.
pub fn wait(leaf: &[&[&str]]) -> Wait {
    Wait {
        stack: in_task(leaf),
        resource: None,
        operation: String::new(),
        due_ns: None,
        since_ns: 0,
        task: None,
    }
}

fn frame(function: &str) -> Frame {
    Frame::from(FrameData {
        function: function.to_owned(),
        file: None,
        line: 1,
        column: 1,
        owner: match crate_of(function) {
            "tokio" => Owner::Tokio,
            "core" | "std" => Owner::Std,
            "app" => Owner::Workspace("app".to_owned()),
            _ => Owner::Probe,
        },
        item: None,
        inlined: false,
        address: 0,
    })
}
