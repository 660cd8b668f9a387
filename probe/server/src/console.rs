//! The service `rs.tokio.console.instrument.Instrument`, as `tokio-console`
//! knows it from console-subscriber.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use concaudit_core::{
    outbox::ConsoleWatch,
    platform::{clock, counters},
    record::{
        operation::{self, Operation},
        resource::{self, Resource, ResourceKind, Site},
        task::{Task, TaskEnd, TaskKind, live},
    },
};
use console_api::{
    Field, Id, Location, MetaId, Metadata, PollStats, RegisterMetadata, async_ops, field,
    instrument::{
        InstrumentRequest, PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, State,
        StateRequest, TaskDetailsRequest, Temporality, Update, instrument_server,
    },
    metadata,
    register_metadata::NewMetadata,
    resources, tasks,
};
use prost_types::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

/// As often as console-subscriber publishes.
const PERIOD: Duration = Duration::from_secs(1);

/// Tasks, and resources, and operations on them, that one subscriber is shown at once.
/// Nobody looks through more, and who watches an audited process must not wait for them.
const MAX_SHOWN: usize = 10_000;

type Updates<T> = ReceiverStream<Result<T, Status>>;

/// The service; clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    exiting: watch::Receiver<bool>,
    is_paused: Arc<AtomicBool>,
}

impl Console {
    pub(crate) fn new(exiting: watch::Receiver<bool>) -> Self {
        Self { exiting, is_paused: Arc::default() }
    }

    /// Waits for the next time to publish; `false` at the process's end.
    async fn tick(&mut self) -> bool {
        if *self.exiting.borrow_and_update() {
            return false;
        }
        let _ = tokio::time::timeout(PERIOD, self.exiting.changed()).await;
        true
    }

    async fn publish(mut self, updates: mpsc::Sender<Result<Update, Status>>) {
        let mut view = View::new();
        let mut update = view.update();
        update.new_metadata = Some(register_metadata());
        loop {
            if updates.send(Ok(update)).await.is_err() || !self.tick().await {
                return;
            }
            while self.is_paused.load(Ordering::Relaxed) && self.tick().await {}
            update = view.update();
        }
    }

    async fn publish_details(
        mut self,
        id: u64,
        updates: mpsc::Sender<Result<tasks::TaskDetails, Status>>,
    ) {
        let times = Times::now();
        loop {
            let details = tasks::TaskDetails {
                task_id: Some(Id { id }),
                now: Some(times.at(clock::now_ns())),
                poll_times_histogram: None,
                scheduled_times_histogram: None,
            };
            if updates.send(Ok(details)).await.is_err() || !self.tick().await {
                return;
            }
        }
    }

    async fn publish_state(mut self, updates: mpsc::Sender<Result<State, Status>>) {
        loop {
            let temporality = if self.is_paused.load(Ordering::Relaxed) {
                Temporality::Paused
            } else {
                Temporality::Live
            };
            let state = State { temporality: temporality.into() };
            if updates.send(Ok(state)).await.is_err() || !self.tick().await {
                return;
            }
        }
    }
}

#[async_trait]
impl instrument_server::Instrument for Console {
    type WatchUpdatesStream = Updates<Update>;
    type WatchTaskDetailsStream = Updates<tasks::TaskDetails>;
    type WatchStateStream = Updates<State>;

