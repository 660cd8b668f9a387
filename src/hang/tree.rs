//! A process that hangs as data: the tree of who waits for whom, the threads, the
//! locks.

use std::collections::{BTreeSet, HashMap};

use crate::{
    describe::{self, duration},
    finding::{HungLock, HungParty, HungProcess, HungThread, HungWait, StackFrame},
    hang::{Branch, Call, Hang, Node, Standstill, Starvation},
    model::{Awaited, Frame, Owner, Stack, Task, TaskKind, Thread, plain, user_frames},
};

/// Of a stack without frames of the project's own, the innermost that are told.
const FOREIGN_FRAMES: usize = 2;
/// Of a longer stack of the project's own functions, so many at either end.
const INNER_FRAMES: usize = 6;
const OUTER_FRAMES: usize = 4;

/// What the holder of a lock is to who waits for it.
const HELD_BY: &str = "held by";
/// Levels of the tree.
const MAX_DEPTH: usize = 32;

const MS: u64 = 1_000_000;

impl Hang<'_> {
    /// All of it.
    pub fn tell(&self) -> HungProcess {
        let mut told = BTreeSet::new();
        let mut roots: Vec<Node> = self.start().into_iter().collect();
        // What is awaited comes below who awaits it, so those come first.
        let awaited = self.waited_for();
        let mut nodes: Vec<(bool, bool, Node)> = self
            .tasks()
            .filter_map(|task| {
                let node = self.node(task.id)?;
                Some((awaited.contains(&node), task.kind != TaskKind::BlockOn, node))
            })
            .collect();
        nodes.sort();
        roots.extend(nodes.into_iter().map(|(_, _, node)| node));
        let mut parties = Vec::new();
        for node in roots {
            if !told.contains(&node) {
                parties.extend(self.party(node, &mut told, 0));
            }
        }
        let (idle, busy): (Vec<&Thread>, Vec<&Thread>) =
            self.process.threads.iter().partition(|thread| self.is_idle(thread));
        HungProcess {
            age_ms: self.now_ns() / MS,
            parties: fold(parties),
            threads: busy.into_iter().map(|thread| self.tell_thread(thread)).collect(),
            idle_threads: idle.len() as u64,
            locks: self.locks(),
            is_still: self.is_still(),
        }
    }

    /// Those for whom somebody waits.
    fn waited_for(&self) -> BTreeSet<Node> {
        self.tasks()
            .filter_map(|task| self.standstill(self.node(task.id)?))
            .flat_map(|standstill| match standstill {
                Standstill::Awaits(branches) => {
                    branches.iter().flat_map(|branch| branch.on.iter().copied()).collect()
                }
                Standstill::Blocks(call) => call.on.into_iter().collect::<Vec<_>>(),
                Standstill::Runs(node) => vec![node],
                Standstill::Starves { .. } | Standstill::Computes { .. } => Vec::new(),
            })
            .collect()
    }

    fn party(&self, node: Node, told: &mut BTreeSet<Node>, depth: usize) -> Option<HungParty> {
        let standstill = self.standstill(node)?;
        let record = self.record(node);
        let is_told_above = !told.insert(node);
        let now = self.now_ns();
        let since = |since: u64| Some(now.saturating_sub(since) / MS);
        let (state, for_ms) = match &standstill {
            Standstill::Awaits(_) => {
                let last = record.map(|task| task.last_poll_ended_ns).filter(|last| *last > 0);
                ("waiting", last.and_then(since))
            }
            Standstill::Blocks(call) => ("blocked", call.since_ns.and_then(since)),
            Standstill::Computes { for_ns, .. } => ("computing", for_ns.map(|ns| ns / MS)),
            Standstill::Starves { .. } => {
                let ready = record.map(|task| task.last_wake_ns.max(task.created_ns));
                ("starved", ready.and_then(since))
            }
            Standstill::Runs(_) => ("blocked", None),
        };
        let waits =
            if is_told_above { Vec::new() } else { self.waits(node, &standstill, told, depth) };
        Some(HungParty {
            who: self.who(node, record),
            count: 1,
            spawned_at: record
                .filter(|_| Some(node) != self.start())
                .and_then(|task| self.whence(task)),
            state: state.to_owned(),
            for_ms,
            polls: record.filter(|task| task.kind != TaskKind::Thread).map_or(0, |it| it.polls),
            is_told_above,
            waits,
        })
    }

    fn waits(
        &self,
        node: Node,
        standstill: &Standstill<'_>,
        told: &mut BTreeSet<Node>,
        depth: usize,
    ) -> Vec<HungWait> {
        // Those that lie deeper come to the surface.
        let mut below = |on: &[Node]| -> Vec<HungParty> {
            let on = if depth < MAX_DEPTH { on } else { &[] };
            on.iter().filter_map(|on| self.party(*on, told, depth + 1)).collect()
        };
        match standstill {
            Standstill::Awaits(branches) if branches.is_empty() => vec![HungWait {
                what: "is pending, and no waker is left that could wake it".to_owned(),
                ..HungWait::default()
            }],
            Standstill::Awaits(branches) => branches
                .iter()
                .map(|branch| HungWait {
                    what: self.what_awaited(branch),
                    frames: self.frames(&branch.wait.stack),
                    due_in_ms: branch.wait.due_ns.map(|due| due.saturating_sub(self.now_ns()) / MS),
                    relation: match branch.awaited {
                        Awaited::Join => "",
                        Awaited::Timer { .. } => "on a runtime whose thread is busy with",
                        _ => HELD_BY,
                    }
                    .to_owned(),
                    on: below(&branch.on),
                })
                .collect(),
            Standstill::Blocks(call) => vec![HungWait {
                what: self.what_blocked(node, call),
                frames: self.frames(call.stack),
                due_in_ms: None,
                relation: call.lock.map_or("", |_| HELD_BY).to_owned(),
                on: below(call.on.as_slice()),
            }],
            Standstill::Computes { stack, cpu_ns, .. } => vec![HungWait {
                what: format!("computes ({} on the CPU)", duration(*cpu_ns)),
                frames: self.frames(stack),
                ..HungWait::default()
            }],
            Standstill::Starves { why, by } => vec![HungWait {
                what: match why {
                    Starvation::Thread => "is ready to run, but its thread is busy",
                    Starvation::Pool => "waits for a thread of the pool for blocking tasks",
                    Starvation::NotDriven => "is ready to run, and nobody drives its runtime",
                    Starvation::Unknown => "is ready to run, and nobody polls it",
                }
                .to_owned(),
                relation: if *why == Starvation::Pool { "taken by" } else { "with" }.to_owned(),
                on: below(by),
                ..HungWait::default()
            }],
            Standstill::Runs(task) => vec![HungWait {
                what: "is in a call of `block_on`".to_owned(),
                on: below(&[*task]),
                ..HungWait::default()
            }],
        }
    }

    fn what_awaited(&self, branch: &Branch<'_>) -> String {
        let lock = branch.wait.resource.and_then(|id| self.process.resources.get(&id));
        let is_timer = matches!(branch.awaited, Awaited::Timer { .. });
        match lock.filter(|_| !branch.on.is_empty() && !is_timer) {
            Some(lock) => format!("waits for {}", describe::lock_name(self.project, lock)),
            None => self.awaited(branch),
        }
    }

    fn what_blocked(&self, node: Node, call: &Call<'_>) -> String {
        match call.lock {
            Some(lock) => format!("waits for {}", describe::lock_name(self.project, lock)),
            None => format!("is blocked in {}{}", call.name, self.kept(node)),
        }
    }

    /// "the test's body", "task 12", "thread `worker`".
    fn who(&self, node: Node, record: Option<&Task>) -> String {
        if Some(node) == self.start() {
            return "the test's body".to_owned();
        }
        match (node, record) {
            (Node::Thread(number), _) => match self.thread_name(number, record) {
                Some(name) => format!("thread `{name}`"),
                None => "thread".to_owned(),
            },
            (Node::Task(id), Some(task)) => match (task.kind, &task.name) {
                (TaskKind::Thread, Some(name)) => format!("thread `{name}`"),
                (TaskKind::Thread, None) => "thread".to_owned(),
                (TaskKind::BlockOn, _) => "`block_on`".to_owned(),
                (_, Some(name)) => format!("task `{name}`"),
                (TaskKind::Blocking, None) => format!("blocking task {id}"),
                (TaskKind::Task | TaskKind::Local, None) => format!("task {id}"),
            },
            (Node::Task(id), None) => format!("task {id}"),
        }
    }

    /// What a thread was called by who spawned it; one that was not named has its
    /// spawner's name for the system.
    fn thread_name(&self, number: u32, record: Option<&Task>) -> Option<String> {
        let name = match record {
            Some(record) => record.name.clone(),
            None => Some(self.thread(number)?.name.clone()),
        };
        name.filter(|name| !name.is_empty())
    }

    /// The frames of a stack that are told.
    pub fn frames(&self, stack: &Stack) -> Vec<StackFrame> {
        let frames = user_frames(stack);
        let mut kept: Vec<&Frame> = frames
            .iter()
            .copied()
            .filter(|frame| matches!(frame.owner, Owner::Workspace(_)))
            .collect();
        if kept.is_empty() {
            kept = frames.iter().copied().take(FOREIGN_FRAMES).collect();
        }
        // A test is called by a closure of its own.
        kept.dedup_by(|outer, inner| plain(&outer.function) == plain(&inner.function));
        // Where it is, and whence it came.
        if kept.len() > INNER_FRAMES + OUTER_FRAMES {
            kept.drain(INNER_FRAMES..kept.len() - OUTER_FRAMES);
        }
        kept.into_iter().map(|frame| describe::stack_frame(self.project, frame)).collect()
    }

    /// A runtime's own that has nothing to do, or one of the test harness.
    fn is_idle(&self, thread: &Thread) -> bool {
        let is_of_test = self.test_thread().is_some_and(|it| it.number == thread.number);
        !is_of_test
            && thread.activity != crate::model::Activity::Running
            && self.runs(thread).is_none()
            && thread.waits.is_empty()
            && !is_at_work(&thread.stack)
    }

    fn tell_thread(&self, thread: &Thread) -> HungThread {
        let node = Node::Thread(thread.number);
        let record = self.record(node);
        let is_of_test = self.test_thread().is_some_and(|it| it.number == thread.number);
        let runs = |wanted: &dyn Fn(&Task) -> bool| {
            let mut tasks = self.tasks().filter(|task| {
                task.thread == thread.id && task.kind != TaskKind::Thread && wanted(task)
            });
            tasks.next_back()
        };
        let poll = runs(&|task| task.running);
        let root = runs(&|task| task.kind == TaskKind::BlockOn);
        let call = self.standstill(poll.map_or(node, |task| Node::Task(task.id)));
        let (what, stack) = match &call {
            Some(Standstill::Blocks(call)) => (format!("blocked in {}", call.name), call.stack),
            Some(Standstill::Computes { stack, .. }) => ("computing".to_owned(), *stack),
            _ => ("not seen".to_owned(), &*thread.stack),
        };
        let does = match (poll, root) {
            (Some(task), _) => {
                let who = self.who(Node::Task(task.id), Some(task));
                let since = self.now_ns().saturating_sub(task.last_poll_started_ns);
                format!("runs {who} for {} without a pause, {what}", duration(since))
            }
            (None, Some(task)) => {
                let who = self.who(Node::Task(task.id), Some(task));
                format!("parked, until {who} or one of its tasks is woken")
            }
            (None, None) => what,
        };
        // What the tree shows is not shown again.
        let is_in_tree =
            poll.is_some() || root.is_some() || record.is_some() || Some(node) == self.start();
        HungThread {
            name: if is_of_test {
                self.identity.path.clone().unwrap_or_else(|| "main".to_owned())
            } else {
                let whence = record.and_then(|task| self.whence(task));
                self.thread_name(thread.number, record).unwrap_or_else(|| {
                    whence.map_or_else(
                        || format!("thread {}", thread.number),
                        |at| format!("thread spawned at {at}"),
                    )
                })
            },
            os_thread: thread.number,
            does,
            cpu_ms: thread.cpu_ns / MS,
            frames: if is_in_tree { Vec::new() } else { self.frames(stack) },
        }
    }

    fn locks(&self) -> Vec<HungLock> {
        let told = self.holds.iter().filter_map(|(node, hold)| {
            let lock = self.process.resources.get(&hold.acquisition.resource)?;
            let purpose = describe::purpose(lock, hold.acquisition.mode);
            Some(HungLock {
                lock: format!("{}{purpose}", describe::lock_name(self.project, lock)),
                holder: self.name(*node),
                held_ms: self.now_ns().saturating_sub(hold.acquired_ns) / MS,
                taken_at: self.place(&hold.acquisition.stack),
            })
        });
        told.collect()
    }
}

