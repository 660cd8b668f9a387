//! From what `concaudit-core` keeps to the messages of `Audit`.

use std::collections::{HashMap, HashSet};

use concaudit_core::{
    detect::{
        by_place::{AcrossAwait, BlockingCall, BlockingPoll, Recursion},
        child_processes::{self, Child},
        joins,
        knots::{Knot, KnotMember},
        open_files::{self, FileKind, OpenFile},
        orphans::{self, Orphan},
        panics::{self, Unread},
        threads::Seen,
    },
    lifecycle::thread,
    outbox::Batch,
    platform::{
        clock, counters,
        distribution::{self, Distribution},
        stack::{self, StackId},
    },
    record::{
        held_locks,
        lock::{self, Acquisition, Hold, LongHold, Mode},
        order::OrderEdge,
        resource::{Resource, ResourceKind, Site},
        task::{
            Task, TaskEnd, TaskKind, Wait, live,
            spawn_site::{self, Storm},
        },
        vector_clock::Clock,
    },
};

use crate::{audit, modules, proto};

/// Live tasks that fit into one update.
const MAX_LIVE_TASKS: usize = 20_000;
/// Tasks that fit into one of the last updates, of which each is acknowledged.
const TASKS_PER_UPDATE: usize = 2_000;
/// Waits shorter than this say nothing about who holds a lock now.
const LEAST_WAIT_NS: u64 = 1;

/// What the auditor knows already.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    stacks: HashSet<StackId>,
    clocks: HashSet<u64>,
    /// With what was said of their being handed over, and written.
    resources: HashMap<u64, (bool, bool)>,
    modules: usize,
    sequence: u64,
    /// When the tasks of spawn sites were last counted.
    counted_ns: u64,
}

/// How often the tasks of spawn sites are counted.
const COUNT_PERIOD_NS: u64 = 250_000_000;
/// Sites of which no more than this were alive at once are not counted.
const LEAST_COUNTED: u64 = 10;

impl Sent {
    /// Whether the tasks of spawn sites are to be counted again.
    pub(crate) fn is_count_due(&self) -> bool {
        clock::now_ns().saturating_sub(self.counted_ns) >= COUNT_PERIOD_NS
    }
}

/// An update with what is new.
pub(crate) fn update(sent: &mut Sent, batch: &Batch) -> proto::Update {
    let mut assembler = Assembler::new(sent);
    assembler.add_batch(batch);
    if assembler.sent.is_count_due() {
        assembler.add_spawn_sites();
    }
    assembler.update
}

/// The last updates: what is new, and everything that is alive.
pub(crate) fn last_updates(sent: &mut Sent, batch: &Batch) -> Vec<proto::Update> {
    let mut assembler = Assembler::new(sent);
    assembler.add_batch(batch);
    assembler.add_live_tasks(TASKS_PER_UPDATE);
    assembler.add_children();
    assembler.add_panics();
    assembler.add_storms();
    assembler.add_orphans();
    assembler.add_open_files();
    assembler.update.last = true;
    assembler.finished.push(assembler.update);
    assembler.finished
}

/// Everything that is alive, complete in itself.
pub(crate) fn snapshot(threads: &[Seen]) -> proto::Update {
    let mut sent = Sent::default();
    let mut assembler = Assembler::new(&mut sent);
    assembler.add_live_tasks(MAX_LIVE_TASKS);
    assembler.add_panics();
    for thread in threads {
        let thread = assembler.thread(thread);
        assembler.update.threads.push(thread);
    }
    assembler.update
}

struct Assembler<'a> {
    sent: &'a mut Sent,
    update: proto::Update,
    /// Those before it, where there is more than fits into one.
    finished: Vec<proto::Update>,
    now_ns: u64,
}

impl<'a> Assembler<'a> {
    fn new(sent: &'a mut Sent) -> Self {
        sent.sequence += 1;
        let now_ns = clock::now_ns();
        let update = proto::Update {
            sequence: sent.sequence,
            now_ns,
            counters: Some(count()),
            ..proto::Update::default()
        };
        let mut assembler = Self { sent, update, finished: Vec::new(), now_ns };
        assembler.add_modules();
        assembler
    }

