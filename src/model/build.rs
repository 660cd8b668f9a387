//! From what a process told, as it came, to the model of it.

mod kinds;

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use rustc_hash::FxHashMap;

use super::{
    Acquisition, Activity, Actor, BlockingCall, BlockingPoll, ChildProcess, Clock, Count, FileId,
    Frame, Gate, Hold, Knot, LockAcrossAwait, Module, OpenFile, OrderEdge, OrphanedTask, Owner,
    Party, PollSample, Process, RecursiveLock, Resource, ResourceKind, SelfWaking, Site, SpawnSite,
    SpawnStorm, Stack, Symboliser, Task, TaskEnd, TaskKind, Thread, UnreadPanic, Wait, Waiter,
    blame_frame, owner::owner_of, pointed_frame, site_frame,
};
use crate::telemetry::{Recording, proto};
use kinds::{
    actor_kind, counters, declared_static, file_kind, is_shutdown, is_within_channel, mode,
    resource_kind, site_of, some, task_kind, without_hooks,
};

/// The model of one process.
///
/// Never fails: what names a stack that was not sent has an empty one, and
/// what names a lock that was not sent is left out.
pub fn process_from(recording: &Recording, symbols: &Symboliser) -> Process {
    let builder = Builder::new(recording, symbols);
    let resources: BTreeMap<u64, Resource> = recording
        .resources
        .values()
        .map(|resource| (resource.id, builder.resource(resource)))
        .collect();
    let known = |id: u64| resources.contains_key(&id);
    let mut tasks: BTreeMap<u64, Task> =
        recording.tasks.values().map(|task| (task.id, builder.task(task, &known))).collect();
    // A shutdown drops one task after the other, and the first wake the rest:
    // that was no chance to run. Until then they idled, and had the waker.
    let is_shutdown = |id: u64| tasks.get(&id).is_some_and(|task| task.end == TaskEnd::Shutdown);
    let woken_by_shutdown: Vec<u64> = recording
        .tasks
        .values()
        .filter(|task| task.scheduled && is_shutdown(task.woken_by_drop_of))
        .map(|task| task.id)
        .collect();
    for id in woken_by_shutdown {
        tasks.entry(id).and_modify(|task| {
            task.scheduled = false;
            task.waker_drops = task.waker_drops.min(task.waker_clones.saturating_sub(1));
        });
    }
    Process {
        truncated: recording.truncated,
        pid: recording.pid,
        ended_ns: recording.now_ns,
        threads: recording.threads.iter().map(|thread| builder.thread(thread, &known)).collect(),
        snapshot: recording
            .snapshot
            .as_deref()
            .map(|snapshot| Box::new(process_from(snapshot, symbols))),
        tasks,
        edges: recording
            .order_edges
            .values()
            .filter_map(|edge| builder.edge(edge, &known))
            .collect(),
        holds: recording
            .long_holds
            .values()
            .filter_map(|hold| builder.hold(hold, &known))
            .collect(),
        blocking_polls: recording
            .blocking_polls
            .values()
            .filter_map(|poll| builder.blocking_poll(poll))
            .collect(),
        blocking_calls: recording
            .blocking_calls
            .values()
            .filter_map(|call| builder.blocking_call(call, &known))
            .collect(),
        locks_across_awaits: recording
            .locks_across_awaits
            .values()
            .filter_map(|across| builder.lock_across_await(across, &known))
            .collect(),
        recursive_locks: recording
            .recursive_locks
            .values()
            .filter_map(|recursion| builder.recursive_lock(recursion, &known))
            .collect(),
        knots: recording.knots.values().filter_map(|knot| builder.knot(knot, &known)).collect(),
        panics: recording.panics.iter().filter_map(|panic| builder.panic(panic)).collect(),
        spawn_sites: recording.spawn_sites.values().map(|site| builder.spawn_site(site)).collect(),
        self_waking: recording
            .self_waking
            .values()
            .filter_map(|waking| builder.self_waking(waking))
            .collect(),
        spawn_storms: recording.spawn_storms.iter().map(|storm| builder.storm(storm)).collect(),
        orphaned_tasks: recording
            .orphaned_tasks
            .iter()
            .filter_map(|orphan| builder.orphan(orphan, &known))
            .collect(),
        open_files: recording.open_files.files.iter().map(|file| builder.open_file(file)).collect(),
        exit_stack: builder.stack(recording.open_files.exit_stack),
        children: recording.children.values().map(|child| builder.child(child)).collect(),
        counters: counters(&recording.counters),
        resources,
    }
}

