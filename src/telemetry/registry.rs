//! Where audited processes announce themselves, and the client that follows
//! each of them from then on.
//!
//! A process connects to the registry's socket, writes one line and closes.
//! Connections are accepted in the order in which they were made, so a
//! connection of our own, made after a process has exited, is accepted after
//! that process's: this *barrier* is how [`Registry::finish`] knows that no
//! announcement is still on its way, without waiting for time to pass.
//!
//! There are two sockets: one in the kernel alone, which nobody can delete, and one in a
//! folder, for whoever cannot use the other (see [`super::address`]).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use console_api::instrument::{InstrumentRequest, instrument_client::InstrumentClient};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use tonic::transport::{Channel, Endpoint};

use super::{
    address::{Address, is_trusted},
    folder::Folder,
    options::ProbeOptions,
    proto::{
        AcknowledgeRequest, ReleaseRequest, TakeSnapshotRequest, Update, WatchRequest,
        audit_client::AuditClient,
    },
    recording::Recording,
};

/// How long [`Registry::finish`] waits for what processes still have to tell, after each
/// update.
const FINISH_WAIT: Duration = Duration::from_secs(3);
/// And how long in all.
const LONGEST_FINISH: Duration = Duration::from_secs(60);
/// How long [`Registry::snapshot`] waits for an answer.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(2);
/// A process that connects writes at once; one that does not is not ours.
const ANNOUNCEMENT_WAIT: Duration = Duration::from_secs(1);
/// How long the console's stream may trail behind the last audit update.
const CONSOLE_WAIT: Duration = Duration::from_millis(250);
/// Longer lines are not announcements: two paths and three numbers.
const MAX_LINE: usize = 16 * 1024;
/// A snapshot of a process with a million tasks stays far below.
const MAX_MESSAGE: usize = 1 << 30;
/// How long a process gets to answer that it may go on alone.
const RELEASE_WAIT: Duration = Duration::from_millis(500);
/// The variable that has a process's test.
pub const TOKEN: &str = "__CARGO_CONCAUDIT_TOKEN";
/// The registry's socket in its folder.
const SOCKET: &str = "r";

/// Why a registry could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("failed to create a folder for sockets: set TMPDIR to a folder that can be written")]
    CreateFolder(#[source] io::Error),
    #[error(
        "failed to listen on {address}: set TMPDIR to a folder on a file system that allows sockets"
    )]
    Listen { address: Address, source: io::Error },
}

/// For whom sockets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// For us.
    Auditor,
    /// For `tokio-console` as well, which wants files.
    Console,
}

/// An audited process that can be reached now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveProcess {
    /// The test that it belongs to.
    pub token: u64,
    /// Of the operating system.
    pub pid: u32,
    /// Its gRPC server.
    pub socket: Address,
}

impl LiveProcess {
    /// What `tokio-console` takes as its target address; `None` where it cannot reach it.
    pub fn console_address(&self) -> Option<String> {
        match &self.socket {
            Address::Abstract(_) => None,
            Address::Path(path) => Some(format!("file://localhost{}", path.display())),
        }
    }
}

/// A process that was looked at while it runs.
#[derive(Debug)]
pub struct LookedAt {
    /// Of the operating system.
    pub pid: u32,
    /// What it told; `None` where it did not answer in time.
    pub snapshot: Option<Recording>,
}

/// The run's registry: see the module.
#[derive(Debug)]
pub struct Registry {
    shared: Arc<Shared>,
    reach: Reach,
    /// In the kernel; `None` where the system has no such sockets.
    in_kernel: Option<Address>,
    /// Removed with everything in it when the registry is dropped.
    in_folder: Mutex<Option<Folder>>,
    accepting: Mutex<Vec<AbortHandle>>,
    next_token: AtomicU64,
    next_barrier: AtomicU64,
}

#[derive(Debug)]
struct Shared {
    /// What the names of all sockets in the kernel begin with.
    name: String,
    /// Where those in the file system are.
    folder: Option<PathBuf>,
    state: Mutex<State>,
    /// Of connections, in the order in which they are accepted.
    next_connection: AtomicU64,
    /// Changes when [`State::unread`] shrinks.
    unread_changed: watch::Sender<()>,
    /// Tests of which a process told of a knot.
    knotted: watch::Sender<BTreeSet<u64>>,
    /// By test: how often a process of it was found to rest.
    still: watch::Sender<BTreeMap<u64, u32>>,
}