    /// Begins the next update.
    fn go_on(&mut self) {
        self.sent.sequence += 1;
        let next = proto::Update {
            sequence: self.sent.sequence,
            now_ns: self.now_ns,
            counters: self.update.counters.clone(),
            ..proto::Update::default()
        };
        self.finished.push(std::mem::replace(&mut self.update, next));
    }

    fn add_modules(&mut self) {
        let modules = modules::list();
        if modules.len() != self.sent.modules {
            self.sent.modules = modules.len();
            self.update.modules = modules;
        }
    }

    fn add_batch(&mut self, batch: &Batch) {
        self.update.still_ns = batch.still_ns;
        for task in &batch.ended {
            let task = self.task(task);
            self.update.tasks.push(task);
        }
        for hold in &batch.holds {
            let hold = self.long_hold(hold);
            self.update.long_holds.push(hold);
        }
        for edge in &batch.edges {
            let edge = self.edge(edge);
            self.update.order_edges.push(edge);
        }
        for call in &batch.events.blocking_calls {
            let call = self.blocking_call(call);
            self.update.blocking_calls.push(call);
        }
        for poll in &batch.events.blocking_polls {
            let poll = self.blocking_poll(poll);
            self.update.blocking_polls.push(poll);
        }
        for waking in &batch.events.self_waking {
            let waking = proto::SelfWaking {
                id: waking.id,
                actor: Some(actor(&waking.actor, 0, 0)),
                stack: self.stack(waking.stack),
                spawn_stack: self.stack(waking.actor.spawn_stack),
                wakes: waking.wakes,
                self_wakes: waking.self_wakes,
                count: waking.count,
            };
            self.update.self_waking.push(waking);
        }
        for across in &batch.events.across_awaits {
            let across = self.across_await(across);
            self.update.locks_across_awaits.push(across);
        }
        for knot in &batch.knots {
            let knot = self.knot(knot);
            self.update.knots.push(knot);
        }
        for recursion in &batch.events.recursions {
            let recursion = self.recursion(recursion);
            self.update.recursive_locks.push(recursion);
        }
    }

    fn add_children(&mut self) {
        for child in child_processes::remaining() {
            let child = self.child(&child);
            self.update.children.push(child);
        }
    }

    fn add_panics(&mut self) {
        for unread in panics::unread() {
            let panic = self.panic(&unread);
            self.update.panics.push(panic);
        }
    }

    fn add_storms(&mut self) {
        for storm in spawn_site::seen() {
            let storm = self.storm(&storm);
            self.update.spawn_storms.push(storm);
        }
    }

    fn add_spawn_sites(&mut self) {
        self.sent.counted_ns = self.now_ns;
        for site in spawn_site::alive(LEAST_COUNTED) {
            let site = proto::SpawnSite {
                spawned_at: Some(location(site.site)),
                kind: task_kind(site.kind).into(),
                spawn_stack: self.stack(site.spawn_stack),
                at_ns: vec![self.now_ns],
                alive: vec![site.alive],
                spawned: vec![site.spawned],
            };
            self.update.spawn_sites.push(site);
        }
    }

    fn add_orphans(&mut self) {
        for orphan in orphans::seen() {
            let orphan = self.orphan(&orphan);
            self.update.orphaned_tasks.push(orphan);
        }
    }

    fn add_open_files(&mut self) {
        let remains = open_files::remains();
        let files = remains.files.iter().map(|file| self.open_file(file)).collect();
        let exit_stack = self.stack(remains.exit_stack);
        self.update.open_files = Some(proto::OpenFiles { files, exit_stack });
    }

    fn open_file(&mut self, file: &OpenFile) -> proto::OpenFile {
        proto::OpenFile {
            fd: file.fd,
            kind: file_kind(file.kind).into(),
            name: file.name.clone(),
            stack: self.stack(file.stack),
            opened_ns: file.opened_ns,
            opener: file.actor,
            blocking: file.is_blocking,
            spawn_stack: self.stack(file.spawn_stack),
        }
    }