struct Builder<'a> {
    recording: &'a Recording,
    symbols: &'a Symboliser,
    /// Newest first: an object may be mapped where another one was.
    modules: Vec<Module>,
    /// By stack id.
    stacks: RefCell<FxHashMap<u64, Arc<Stack>>>,
    /// By stack id and the place of the call in it, see [`Builder::stack_from`].
    completed: RefCell<FxHashMap<(u64, Site), Arc<Stack>>>,
    clocks: RefCell<FxHashMap<u64, Arc<Clock>>>,
    empty: Arc<Stack>,
}

impl<'a> Builder<'a> {
    fn new(recording: &'a Recording, symbols: &'a Symboliser) -> Self {
        let modules = recording
            .modules
            .iter()
            .rev()
            .map(|module| Module {
                path: module.path.clone().into(),
                base: module.base,
                start: module.start,
                end: module.end,
                file: (module.inode != 0).then_some(FileId {
                    device: module.device,
                    inode: module.inode,
                    size: module.size,
                }),
            })
            .collect();
        Self {
            recording,
            symbols,
            modules,
            stacks: RefCell::default(),
            completed: RefCell::default(),
            clocks: RefCell::default(),
            empty: Arc::default(),
        }
    }

    fn stack(&self, id: u64) -> Arc<Stack> {
        let Some(addresses) = self.recording.stacks.get(&id) else {
            return Arc::clone(&self.empty);
        };
        Arc::clone(
            self.stacks
                .borrow_mut()
                .entry(id)
                .or_insert_with(|| self.symbols.stack(&self.modules, addresses)),
        )
    }

    /// The same, of a call at this place: one in the tail of its function has no frame
    /// there in an optimised build, and gets one.
    fn stack_from(&self, id: u64, site: Option<&Site>) -> Arc<Stack> {
        let stack = self.stack(id);
        let Some(site) = site.filter(|_| !stack.frames.is_empty()) else { return stack };
        let mut completed = self.completed.borrow_mut();
        let stack =
            completed.entry((id, site.clone())).or_insert_with(|| self.with_call(stack, site));
        Arc::clone(stack)
    }

    fn with_call(&self, stack: Arc<Stack>, site: &Site) -> Arc<Stack> {
        let Some(called) = self.symbols.frame_at(site) else { return stack };
        if stack.frames.iter().any(|frame| frame.item == called.item) {
            return stack;
        }
        let is_outside =
            |frame: &Frame| matches!(frame.owner, Owner::Workspace(_) | Owner::Dependency(_));
        let at = stack.frames.iter().position(is_outside).unwrap_or(stack.frames.len());
        let mut frames = stack.frames.clone();
        frames.insert(at, called);
        Arc::new(Stack { frames })
    }

    fn site(&self, location: &proto::Location) -> Option<Site> {
        (!location.file.is_empty()).then(|| Site {
            file: self.symbols.resolve_file(&location.file),
            line: location.line,
            column: location.column,
        })
    }

    fn actor(&self, actor: &proto::Actor) -> Actor {
        Actor {
            task: some(actor.task),
            kind: actor_kind(actor),
            spawned_at: actor.spawned_at.as_ref().and_then(|at| self.site(at)),
            thread: actor.thread,
            first_ns: actor.first_ns,
            last_ns: actor.last_ns,
            created_ns: actor.created_ns,
            ended_ns: some(actor.ended_ns),
            ancestors: actor.ancestors.clone(),
            epoch: actor.epoch,
            known: (actor.clock != 0).then(|| self.clock(actor.clock)),
        }
    }