#[derive(Debug, Default)]
struct State {
    links: HashMap<u64, Vec<Arc<Link>>>,
    /// Tokens whose recordings were fetched: what announces itself now came
    /// too late.
    finished: HashSet<u64>,
    /// Accepted connections whose line has not been read yet, numbered in the
    /// order in which they were accepted.
    unread: BTreeSet<u64>,
    barriers: HashMap<u64, oneshot::Sender<()>>,
    listeners: Vec<mpsc::UnboundedSender<LiveProcess>>,
    bad_lines: u64,
}

/// A process that announced itself, and the task that follows it.
#[derive(Debug)]
struct Link {
    process: LiveProcess,
    recording: Mutex<Recording>,
    channel: OnceLock<Channel>,
    following: OnceLock<AbortHandle>,
    /// Those with news that have come.
    updates: AtomicU64,
    /// It delivered its last update, or its connection broke.
    done: watch::Sender<bool>,
    /// See [`Shared::knotted`].
    knotted: watch::Sender<BTreeSet<u64>>,
    /// See [`Shared::still`].
    still: watch::Sender<BTreeMap<u64, u32>>,
}

impl Registry {
    /// Opens a registry. Must be called within a Tokio runtime.
    pub fn bind(reach: Reach) -> Result<Self, RegistryError> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = format!("concaudit-{}-{:x}", std::process::id(), since.as_nanos());
        let address = Address::Abstract(name.clone());
        let in_kernel = if cfg!(target_os = "linux") {
            let listener = address.bind();
            Some(listener.map_err(|source| RegistryError::Listen { address, source })?)
        } else {
            None
        };
        let is_needed = in_kernel.is_none() || reach == Reach::Console;
        let folder = match Folder::create() {
            Ok(folder) => Some(folder),
            Err(error) if is_needed => return Err(RegistryError::CreateFolder(error)),
            Err(_) => None,
        };
        let registry = Self {
            reach,
            in_kernel: in_kernel.is_some().then(|| Address::Abstract(name.clone())),
            shared: Arc::new(Shared {
                name,
                folder: folder.as_ref().map(|folder| folder.path().to_owned()),
                state: Mutex::default(),
                next_connection: AtomicU64::new(0),
                unread_changed: watch::Sender::new(()),
                knotted: watch::Sender::default(),
                still: watch::Sender::default(),
            }),
            in_folder: Mutex::new(folder),
            accepting: Mutex::default(),
            next_token: AtomicU64::new(1),
            next_barrier: AtomicU64::new(0),
        };
        if let Some(listener) = in_kernel {
            registry.accept(listener);
        }
        if let Some(address) = registry.folder_address() {
            match address.bind() {
                Ok(listener) => registry.accept(listener),
                Err(source) if is_needed => return Err(RegistryError::Listen { address, source }),
                Err(_) => *guard(&registry.in_folder) = None,
            }
        }
        Ok(registry)
    }

    fn accept(&self, listener: UnixListener) {
        let accepting = tokio::spawn(accept(Arc::clone(&self.shared), listener));
        guard(&self.accepting).push(accepting.abort_handle());
    }

    /// The socket in the folder, where there is a folder.
    fn folder_address(&self) -> Option<Address> {
        let folder = guard(&self.in_folder);
        folder.as_ref().map(|folder| Address::Path(folder.path().join(SOCKET)))
    }

    /// Opens the socket in the folder again, if a test has removed it.
    fn restore(&self) {
        let Some(address) = self.folder_address() else { return };
        let Address::Path(path) = &address else { return };
        if path.symlink_metadata().is_ok() {
            return;
        }
        let is_restored =
            guard(&self.in_folder).as_mut().is_some_and(|folder| folder.restore().is_ok());
        if is_restored && let Ok(listener) = address.bind() {
            self.accept(listener);
        }
    }

    /// Where processes are to announce themselves: the first of these that they reach.
    fn addresses(&self) -> Vec<Address> {
        let mut addresses: Vec<Address> =
            self.in_kernel.iter().cloned().chain(self.folder_address()).collect();
        if self.reach == Reach::Console {
            addresses.reverse();
        }
        addresses
    }

    /// By what the processes of this run are known: a variable of their environment.
    pub fn mark(&self) -> (&'static str, OsString) {
        let addresses: Vec<String> = self.addresses().iter().map(Address::to_string).collect();
        ("__CARGO_CONCAUDIT_REGISTRY", addresses.join("\t").into())
    }

    /// The folder of sockets that are files.
    pub fn folder(&self) -> Option<&Path> {
        self.shared.folder.as_deref()
    }

    /// A token that no other test of this run has.
    pub fn new_token(&self) -> u64 {
        self.next_token.fetch_add(1, Ordering::Relaxed)
    }

    /// What makes a process, and whatever it starts, announce itself as part
    /// of the test `token`.
    pub fn environment(&self, token: u64, options: &ProbeOptions) -> Vec<(OsString, OsString)> {
        self.restore();
        let (name, value) = self.mark();
        vec![
            (name.into(), value),
            (TOKEN.into(), token.to_string().into()),
            ("__CARGO_CONCAUDIT_OPTIONS".into(), options.to_string().into()),
        ]
    }

    /// The recordings of the processes of a test that has ended: that of
    /// `main_pid` first, then in the order of their announcements. Waits until each
    /// has said its last word or is gone, for 3 s at most, and longer only while news of
    /// `main_pid` come; a recording without last word is `truncated`.
    pub async fn finish(&self, token: u64, main_pid: Option<u32>) -> Vec<Recording> {
        let deadline = Instant::now() + FINISH_WAIT;
        // Where it fails, what was announced before is still known.
        let _ = timeout_at(deadline, self.barrier()).await;
        let links = {
            let mut state = self.shared.state();
            state.finished.insert(token);
            state.links.remove(&token).unwrap_or_default()
        };
        let end = Instant::now() + LONGEST_FINISH;
        // What goes on beside it may have news for ever.
        let of_main = |link: &&Arc<Link>| Some(link.process.pid) == main_pid;
        let main = links.iter().find(of_main);
        let heard = || main.map_or(0, |link| link.updates.load(Ordering::Relaxed));
        let mut before = None;
        while before.replace(heard()) != Some(heard()) && Instant::now() < end {
            let deadline = Instant::now() + FINISH_WAIT;
            for link in &links {
                let _ = timeout_at(deadline, link.done.subscribe().wait_for(|done| *done)).await;
            }
            if links.iter().all(|link| *link.done.borrow()) {
                break;
            }
        }
        // What lives on is meant to, and must not take the end of the run for our death.
        release(&links).await;
        for link in &links {
            link.stop();
        }
        let mut recordings: Vec<Recording> =
            links.iter().map(|link| std::mem::take(&mut *link.recording())).collect();
        // Under a `runner` that does not exec, the test is the main process's child.
        let main = recordings
            .iter()
            .position(|recording| Some(recording.pid) == main_pid)
            .or_else(|| recordings.iter().position(|recording| Some(recording.ppid) == main_pid));
        if let Some(main) = main {
            recordings[..=main].rotate_right(1);
        }
        recordings
    }

    /// Asks every live process of a test for its state at this moment, and
    /// keeps it in its recording. Waits for 2 s at most.
    pub async fn snapshot(&self, token: u64) {
        let links = self.shared.state().links.get(&token).cloned().unwrap_or_default();
        let mut asking = JoinSet::new();
        for link in links.into_iter().filter(|link| !*link.done.borrow()) {
            asking.spawn(timeout(SNAPSHOT_WAIT, async move {
                if let Some(snapshot) = take_snapshot(&link).await {
                    link.recording().apply_snapshot(snapshot);
                }
            }));
        }
        asking.join_all().await;
    }

    /// Has processes of a test that are done, and stay for the sake of a console only, come
    /// to their end. Waits for their last words, for 3 s at most. Returns whether there
    /// were any such.
    pub async fn release(&self, token: u64) -> bool {
        let links = self.shared.state().links.get(&token).cloned().unwrap_or_default();
        let deadline = Instant::now() + FINISH_WAIT;
        let ending = release(&links).await;
        for link in &ending {
            let _ = timeout_at(deadline, link.done.subscribe().wait_for(|done| *done)).await;
        }
        !ending.is_empty()
    }

    /// Asks the same, for somebody who wants to see it now: the recordings remain as
    /// they are. What is alive at this moment may end well.
    pub async fn look(&self, token: u64) -> Vec<LookedAt> {
        let links = self.shared.state().links.get(&token).cloned().unwrap_or_default();
        let mut asking = JoinSet::new();
        for (at, link) in links.into_iter().filter(|link| !*link.done.borrow()).enumerate() {
            asking.spawn(async move {
                let snapshot = timeout(SNAPSHOT_WAIT, take_snapshot(&link)).await.ok().flatten();
                let snapshot = snapshot.map(|update| link.recording().of_snapshot(update));
                (at, LookedAt { pid: link.process.pid, snapshot })
            });
        }
        let mut looks = asking.join_all().await;
        looks.sort_by_key(|(at, _)| *at);
        looks.into_iter().map(|(_, look)| look).collect()
    }

    /// Resolves when a process of a test has told of a knot, which the recording then
    /// has.
    pub async fn knotted(&self, token: u64) {
        let mut tokens = self.shared.knotted.subscribe();
        if tokens.wait_for(|tokens| tokens.contains(&token)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when a process of a test was found to rest more often than so often, with
    /// how often it was.
    pub async fn stood_still(&self, token: u64, known: u32) -> u32 {
        let mut tests = self.shared.still.subscribe();
        let count = |tests: &BTreeMap<u64, u32>| tests.get(&token).copied().unwrap_or(0);
        if tests.wait_for(|tests| count(tests) > known).await.is_err() {
            std::future::pending::<()>().await;
        }
        count(&tests.borrow())
    }

    /// Every process that announces itself from now on.
    pub fn announcements(&self) -> mpsc::UnboundedReceiver<LiveProcess> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.shared.state().listeners.push(sender);
        receiver
    }

    /// Connections that were no announcement.
    pub fn bad_lines(&self) -> u64 {
        self.shared.state().bad_lines
    }

    /// Returns when every announcement that was made before has been read.
    async fn barrier(&self) -> io::Result<()> {
        for address in self.addresses() {
            let number = self.next_barrier.fetch_add(1, Ordering::Relaxed);
            let (sender, receiver) = oneshot::channel();
            self.shared.state().barriers.insert(number, sender);
            let connected = loop {
                match address.connect().await {
                    // The backlog is full, hence being worked off.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    result => break result,
                }
            };
            let mut stream = match connected {
                Ok(stream) => stream,
                // Removed by a test: nobody else could reach it either.
                Err(_) if matches!(address, Address::Path(_)) => continue,
                Err(error) => return Err(error),
            };
            stream.write_all(format!("barrier\t{number}\n").as_bytes()).await?;
            let _ = receiver.await;
        }
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for accepting in guard(&self.accepting).drain(..) {
            accepting.abort();
        }
        for link in self.shared.state().links.values().flatten() {
            link.stop();
        }
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets processes go that are followed still. Returns those that had come to their end
/// before.
async fn release(links: &[Arc<Link>]) -> Vec<Arc<Link>> {
    let mut asking = JoinSet::new();
    for link in links.iter().filter(|link| !*link.done.borrow()).cloned() {
        asking.spawn(async move {
            let mut client = audit_client(link.channel.get()?.clone());
            let answer = timeout(RELEASE_WAIT, client.release(ReleaseRequest {})).await;
            answer.ok()?.ok()?.into_inner().is_done.then_some(link)
        });
    }
    asking.join_all().await.into_iter().flatten().collect()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        guard(&self.state)
    }
}

impl Link {
    fn recording(&self) -> MutexGuard<'_, Recording> {
        guard(&self.recording)
    }

    fn stop(&self) {
        if let Some(following) = self.following.get() {
            following.abort();
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: UnixListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: others will be closed.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        if !is_trusted(&stream) {
            continue;
        }
        let number = shared.next_connection.fetch_add(1, Ordering::Relaxed);
        shared.state().unread.insert(number);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let line = timeout(ANNOUNCEMENT_WAIT, read_line(stream)).await;
            match line.ok().flatten().as_deref().and_then(Line::parse) {
                Some(Line::Announcement(announcement)) if announcement.is_within(&shared) => {
                    welcome(&shared, announcement);
                }
                Some(Line::Barrier(barrier)) => {
                    pass_barrier(&shared, number, barrier).await;
                }
                Some(Line::Ping) => {}
                _ => shared.state().bad_lines += 1,
            }
            shared.state().unread.remove(&number);
            shared.unread_changed.send_replace(());
        });
    }
}

