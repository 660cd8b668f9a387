//! A process that does not come to its end: who waits for whom.
//!
//! Asked by the rule `hung-test`, and by whoever wants to see what a process is
//! about while it runs. What is looked at is a snapshot.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::standstill::{Branch, Call, HeldUp, Node, Standstill, Starvation};
use crate::{
    model::{
        Activity, Awaited, BlockingFunction, CallKind, Hold, Owner, Process, Stack, Task, TaskEnd,
        TaskKind, TestIdentity, Thread, Wait, awaited, blocking_function, is_worker, pointed_frame,
    },
    project::Project,
};

/// What has been ready for no longer than this is about to be polled.
const SOON_NS: u64 = 100_000_000;

/// Bytes of a thread's name that the system keeps.
const NAME_BYTES: usize = 15;

/// What drives a future with a runtime that others drive.
const HANDLE_BLOCK_ON: &str = "tokio::runtime::handle::Handle::block_on";

/// Where tokio's runtime waits for I/O.
const DRIVER: &str = "tokio::runtime::io::driver::";

/// A snapshot, and what is needed to tell of it.
#[derive(Debug)]
pub struct Hang<'a> {
    /// Whose code is whose.
    pub project: &'a Project,
    /// The snapshot.
    pub process: &'a Process,
    /// The test that runs in it.
    pub identity: &'a TestIdentity,
    /// What is held, by whom.
    pub holds: Vec<(Node, &'a Hold)>,
    /// By lock.
    holders: BTreeMap<u64, Node>,
    /// By who spawned them.
    children: BTreeMap<u64, Vec<&'a Task>>,
    /// The task whose poll keeps a thread busy, by the thread.
    busy: BTreeMap<u64, u64>,
    /// There is a runtime whose tasks any of its threads may run.
    has_workers: bool,
    /// Places in the snapshot's list, by the probe's number and by the record.
    threads: BTreeMap<u64, usize>,
    records: BTreeMap<u64, usize>,
}

impl<'a> Hang<'a> {
    /// Of the snapshot of a test's process.
    pub fn new(project: &'a Project, process: &'a Process, identity: &'a TestIdentity) -> Self {
        let mut hang = Self {
            project,
            process,
            identity,
            holds: Vec::new(),
            holders: BTreeMap::new(),
            children: BTreeMap::new(),
            busy: BTreeMap::new(),
            has_workers: process
                .tasks
                .values()
                .any(|task| task.end == TaskEnd::Alive && is_worker(task)),
            threads: BTreeMap::new(),
            records: BTreeMap::new(),
        };
        for (at, thread) in process.threads.iter().enumerate() {
            if thread.id != 0 {
                hang.threads.insert(thread.id, at);
            }
            if let Some(record) = thread.record {
                hang.records.insert(record, at);
            }
        }
        for task in hang.tasks() {
            if let Some(parent) = task.parent {
                hang.children.entry(parent).or_default().push(task);
            }
            let is_poll =
                task.running && !matches!(task.kind, TaskKind::Thread | TaskKind::Blocking);
            if is_poll && hang.now_ns().saturating_sub(task.last_poll_started_ns) > SOON_NS {
                hang.busy.entry(task.thread).or_insert(task.id);
            }
        }
        hang.holds = hang.held();
        for (node, hold) in &hang.holds {
            hang.holders.entry(hold.acquisition.resource).or_insert(*node);
        }
        hang
    }

    /// The moment of the snapshot.
    pub fn now_ns(&self) -> u64 {
        self.process.ended_ns
    }