    fn clock(&self, id: u64) -> Arc<Clock> {
        let mut clocks = self.clocks.borrow_mut();
        let clock = clocks.entry(id).or_insert_with(|| {
            let clock = self.recording.clocks.get(&id);
            // One that never came may have told of anything.
            Arc::new(clock.map_or(Clock { is_cut: true, ..Clock::default() }, |clock| Clock {
                epochs: clock.actors.iter().copied().zip(clock.epochs.iter().copied()).collect(),
                is_cut: clock.cut,
            }))
        });
        Arc::clone(clock)
    }

    /// Where a lock was created. `Default::default` and the like know of nobody
    /// who called them, so a position outside the workspace gives way to the
    /// stack's blame frame: each creator has a class of its own.
    fn creation(&self, recorded: Option<Site>, stack: &Stack) -> Option<Site> {
        let Some(site) = recorded else {
            // A constructor that could not tell: where it was first used has to do.
            return site_of(pointed_frame(stack)?);
        };
        if self.symbols.project().package_of(&site.file).is_some() {
            return Some(site);
        }
        Some(blame_frame(stack).and_then(site_of).unwrap_or(site))
    }

    fn resource(&self, resource: &proto::Resource) -> Resource {
        let static_name = (resource.address != 0)
            .then(|| {
                self.modules
                    .iter()
                    .find_map(|module| self.symbols.symbol_of_data(module, resource.address))
            })
            .flatten()
            .map(declared_static);
        let recorded = resource.created_at.as_ref().and_then(|at| self.site(at));
        let created_stack = self.stack_from(resource.created_at_stack, recorded.as_ref());
        let creator = match &recorded {
            Some(site) => owner_of(self.symbols.project(), Some(&site.file), ""),
            None => site_frame(&created_stack).map_or(Owner::Unknown, |frame| frame.owner.clone()),
        };
        let kind = match resource_kind(resource.kind(), &creator) {
            ResourceKind::TokioSemaphore if is_within_channel(&created_stack) => {
                ResourceKind::TokioMpsc
            }
            kind => kind,
        };
        // A facade's own line is nobody's, and so is that within tokio's `watch`.
        let is_nobodys = kind == ResourceKind::TokioWatch
            || (kind.is_seen_through_facade() && matches!(creator, Owner::Probe | Owner::Std));
        let recorded = recorded.filter(|_| !is_nobodys);
        Resource {
            id: resource.id,
            kind,
            concrete_type: resource.concrete_type.clone(),
            // Of tokio's own locks, those without a position are `const`.
            created_at: match &recorded {
                None if !kind.is_seen_through_facade() && kind != ResourceKind::TokioMpsc => None,
                _ => self.creation(recorded.clone(), &created_stack),
            },
            is_first_use: recorded.is_none() && kind.is_seen_through_facade(),
            creator,
            static_name,
            handed_over: resource.handed_over,
            written: resource.written,
            created_stack,
        }
    }