/// The line without its end; `None` where it is too long or has none.
async fn read_line(mut stream: UnixStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        if stream.read_buf(&mut line).await.ok()? == 0 || line.len() > MAX_LINE {
            return None;
        }
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            return Some(line);
        }
    }
}

async fn pass_barrier(shared: &Shared, number: u64, barrier: u64) {
    // Subscribed before the first look, so that no change is missed.
    let mut changes = shared.unread_changed.subscribe();
    while shared.state().unread.first().is_some_and(|first| *first < number) {
        if changes.changed().await.is_err() {
            return;
        }
    }
    if let Some(waiting) = shared.state().barriers.remove(&barrier) {
        let _ = waiting.send(());
    }
}

fn welcome(shared: &Shared, announcement: Announcement) {
    let process = LiveProcess {
        token: announcement.token,
        pid: announcement.pid,
        socket: announcement.socket,
    };
    let link = Arc::new(Link {
        process: process.clone(),
        recording: Mutex::new(Recording {
            pid: announcement.pid,
            ppid: announcement.ppid,
            truncated: true,
            ..Recording::default()
        }),
        channel: OnceLock::new(),
        following: OnceLock::new(),
        updates: AtomicU64::new(0),
        done: watch::Sender::new(false),
        knotted: shared.knotted.clone(),
        still: shared.still.clone(),
    });
    let mut state = shared.state();
    if state.finished.contains(&process.token) {
        return;
    }
    let following = tokio::spawn(follow(Arc::clone(&link))).abort_handle();
    let _ = link.following.set(following);
    state.links.entry(process.token).or_default().push(link);
    state.listeners.retain(|listener| listener.send(process.clone()).is_ok());
}

