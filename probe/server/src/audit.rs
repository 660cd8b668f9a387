//! The service `concaudit.v1.Audit`.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use concaudit_core::{detect::threads::Look, outbox, platform::console};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use crate::{
    assemble::{self, Sent},
    proto::{
        AcknowledgeRequest, AcknowledgeResponse, ReleaseRequest, ReleaseResponse,
        TakeSnapshotRequest, Update, WatchRequest, audit_server,
    },
    serve,
};

/// How often news leave a process that goes on. What happened since is lost if
/// the process is killed; one that exits sends the rest.
const PERIOD: Duration = Duration::from_millis(50);

/// Between two looks at the threads in a snapshot.
const LOOK_PERIOD: Duration = Duration::from_millis(3);

/// The service; clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    sent: Arc<Mutex<Sent>>,
    exiting: watch::Receiver<bool>,
}

/// What the exit handler waits for.
#[derive(Debug)]
struct Progress {
    /// The number of the last update, once it has been sent.
    last: Option<u64>,
    /// The highest number that was acknowledged.
    acknowledged: u64,
    /// Nobody will ever acknowledge: the auditor is gone, or was never there.
    given_up: bool,
}

static PROGRESS: Mutex<Progress> =
    Mutex::new(Progress { last: None, acknowledged: 0, given_up: false });
static PROGRESSED: Condvar = Condvar::new();

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has been assembled: it gets on.
static STEPS: AtomicU64 = AtomicU64::new(0);
/// No process waits longer than this for its last words to be heard.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// One more thing has been assembled.
pub(crate) fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Waits until the last update has been acknowledged: for as long as it gets on, and
/// where it does not, for `limit`.
pub(crate) fn wait_for_acknowledgement(limit: Duration) {
    let end = Instant::now() + LONGEST_WAIT.max(limit);
    let mut deadline = Instant::now() + limit;
    let mut seen = None;
    let mut progress = guard(&PROGRESS);
    while !progress.given_up && progress.last.is_none_or(|last| progress.acknowledged < last) {
        let now = Instant::now();
        let state = (STEPS.load(Ordering::Relaxed), progress.acknowledged);
        if seen != Some(state) {
            seen = Some(state);
            deadline = end.min(now + limit);
        }
        let Some(left) = deadline.checked_duration_since(now).filter(|left| !left.is_zero()) else {
            return;
        };
        // Nobody is notified of a step.
        let left = left.min(PERIOD);
        progress =
            PROGRESSED.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Lets the process exit without waiting.
pub(crate) fn give_up() {
    guard(&PROGRESS).given_up = true;
    PROGRESSED.notify_all();
}

impl Audit {
    pub(crate) fn new(exiting: watch::Receiver<bool>) -> Self {
        Self { sent: Arc::default(), exiting }
    }

    /// What is new, if anything is.
    fn news(&self, even_if_empty: bool) -> Option<Update> {
        let batch = outbox::take();
        let mut sent = guard(&self.sent);
        (even_if_empty || !batch.is_empty() || sent.is_count_due())
            .then(|| assemble::update(&mut sent, &batch))
    }

    fn last(&self) -> Vec<Update> {
        let updates = assemble::last_updates(&mut guard(&self.sent), &outbox::take_last());
        guard(&PROGRESS).last = updates.last().map(|update| update.sequence);
        updates
    }

    async fn report(self, updates: mpsc::Sender<Result<Update, Status>>) {
        let is_followed = updates.clone();
        let is_lost = tokio::select! {
            is_lost = self.report_to(updates) => is_lost,
            () = is_followed.closed() => true,
        };
        drop(is_followed);
        if is_lost {
            serve::lose_auditor().await;
        }
    }

    /// Returns whether nobody followed any more before all was said.
    async fn report_to(mut self, updates: mpsc::Sender<Result<Update, Status>>) -> bool {
        let mut is_first = true;
        while !*self.exiting.borrow_and_update() {
            if let Some(update) = self.news(is_first)
                && updates.send(Ok(update)).await.is_err()
            {
                return true;
            }
            is_first = false;
            let _ = tokio::time::timeout(PERIOD, self.exiting.changed()).await;
        }
        for update in self.last() {
            if updates.send(Ok(update)).await.is_err() {
                return true;
            }
        }
        false
    }
}

#[async_trait]
impl audit_server::Audit for Audit {
    type WatchStream = ReceiverStream<Result<Update, Status>>;

    async fn watch(&self, _: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(self.clone().report(sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeRequest>,
    ) -> Result<Response<AcknowledgeResponse>, Status> {
        let mut progress = guard(&PROGRESS);
        progress.acknowledged = progress.acknowledged.max(request.into_inner().sequence);
        drop(progress);
        PROGRESSED.notify_all();
        Ok(Response::new(AcknowledgeResponse {}))
    }

    async fn release(
        &self,
        _: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        Ok(Response::new(ReleaseResponse { is_done: console::release() }))
    }

    async fn take_snapshot(
        &self,
        _: Request<TakeSnapshotRequest>,
    ) -> Result<Response<Update>, Status> {
        let mut look = Look::begin();
        while !look.go_on() {
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        Ok(Response::new(assemble::snapshot(&look.finish())))
    }
}