    /// All of them, so many in an update.
    fn add_live_tasks(&mut self, per_update: usize) {
        let tasks = live::live_tasks();
        if tasks.len() > MAX_LIVE_TASKS {
            counters::DROPPED_TASKS.add((tasks.len() - MAX_LIVE_TASKS) as u64);
            self.update.counters = Some(count());
        }
        let joins = joins::all();
        for task in tasks.iter().take(MAX_LIVE_TASKS) {
            let mut task = self.task(task);
            if let Some(awaited) = joins.get(&task.id) {
                add_joins(&mut task.waits, awaited);
            }
            if self.update.tasks.len() >= per_update {
                self.go_on();
            }
            self.update.tasks.push(task);
        }
    }

    fn stack(&mut self, id: StackId) -> u64 {
        audit::step();
        if id != 0 && self.sent.stacks.insert(id) {
            let addresses = stack::addresses(id).unwrap_or_default();
            self.update.stacks.push(proto::Stack { id: u64::from(id), addresses });
        }
        u64::from(id)
    }

    fn resource(&mut self, resource: &Resource) -> u64 {
        let handed_over = resource.is_handed_over();
        let written = resource.has_writer();
        let said = (handed_over, written);
        if self.sent.resources.insert(resource.id, said) != Some(said) {
            let kind = resource.kind();
            let message = proto::Resource {
                id: resource.id,
                kind: resource_kind(kind).into(),
                concrete_type: kind.concrete_type().to_owned(),
                created_at: resource.site.map(location),
                address: resource.address,
                handed_over,
                created_at_stack: self.stack(resource.created_stack),
                written,
            };
            self.update.resources.push(message);
        }
        resource.id
    }

    fn task(&mut self, task: &Task) -> proto::Task {
        let last = task.last_state().map_or_else(|| task.state(), |state| *state);
        let mut waits: Vec<proto::Wait> = last.waits.iter().map(|wait| self.wait(wait)).collect();
        let has_thread = matches!(task.kind, TaskKind::Thread | TaskKind::Blocking);
        if has_thread && waits.is_empty() && task.end() == TaskEnd::Alive {
            let seen = self.stack(thread::seen_at(task));
            if seen != 0 {
                waits.push(proto::Wait { stack: seen, ..proto::Wait::default() });
            }
        }
        let (clones, drops) = last.wakers;
        let (wakes, self_wakes) = task.wakes();
        let (waited_for_ns, waiter_stack) = task.was_waited_for();
        proto::Task {
            id: task.id,
            kind: task_kind(task.kind).into(),
            name: task.name.to_string(),
            tokio_id: task.tokio_id,
            spawned_at: task.site.map(location),
            spawn_stack: self.stack(task.spawn_stack),
            parent: task.ancestors.first().copied().unwrap_or(0),
            spawned_on: task.spawned_on,
            created_ns: task.created_ns,
            ended_ns: task.ended_ns(),
            end: task_end(task.end()).into(),
            drop_stack: self.stack(last.drop_stack),
            polls: task.polls(),
            busy_ns: task.busy_ns(),
            last_poll_started_ns: task.poll_started_ns(),
            last_poll_ended_ns: task.poll_ended_ns(),
            last_wake_ns: task.last_wake_ns(),
            scheduled: last.is_scheduled,
            running: task.is_running(),
            wakes,
            self_wakes,
            waker_clones: clones,
            waker_drops: drops,
            waits,
            holds: last.holds.iter().map(|hold| self.hold(hold, task)).collect(),
            drained: last.is_drained,
            thread: task.thread(),
            parent_kind: task_kind(task.parent_kind.unwrap_or(TaskKind::Task)).into(),
            woken_by_drop_of: last.woken_by_drop_of,
            had_grace: last.had_grace,
            aborted_ns: task.aborted_ns(),
            waited_for_ns,
            waiter_stack: self.stack(waiter_stack),
            lost_waker_stack: self.stack(last.lost_waker.0),
            lost_waker_ns: last.lost_waker.1,
        }
    }