async fn follow(link: Arc<Link>) {
    let socket = link.process.socket.clone();
    let connection = Endpoint::from_static("http://probe.invalid")
        // The default window of 64 KiB would make a flooding process wait.
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .connect_with_connector(tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { socket.connect().await.map(TokioIo::new) }
        }))
        .await;
    if let Ok(channel) = connection {
        let channel = link.channel.get_or_init(|| channel);
        let mut console = pin!(follow_console(&link, channel.clone()));
        let mut audit = pin!(follow_audit(&link, channel.clone()));
        let mut console_ended = false;
        loop {
            tokio::select! {
                () = &mut audit => break,
                () = &mut console, if !console_ended => console_ended = true,
            }
        }
        if !console_ended {
            let _ = timeout(CONSOLE_WAIT, console).await;
        }
    }
    link.done.send_replace(true);
}

/// `None` where the process cannot be reached, or does not answer.
async fn take_snapshot(link: &Link) -> Option<Update> {
    let mut client = audit_client(link.channel.get()?.clone());
    client.take_snapshot(TakeSnapshotRequest {}).await.ok().map(tonic::Response::into_inner)
}

fn audit_client(channel: Channel) -> AuditClient<Channel> {
    AuditClient::new(channel).max_decoding_message_size(MAX_MESSAGE)
}

