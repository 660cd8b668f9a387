//! What a task waits for, told from the leaf of its await stack.

use std::fmt;

use super::{Frame, Mode, Owner, Process, ResourceKind, Stack, Wait};

/// What an await waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// A clock; when it is due, where that is known.
    Timer { due_ns: Option<u64> },
    /// A lock that is awaited; `what` is "Mutex" or "RwLock", of another crate than tokio
    /// with its name: "async-lock Mutex".
    Lock { what: &'static str, mode: Mode },
    /// Permits of a semaphore.
    Semaphore,
    /// A message, or room for one; "an mpsc channel", ...
    Channel { what: &'static str, sends: bool },
    /// The end of the other side of a channel.
    Closed { what: &'static str },
    /// The value of a cell that is initialised once; "a tokio `OnceCell`", ...
    Cell(&'static str),
    /// `Notify`.
    Notify,
    /// A listener of event-listener.
    Event,
    /// `CancellationToken`.
    Cancellation,
    /// `Barrier`.
    Barrier,
    /// A socket, a pipe, a file: what it does, "a TCP connection" for one.
    Io(&'static str),
    /// Another task.
    Join,
    /// A signal to the process.
    Signal,
    /// A child process.
    ChildProcess,
    /// Any other future.
    Other,
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer { .. } => f.write_str("waits for a timer"),
            Self::Lock { what, mode: Mode::Shared } => write!(f, "waits to read {}", a(what)),
            Self::Lock { what, .. } if what.ends_with("RwLock") => {
                write!(f, "waits to write {}", a(what))
            }
            Self::Lock { what, .. } => write!(f, "waits for {}", a(what)),
            Self::Semaphore => f.write_str("waits for a permit of a Semaphore"),
            Self::Channel { what, sends: true } => write!(f, "waits for room in {what}"),
            Self::Channel { what, .. } => write!(f, "waits for data on {what}"),
            Self::Closed { what } => write!(f, "waits for the receiver of {what} to be dropped"),
            Self::Cell(what) => write!(f, "waits for the initialisation of {what}"),
            Self::Notify => f.write_str("waits for a Notify"),
            Self::Event => f.write_str("waits for an event of event-listener"),
            Self::Cancellation => f.write_str("waits for a CancellationToken"),
            Self::Barrier => f.write_str("waits at a Barrier"),
            Self::Io(what) => write!(f, "waits for {what}"),
            Self::Join => f.write_str("waits for a task to finish"),
            Self::Signal => f.write_str("waits for a signal to the process"),
            Self::ChildProcess => f.write_str("waits for a child process"),
            Self::Other => f.write_str("waits for a future"),
        }
    }
}

/// With its article.
fn a(what: &str) -> String {
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {what}")
}

impl Awaited {
    /// It comes by itself, without anybody's doing.
    pub fn must_come(&self) -> bool {
        matches!(self, Self::Timer { .. })
    }

    /// It is for the tasks and threads of this process to bring about, and for nobody
    /// outside of it.
    pub fn is_within(&self) -> bool {
        match self {
            Self::Channel { .. }
            | Self::Closed { .. }
            | Self::Cell(_)
            | Self::Lock { .. }
            | Self::Notify
            | Self::Event
            | Self::Cancellation
            | Self::Join
            | Self::Semaphore
            | Self::Barrier => true,
            Self::Timer { .. } | Self::Io(_) | Self::Signal | Self::ChildProcess | Self::Other => {
                false
            }
        }
    }
}

/// What one branch of a task waits for: by its await stack, and by the resource
/// and the operation that tokio names where the stack says nothing.
pub fn awaited(process: &Process, wait: &Wait) -> Awaited {
    // Outermost of the leaf's frames first: a channel's send is a semaphore
    // inside, and a barrier is a watch channel that is a Notify.
    let user = |frame: &Frame| matches!(frame.owner, Owner::Workspace(_));
    let end = wait.stack.frames.iter().position(user).unwrap_or(wait.stack.frames.len());
    let leaf = &wait.stack.frames[..end];
    // A timeout polls its timer below itself; its other branch is no timer.
    let found = leaf.iter().rev().find_map(|frame| by_function(&frame.function));
    match found {
        Some(Awaited::Timer { .. }) => Awaited::Timer { due_ns: wait.due_ns },
        Some(awaited) => awaited,
        None if wait.due_ns.is_some() => Awaited::Timer { due_ns: wait.due_ns },
        None => by_resource(process, wait),
    }
}

fn by_function(function: &str) -> Option<Awaited> {
    const TABLE: &[(&str, Awaited)] = &[
        ("tokio::sync::mpsc::bounded::Sender<T>::closed", closed("an mpsc channel")),
        ("tokio::sync::mpsc::bounded::Sender<", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::bounded::Permit", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::unbounded::UnboundedSender<", closed("an mpsc channel")),
        ("tokio_util::sync::mpsc::PollSender", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::", channel("an mpsc channel", false)),
        ("tokio::sync::broadcast::Sender<", closed("a broadcast channel")),
        ("tokio::sync::broadcast::", channel("a broadcast channel", false)),
        ("tokio::sync::oneshot::Sender<", closed("a oneshot channel")),
        ("tokio::sync::oneshot::", channel("a oneshot channel", false)),
        ("tokio::sync::barrier::", Awaited::Barrier),
        ("tokio::sync::once_cell::", Awaited::Cell("a tokio OnceCell")),
        ("tokio::sync::set_once::", Awaited::Cell("a tokio SetOnce")),
        ("tokio::signal::", Awaited::Signal),
        ("tokio::sync::watch::Sender<", closed("a watch channel")),
        ("tokio::sync::watch::", channel("a watch channel", false)),
        ("tokio::sync::mutex::", lock("Mutex", Mode::Exclusive)),
        ("tokio::sync::rwlock::RwLock<T>::read", lock("RwLock", Mode::Shared)),
        ("tokio::sync::rwlock::", lock("RwLock", Mode::Exclusive)),
        ("tokio::sync::semaphore::", Awaited::Semaphore),
        ("tokio_util::sync::poll_semaphore::", Awaited::Semaphore),
        ("tokio_util::sync::cancellation_token::", Awaited::Cancellation),
        ("tokio::process::", Awaited::ChildProcess),
        ("tokio::net::tcp::listener::", Awaited::Io("a TCP connection to accept")),
        ("tokio::net::unix::listener::", Awaited::Io("a Unix socket connection to accept")),
        ("tokio::net::tcp::stream::TcpStream::poll_read", Awaited::Io("data on a TCP stream")),
        ("tokio::net::tcp::stream::TcpStream::poll_write", Awaited::Io("room in a TCP stream")),
        ("tokio::net::tcp::stream::TcpStream::connect", Awaited::Io("a TCP connection")),
        ("tokio::net::tcp::split::ReadHalf", Awaited::Io("data on a TCP stream")),
        ("tokio::net::tcp::split_owned::OwnedReadHalf", Awaited::Io("data on a TCP stream")),
        ("tokio::net::tcp::split::WriteHalf", Awaited::Io("room in a TCP stream")),
        ("tokio::net::tcp::split_owned::OwnedWriteHalf", Awaited::Io("room in a TCP stream")),
        ("tokio::net::tcp::", Awaited::Io("a TCP stream")),
        ("tokio::net::unix::pipe::", Awaited::Io("a pipe")),
        ("tokio::net::unix::", Awaited::Io("a Unix socket")),
        ("tokio::net::udp::", Awaited::Io("a UDP socket")),
        ("tokio::net::lookup_host", Awaited::Io("a name to be resolved")),
        ("tokio::fs::", Awaited::Io("a file")),
        ("tokio::io::util::mem::", Awaited::Io("an in-memory stream")),
        ("tokio::task::join_set::", Awaited::Join),
        ("tokio::runtime::task::join::JoinHandle", Awaited::Join),
        ("tokio_util::task::task_tracker::", Awaited::Join),
        ("tokio::time::sleep::", Awaited::Timer { due_ns: None }),
        ("tokio::time::interval::", Awaited::Timer { due_ns: None }),
        ("tokio_util::time::delay_queue::", Awaited::Timer { due_ns: None }),
        ("tokio::sync::notify::", Awaited::Notify),
        ("futures_channel::mpsc::Sender<", channel("an mpsc channel of futures", true)),
        ("futures_channel::mpsc::BoundedSenderInner<", channel("an mpsc channel of futures", true)),
        ("futures_channel::mpsc::sink_impl::", channel("an mpsc channel of futures", true)),
        ("futures_channel::mpsc::", channel("an mpsc channel of futures", false)),
        ("futures_channel::oneshot::Sender<", closed("a oneshot channel of futures")),
        ("futures_channel::oneshot::Cancellation", closed("a oneshot channel of futures")),
        ("futures_channel::oneshot::", channel("a oneshot channel of futures", false)),
        ("futures_util::lock::mutex::", lock("futures Mutex", Mode::Exclusive)),
        ("futures_util::lock::bilock::", lock("futures BiLock", Mode::Exclusive)),
        ("flume::async::SendFut", channel("a flume channel", true)),
        ("flume::async::SendSink", channel("a flume channel", true)),
        ("flume::", channel("a flume channel", false)),
        ("async_channel::Send", channel("an async-channel channel", true)),
        ("async_channel::Closed", closed("an async-channel channel")),
        ("async_channel::", channel("an async-channel channel", false)),
        ("kanal::future::SendFuture", channel("a kanal channel", true)),
        ("kanal::", channel("a kanal channel", false)),
        ("async_broadcast::Send", channel("an async-broadcast channel", true)),
        ("async_broadcast::", channel("an async-broadcast channel", false)),
        ("async_lock::mutex::", lock("async-lock Mutex", Mode::Exclusive)),
        ("async_lock::rwlock::futures::Read", lock("async-lock RwLock", Mode::Shared)),
        ("async_lock::rwlock::futures::Upgradable", lock("async-lock RwLock", Mode::Shared)),
        ("async_lock::rwlock::", lock("async-lock RwLock", Mode::Exclusive)),
        ("async_lock::semaphore::", Awaited::Semaphore),
        ("async_lock::barrier::", Awaited::Barrier),
        ("async_lock::once_cell::", Awaited::Cell("an async-lock OnceCell")),
        ("async_once_cell::", Awaited::Cell("an async-once-cell cell")),
        ("event_listener::", Awaited::Event),
        ("tokio::runtime::io::", Awaited::Io("I/O")),
        ("tokio::io::async_fd::", Awaited::Io("a file descriptor")),
        ("tokio::io::stdin", Awaited::Io("standard input")),
    ];
    let name = function.trim_start_matches(['<', '&']);
    let name = name.strip_prefix("mut ").unwrap_or(name);
    // `<TcpStream as AsyncRead>::poll_read` is `TcpStream::poll_read`.
    let of_trait =
        name.split_once(" as ").and_then(|(of, rest)| Some((of, rest.rsplit_once(">::")?.1)));
    let name = of_trait.map_or_else(|| name.to_owned(), |(of, method)| format!("{of}::{method}"));
    TABLE.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, awaited)| awaited.clone())
}

/// What a call waits for that blocks its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// A message of a channel.
    Receive,
    /// Room in a channel, or somebody who receives.
    Send,
    /// The value of a cell that somebody initialises.
    Cell,
    /// A future that it drives on this thread.
    Drive,
}