    async fn watch_updates(
        &self,
        _: Request<InstrumentRequest>,
    ) -> Result<Response<Self::WatchUpdatesStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(self.clone().publish(sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn watch_task_details(
        &self,
        request: Request<TaskDetailsRequest>,
    ) -> Result<Response<Self::WatchTaskDetailsStream>, Status> {
        let id = request.into_inner().id.ok_or_else(|| Status::invalid_argument("no task id"))?.id;
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(self.clone().publish_details(id, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn watch_state(
        &self,
        _: Request<StateRequest>,
    ) -> Result<Response<Self::WatchStateStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(self.clone().publish_state(sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn pause(&self, _: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        self.is_paused.store(true, Ordering::Relaxed);
        Ok(Response::new(PauseResponse {}))
    }

    async fn resume(&self, _: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        self.is_paused.store(false, Ordering::Relaxed);
        Ok(Response::new(ResumeResponse {}))
    }
}

/// The callsites that console-subscriber would have met in tokio.
#[derive(Debug, Clone, Copy)]
enum Callsite {
    Task = 1,
    Blocking,
    Resource,
    AsyncOp,
}

impl Callsite {
    const ALL: [Self; 4] = [Self::Task, Self::Blocking, Self::Resource, Self::AsyncOp];

    fn id(self) -> MetaId {
        MetaId { id: self as u64 }
    }

    fn metadata(self) -> Metadata {
        let (name, target, fields): (_, _, &[&str]) = match self {
            Self::Task => ("runtime.spawn", "tokio::task", &["kind", "task.name", "task.id"]),
            Self::Blocking => {
                ("runtime.spawn", "tokio::task::blocking", &["kind", "task.name", "task.id"])
            }
            Self::Resource => ("runtime.resource", "tokio", &["concrete_type", "kind"]),
            Self::AsyncOp => ("runtime.resource.async_op", "tokio", &["source"]),
        };
        Metadata {
            name: name.to_owned(),
            target: target.to_owned(),
            module_path: "tokio".to_owned(),
            location: None,
            kind: metadata::Kind::Span.into(),
            level: metadata::Level::Trace.into(),
            field_names: fields.iter().map(|field| (*field).to_owned()).collect(),
        }
    }

    fn field(self, name: &str, value: field::Value) -> Field {
        Field {
            name: Some(field::Name::StrName(name.to_owned())),
            value: Some(value),
            metadata_id: Some(self.id()),
        }
    }
}

fn register_metadata() -> RegisterMetadata {
    RegisterMetadata {
        metadata: Callsite::ALL
            .iter()
            .map(|callsite| NewMetadata {
                id: Some(callsite.id()),
                metadata: Some(callsite.metadata()),
            })
            .collect(),
    }
}

/// Wall-clock times, which the console's protocol wants.
#[derive(Debug)]
struct Times {
    start: SystemTime,
}

impl Times {
    fn now() -> Self {
        let now = SystemTime::now();
        Self { start: now.checked_sub(Duration::from_nanos(clock::now_ns())).unwrap_or(now) }
    }

    fn at(&self, ns: u64) -> Timestamp {
        (self.start + Duration::from_nanos(ns)).into()
    }

    fn if_any(&self, ns: u64) -> Option<Timestamp> {
        (ns != 0).then(|| self.at(ns))
    }
}

/// What one subscriber has been shown.
#[derive(Debug)]
struct View {
    times: Times,
    watch: ConsoleWatch,
    tasks: HashMap<u64, Arc<Task>>,
    /// Tasks that were spawned up to this time were shown.
    shown_ns: u64,
    /// There was no room for these.
    left_out: u64,
    /// With the time of creation.
    resources: HashMap<u64, u64>,
    operations: HashMap<u64, async_ops::Stats>,
}

impl View {
    fn new() -> Self {
        Self {
            times: Times::now(),
            watch: ConsoleWatch::begin(),
            tasks: HashMap::new(),
            shown_ns: 0,
            left_out: 0,
            resources: HashMap::new(),
            operations: HashMap::new(),
        }
    }

    fn update(&mut self) -> Update {
        Update {
            now: Some(self.times.at(clock::now_ns())),
            task_update: Some(self.tasks()),
            resource_update: Some(self.resources()),
            async_op_update: Some(self.operations()),
            new_metadata: None,
        }
    }

    fn tasks(&mut self) -> tasks::TaskUpdate {
        let mut update = tasks::TaskUpdate::default();
        let short_lived =
            self.watch.finished().into_iter().filter(|task| task.created_ns > self.shown_ns);
        for task in live::live_tasks().into_iter().chain(short_lived) {
            let is_new = !task.kind.is_thread() && !self.tasks.contains_key(&task.id);
            if is_new && self.tasks.len() >= MAX_SHOWN {
                self.left_out += u64::from(task.created_ns > self.shown_ns);
            } else if is_new {
                update.new_tasks.push(new_task(&task));
                self.tasks.insert(task.id, task);
            }
        }
        self.shown_ns = clock::now_ns();
        update.dropped_events = counters::DROPPED_TASKS.get() + self.left_out;
        for task in self.tasks.values() {
            update.stats_update.insert(task.id, self.task_stats(task));
        }
        self.tasks.retain(|_, task| task.end() == TaskEnd::Alive);
        update
    }

    fn task_stats(&self, task: &Task) -> tasks::Stats {
        let (wakes, self_wakes) = task.wakes();
        let (waker_clones, waker_drops) = task.wakers();
        tasks::Stats {
            created_at: Some(self.times.at(task.created_ns)),
            dropped_at: self.times.if_any(task.ended_ns()),
            wakes,
            waker_clones,
            waker_drops,
            last_wake: self.times.if_any(task.last_wake_ns()),
            poll_stats: Some(PollStats {
                polls: task.polls(),
                first_poll: self.times.if_any(task.first_poll_ns()),
                last_poll_started: self.times.if_any(task.poll_started_ns()),
                last_poll_ended: self.times.if_any(task.poll_ended_ns()),
                busy_time: Some(duration(task.busy_ns())),
            }),
            self_wakes,
            scheduled_time: Some(duration(task.scheduled_ns())),
        }
    }

    fn resources(&mut self) -> resources::ResourceUpdate {
        let mut update = resources::ResourceUpdate::default();
        let mut live = resource::live_resources();
        // Those that were shown before are among the oldest.
        live.sort_unstable_by_key(|resource| resource.id);
        update.dropped_events = live.len().saturating_sub(MAX_SHOWN) as u64;
        live.truncate(MAX_SHOWN);
        for resource in &live {
            if self.resources.insert(resource.id, resource.created_ns).is_none() {
                update.new_resources.push(new_resource(resource));
            }
            update.stats_update.insert(resource.id, self.resource_stats(resource));
        }
        let now = clock::now_ns();
        let live: HashSet<u64> = live.iter().map(|resource| resource.id).collect();
        let times = &self.times;
        self.resources.retain(|id, created_ns| {
            let is_live = live.contains(id);
            if !is_live {
                let stats = resources::Stats {
                    created_at: Some(times.at(*created_ns)),
                    dropped_at: Some(times.at(now)),
                    attributes: Vec::new(),
                };
                update.stats_update.insert(*id, stats);
            }
            is_live
        });
        update
    }

    fn resource_stats(&self, resource: &Resource) -> resources::Stats {
        let attribute = |name: &str, value| console_api::Attribute {
            field: Some(Callsite::Resource.field(name, value)),
            unit: None,
        };
        let attributes = match resource.kind() {
            ResourceKind::Mutex => {
                vec![attribute("locked", field::Value::BoolVal(resource.is_held()))]
            }
            ResourceKind::RwLock => {
                vec![attribute("held", field::Value::BoolVal(resource.is_held()))]
            }
            _ => Vec::new(),
        };
        resources::Stats {
            created_at: Some(self.times.at(resource.created_ns)),
            dropped_at: None,
            attributes,
        }
    }

    fn operations(&mut self) -> async_ops::AsyncOpUpdate {
        let mut update = async_ops::AsyncOpUpdate::default();
        let mut waiting = operation::waiting_operations();
        waiting.sort_unstable_by_key(|operation| operation.id);
        update.dropped_events = waiting.len().saturating_sub(MAX_SHOWN) as u64;
        waiting.truncate(MAX_SHOWN);
        let mut current = HashMap::new();
        for operation in &waiting {
            if !self.operations.contains_key(&operation.id) {
                update.new_async_ops.push(new_operation(operation));
            }
            current.insert(operation.id, self.operation_stats(operation));
        }
        let now = self.times.at(clock::now_ns());
        for (id, stats) in self.operations.drain() {
            if !current.contains_key(&id) {
                update.stats_update.insert(id, async_ops::Stats { dropped_at: Some(now), ..stats });
            }
        }
        update.stats_update.extend(current.iter().map(|(id, stats)| (*id, stats.clone())));
        self.operations = current;
        update
    }

    fn operation_stats(&self, operation: &Operation) -> async_ops::Stats {
        let wait = operation.wait();
        let since = wait.as_ref().map(|wait| self.times.at(wait.since_ns));
        async_ops::Stats {
            created_at: Some(self.times.at(operation.created_ns)),
            dropped_at: None,
            task_id: wait.map(|wait| Id { id: wait.actor.id }),
            poll_stats: Some(PollStats {
                polls: u64::from(since.is_some()),
                first_poll: since,
                last_poll_started: since,
                last_poll_ended: since,
                busy_time: Some(prost_types::Duration::default()),
            }),
            attributes: Vec::new(),
        }
    }
}

fn new_task(task: &Task) -> tasks::Task {
    let (callsite, kind) = match task.kind {
        TaskKind::Blocking => (Callsite::Blocking, tasks::task::Kind::Blocking),
        _ => (Callsite::Task, tasks::task::Kind::Spawn),
    };
    let word = match task.kind {
        TaskKind::BlockOn => "block_on",
        TaskKind::Blocking => "blocking",
        TaskKind::Local => "local",
        TaskKind::Task | TaskKind::Thread | TaskKind::Worker => "task",
    };
    let mut fields = vec![callsite.field("kind", field::Value::DebugVal(word.to_owned()))];
    if !task.name.is_empty() {
        fields.push(callsite.field("task.name", field::Value::DebugVal(task.name.to_string())));
    }
    if task.tokio_id != 0 {
        fields.push(callsite.field("task.id", field::Value::U64Val(task.tokio_id)));
    }
    tasks::Task {
        id: Some(Id { id: task.id }),
        metadata: Some(callsite.id()),
        kind: kind.into(),
        fields,
        parents: Vec::new(),
        location: task.site.map(location),
    }
}

fn new_resource(resource: &Resource) -> resources::Resource {
    let kind = match resource.kind() {
        ResourceKind::Sleep | ResourceKind::Interval => {
            resources::resource::kind::Kind::Known(resources::resource::kind::Known::Timer.into())
        }
        _ => resources::resource::kind::Kind::Other("Sync".to_owned()),
    };
    resources::Resource {
        id: Some(Id { id: resource.id }),
        metadata: Some(Callsite::Resource.id()),
        concrete_type: resource.kind().concrete_type().to_owned(),
        kind: Some(resources::resource::Kind { kind: Some(kind) }),
        location: resource.site.map(location),
        parent_resource_id: None,
        is_internal: resource.is_internal,
    }
}

fn new_operation(operation: &Operation) -> async_ops::AsyncOp {
    async_ops::AsyncOp {
        id: Some(Id { id: operation.id }),
        metadata: Some(Callsite::AsyncOp.id()),
        source: operation.source.to_owned(),
        parent_async_op_id: None,
        resource_id: Some(Id { id: operation.resource.id }),
    }
}

fn location(site: Site) -> Location {
    Location {
        file: Some(site.file.to_owned()),
        module_path: None,
        line: Some(site.line),
        column: Some(site.column),
    }
}

fn duration(ns: u64) -> prost_types::Duration {
    Duration::from_nanos(ns).try_into().unwrap_or_default()
}
