//! A probe that does as it is told, to test the client against.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use console_api::{
    Id,
    instrument::{
        self, InstrumentRequest, PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, State,
        StateRequest, TaskDetailsRequest,
        instrument_server::{Instrument, InstrumentServer},
    },
    tasks,
};
use tokio::{
    io::AsyncWriteExt as _,
    runtime::Runtime,
    sync::{mpsc, watch},
};
use tokio_stream::{
    Stream,
    wrappers::{UnboundedReceiverStream, UnixListenerStream},
};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service, http},
    transport::Server,
};

use super::{
    address::Address,
    proto::{
        AcknowledgeRequest, AcknowledgeResponse, ReleaseRequest, ReleaseResponse,
        TakeSnapshotRequest, Task, Update, WatchRequest,
        audit_server::{Audit, AuditServer},
    },
};

/// An announced gRPC server on a runtime of its own: dropping or killing it
/// breaks its connections as a process's death does.
#[derive(Debug)]
pub struct FakeProbe {
    runtime: Option<Runtime>,
    updates: mpsc::UnboundedSender<Result<Update, Status>>,
    console: mpsc::UnboundedSender<Result<instrument::Update, Status>>,
    acknowledged: watch::Receiver<u64>,
    snapshots: watch::Receiver<u64>,
}

impl FakeProbe {
    pub const SNAPSHOT_NS: u64 = 99;

    /// Serves beside the registry, then announces itself.
    pub fn start(registry: &Address, token: u64, pid: u32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let socket = match registry {
            Address::Abstract(name) => Address::Abstract(format!("{name}-{pid}")),
            Address::Path(path) => Address::Path(path.with_file_name(format!("{pid}.s"))),
        };
        let (updates, updates_receiver) = mpsc::unbounded_channel();
        let (console, console_receiver) = mpsc::unbounded_channel();
        let (acknowledge, acknowledged) = watch::channel(0);
        let (snapshot, snapshots) = watch::channel(0);
        let fake = Arc::new(Fake {
            updates: Mutex::new(Some(updates_receiver)),
            console: Mutex::new(Some(console_receiver)),
            acknowledge,
            snapshot,
        });
        let services = Services {
            audit: AuditServer::from_arc(Arc::clone(&fake)),
            instrument: InstrumentServer::from_arc(fake),
        };
        let listener = {
            let _entered = runtime.enter();
            socket.bind().unwrap()
        };
        runtime.spawn(
            Server::builder().serve_with_incoming(services, UnixListenerStream::new(listener)),
        );
        Self::announce(registry, token, pid, &socket);
        Self { runtime: Some(runtime), updates, console, acknowledged, snapshots }
    }

    pub fn announce(registry: &Address, token: u64, pid: u32, socket: &Address) {
        let line = format!("v1\t{token}\t{pid}\t1\t{socket}\t/bin/the test\n");
        let registry = registry.clone();
        // Its own runtime: the caller's is busy with the caller.
        let announcing = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut stream = registry.connect().await.unwrap();
                stream.write_all(line.as_bytes()).await.unwrap();
            });
        });
        announcing.join().unwrap();
    }

    pub fn send(&self, update: Update) {
        self.updates.send(Ok(update)).unwrap();
    }

    pub fn send_console_task(&self, id: u64) {
        let task = tasks::Task { id: Some(Id { id }), ..Default::default() };
        let task_update = tasks::TaskUpdate { new_tasks: vec![task], ..Default::default() };
        self.console
            .send(Ok(instrument::Update { task_update: Some(task_update), ..Default::default() }))
            .unwrap();
    }

    pub async fn acknowledged(&mut self, sequence: u64) {
        self.acknowledged.wait_for(|confirmed| *confirmed >= sequence).await.unwrap();
    }

    pub async fn snapshot_taken(&mut self) {
        self.snapshots.wait_for(|taken| *taken > 0).await.unwrap();
    }

    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for FakeProbe {
    fn drop(&mut self) {
        self.kill();
    }
}

type Queue<T> = Mutex<Option<mpsc::UnboundedReceiver<Result<T, Status>>>>;
type UpdateStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[derive(Debug)]
struct Fake {
    updates: Queue<Update>,
    console: Queue<instrument::Update>,
    acknowledge: watch::Sender<u64>,
    snapshot: watch::Sender<u64>,
}

fn stream_once<T: Send + 'static>(queue: &Queue<T>) -> Result<Response<UpdateStream<T>>, Status> {
    let receiver = queue.lock().unwrap().take();
    let receiver = receiver.ok_or_else(|| Status::already_exists("watched already"))?;
    Ok(Response::new(Box::pin(UnboundedReceiverStream::new(receiver))))
}

#[tonic::async_trait]
impl Audit for Fake {
    type WatchStream = UpdateStream<Update>;

    async fn watch(
        &self,
        _request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        stream_once(&self.updates)
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        self.acknowledge.send_replace(request.into_inner().sequence);
        Ok(Response::new(AcknowledgeResponse {}))
    }

    async fn release(
        &self,
        _request: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        Ok(Response::new(ReleaseResponse { is_done: false }))
    }

    async fn take_snapshot(
        &self,
        _request: Request<TakeSnapshotRequest>,
    ) -> Result<Response<Update>, Status> {
        self.snapshot.send_modify(|taken| *taken += 1);
        Ok(Response::new(Update {
            now_ns: FakeProbe::SNAPSHOT_NS,
            tasks: vec![Task { id: 1000, ..Default::default() }],
            ..Default::default()
        }))
    }
}

#[tonic::async_trait]
impl Instrument for Fake {
    type WatchUpdatesStream = UpdateStream<instrument::Update>;
    type WatchTaskDetailsStream = UpdateStream<tasks::TaskDetails>;
    type WatchStateStream = UpdateStream<State>;

    async fn watch_updates(
        &self,
        _request: Request<InstrumentRequest>,
    ) -> Result<Response<Self::WatchUpdatesStream>, Status> {
        stream_once(&self.console)
    }

    async fn watch_task_details(
        &self,
        _request: Request<TaskDetailsRequest>,
    ) -> Result<Response<Self::WatchTaskDetailsStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn watch_state(
        &self,
        _request: Request<StateRequest>,
    ) -> Result<Response<Self::WatchStateStream>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn pause(
        &self,
        _request: Request<PauseRequest>,
    ) -> Result<Response<PauseResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn resume(
        &self,
        _request: Request<ResumeRequest>,
    ) -> Result<Response<ResumeResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

/// Both services on one connection, without tonic's router (and its axum).
#[derive(Debug, Clone)]
struct Services {
    audit: AuditServer<Fake>,
    instrument: InstrumentServer<Fake>,
}

impl Service<http::Request<Body>> for Services {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path().starts_with("/concaudit.v1.Audit/") {
            self.audit.call(request)
        } else {
            self.instrument.call(request)
        }
    }
}