/// Returns when the last update was confirmed, or the connection broke.
async fn follow_audit(link: &Link, channel: Channel) {
    let mut client = audit_client(channel);
    let Ok(updates) = client.watch(WatchRequest {}).await else { return };
    let mut updates = updates.into_inner();
    let (arrived, mut to_confirm) = watch::channel(0);
    let receive = async {
        // Dropped at the end, which ends `confirm`.
        let arrived = arrived;
        while let Ok(Some(update)) = updates.message().await {
            let (sequence, last) = (update.sequence, update.last);
            // Whether one that needs the process to rest is one is told by the standstill.
            let is_knotted = update.knots.iter().any(|knot| !knot.is_at_rest);
            let is_still = update.still_ns != 0;
            link.recording().apply(update);
            link.updates.fetch_add(1, Ordering::Relaxed);
            if is_knotted {
                let token = link.process.token;
                link.knotted.send_if_modified(|tokens| tokens.insert(token));
            }
            if is_still {
                link.still.send_modify(|tests| *tests.entry(link.process.token).or_default() += 1);
            }
            arrived.send_replace(sequence);
            if last {
                break;
            }
        }
    };
    // Beside the stream, not between its updates: confirming is never what a
    // flooding process waits for, and one confirmation covers many updates.
    let confirm = async {
        while to_confirm.changed().await.is_ok() {
            let sequence = *to_confirm.borrow_and_update();
            let _ = client.acknowledge(AcknowledgeRequest { sequence }).await;
        }
    };
    tokio::join!(receive, confirm);
}