/// A call of another crate than std that blocks its thread, found in a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockingFunction {
    /// As users write it: `futures::executor::block_on`.
    pub name: &'static str,
    /// What for.
    pub kind: CallKind,
    /// The place in the stack of the frame that called it.
    pub caller: usize,
}

/// The call that a thread is blocked in (or, of one that drives a future, busy with), by
/// its stack: the innermost that is known.
pub fn blocking_function(stack: &Stack) -> Option<BlockingFunction> {
    use CallKind::{Cell, Drive, Receive, Send};
    const TABLE: &[(&str, &str, CallKind)] = &[
        ("futures_executor::local_pool::block_on", "futures::executor::block_on", Drive),
        ("futures_executor::local_pool::run_executor", "futures::executor::block_on", Drive),
        ("futures_executor::local_pool::LocalPool::run", "futures::executor::LocalPool", Drive),
        ("futures_lite::future::block_on", "futures_lite::future::block_on", Drive),
        ("pollster::block_on", "pollster::block_on", Drive),
        ("async_io::driver::block_on", "async_io::block_on", Drive),
        ("async_std::task::block_on", "async_std::task::block_on", Drive),
        ("async_std::task::builder::Builder::blocking", "async_std::task::block_on", Drive),
        ("crossbeam_channel::channel::Receiver<", "crossbeam_channel::Receiver::recv", Receive),
        ("crossbeam_channel::channel::Sender<", "crossbeam_channel::Sender::send", Send),
        ("flume::Receiver<", "flume::Receiver::recv", Receive),
        ("flume::Sender<", "flume::Sender::send", Send),
        ("kanal::Receiver<", "kanal::Receiver::recv", Receive),
        ("kanal::Sender<", "kanal::Sender::send", Send),
        ("async_channel::Receiver<T>::recv_blocking", "async_channel::recv_blocking", Receive),
        ("async_channel::Sender<T>::send_blocking", "async_channel::send_blocking", Send),
        ("tokio::sync::mpsc::bounded::Receiver<T>::blocking_", "Receiver::blocking_recv", Receive),
        ("tokio::sync::mpsc::unbounded::UnboundedReceiver<T>::blocking_", RECV, Receive),
        ("tokio::sync::oneshot::Receiver<T>::blocking_recv", RECV, Receive),
        ("tokio::sync::broadcast::Receiver<T>::blocking_recv", RECV, Receive),
        ("tokio::sync::mpsc::bounded::Sender<T>::blocking_send", "Sender::blocking_send", Send),
        ("once_cell::imp::", "once_cell::sync::OnceCell::get_or_init", Cell),
    ];
    const RECV: &str = "Receiver::blocking_recv";
    let known = |frame: &Frame| {
        let name = frame.function.trim_start_matches(['<', '&']);
        TABLE.iter().find(|(prefix, ..)| name.starts_with(prefix))
    };
    let innermost = stack.frames.iter().position(|frame| known(frame).is_some())?;
    let (prefix, name, kind) = known(&stack.frames[innermost])?;
    let own = prefix.split("::").next().unwrap_or_default();
    // Its own functions, and what of std's lies between.
    let is_within = |frame: &Frame| match frame.owner {
        Owner::Workspace(_) => false,
        _ => {
            known(frame).is_some()
                || frame.function.trim_start_matches(['<', '&']).starts_with(own)
                || matches!(frame.owner, Owner::Std | Owner::Probe)
        }
    };
    let rest = &stack.frames[innermost..];
    let caller = innermost + rest.iter().position(|frame| !is_within(frame))?;
    Some(BlockingFunction { name, kind: *kind, caller })
}