    fn thread(&mut self, seen: &Seen) -> proto::Thread {
        let record = seen.record.as_deref();
        let waits = record.map(Task::waits).unwrap_or_default();
        let holds = record.map(Task::holds).unwrap_or_default();
        let state = match seen.sample.map(|sample| sample.blocked_in) {
            None => proto::ThreadState::Unknown,
            Some(None) => proto::ThreadState::Running,
            Some(Some(_)) => proto::ThreadState::Blocked,
        };
        let system_call = seen.sample.and_then(|sample| sample.blocked_in).unwrap_or_default();
        proto::Thread {
            os_thread: seen.os_thread,
            name: seen.name.clone(),
            id: seen.id,
            record: record.map_or(0, |record| record.id),
            state: state.into(),
            system_call: system_call.to_owned(),
            stack: seen.sample.map_or(0, |sample| self.stack(sample.stack)),
            cpu_ns: seen.cpu_ns,
            waits: waits.iter().map(|wait| self.wait(wait)).collect(),
            holds: record.map_or_else(Vec::new, |record| {
                holds.iter().map(|hold| self.hold(hold, record)).collect()
            }),
            joins: seen.joins,
        }
    }

    fn wait(&mut self, wait: &Wait) -> proto::Wait {
        let resource = wait.resource.as_deref();
        proto::Wait {
            stack: self.stack(wait.stack),
            resource: resource.map_or(0, |resource| self.resource(resource)),
            operation: wait.operation.to_owned(),
            since_ns: wait.since_ns,
            due_ns: resource.map_or(0, Resource::due_ns),
            task: 0,
        }
    }

    fn acquisition(&mut self, acquisition: &Acquisition) -> proto::Acquisition {
        proto::Acquisition {
            resource: self.resource(&acquisition.resource),
            mode: mode(acquisition.mode).into(),
            stack: self.stack(acquisition.stack),
            r#try: acquisition.is_try,
        }
    }

    /// A hold that goes on.
    fn hold(&mut self, hold: &Hold, holder: &Task) -> proto::Hold {
        let waiters = lock::waiters_during(
            &hold.acquisition.resource,
            hold.acquired_ns,
            self.now_ns,
            LEAST_WAIT_NS,
        );
        proto::Hold {
            starved_ns: hold.starved_ns(),
            waiters: waiters.iter().map(|(waiter, waited)| self.waiter(waiter, *waited)).collect(),
            ..self.hold_parts(hold, holder, 0)
        }
    }

    fn long_hold(&mut self, long: &LongHold) -> proto::Hold {
        proto::Hold {
            starved_ns: long.starved_ns,
            waiters: long
                .waiters
                .iter()
                .map(|(waiter, waited)| self.waiter(waiter, *waited))
                .collect(),
            ..self.hold_parts(&long.hold, &long.holder, long.released_ns)
        }
    }

    fn hold_parts(&mut self, hold: &Hold, holder: &Task, released_ns: u64) -> proto::Hold {
        proto::Hold {
            acquisition: Some(self.acquisition(&hold.acquisition)),
            holder: Some(actor(holder, hold.acquired_ns, released_ns)),
            acquired_ns: hold.acquired_ns,
            released_ns,
            starved_ns: 0,
            awaited_ns: hold.awaited_ns,
            await_stack: self.stack(hold.await_stack),
            waiters: Vec::new(),
        }
    }

    fn waiter(&mut self, waiter: &lock::Waiter, waited_ns: u64) -> proto::Waiter {
        proto::Waiter {
            actor: Some(actor(&waiter.actor, waiter.since_ns, waiter.until_ns)),
            stack: self.stack(waiter.stack),
            waited_ns,
        }
    }

    fn blocking_call(&mut self, call: &BlockingCall) -> proto::BlockingCall {
        proto::BlockingCall {
            id: call.id,
            operation: call.operation.to_owned(),
            stack: self.stack(call.stack),
            resource: call.resource.as_deref().map_or(0, |resource| self.resource(resource)),
            actor: Some(actor(&call.actor, 0, 0)),
            parent_kind: task_kind(call.actor.parent_kind.unwrap_or(TaskKind::Task)).into(),
            longest_ns: call.longest_ns,
            starved_ns: call.starved_ns,
            count: call.count,
            thread_stack: self.stack(call.thread_stack),
            others: call.others,
        }
    }