    /// A task that lives.
    pub fn task(&self, id: u64) -> Option<&'a Task> {
        self.process.tasks.get(&id).filter(|task| task.end == TaskEnd::Alive)
    }

    /// A thread.
    pub fn thread(&self, number: u32) -> Option<&'a Thread> {
        self.process.threads.iter().find(|thread| thread.number == number)
    }

    /// Tasks and threads that live, the runtime's own aside.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = &'a Task> + use<'a> {
        self.process.tasks.values().filter(|task| task.end == TaskEnd::Alive && !is_worker(task))
    }

    fn thread_of_task(&self, task: &Task) -> Option<&'a Thread> {
        self.threads.get(&task.thread).map(|at| &self.process.threads[*at])
    }

    fn thread_of_record(&self, record: u64) -> Option<&'a Thread> {
        self.records.get(&record).map(|at| &self.process.threads[*at])
    }

    /// The node of a task, or of a thread's record.
    pub fn node(&self, id: u64) -> Option<Node> {
        match (self.thread_of_record(id), self.task(id)) {
            (Some(thread), _) => Some(Node::Thread(thread.number)),
            (None, Some(_)) => Some(Node::Task(id)),
            (None, None) => None,
        }
    }

    /// The record of a node, where it has one that is known.
    pub fn record(&self, node: Node) -> Option<&'a Task> {
        match node {
            Node::Task(id) => self.task(id),
            Node::Thread(number) => self.task(self.thread(number)?.record?),
        }
    }

    /// The thread that runs the test.
    pub fn test_thread(&self) -> Option<&'a Thread> {
        let is_of_test = |thread: &&Thread| {
            self.identity.path.as_ref().is_some_and(|path| {
                let kept = &path.as_bytes()[..path.len().min(NAME_BYTES)];
                thread.name.as_bytes() == kept
            })
        };
        let threads = &self.process.threads;
        threads
            .iter()
            .find(is_of_test)
            .or_else(|| threads.iter().find(|thread| thread.number == self.process.pid))
    }

    /// The test's body.
    pub fn start(&self) -> Option<Node> {
        let thread = self.test_thread();
        let of_thread = thread.map(|thread| match self.runs(thread) {
            Some(id) => Node::Task(id),
            None => Node::Thread(thread.number),
        });
        // Without threads to look at (another system), the first root will do.
        of_thread.or_else(|| {
            let root = self.tasks().find(|task| task.kind == TaskKind::BlockOn)?;
            Some(Node::Task(root.id))
        })
    }

    /// The outermost task that a thread is in the middle of: one that it polls, or
    /// the root that it blocks on.
    pub fn runs(&self, thread: &Thread) -> Option<u64> {
        let is_run = |task: &&Task| {
            task.kind != TaskKind::Thread
                && task.thread == thread.id
                && (task.running || task.kind == TaskKind::BlockOn)
        };
        self.tasks().filter(is_run).map(|task| task.id).min().filter(|_| thread.id != 0)
    }

    /// Why it does not come to its end.
    pub fn standstill(&self, node: Node) -> Option<Standstill<'a>> {
        match node {
            Node::Thread(number) => {
                let thread = self.thread(number)?;
                Some(match self.runs(thread) {
                    Some(task) => Standstill::Runs(Node::Task(task)),
                    None => self.call(thread, None),
                })
            }
            Node::Task(id) => Some(self.standstill_of_task(self.task(id)?)),
        }
    }

    fn standstill_of_task(&self, task: &'a Task) -> Standstill<'a> {
        if task.kind == TaskKind::Thread {
            // One that is not listed: its record has to do.
            return match task.waits.first() {
                Some(wait) => Standstill::Blocks(self.call_of(wait, None)),
                None => Standstill::Awaits(Vec::new()),
            };
        }
        if task.running {
            return self.standstill_of_poll(task);
        }
        if self.is_starved(task) {
            return self.starvation(task);
        }
        // Its timer has fired long ago, and it would have been polled.
        let is_overdue = task.waits.iter().any(|wait| self.is_overdue(wait));
        if let Some(by) = self.keeps_busy(task).filter(|_| is_overdue) {
            return Standstill::Starves { why: Starvation::Thread, by: vec![by] };
        }
        Standstill::Awaits(self.branches(task))
    }

    fn starvation(&self, task: &Task) -> Standstill<'a> {
        if task.kind == TaskKind::Blocking {
            let by: Vec<Node> = self
                .tasks()
                .filter(|other| other.kind == TaskKind::Blocking && other.running)
                .map(|other| Node::Task(other.id))
                .collect();
            let why = if by.is_empty() { Starvation::Unknown } else { Starvation::Pool };
            return Standstill::Starves { why, by };
        }
        if let Some(by) = self.keeps_busy(task) {
            return Standstill::Starves { why: Starvation::Thread, by: vec![by] };
        }
        let why =
            if self.is_driven_by_handles() { Starvation::NotDriven } else { Starvation::Unknown };
        Standstill::Starves { why, by: Vec::new() }
    }

    /// Whether no root is there but those of `Handle::block_on`, and no worker.
    fn is_driven_by_handles(&self) -> bool {
        let mut roots = self.tasks().filter(|task| task.kind == TaskKind::BlockOn).peekable();
        !self.has_workers && roots.peek().is_some() && roots.all(is_of_handle)
    }

    fn is_starved(&self, task: &Task) -> bool {
        let ready_since = task.last_wake_ns.max(task.created_ns);
        task.kind != TaskKind::Thread
            && task.scheduled
            && !task.running
            && self.now_ns().saturating_sub(ready_since) > SOON_NS
    }

    fn standstill_of_poll(&self, task: &'a Task) -> Standstill<'a> {
        let Some(thread) = self.thread_of_task(task) else {
            return Standstill::Awaits(self.branches(task));
        };
        // A `block_on` within the poll.
        let inner = self.tasks().find(|root| {
            root.kind == TaskKind::BlockOn && root.thread == thread.id && root.id > task.id
        });
        match inner {
            Some(root) => Standstill::Runs(Node::Task(root.id)),
            None => self.call(thread, Some(task.last_poll_started_ns)),
        }
    }

    /// The task whose poll keeps the thread busy that would poll this one; or the thread
    /// itself, where it is in a call outside of the runtime that it alone could run.
    fn keeps_busy(&self, task: &Task) -> Option<Node> {
        let busy = self.busy.get(&task.thread).filter(|busy| **busy != task.id);
        busy.map(|busy| Node::Task(*busy)).or_else(|| {
            let thread = self.thread_of_task(task)?;
            let is_elsewhere = !self.has_workers
                && !thread.waits.is_empty()
                && matches!(task.kind, TaskKind::Task | TaskKind::Local)
                && self.runs(thread).is_none();
            is_elsewhere.then_some(Node::Thread(thread.number))
        })
    }

    /// Whether it is a task in the middle of a poll.
    pub fn is_polled(&self, node: Node) -> bool {
        self.record(node).is_some_and(|task| {
            task.running && !matches!(task.kind, TaskKind::Thread | TaskKind::Blocking)
        })
    }

    /// Tasks that are ready to run, and are kept from it by a task's poll.
    pub fn kept_by(&self, node: Node) -> Vec<Node> {
        self.tasks()
            .filter(|task| self.is_starved(task) && self.keeps_busy(task) == Some(node))
            .map(|task| Node::Task(task.id))
            .collect()
    }

    /// What a thread is in, `since` when it has been in this poll.
    fn call(&self, thread: &'a Thread, since: Option<u64>) -> Standstill<'a> {
        if let Some(wait) = thread.waits.iter().max_by_key(|wait| wait.since_ns) {
            return Standstill::Blocks(self.call_of(wait, thread.joins));
        }
        let within = within(&thread.stack);
        let name = match &thread.activity {
            // It polls the future that it drives again and again.
            _ if since.is_some() && matches!(within, Some((CallKind::Drive, _, _))) => {
                String::new()
            }
            Activity::Running => {
                return Standstill::Computes {
                    stack: &thread.stack,
                    for_ns: since.map(|since| self.now_ns().saturating_sub(since)),
                    cpu_ns: thread.cpu_ns,
                };
            }
            Activity::Blocked(name) if !name.is_empty() && name != "futex" => {
                format!("the system call `{name}`")
            }
            Activity::Blocked(_) | Activity::Unknown => "a call".to_owned(),
        };
        let (name, within) = match within {
            Some((kind, known, outer)) => (format!("`{known}`"), Some((kind, outer))),
            None => (name, None),
        };
        Standstill::Blocks(Call {
            name,
            operation: "",
            stack: &thread.stack,
            within,
            lock: None,
            on: None,
            since_ns: since,
        })
    }

    fn call_of(&self, wait: &'a Wait, joins: Option<u64>) -> Call<'a> {
        let lock = wait.resource.and_then(|id| self.process.resources.get(&id));
        let within = within(&wait.stack).filter(|_| lock.is_none());
        Call {
            name: match &within {
                Some((_, name, _)) => format!("`{name}`"),
                None if wait.operation.is_empty() => "a call".to_owned(),
                None => format!("`{}`", wait.operation),
            },
            operation: &wait.operation,
            stack: &wait.stack,
            within: within.map(|(kind, _, outer)| (kind, outer)),
            lock,
            on: match lock {
                Some(lock) => self.holder(lock.id),
                None => joins.or(wait.task).and_then(|id| self.node(id)),
            },
            since_ns: Some(wait.since_ns),
        }
    }

    /// One per await site: the order in which a `select!` polls is random. Of several
    /// timers, the first that is due will do.
    fn branches(&self, task: &'a Task) -> Vec<Branch<'a>> {
        let mut distinct = BTreeMap::new();
        let mut timer: Option<(Awaited, &'a Wait)> = None;
        for wait in task.waits.iter().filter(|wait| !is_of_local_set(wait)) {
            let awaited = awaited(self.process, wait);
            if awaited.must_come() {
                let due = |wait: &Wait| wait.due_ns.unwrap_or(u64::MAX);
                if timer.as_ref().is_none_or(|(_, known)| due(wait) < due(known)) {
                    timer = Some((awaited, wait));
                }
                continue;
            }
            let frame = pointed_frame(&wait.stack);
            let place = frame.map(|frame| (&frame.file, frame.line, &frame.function));
            let key = (awaited.to_string(), place, wait.resource, wait.task);
            distinct.entry(key).or_insert((awaited, wait));
        }
        distinct
            .into_values()
            .chain(timer)
            .map(|(awaited, wait)| Branch {
                on: self.on(task, &awaited, wait),
                is_joined: is_joined(wait),
                awaited,
                wait,
            })
            .collect()
    }

    fn on(&self, task: &Task, awaited: &Awaited, wait: &Wait) -> Vec<Node> {
        if let Some(joined) = wait.task {
            return self.node(joined).into_iter().collect();
        }
        if let Some(lock) = wait.resource.filter(|_| matches!(awaited, Awaited::Lock { .. })) {
            return self.holder(lock).into_iter().collect();
        }
        match awaited {
            Awaited::Join => self.children_of_one_line(task),
            Awaited::Timer { .. } if self.is_overdue(wait) => {
                self.busy_driver(task).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it waits for a timer that should have fired.
    pub fn is_overdue(&self, wait: &Wait) -> bool {
        wait.due_ns.is_some_and(|due| self.now_ns().saturating_sub(due) > SOON_NS)
    }

    /// Where one root alone drives the timers of a runtime without workers, and is in a
    /// poll that keeps it from that: that root, or the task that it polls.
    fn busy_driver(&self, task: &Task) -> Option<Node> {
        let drives = |root: &&Task| root.kind == TaskKind::BlockOn && !is_of_handle(root);
        let mut roots = self.tasks().filter(drives);
        let root = roots.next().filter(|root| !self.has_workers && root.id != task.id)?;
        let is_only = roots.next().is_none();
        self.busy.get(&root.thread).filter(|_| is_only).map(|busy| Node::Task(*busy))
    }

    /// Where it joins a task and tokio does not tell which: those that it spawned and
    /// that live, if all of them come from one line.
    fn children_of_one_line(&self, task: &Task) -> Vec<Node> {
        let children = self.children.get(&task.id).map_or(&[][..], Vec::as_slice);
        let children = children.iter().filter(|child| {
            matches!(child.kind, TaskKind::Task | TaskKind::Local | TaskKind::Blocking)
        });
        let mut lines = children.clone().map(|child| &child.spawned_at);
        let first = lines.next();
        if lines.any(|line| Some(line) != first) {
            return Vec::new();
        }
        children.map(|child| Node::Task(child.id)).collect()
    }

    fn held(&self) -> Vec<(Node, &'a Hold)> {
        let of_threads =
            self.process.threads.iter().flat_map(|thread| {
                thread.holds.iter().map(|hold| (Node::Thread(thread.number), hold))
            });
        let of_tasks = self.tasks().flat_map(|task| {
            let node = self.node(task.id).unwrap_or(Node::Task(task.id));
            task.holds.iter().map(move |hold| (node, hold))
        });
        // A thread's own record is told of twice.
        let mut seen = BTreeSet::new();
        of_threads
            .chain(of_tasks)
            .filter(|(_, hold)| hold.released_ns.is_none())
            .filter(|(node, hold)| seen.insert((*node, hold.acquisition.resource)))
            .collect()
    }

    /// A lock whose holder is one of these, and waits while others wait for the lock: the
    /// last one in their order.
    pub fn held_up(&self, steps: impl DoubleEndedIterator<Item = Node>) -> Option<HeldUp<'a>> {
        let waits = |node: Node| -> Vec<(u64, Node, &'a Stack)> {
            match self.standstill(node) {
                Some(Standstill::Awaits(branches)) => branches
                    .iter()
                    .filter(|branch| matches!(branch.awaited, Awaited::Lock { .. }))
                    .filter_map(|branch| Some((branch.wait.resource?, node, &*branch.wait.stack)))
                    .collect(),
                Some(Standstill::Blocks(call)) => {
                    call.lock.map(|lock| (lock.id, node, call.stack)).into_iter().collect()
                }
                _ => Vec::new(),
            }
        };
        let all: Vec<_> =
            self.tasks().filter_map(|task| self.node(task.id)).flat_map(waits).collect();
        steps.rev().find_map(|holder| {
            let standstill = self.standstill(holder)?;
            if !matches!(standstill, Standstill::Awaits(_) | Standstill::Blocks(_)) {
                return None;
            }
            self.holds.iter().filter(|(node, _)| *node == holder).find_map(|(_, hold)| {
                let id = hold.acquisition.resource;
                let mut waiters =
                    all.iter().filter(|(lock, node, _)| *lock == id && *node != holder);
                let (_, waiter, stack) = waiters.next()?;
                Some(HeldUp {
                    lock: self.process.resources.get(&id)?,
                    hold,
                    holder,
                    waiter: *waiter,
                    waits: stack,
                    others: waiters.count(),
                })
            })
        })
    }

    fn holder(&self, lock: u64) -> Option<Node> {
        self.holders.get(&lock).copied()
    }

    /// Whether nothing runs that could change anything, no timer is to come, and all
    /// that is waited for lives in this process. Of what is not known, it is not said.
    pub fn is_still(&self) -> bool {
        self.process.threads.iter().all(|thread| self.is_thread_still(thread))
            && self.tasks().all(|task| match self.standstill(Node::Task(task.id)) {
                Some(Standstill::Awaits(branches)) => {
                    !task.scheduled && branches.iter().all(|branch| branch.awaited.is_within())
                }
                _ => true,
            })
    }

    fn is_thread_still(&self, thread: &Thread) -> bool {
        let within = |wait: &Wait| wait.resource.is_some() || is_call_within(&wait.operation);
        match &thread.activity {
            // A runtime that waits for its I/O driver: its tasks tell for what. A task
            // may be in such a call itself, and so may a library's own loop.
            Activity::Blocked(name) if name.starts_with("epoll_") => {
                thread.stack.frames.iter().any(|frame| frame.function.contains(DRIVER))
                    || self.is_idle_runtime(thread)
            }
            Activity::Blocked(name) if name == "futex" => thread.waits.iter().all(within),
            Activity::Unknown => !thread.waits.is_empty() && thread.waits.iter().all(within),
            Activity::Blocked(_) | Activity::Running => false,
        }
    }

    /// Whether it is in a runtime, and in no task's poll.
    fn is_idle_runtime(&self, thread: &Thread) -> bool {
        let mut of_thread = self.process.tasks.values().filter(|task| {
            task.end == TaskEnd::Alive && thread.id != 0 && task.thread == thread.id
        });
        let is_polling = of_thread
            .clone()
            .any(|task| task.running && !matches!(task.kind, TaskKind::Thread) && !is_worker(task));
        !is_polling && of_thread.any(|task| task.kind == TaskKind::BlockOn || is_worker(task))
    }
}

/// Whether it is a root of `Handle::block_on`.
fn is_of_handle(root: &Task) -> bool {
    let frames = &root.spawn_stack.frames;
    let of_tokio = frames.iter().take_while(|it| !matches!(it.owner, Owner::Workspace(_)));
    of_tokio.map(|it| it.function.as_str()).any(|it| it.contains(HANDLE_BLOCK_ON))
}

/// Calls that end by what another thread of the process does, and have no time limit.
fn is_call_within(operation: &str) -> bool {
    matches!(
        operation,
        "Receiver::recv"
            | "SyncSender::send"
            | "Condvar::wait"
            | "JoinHandle::join"
            | "thread::scope"
            | "Barrier::wait"
            | "thread::park"
    )
}

/// The call of another crate than std in which a thread with this stack is: what for, its
/// name, and the stack from its caller outward.
fn within(stack: &Stack) -> Option<(CallKind, &'static str, Arc<Stack>)> {
    let BlockingFunction { name, kind, caller } = blocking_function(stack)?;
    let outer = Stack { frames: stack.frames[caller..].to_vec() };
    Some((kind, name, Arc::new(outer)))
}

/// Whether it is one of several futures that are all waited for.
fn is_joined(wait: &Wait) -> bool {
    const PARTS: &[&str] =
        &["maybe_done::", "::join_all::", "::try_join_all::", "futures_unordered"];
    let outside = wait.stack.frames.iter().filter(|it| !matches!(it.owner, Owner::Workspace(_)));
    outside.map(|it| it.function.as_str()).any(|it| PARTS.iter().any(|part| it.contains(part)))
}

/// A `LocalSet` is woken when one of its tasks is: what those wait for is told of them.
fn is_of_local_set(wait: &Wait) -> bool {
    let mut frames = wait.stack.frames.iter();
    frames.by_ref().take_while(|frame| !matches!(frame.owner, Owner::Workspace(_))).any(|frame| {
        frame.function.trim_start_matches(['<', '&']).starts_with("tokio::task::local::")
    })
}