const fn lock(what: &'static str, mode: Mode) -> Awaited {
    Awaited::Lock { what, mode }
}

const fn closed(what: &'static str) -> Awaited {
    Awaited::Closed { what }
}

const fn channel(what: &'static str, sends: bool) -> Awaited {
    Awaited::Channel { what, sends }
}

fn by_resource(process: &Process, wait: &Wait) -> Awaited {
    let kind = wait.resource.and_then(|id| process.resources.get(&id)).map(|found| found.kind);
    match kind {
        Some(ResourceKind::TokioMutex) => Awaited::Lock { what: "Mutex", mode: Mode::Exclusive },
        Some(ResourceKind::TokioRwLock) => {
            let reads = wait.operation.contains("read");
            let mode = if reads { Mode::Shared } else { Mode::Exclusive };
            Awaited::Lock { what: "RwLock", mode }
        }
        Some(ResourceKind::TokioSemaphore) => Awaited::Semaphore,
        Some(ResourceKind::TokioMpsc) => channel("an mpsc channel", true),
        Some(ResourceKind::TokioSleep | ResourceKind::TokioInterval) => {
            Awaited::Timer { due_ns: wait.due_ns }
        }
        Some(ResourceKind::TokioOneshot) => channel("a oneshot channel", false),
        Some(ResourceKind::TokioBarrier) => Awaited::Barrier,
        // A thread waits for these, and no await does.
        Some(
            ResourceKind::StdMutex
            | ResourceKind::StdRwLock
            | ResourceKind::ParkingLotMutex
            | ResourceKind::ParkingLotRwLock
            | ResourceKind::LockApiMutex
            | ResourceKind::LockApiRwLock
            | ResourceKind::StdOnce
            | ResourceKind::StdOnceLock
            | ResourceKind::StdLazyLock
            | ResourceKind::TokioWatch
            | ResourceKind::Other,
        )
        | None => Awaited::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{
        Resource,
        shapes::{self, ACCEPT, DELAY, JOIN, LOCK, NOTIFIED, READ, RECV, SEND, SLEEP, TIMEOUT},
    };

    fn told(leaf: &[&[&str]]) -> String {
        awaited(&Process::default(), &shapes::wait(leaf)).to_string()
    }

    #[test]
    fn the_leaf_of_the_await_stack_tells_what_is_awaited() {
        let table: &[(&[&str], &str)] = &[
            (RECV, "waits for data on an mpsc channel"),
            (SEND, "waits for room in an mpsc channel"),
            (ACCEPT, "waits for a TCP connection to accept"),
            (SLEEP, "waits for a timer"),
            (JOIN, "waits for a task to finish"),
            (LOCK, "waits for a Mutex"),
            (READ, "waits to read a RwLock"),
            (NOTIFIED, "waits for a Notify"),
            (
                &[
                    "<tokio::net::tcp::stream::TcpStream as tokio::io::async_read::AsyncRead>::poll_read",
                ],
                "waits for data on a TCP stream",
            ),
            (
                &[
                    "<tokio::net::tcp::split::ReadHalf as tokio::io::async_read::AsyncRead>::poll_read",
                ],
                "waits for data on a TCP stream",
            ),
        ];
        for (leaf, words) in table {
            assert_eq!(told(&[leaf]), *words);
        }
    }

    #[test]
    fn a_timeout_is_two_branches_and_only_one_is_a_timer() {
        let timer = Wait { due_ns: Some(9), ..shapes::wait(&[SLEEP, DELAY, TIMEOUT]) };
        assert_eq!(awaited(&Process::default(), &timer), Awaited::Timer { due_ns: Some(9) });
        let other = awaited(&Process::default(), &shapes::wait(&[RECV, TIMEOUT]));
        assert_eq!(other, channel("an mpsc channel", false));
        assert!(!other.must_come());
    }

    #[test]
    fn without_symbols_the_resource_tells() {
        let resource = |kind| Resource {
            id: 7,
            kind,
            concrete_type: String::new(),
            created_at: None,
            is_first_use: false,
            creator: Owner::Unknown,
            static_name: None,
            handed_over: false,
            written: false,
            created_stack: std::sync::Arc::default(),
        };
        let wait = Wait {
            stack: std::sync::Arc::new(Stack::default()),
            resource: Some(7),
            operation: "RwLock::read".to_owned(),
            ..shapes::wait(&[])
        };
        let table = [
            (ResourceKind::TokioMutex, "waits for a Mutex"),
            (ResourceKind::TokioRwLock, "waits to read a RwLock"),
            (ResourceKind::TokioSemaphore, "waits for a permit of a Semaphore"),
            (ResourceKind::TokioInterval, "waits for a timer"),
            (ResourceKind::Other, "waits for a future"),
        ];
        for (kind, words) in table {
            let resources = BTreeMap::from([(7, resource(kind))]);
            let process = Process { resources, ..Process::default() };
            assert_eq!(awaited(&process, &wait).to_string(), words);
        }
        assert_eq!(awaited(&Process::default(), &wait), Awaited::Other);
    }
}