    fn task(&self, task: &proto::Task, known: &impl Fn(u64) -> bool) -> Task {
        let lost_waker_stack = self.stack(task.lost_waker_stack);
        // What a shutdown drops with another task was there until then.
        let was_there = task.lost_waker_ns != 0 && is_shutdown(&lost_waker_stack);
        let is_lost = task.lost_waker_ns != 0 && !was_there;
        let spawned_at = task.spawned_at.as_ref().and_then(|at| self.site(at));
        Task {
            id: task.id,
            kind: task_kind(task.kind()),
            name: (!task.name.is_empty()).then(|| task.name.clone()),
            spawn_stack: self.stack_from(task.spawn_stack, spawned_at.as_ref()),
            spawned_at,
            parent: some(task.parent),
            spawned_on: some(task.spawned_on),
            parent_kind: some(task.parent).map(|_| task_kind(task.parent_kind())),
            created_ns: task.created_ns,
            ended_ns: task.ended_ns,
            end: match task.end() {
                proto::TaskEnd::Alive => TaskEnd::Alive,
                proto::TaskEnd::Completed => TaskEnd::Completed,
                proto::TaskEnd::Panicked => TaskEnd::Panicked,
                proto::TaskEnd::Dropped if is_shutdown(&self.stack(task.drop_stack)) => {
                    TaskEnd::Shutdown
                }
                proto::TaskEnd::Dropped => TaskEnd::Cancelled,
            },
            drop_stack: self.stack(if is_shutdown(&self.stack(task.drop_stack)) {
                task.drop_stack
            } else {
                0
            }),
            polls: task.polls,
            last_poll_started_ns: task.last_poll_started_ns,
            last_poll_ended_ns: task.last_poll_ended_ns,
            last_wake_ns: task.last_wake_ns,
            scheduled: task.scheduled,
            running: task.running,
            drained: task.drained,
            had_grace: task.had_grace,
            aborted_ns: some(task.aborted_ns),
            waited_for_ns: if is_shutdown(&self.stack(task.waiter_stack)) {
                task.waited_for_ns
            } else {
                0
            },
            thread: task.thread,
            waker_clones: task.waker_clones,
            waker_drops: task.waker_drops.saturating_sub(u64::from(was_there)),
            lost_waker_ns: if is_lost { task.lost_waker_ns } else { 0 },
            lost_waker_stack,
            waits: task.waits.iter().map(|wait| self.wait(wait, known)).collect(),
            holds: task.holds.iter().filter_map(|hold| self.hold(hold, known)).collect(),
        }
    }

    fn wait(&self, wait: &proto::Wait, known: &impl Fn(u64) -> bool) -> Wait {
        Wait {
            stack: self.stack(wait.stack),
            resource: some(wait.resource).filter(|id| known(*id)),
            operation: wait.operation.clone(),
            due_ns: some(wait.due_ns),
            since_ns: wait.since_ns,
            task: some(wait.task),
        }
    }

    fn thread(&self, thread: &proto::Thread, known: &impl Fn(u64) -> bool) -> Thread {
        Thread {
            number: thread.os_thread,
            name: thread.name.clone(),
            id: thread.id,
            record: some(thread.record),
            activity: match thread.state() {
                proto::ThreadState::Running => Activity::Running,
                proto::ThreadState::Blocked => Activity::Blocked(thread.system_call.clone()),
                proto::ThreadState::Unknown => Activity::Unknown,
            },
            stack: self.stack(thread.stack),
            cpu_ns: thread.cpu_ns,
            waits: thread.waits.iter().map(|wait| self.wait(wait, known)).collect(),
            holds: thread.holds.iter().filter_map(|hold| self.hold(hold, known)).collect(),
            joins: some(thread.joins),
        }
    }

    fn acquisition(
        &self,
        acquisition: Option<&proto::Acquisition>,
        known: &impl Fn(u64) -> bool,
    ) -> Option<Acquisition> {
        let acquisition = acquisition.filter(|found| known(found.resource))?;
        Some(Acquisition {
            resource: acquisition.resource,
            mode: mode(acquisition.mode()),
            stack: self.stack(acquisition.stack),
            is_try: acquisition.r#try,
        })
    }

    fn edge(&self, edge: &proto::OrderEdge, known: &impl Fn(u64) -> bool) -> Option<OrderEdge> {
        Some(OrderEdge {
            from: self.acquisition(edge.from.as_ref(), known)?,
            to: self.acquisition(edge.to.as_ref(), known)?,
            actors: edge.actors.iter().map(|actor| self.actor(actor)).collect(),
            gates: edge
                .gates
                .iter()
                .filter(|gate| known(gate.resource))
                .map(|gate| Gate { resource: gate.resource, mode: mode(gate.mode()) })
                .collect(),
        })
    }