async fn follow_console(link: &Link, channel: Channel) {
    let mut client = InstrumentClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
    let Ok(updates) = client.watch_updates(InstrumentRequest {}).await else { return };
    let mut updates = updates.into_inner();
    while let Ok(Some(update)) = updates.message().await {
        link.recording().apply_console(&update);
    }
}

/// What a process writes to the registry's socket.
#[derive(Debug, PartialEq, Eq)]
struct Announcement {
    token: u64,
    pid: u32,
    ppid: u32,
    socket: Address,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Announcement(Announcement),
    Barrier(u64),
    /// Somebody wants to know whether we live.
    Ping,
}

impl Line {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(6, |byte| *byte == b'\t');
        match fields.next()? {
            b"v1" => {
                let announcement = Announcement {
                    token: parse_number(fields.next()?)?,
                    pid: parse_number(fields.next()?)?,
                    ppid: parse_number(fields.next()?)?,
                    socket: Address::parse(fields.next()?)?,
                };
                // The executable, for people who look at the socket; without it
                // the line was cut.
                fields.next().map(|_| Self::Announcement(announcement))
            }
            b"barrier" => Some(Self::Barrier(parse_number(fields.next()?)?)),
            b"ping" => Some(Self::Ping),
            _ => None,
        }
    }
}

fn parse_number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