/// Whether it is somebody else's code than a runtime's or the test harness's that
/// waits in there.
fn is_at_work(stack: &Stack) -> bool {
    let is_of_harness = |frame: &&Frame| frame.function.starts_with("test::");
    let is_own = |frame: &&Frame| matches!(frame.owner, Owner::Workspace(_));
    let frames = &stack.frames;
    // The harness's threads end in the `main` that it makes.
    let own = frames.iter().find(|frame| is_own(frame) || is_of_harness(frame));
    match own {
        Some(frame) => is_own(&frame),
        None => {
            frames.iter().any(|frame| matches!(frame.owner, Owner::Dependency(_)))
                && !frames.iter().any(|frame| frame.function.starts_with("tokio::runtime::"))
        }
    }
}

/// Those that look alike become one, where they have been spawned at one place.
fn fold(parties: Vec<HungParty>) -> Vec<HungParty> {
    let mut folded: Vec<HungParty> = Vec::new();
    let mut shapes: HashMap<HungParty, usize> = HashMap::new();
    for mut party in parties {
        for wait in &mut party.waits {
            wait.on = fold(std::mem::take(&mut wait.on));
        }
        if party.spawned_at.is_none() {
            folded.push(party);
            continue;
        }
        let mut shape = party.clone();
        blank(&mut shape);
        if let Some(&at) = shapes.get(&shape) {
            let known = &mut folded[at];
            known.count += party.count;
            known.polls = known.polls.max(party.polls);
            known.for_ms = known.for_ms.max(party.for_ms);
        } else {
            shapes.insert(shape, folded.len());
            folded.push(party);
        }
    }
    folded
}

/// Leaves what makes two tasks look alike: ids and times differ.
fn blank(party: &mut HungParty) {
    if !party.who.starts_with("thread `") {
        party.who.clear();
    }
    (party.count, party.for_ms, party.polls) = (0, None, 0);
    for wait in &mut party.waits {
        wait.due_in_ms = None;
        wait.on.iter_mut().for_each(blank);
    }
}