    fn hold(&self, hold: &proto::Hold, known: &impl Fn(u64) -> bool) -> Option<Hold> {
        Some(Hold {
            acquisition: self.acquisition(hold.acquisition.as_ref(), known)?,
            holder: hold.holder.as_ref().map(|actor| self.actor(actor))?,
            acquired_ns: hold.acquired_ns,
            released_ns: some(hold.released_ns),
            starved_ns: hold.starved_ns,
            awaited_ns: hold.awaited_ns,
            await_stack: self.stack(hold.await_stack),
            waiters: hold
                .waiters
                .iter()
                .filter_map(|waiter| {
                    Some(Waiter {
                        actor: waiter.actor.as_ref().map(|actor| self.actor(actor))?,
                        stack: self.stack(waiter.stack),
                        waited_ns: waiter.waited_ns,
                    })
                })
                .collect(),
        })
    }

    fn blocking_call(
        &self,
        call: &proto::BlockingCall,
        known: &impl Fn(u64) -> bool,
    ) -> Option<BlockingCall> {
        let actor = self.actor(call.actor.as_ref()?);
        Some(BlockingCall {
            operation: call.operation.clone(),
            stack: self.stack(call.stack),
            resource: some(call.resource).filter(|id| known(*id)),
            // A root's parent is what its `block_on` was called in.
            parent_kind: Some(task_kind(call.parent_kind()))
                .filter(|kind| *kind != TaskKind::Task || !actor.ancestors.is_empty()),
            actor,
            longest_ns: call.longest_ns,
            starved_ns: call.starved_ns,
            count: call.count,
            thread_stack: self.stack(call.thread_stack),
            others: call.others.into(),
        })
    }

    fn blocking_poll(&self, poll: &proto::BlockingPoll) -> Option<BlockingPoll> {
        let samples = poll.samples.iter().map(|sample| PollSample {
            stack: self.stack(sample.stack),
            is_blocked: sample.blocked,
            system_call: (!sample.system_call.is_empty()).then(|| sample.system_call.clone()),
            count: sample.count.into(),
        });
        Some(BlockingPoll {
            actor: self.actor(poll.actor.as_ref()?),
            longest_ns: poll.longest_ns,
            starved_ns: poll.starved_ns,
            measured_ns: poll.measured_ns,
            cpu_ns: poll.cpu_ns,
            samples: samples.collect(),
            waiting: poll.waiting.into(),
            is_over: poll.over,
            count: poll.count,
            is_only: poll.only,
        })
    }

    fn lock_across_await(
        &self,
        across: &proto::LockAcrossAwait,
        known: &impl Fn(u64) -> bool,
    ) -> Option<LockAcrossAwait> {
        Some(LockAcrossAwait {
            acquisition: self.acquisition(across.acquisition.as_ref(), known)?,
            await_stack: self.stack(across.await_stack),
            actor: self.actor(across.actor.as_ref()?),
            count: across.count,
        })
    }

    fn recursive_lock(
        &self,
        recursion: &proto::RecursiveLock,
        known: &impl Fn(u64) -> bool,
    ) -> Option<RecursiveLock> {
        Some(RecursiveLock {
            held: self.acquisition(recursion.held.as_ref(), known)?,
            wanted: self.acquisition(recursion.wanted.as_ref(), known)?,
            actor: self.actor(recursion.actor.as_ref()?),
            waits: recursion.waits,
            has_writer: recursion.has_writer,
            count: recursion.count,
        })
    }

    /// `None` where a part of it cannot be told: half a knot is none.
    fn knot(&self, knot: &proto::Knot, known: &impl Fn(u64) -> bool) -> Option<Knot> {
        let parties: Option<Vec<Party>> =
            knot.parties.iter().map(|party| self.party(party, known)).collect();
        Some(Knot {
            closed_ns: knot.closed_ns,
            found_ns: knot.found_ns,
            parties: parties.filter(|parties| !parties.is_empty())?,
            behind: knot.behind.into(),
            is_at_rest: knot.is_at_rest,
        })
    }

