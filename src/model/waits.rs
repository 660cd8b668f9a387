//! What a task waits for, told from the leaf of its await stack.

use std::fmt;

use super::{Frame, Mode, Owner, Process, ResourceKind, Wait};

/// What an await waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Awaited {
    /// A clock; when it is due, where that is known.
    Timer { due_ns: Option<u64> },
    /// A tokio or futures lock; `what` is "Mutex" or "RwLock".
    Lock { what: &'static str, mode: Mode },
    /// Permits of a semaphore.
    Semaphore,
    /// A message, or room for one; "an mpsc channel", ...
    Channel { what: &'static str, sends: bool },
    /// `Notify`.
    Notify,
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
            Self::Lock { what, mode: Mode::Shared } => write!(f, "waits to read a {what}"),
            Self::Lock { what: "RwLock", .. } => f.write_str("waits to write a RwLock"),
            Self::Lock { what, .. } => write!(f, "waits for a {what}"),
            Self::Semaphore => f.write_str("waits for a permit of a Semaphore"),
            Self::Channel { what, sends: true } => write!(f, "waits for the receiver of {what}"),
            Self::Channel { what, .. } => write!(f, "waits for data on {what}"),
            Self::Notify => f.write_str("waits for a Notify"),
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
            | Self::Lock { .. }
            | Self::Notify
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
        ("tokio::sync::mpsc::bounded::Sender<", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::bounded::Permit", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::unbounded::UnboundedSender<", channel("an mpsc channel", true)),
        ("tokio_util::sync::mpsc::PollSender", channel("an mpsc channel", true)),
        ("tokio::sync::mpsc::", channel("an mpsc channel", false)),
        ("tokio::sync::broadcast::Sender<", channel("a broadcast channel", true)),
        ("tokio::sync::broadcast::", channel("a broadcast channel", false)),
        ("tokio::sync::oneshot::Sender<", channel("a oneshot channel", true)),
        ("tokio::sync::oneshot::", channel("a oneshot channel", false)),
        ("tokio::sync::barrier::", Awaited::Barrier),
        ("tokio::signal::", Awaited::Signal),
        ("tokio::sync::watch::Sender<", channel("a watch channel", true)),
        ("tokio::sync::watch::", channel("a watch channel", false)),
        ("tokio::sync::mutex::", Awaited::Lock { what: "Mutex", mode: Mode::Exclusive }),
        (
            "tokio::sync::rwlock::RwLock<T>::read",
            Awaited::Lock { what: "RwLock", mode: Mode::Shared },
        ),
        ("tokio::sync::rwlock::", Awaited::Lock { what: "RwLock", mode: Mode::Exclusive }),
        ("tokio::sync::semaphore::", Awaited::Semaphore),
        ("tokio_util::sync::cancellation_token::WaitForCancellationFuture", Awaited::Cancellation),
        ("tokio::process::", Awaited::ChildProcess),
        ("tokio::net::tcp::listener::", Awaited::Io("a TCP connection to accept")),
        ("tokio::net::unix::listener::", Awaited::Io("a Unix socket connection to accept")),
        ("tokio::net::tcp::stream::TcpStream::poll_read", Awaited::Io("data on a TCP stream")),
        ("tokio::net::tcp::stream::TcpStream::poll_write", Awaited::Io("room in a TCP stream")),
        ("tokio::net::tcp::stream::TcpStream::connect", Awaited::Io("a TCP connection")),
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
        ("futures_channel::mpsc::", channel("an mpsc channel", false)),
        ("futures_channel::oneshot::", channel("a oneshot channel", false)),
        ("futures_util::lock::mutex::", Awaited::Lock { what: "Mutex", mode: Mode::Exclusive }),
        ("flume::", channel("a flume channel", false)),
        ("async_channel::", channel("an async-channel channel", false)),
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
        Resource, Stack,
        shapes::{self, ACCEPT, DELAY, JOIN, LOCK, NOTIFIED, READ, RECV, SEND, SLEEP, TIMEOUT},
    };

    fn told(leaf: &[&[&str]]) -> String {
        awaited(&Process::default(), &shapes::wait(leaf)).to_string()
    }

    #[test]
    fn the_leaf_of_the_await_stack_tells_what_is_awaited() {
        let table: &[(&[&str], &str)] = &[
            (RECV, "waits for data on an mpsc channel"),
            (SEND, "waits for the receiver of an mpsc channel"),
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
