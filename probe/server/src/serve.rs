//! The probe's thread: announcement, connections, and the end of the run.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use concaudit_core::{
    detect::{knots, late_ends, long_polls, standstill, threads},
    platform::{clock, console},
};
use console_api::instrument::instrument_server::InstrumentServer;
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::watch;
use tonic::{body::Body, codegen::Service};

use crate::{
    address::{self, Address},
    audit::{self, Audit},
    console::Console,
    modules,
    proto::audit_server::AuditServer,
};

/// Where the run is, and which test this process belongs to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The registry's addresses, the first that can be reached counts.
    pub(crate) registries: Vec<Address>,
    pub(crate) token: String,
}

/// Set once, when the process is about to exit.
static EXIT_REQUESTED: AtomicBool = AtomicBool::new(false);
/// Our own socket, once it is bound.
static SOCKET: OnceLock<Address> = OnceLock::new();
/// The registry at which this process has announced itself.
static REGISTRY: OnceLock<Address> = OnceLock::new();
/// How often this thread wakes in any case.
const PERIOD: Duration = Duration::from_millis(10);

/// Has the thread send its last update. Wakes it by way of its own socket:
/// descriptors are not shared with it, so a waker of tokio's would write into
/// the void, or into a file of the program's. Where that fails, the thread
/// finds out by itself within [`PERIOD`].
pub(crate) fn request_exit() {
    EXIT_REQUESTED.store(true, Ordering::Release);
    if let Some(socket) = SOCKET.get() {
        let _ = socket.connect();
    }
}

/// Passes a request to exit on to the services, from their own thread.
fn pass_on_exit(exit: &watch::Sender<bool>) {
    if EXIT_REQUESTED.load(Ordering::Acquire) {
        exit.send_if_modified(|exiting| !std::mem::replace(exiting, true));
    }
}

/// Serves until the process ends.
pub(crate) fn serve(run: &Run) -> io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    threads::enter_own();
    runtime.block_on(async {
        let listener = announce(run)?;
        let owner = address::user();
        let (exit, exiting) = watch::channel(false);
        let exit = Arc::new(exit);
        tokio::spawn(keep_time(Arc::clone(&exit)));
        let audit = Audit::new(exiting.clone());
        let console = Console::new(exiting);
        loop {
            let (stream, _) = match listener.accept().await {
                Ok(connection) => connection,
                // The descriptors are the program's after all (see `start`), and
                // it has closed them,
                Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Err(error),
                // or used them up.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            pass_on_exit(&exit);
            // Everybody may connect to an abstract name.
            let is_trusted =
                stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == owner);
            if !is_trusted {
                continue;
            }
            let (audit, console) = (audit.clone(), console.clone());
            tokio::spawn(async move {
                let service =
                    service_fn(move |request| dispatch(audit.clone(), console.clone(), request));
                let _ = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn dispatch(
    audit: Audit,
    console: Console,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if request.uri().path().starts_with("/concaudit.v1.Audit/") {
        AuditServer::new(audit).call(request).await
    } else {
        InstrumentServer::new(console).call(request).await
    }
}

/// Listens, and tells the registry where.
fn announce(run: &Run) -> io::Result<tokio::net::UnixListener> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for registry in &run.registries {
        match announce_at(registry, &run.token) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn announce_at(registry: &Address, token: &str) -> io::Result<tokio::net::UnixListener> {
    let (socket, listener) = registry.bind_beside()?;
    // SAFETY: cannot fail, touches nothing.
    let parent = unsafe { libc::getppid() };
    let line = format!(
        "v1\t{token}\t{}\t{parent}\t{socket}\t{}\n",
        std::process::id(),
        modules::executable(),
    );
    registry.tell(&line)?;
    let _ = SOCKET.set(socket);
    let _ = REGISTRY.set(registry.clone());
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// The auditor does not follow this process any more. Where that is because the auditor
/// is gone, so are its orders to end this test and what the test has started: they end
/// here.
pub(crate) async fn lose_auditor() {
    /// Looks, since the kernel closes the sockets of a process one after the other.
    const LOOKS: u32 = 5;
    audit::give_up();
    let Some(registry) = REGISTRY.get() else { return };
    for _ in 0..LOOKS {
        if console::is_released() {
            return;
        }
        let is_gone = registry
            .tell("ping\n")
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if is_gone {
            // SAFETY: ends this process, and what is in its group: the auditor made that
            // for the test, or a process of the test did.
            unsafe { libc::kill(0, libc::SIGKILL) };
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// This thread has nothing to do for most of the time. If it comes late all the
/// same, the machine withholds the CPU, from the program as from us.
async fn keep_time(exit: Arc<watch::Sender<bool>>) {
    /// A timer's own inaccuracy.
    const TOLERANCE: Duration = Duration::from_millis(5);
    /// Between two looks at who was aborted.
    const TICKS_PER_LOOK: u32 = 3;
    let mut ticks = 0;
    let mut stuck = knots::Watch::default();
    let mut standstill = standstill::Watch::default();
    loop {
        let asleep = Instant::now();
        tokio::time::sleep(PERIOD).await;
        let late = asleep.elapsed().saturating_sub(PERIOD);
        if late > TOLERANCE {
            clock::add_starved(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
        }
        let is_knotted = stuck.tick();
        if standstill.tick(is_knotted) {
            stuck.look_at_rest();
        }
        ticks = (ticks + 1) % TICKS_PER_LOOK;
        if ticks == 0 {
            late_ends::look();
        }
        long_polls::tick();
        pass_on_exit(&exit);
    }
}