    fn party(&self, party: &proto::Party, known: &impl Fn(u64) -> bool) -> Option<Party> {
        let wanted = party.wanted.as_ref()?;
        let is_of_lock = wanted.resource != 0;
        let held = self.acquisition(party.held.as_ref(), known);
        if (is_of_lock && !known(wanted.resource)) || (party.held.is_some() && held.is_none()) {
            return None;
        }
        Some(Party {
            actor: self.actor(party.actor.as_ref()?),
            name: (!party.name.is_empty()).then(|| party.name.clone()),
            wanted: some(wanted.resource),
            wanted_mode: mode(wanted.mode()),
            stack: self.stack(wanted.stack),
            operation: party.operation.clone(),
            waits_since_ns: party.waits_since_ns,
            held,
            held_since_ns: party.held_since_ns,
            is_granted: party.is_granted,
            holds: party.holds.iter().filter_map(|hold| self.hold(hold, known)).collect(),
            first_await: self.stack(party.first_await_stack),
        })
    }

    fn panic(&self, panic: &proto::Panic) -> Option<UnreadPanic> {
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let actor = self.actor(panic.actor.as_ref()?);
        let location = panic.location.as_ref().and_then(|at| self.site(at));
        Some(UnreadPanic {
            name: text(&panic.name),
            spawn_stack: self.stack_from(panic.spawn_stack, actor.spawned_at.as_ref()),
            message: text(&panic.message),
            stack: without_hooks(self.stack_from(panic.stack, location.as_ref())),
            actor,
            location,
            is_detached: panic.is_detached,
            is_of_main: panic.is_of_main,
        })
    }

    fn spawn_site(&self, site: &proto::SpawnSite) -> SpawnSite {
        let spawned_at = site.spawned_at.as_ref().and_then(|at| self.site(at));
        let counts = site.at_ns.iter().zip(&site.alive).zip(&site.spawned);
        let counts = counts.map(|((at_ns, alive), spawned)| Count {
            at_ns: *at_ns,
            alive: *alive,
            spawned: *spawned,
        });
        SpawnSite {
            spawn_stack: self.stack_from(site.spawn_stack, spawned_at.as_ref()),
            spawned_at,
            counts: counts.collect(),
        }
    }

    fn self_waking(&self, waking: &proto::SelfWaking) -> Option<SelfWaking> {
        let actor = self.actor(waking.actor.as_ref()?);
        Some(SelfWaking {
            stack: self.stack(waking.stack),
            spawn_stack: self.stack_from(waking.spawn_stack, actor.spawned_at.as_ref()),
            actor,
            wakes: waking.wakes,
            self_wakes: waking.self_wakes,
            count: waking.count,
        })
    }

    fn storm(&self, storm: &proto::SpawnStorm) -> SpawnStorm {
        let spawned_at = storm.spawned_at.as_ref().and_then(|at| self.site(at));
        SpawnStorm {
            spawn_stack: self.stack_from(storm.spawn_stack, spawned_at.as_ref()),
            spawned_at,
            spawner: storm.spawner.as_ref().map(|spawner| self.actor(spawner)),
            peak: storm.peak,
            peak_ns: storm.peak_ns,
            spawned: storm.spawned,
        }
    }

    /// `None` where half of it is missing.
    fn orphan(
        &self,
        orphan: &proto::OrphanedTask,
        known: &impl Fn(u64) -> bool,
    ) -> Option<OrphanedTask> {
        let parent = orphan.parent.as_ref()?;
        let child = self.task(orphan.child.as_ref()?, known);
        let end_ns = some(child.ended_ns).unwrap_or(orphan.found_ns);
        let dropped_ns = some(orphan.dropped_ns);
        Some(OrphanedTask {
            outlived_ns: end_ns.saturating_sub(dropped_ns.unwrap_or(parent.ended_ns)),
            dropped_ns,
            is_there_at_the_end: orphan.at_end,
            child,
            parent: self.task(parent, known),
            starved_ns: orphan.starved_ns,
        })
    }

    fn open_file(&self, file: &proto::OpenFile) -> OpenFile {
        let own = self.stack(file.stack);
        // tokio opens files on a thread where nobody's frames are.
        let is_tokios = file.blocking && blame_frame(&own).is_none();
        OpenFile {
            kind: file_kind(file.kind()),
            name: (!file.name.is_empty()).then(|| file.name.clone()),
            stack: if is_tokios { self.stack(file.spawn_stack) } else { own },
            opened_ns: file.opened_ns,
            opener: some(file.opener),
        }
    }

