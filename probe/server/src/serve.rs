//! The probe's thread: socket, announcement, connections.

use std::{
    convert::Infallible,
    io::{self, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use concaudit_core::{clock, ending, polls, roster, stuck};
use console_api::instrument::instrument_server::InstrumentServer;
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{net::UnixListener, sync::watch};
use tonic::{body::Body, codegen::Service};

use crate::{audit::Audit, console::Console, modules, proto::audit_server::AuditServer};

/// Where the run is, and which test this process belongs to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) registry: PathBuf,
    pub(crate) token: String,
}

/// Set once, when the process is about to exit.
static EXIT_REQUESTED: AtomicBool = AtomicBool::new(false);
/// Our own socket, once it is bound.
static SOCKET: OnceLock<PathBuf> = OnceLock::new();
/// How often this thread wakes in any case.
const PERIOD: Duration = Duration::from_millis(10);

/// Has the thread send its last update. Wakes it by way of its own socket:
/// descriptors are not shared with it, so a waker of tokio's would write into
/// the void, or into a file of the program's. Where that fails, the thread
/// finds out by itself within [`PERIOD`].
pub(crate) fn request_exit() {
    EXIT_REQUESTED.store(true, Ordering::Release);
    if let Some(socket) = SOCKET.get() {
        let _ = UnixStream::connect(socket);
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
    roster::enter_own();
    runtime.block_on(async {
        let path = socket_path(run);
        let listener = UnixListener::bind(&path)?;
        announce(run, &path)?;
        let _ = SOCKET.set(path);
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

/// Beside the registry's socket. The number tells apart the images of one
/// process id: a process that `exec`s is announced once per image.
fn socket_path(run: &Run) -> PathBuf {
    let folder = run.registry.parent().unwrap_or(Path::new("/"));
    let pid = std::process::id();
    (0..)
        .map(|image| folder.join(format!("{pid}-{image}.sock")))
        .find(|path| !path.exists())
        .unwrap_or_default()
}

fn announce(run: &Run, socket: &Path) -> io::Result<()> {
    // SAFETY: cannot fail, touches nothing.
    let parent = unsafe { libc::getppid() };
    let line = format!(
        "v1\t{}\t{}\t{parent}\t{}\t{}\n",
        run.token,
        std::process::id(),
        socket.display(),
        modules::executable(),
    );
    UnixStream::connect(&run.registry)?.write_all(line.as_bytes())
}

/// This thread has nothing to do for most of the time. If it comes late all the
/// same, the machine withholds the CPU, from the program as from us.
async fn keep_time(exit: Arc<watch::Sender<bool>>) {
    /// A timer's own inaccuracy.
    const TOLERANCE: Duration = Duration::from_millis(5);
    /// Between two looks at who was aborted.
    const TICKS_PER_LOOK: u32 = 3;
    let mut ticks = 0;
    let mut stuck = stuck::Watch::default();
    loop {
        let asleep = Instant::now();
        tokio::time::sleep(PERIOD).await;
        let late = asleep.elapsed().saturating_sub(PERIOD);
        if late > TOLERANCE {
            clock::add_starved(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
        }
        stuck.tick();
        ticks = (ticks + 1) % TICKS_PER_LOOK;
        if ticks == 0 {
            ending::look();
        }
        polls::tick();
        pass_on_exit(&exit);
    }
}