    fn blocking_poll(&mut self, poll: &BlockingPoll) -> proto::BlockingPoll {
        let samples = poll.samples.iter().map(|sample| proto::PollSample {
            stack: self.stack(sample.stack),
            blocked: sample.blocked_in.is_some(),
            system_call: sample.blocked_in.unwrap_or_default().to_owned(),
            count: sample.count,
        });
        proto::BlockingPoll {
            id: poll.id,
            actor: Some(actor(&poll.actor, 0, 0)),
            longest_ns: poll.longest_ns,
            starved_ns: poll.starved_ns,
            measured_ns: poll.measured_ns,
            cpu_ns: poll.cpu_ns,
            samples: samples.collect(),
            waiting: poll.waiting,
            over: poll.is_over,
            count: poll.count,
            only: poll.is_only,
        }
    }

    fn across_await(&mut self, across: &AcrossAwait) -> proto::LockAcrossAwait {
        proto::LockAcrossAwait {
            id: across.id,
            acquisition: Some(self.acquisition(&across.acquisition)),
            await_stack: self.stack(across.await_stack),
            actor: Some(actor(&across.actor, 0, 0)),
            count: across.count,
        }
    }

    fn recursion(&mut self, recursion: &Recursion) -> proto::RecursiveLock {
        proto::RecursiveLock {
            id: recursion.id,
            held: Some(self.acquisition(&recursion.held)),
            wanted: Some(self.acquisition(&recursion.wanted)),
            actor: Some(actor(&recursion.actor, 0, 0)),
            waits: recursion.waits,
            has_writer: recursion
                .held
                .resource
                .has_other_writer(&recursion.actor, recursion.is_of_several),
            count: recursion.count,
        }
    }

    fn knot(&mut self, knot: &Knot) -> proto::Knot {
        proto::Knot {
            id: knot.id,
            closed_ns: knot.closed_ns,
            found_ns: knot.found_ns,
            parties: knot.parties.iter().map(|party| self.party(party)).collect(),
            behind: knot.behind,
            is_at_rest: knot.is_at_rest,
        }
    }

    fn party(&mut self, party: &KnotMember) -> proto::Party {
        let wanted = match &party.wanted {
            Some(wanted) => self.acquisition(wanted),
            None => proto::Acquisition {
                stack: self.stack(party.stack),
                ..proto::Acquisition::default()
            },
        };
        let holds = party.actor.holds();
        proto::Party {
            actor: Some(actor(&party.actor, party.since_ns, self.now_ns)),
            name: party.actor.name.to_string(),
            wanted: Some(wanted),
            operation: party.operation.to_owned(),
            waits_since_ns: party.since_ns,
            held: party.held.as_ref().map(|held| self.acquisition(held)),
            held_since_ns: party.held_since_ns,
            first_await_stack: self.stack(party.first_await),
            is_granted: party.is_granted,
            holds: holds.iter().map(|hold| self.hold(hold, &party.actor)).collect(),
        }
    }

    fn child(&mut self, child: &Child) -> proto::ChildProcess {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", child.pid));
        proto::ChildProcess {
            pid: child.pid.unsigned_abs(),
            command: name.unwrap_or_default().trim_end().to_owned(),
            is_zombie: child.is_zombie,
            spawn_stack: self.stack(child.stack),
            spawned_ns: child.spawned_ns,
            actor: Some(actor(&child.actor, 0, 0)),
        }
    }

    fn panic(&mut self, unread: &Unread) -> proto::Panic {
        let Unread { actor: ended, raised, .. } = unread;
        let raised = raised.as_ref();
        let location = raised.and_then(|raised| raised.location.as_ref());
        proto::Panic {
            actor: Some(actor(ended, ended.created_ns, ended.ended_ns())),
            name: ended.name.to_string(),
            spawn_stack: self.stack(ended.spawn_stack),
            message: raised.map(|raised| raised.message.to_string()).unwrap_or_default(),
            location: location.map(|(file, line, column)| proto::Location {
                file: file.to_string(),
                line: *line,
                column: *column,
            }),
            stack: raised.map_or(0, |raised| self.stack(raised.stack)),
            ended_ns: ended.ended_ns(),
            is_detached: unread.is_detached,
            is_of_main: unread.is_of_main,
        }
    }