    fn child(&self, child: &proto::ChildProcess) -> ChildProcess {
        ChildProcess {
            pid: child.pid,
            command: (!child.command.is_empty()).then(|| child.command.clone()),
            is_zombie: child.is_zombie,
            spawn_stack: self.stack(child.spawn_stack),
            spawned_ns: child.spawned_ns,
            actor: child.actor.as_ref().map(|actor| self.actor(actor)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FrameData;
    use crate::project::{Package, Project};

    fn stack(functions: &[&str]) -> Stack {
        let frame = |function: &&str| {
            Frame::from(FrameData {
                function: (*function).to_owned(),
                file: None,
                line: 0,
                column: 0,
                owner: Owner::Tokio,
                item: None,
                inlined: false,
                address: 0,
            })
        };
        Stack { frames: functions.iter().map(frame).collect() }
    }

    fn process(update: proto::Update) -> Process {
        let package = Package { name: "app".to_owned(), root: "/w".into() };
        let project =
            Project { workspace_root: "/w".into(), packages: vec![package], ..Project::default() };
        let mut recording = Recording::default();
        recording.apply(update);
        process_from(&recording, &Symboliser::new(Arc::new(project)))
    }

    fn lock(id: u64, kind: proto::ResourceKind, file: &str) -> proto::Resource {
        let created_at = Some(proto::Location { file: file.to_owned(), line: 7, column: 9 });
        proto::Resource { id, kind: kind.into(), created_at, ..Default::default() }
    }

    #[test]
    fn a_lock_is_of_whoever_created_it() {
        use proto::ResourceKind as Kind;
        const TOKIO: &str = "/c/registry/src/i-1/tokio-1.54.1/src/loom/std/rwlock.rs";
        const MOKA: &str = "/c/registry/src/i-1/moka-0.12.1/src/lib.rs";
        let process = process(proto::Update {
            resources: vec![
                lock(1, Kind::StdMutex, "/w/src/lib.rs"),
                lock(2, Kind::StdRwlock, TOKIO),
                lock(3, Kind::StdRwlock, MOKA),
                lock(4, Kind::StdMutex, "std/src/__concaudit/mutex.rs"),
                proto::Resource {
                    id: 5,
                    kind: Kind::ParkingLotRwlock.into(),
                    ..Default::default()
                },
            ],
            ..Default::default()
        });
        let told: Vec<_> = process
            .resources
            .values()
            .map(|lock| (lock.kind, lock.created_at.is_some(), lock.creator.clone()))
            .collect();
        assert_eq!(
            told,
            [
                (ResourceKind::StdMutex, true, Owner::Workspace("app".to_owned())),
                (ResourceKind::TokioWatch, false, Owner::Tokio),
                (ResourceKind::StdRwLock, true, Owner::Dependency("moka".to_owned())),
                (ResourceKind::StdMutex, false, Owner::Probe),
                (ResourceKind::ParkingLotRwLock, false, Owner::Unknown),
            ]
        );
        assert!(process.resources[&5].is_first_use && !process.resources[&1].is_first_use);
    }

    #[test]
    fn events_of_locks_that_were_not_sent_are_left_out() {
        let acquisition = |resource| Some(proto::Acquisition { resource, ..Default::default() });
        let actor = Some(proto::Actor {
            task: 9,
            kind: proto::TaskKind::Thread.into(),
            ..Default::default()
        });
        let across = |id, resource| proto::LockAcrossAwait {
            id,
            acquisition: acquisition(resource),
            actor: actor.clone(),
            ..Default::default()
        };
        let party = |wanted, held| proto::Party {
            actor: actor.clone(),
            wanted: acquisition(wanted),
            held: acquisition(held).filter(|held| held.resource != 0),
            ..Default::default()
        };
        let knot = |id, parties| proto::Knot { id, parties, ..Default::default() };
        let process = process(proto::Update {
            resources: vec![lock(1, proto::ResourceKind::StdMutex, "/w/src/lib.rs")],
            locks_across_awaits: vec![across(1, 1), across(2, 77)],
            recursive_locks: vec![proto::RecursiveLock {
                id: 1,
                held: acquisition(1),
                wanted: acquisition(77),
                actor: actor.clone(),
                ..Default::default()
            }],
            blocking_calls: vec![proto::BlockingCall {
                id: 1,
                resource: 77,
                actor: actor.clone(),
                parent_kind: proto::TaskKind::Blocking.into(),
                ..Default::default()
            }],
            blocking_polls: vec![
                proto::BlockingPoll {
                    id: 1,
                    actor: actor.clone(),
                    samples: ["read", ""]
                        .map(|call| proto::PollSample {
                            blocked: true,
                            system_call: call.to_owned(),
                            ..Default::default()
                        })
                        .to_vec(),
                    ..Default::default()
                },
                proto::BlockingPoll { id: 2, ..Default::default() },
            ],
            knots: vec![
                knot(1, vec![party(1, 1), party(0, 0)]),
                knot(2, vec![party(1, 1), party(1, 77)]),
                knot(3, vec![party(77, 1)]),
                knot(4, vec![]),
            ],
            children: vec![proto::ChildProcess { pid: 5, ..Default::default() }],
            ..Default::default()
        });
        assert_eq!(process.knots.len(), 1);
        let told: Vec<_> = process.knots[0].parties.iter().map(|one| one.wanted).collect();
        assert_eq!(told, [Some(1), None]);
        assert_eq!(process.locks_across_awaits.len(), 1);
        let told = &process.locks_across_awaits[0].actor;
        assert_eq!((told.kind, told.task), (TaskKind::Thread, Some(9)));
        assert!(process.recursive_locks.is_empty());
        assert_eq!(process.blocking_polls.len(), 1);
        let samples = &process.blocking_polls[0].samples;
        let calls: Vec<_> = samples.iter().map(|it| it.system_call.as_deref()).collect();
        assert_eq!(calls, [Some("read"), None]);
        let call = &process.blocking_calls[0];
        assert_eq!((call.resource, call.parent_kind), (None, Some(TaskKind::Blocking)));
        assert_eq!((process.children[0].pid, &process.children[0].command), (5, &None));
    }

    #[test]
    fn a_runtime_that_is_dropped_shuts_its_tasks_down() {
        assert!(is_shutdown(&stack(&[
            "tokio::runtime::task::harness::cancel_task",
            "tokio::runtime::task::harness::Harness<T,S>::shutdown",
            "tokio::runtime::task::list::OwnedTasks<S>::close_and_shutdown_all",
            "tokio::runtime::scheduler::multi_thread::worker::Core::pre_shutdown",
            "tokio::runtime::task::harness::Harness<T,S>::poll",
            "tokio::runtime::blocking::pool::Inner::run",
        ])));
    }

    #[test]
    fn the_hooks_are_no_part_of_a_panics_stack() {
        let shown = |functions: &[&str]| {
            let stack = without_hooks(Arc::new(stack(functions)));
            stack.frames.iter().map(|frame| frame.function.clone()).collect::<Vec<_>>()
        };
        let std = ["std::panicking::panic_with_hook", "core::panicking::panic_fmt", "app::f"];
        let hooked =
            [&["concaudit_core::panics::note", "it::works::{{closure}}"][..], &std].concat();
        assert_eq!(shown(&hooked), std);
        assert_eq!(shown(&["app::f"]), ["app::f"]);
    }

    #[test]
    fn an_aborted_task_is_cancelled_although_a_pool_thread_drops_it() {
        assert!(!is_shutdown(&stack(&[
            "tokio::runtime::task::harness::cancel_task",
            "tokio::runtime::task::harness::Harness<T,S>::poll_inner",
            "tokio::runtime::task::harness::Harness<T,S>::poll",
            "tokio::runtime::scheduler::multi_thread::worker::Context::run_task",
            "tokio::runtime::task::harness::Harness<T,S>::poll",
            "tokio::runtime::blocking::pool::Inner::run",
        ])));
    }
}