impl Announcement {
    /// Whether the socket is one of this run: nobody makes us connect elsewhere.
    fn is_within(&self, shared: &Shared) -> bool {
        match (&self.socket, &shared.folder) {
            (Address::Abstract(name), _) => {
                name.strip_prefix(&shared.name).is_some_and(|rest| rest.starts_with('-'))
            }
            (Address::Path(path), Some(folder)) => path.strip_prefix(folder).is_ok_and(|inside| {
                inside.components().all(|part| matches!(part, Component::Normal(_)))
            }),
            (Address::Path(_), None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fake_probe::FakeProbe, *};
    use crate::telemetry::proto;

    fn update(sequence: u64, last: bool) -> proto::Update {
        proto::Update {
            sequence,
            tasks: vec![proto::Task { id: sequence, ..Default::default() }],
            last,
            ..Default::default()
        }
    }

    fn registry_socket(registry: &Registry) -> Address {
        registry.addresses().remove(0)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_last_update_is_confirmed_and_everything_told_is_recorded() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let mut seen = registry.announcements();
        let mut probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        let process = seen.recv().await.unwrap();
        assert_eq!((process.token, process.pid), (token, 42));

        probe.send(update(1, false));
        probe.send_console_task(7);
        probe.send(update(2, true));
        probe.acknowledged(2).await;
        let recordings = registry.finish(token, Some(42)).await;
        let [recording] = &recordings[..] else { panic!("{recordings:?}") };
        assert_eq!(recording.tasks.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(recording.console.tasks, 1);
        assert!(!recording.truncated);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_process_that_dies_without_a_last_update_is_truncated() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let mut probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        probe.send(update(1, false));
        probe.acknowledged(1).await;
        probe.kill();
        let started = Instant::now();
        let recordings = registry.finish(token, Some(42)).await;
        assert!(started.elapsed() < FINISH_WAIT, "the end of the connection is enough");
        assert_eq!(recordings[0].tasks.len(), 1);
        assert!(recordings[0].truncated);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_announcement_is_not_missed_however_soon_its_process_dies() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        for pid in 1..=50 {
            let token = registry.new_token();
            let socket = Address::Abstract(format!("{}-never-there", registry.shared.name));
            FakeProbe::announce(&registry_socket(&registry), token, pid, &socket);
            let recordings = registry.finish(token, Some(pid)).await;
            assert_eq!(recordings.len(), 1);
            assert!(recordings[0].truncated);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_folder_that_a_test_removes_is_there_again_for_the_next_one() {
        let registry = Registry::bind(Reach::Console).unwrap();
        let options = ProbeOptions::default();
        for pid in 1..=3 {
            let token = registry.new_token();
            registry.environment(token, &options);
            let address = registry_socket(&registry);
            assert!(matches!(address, Address::Path(_)), "a console wants files");
            let mut probe = FakeProbe::start(&address, token, pid);
            probe.send(update(1, false));
            // Its own socket is in there: it has to be followed by then.
            probe.acknowledged(1).await;
            fs_err::remove_dir_all(registry.folder().unwrap()).unwrap();
            probe.send(update(2, true));
            let recordings = registry.finish(token, Some(pid)).await;
            assert!(recordings.len() == 1 && !recordings[0].truncated, "{recordings:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn hundreds_of_processes_are_followed_at_once() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let socket = registry_socket(&registry);
        let mut probes: Vec<FakeProbe> =
            (1..=200).map(|pid| FakeProbe::start(&socket, token, pid)).collect();
        for probe in &probes {
            probe.send(update(1, false));
            probe.send(update(2, true));
        }
        for probe in &mut probes {
            probe.acknowledged(2).await;
        }
        drop(probes);
        let recordings = registry.finish(token, Some(77)).await;
        assert_eq!(recordings.len(), 200);
        assert_eq!(recordings[0].pid, 77, "the test's own process comes first");
        assert!(recordings.iter().all(|recording| !recording.truncated));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_of_updates_arrives_whole() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let mut probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        for sequence in 1..=20_000 {
            probe.send(update(sequence, sequence == 20_000));
        }
        probe.acknowledged(20_000).await;
        probe.kill();
        let recordings = registry.finish(token, Some(42)).await;
        assert_eq!(recordings[0].tasks.len(), 20_000);
        assert!(!recordings[0].truncated);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn garbage_is_counted_and_disturbs_nobody() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let folder = registry.folder().expect("there is a folder");
        let outside = format!("v1\t{token}\t1\t1\t/tmp/elsewhere\t/bin/x\n");
        let escaping = format!("v1\t{token}\t1\t1\t{}/../x\t/bin/x\n", folder.display());
        let abstract_elsewhere = format!("v1\t{token}\t1\t1\t@{}x\t/b\n", registry.shared.name);
        let lines: [&[u8]; 7] = [
            b"",
            b"v1\n",
            b"v1\tx\t1\t1\t/a\t/b\n",
            b"\xff\xfe no line end",
            outside.as_bytes(),
            escaping.as_bytes(),
            abstract_elsewhere.as_bytes(),
        ];
        for line in lines {
            let mut stream = registry_socket(&registry).connect().await.unwrap();
            stream.write_all(line).await.unwrap();
        }
        assert!(registry.finish(token, None).await.is_empty());
        assert_eq!(registry.bad_lines(), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_snapshot_becomes_part_of_a_recording_that_stays_truncated() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let mut probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        probe.send(update(1, false));
        probe.acknowledged(1).await;
        registry.snapshot(token).await;
        probe.kill();
        let recordings = registry.finish(token, Some(42)).await;
        assert_eq!(recordings[0].snapshot_ns, Some(FakeProbe::SNAPSHOT_NS));
        assert_eq!(recordings[0].tasks.len(), 2, "that of the update and that of the snapshot");
        assert!(recordings[0].truncated);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_look_leaves_no_trace_in_the_recording() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let token = registry.new_token();
        let mut probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        probe.send(update(1, false));
        probe.acknowledged(1).await;
        let looks = registry.look(token).await;
        let [LookedAt { pid: 42, snapshot: Some(snapshot) }] = &looks[..] else {
            panic!("{looks:?}")
        };
        assert_eq!((snapshot.now_ns, snapshot.tasks.len()), (FakeProbe::SNAPSHOT_NS, 1));
        probe.kill();
        let recordings = registry.finish(token, Some(42)).await;
        assert_eq!((recordings[0].snapshot_ns, recordings[0].tasks.len()), (None, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_knot_is_told_of_while_its_process_lives() {
        let registry = Registry::bind(Reach::Auditor).unwrap();
        let (token, other) = (registry.new_token(), registry.new_token());
        let probe = FakeProbe::start(&registry_socket(&registry), token, 42);
        probe.send(proto::Update {
            sequence: 1,
            knots: vec![proto::Knot { id: 1, ..Default::default() }],
            ..Default::default()
        });
        registry.knotted(token).await;
        let told = timeout(Duration::ZERO, registry.knotted(other)).await;
        assert!(told.is_err(), "it is another test's");
    }

    #[test]
    fn an_executable_with_a_tab_in_its_name_disturbs_no_announcement() {
        let Some(Line::Announcement(parsed)) = Line::parse(b"v1\t1\t2\t3\t/s\t/a\tb") else {
            panic!("not parsed");
        };
        assert_eq!(parsed.socket, Address::Path("/s".into()));
    }
}