    fn storm(&mut self, storm: &Storm) -> proto::SpawnStorm {
        let spawner = storm.spawner.as_deref();
        proto::SpawnStorm {
            spawned_at: Some(location(storm.site)),
            kind: task_kind(storm.kind).into(),
            spawn_stack: self.stack(storm.spawn_stack),
            spawner: spawner.map(|spawner| actor(spawner, storm.peak_ns, storm.peak_ns)),
            peak: storm.peak,
            peak_ns: storm.peak_ns,
            spawned: storm.spawned,
        }
    }

    fn orphan(&mut self, orphan: &Orphan) -> proto::OrphanedTask {
        proto::OrphanedTask {
            child: Some(self.task(&orphan.child)),
            parent: Some(self.task(&orphan.parent)),
            found_ns: self.now_ns,
            starved_ns: orphan.outlived_ns().1,
            dropped_ns: orphan.dropped_ns,
            at_end: orphan.is_there_at_the_end(),
        }
    }

    fn clock(&mut self, clock: &Clock) -> u64 {
        if self.sent.clocks.insert(clock.id) {
            let (actors, epochs) = clock.entries.iter().copied().unzip();
            self.update.clocks.push(proto::Clock {
                id: clock.id,
                actors,
                epochs,
                cut: clock.is_cut,
            });
        }
        clock.id
    }

    fn edge(&mut self, edge: &OrderEdge) -> proto::OrderEdge {
        proto::OrderEdge {
            id: edge.id,
            from: Some(self.acquisition(&edge.from)),
            to: Some(self.acquisition(&edge.to)),
            actors: edge
                .actors()
                .iter()
                .map(|taker| proto::Actor {
                    epoch: taker.epoch,
                    clock: taker.known.as_ref().map_or(0, |known| self.clock(known)),
                    ..actor(&taker.actor, taker.first_ns, taker.last_ns)
                })
                .collect(),
            gates: edge
                .gates
                .iter()
                .map(|(gate, gate_mode)| proto::Gate {
                    resource: self.resource(gate),
                    mode: mode(*gate_mode).into(),
                })
                .collect(),
            contended: edge.contended,
        }
    }
}

/// Which of the waits are for the ends of these tasks: those on nothing that tokio
/// tells of, unless there are more of them.
fn add_joins(waits: &mut [proto::Wait], awaited: &[u64]) {
    let mut plain: Vec<_> = waits.iter_mut().filter(|wait| wait.resource == 0).collect();
    if plain.len() <= awaited.len() {
        for (wait, task) in plain.iter_mut().zip(awaited) {
            wait.task = *task;
        }
    }
}

fn count() -> proto::Counters {
    proto::Counters {
        tasks_spawned: counters::TASKS_SPAWNED.get(),
        tasks_alive: counters::tasks_alive(),
        peak_tasks: counters::peak_tasks(),
        locks_seen: counters::LOCKS_SEEN.get(),
        acquisitions: held_locks::acquisitions(),
        drains: counters::DRAINS.get(),
        drain_ns: counters::DRAIN_NS.get(),
        dropped_order_edges: counters::DROPPED_ORDER_EDGES.get(),
        dropped_stacks: counters::DROPPED_STACKS.get(),
        dropped_tasks: counters::DROPPED_TASKS.get(),
        dropped_holds: counters::DROPPED_HOLDS.get(),
        threads_spawned: counters::THREADS_SPAWNED.get(),
        dropped_events: counters::DROPPED_EVENTS.get(),
        allocator_locks: counters::ALLOCATOR_LOCKS.get(),
        alike_tasks: counters::ALIKE_TASKS.get(),
        polls: some(&distribution::POLLS),
        lock_waits: some(&distribution::LOCK_WAITS),
        lock_holds: some(&distribution::LOCK_HOLDS),
    }
}

fn some(distribution: &Distribution) -> Option<proto::Distribution> {
    let longest_ns = distribution.longest_ns();
    let counts = || distribution.counts().to_vec();
    (longest_ns > 0).then(|| proto::Distribution { counts: counts(), longest_ns })
}

fn actor(task: &Task, first_ns: u64, last_ns: u64) -> proto::Actor {
    proto::Actor {
        task: task.id,
        thread: task.thread(),
        first_ns,
        last_ns,
        created_ns: task.created_ns,
        ended_ns: task.ended_ns(),
        ancestors: task.ancestors.to_vec(),
        spawned_at: task.site.map(location),
        kind: task_kind(task.kind).into(),
        epoch: 0,
        clock: 0,
    }
}

fn location(site: Site) -> proto::Location {
    proto::Location { file: site.file.to_owned(), line: site.line, column: site.column }
}

fn mode(mode: Mode) -> proto::LockMode {
    match mode {
        Mode::Exclusive => proto::LockMode::Exclusive,
        Mode::Shared => proto::LockMode::Shared,
        Mode::Upgradable => proto::LockMode::Upgradable,
    }
}

fn resource_kind(kind: ResourceKind) -> proto::ResourceKind {
    match kind {
        ResourceKind::Other => proto::ResourceKind::Other,
        ResourceKind::Mutex => proto::ResourceKind::TokioMutex,
        ResourceKind::RwLock => proto::ResourceKind::TokioRwlock,
        ResourceKind::Semaphore => proto::ResourceKind::TokioSemaphore,
        ResourceKind::Sleep => proto::ResourceKind::TokioSleep,
        ResourceKind::Interval => proto::ResourceKind::TokioInterval,
        ResourceKind::Oneshot => proto::ResourceKind::TokioOneshot,
        ResourceKind::Barrier => proto::ResourceKind::TokioBarrier,
        ResourceKind::StdMutex => proto::ResourceKind::StdMutex,
        ResourceKind::StdRwLock => proto::ResourceKind::StdRwlock,
        ResourceKind::ParkingLotMutex => proto::ResourceKind::ParkingLotMutex,
        ResourceKind::ParkingLotRwLock => proto::ResourceKind::ParkingLotRwlock,
        ResourceKind::LockApiMutex => proto::ResourceKind::LockApiMutex,
        ResourceKind::LockApiRwLock => proto::ResourceKind::LockApiRwlock,
        ResourceKind::StdOnce => proto::ResourceKind::StdOnce,
        ResourceKind::StdOnceLock => proto::ResourceKind::StdOnceLock,
        ResourceKind::StdLazyLock => proto::ResourceKind::StdLazyLock,
    }
}

fn file_kind(kind: FileKind) -> proto::OpenFileKind {
    match kind {
        FileKind::File => proto::OpenFileKind::File,
        FileKind::Directory => proto::OpenFileKind::Directory,
        FileKind::Fifo => proto::OpenFileKind::Fifo,
        FileKind::TcpListener => proto::OpenFileKind::TcpListener,
        FileKind::TcpStream => proto::OpenFileKind::TcpStream,
        FileKind::Udp => proto::OpenFileKind::Udp,
        FileKind::Unix => proto::OpenFileKind::Unix,
        FileKind::Socket => proto::OpenFileKind::Socket,
    }
}

fn task_kind(kind: TaskKind) -> proto::TaskKind {
    match kind {
        TaskKind::Task => proto::TaskKind::Task,
        TaskKind::BlockOn => proto::TaskKind::BlockOn,
        // What tokio has it for.
        TaskKind::Blocking | TaskKind::Worker => proto::TaskKind::Blocking,
        TaskKind::Local => proto::TaskKind::Local,
        TaskKind::Thread => proto::TaskKind::Thread,
    }
}

fn task_end(end: TaskEnd) -> proto::TaskEnd {
    match end {
        TaskEnd::Alive => proto::TaskEnd::Alive,
        TaskEnd::Completed => proto::TaskEnd::Completed,
        TaskEnd::Panicked => proto::TaskEnd::Panicked,
        TaskEnd::Dropped => proto::TaskEnd::Dropped,
    }
}
