//! Where a test hangs, in one sentence: from its body along who waits for whom to
//! the one that waits for something that nobody provides.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    describe::{self, counted, duration},
    hang::{Branch, Call, Hang, Node, Standstill, Starvation},
    model::{Awaited, Frame, Owner, Stack, Task, TaskKind, pointed_frame},
};

/// Steps that are told in a sentence.
const MAX_IN_SENTENCE: usize = 5;
/// A task that was polled more often than this waits in a loop.
const MANY_POLLS: u64 = 1_000;

/// Of those that one waits for, so many are looked at.
const MAX_CANDIDATES: usize = 32;
/// So far.
const MAX_FOLLOWED: usize = 64;

/// One that waits for the next one of the chain; the last one for something else.
#[derive(Debug)]
pub struct Step<'a> {
    /// Who.
    pub node: Node,
    /// For what.
    pub standstill: Standstill<'a>,
    /// The next one is one of those before.
    pub is_loop: bool,
}

impl Step<'_> {
    /// Where it waits.
    pub fn stack(&self) -> Option<&Stack> {
        match &self.standstill {
            Standstill::Awaits(branches) => branches.first().map(|branch| &*branch.wait.stack),
            Standstill::Blocks(call) => Some(call.blamed()),
            Standstill::Computes { stack, .. } => Some(stack),
            Standstill::Starves { .. } | Standstill::Runs(_) => None,
        }
    }
}

impl Step<'_> {
    /// It waits for a timer that only a thread could fire which somebody else keeps busy.
    pub fn waits_for_driver(&self) -> bool {
        match &self.standstill {
            Standstill::Awaits(branches) => {
                branches.iter().all(|branch| {
                    matches!(branch.awaited, Awaited::Timer { .. }) && !branch.on.is_empty()
                }) && !branches.is_empty()
            }
            _ => false,
        }
    }
}

impl<'a> Hang<'a> {
    /// From the test's body to the one that keeps all of them waiting.
    pub fn chain(&self) -> Vec<Step<'a>> {
        let mut steps: Vec<Step<'a>> = Vec::new();
        let mut seen: Vec<Node> = Vec::new();
        let mut next = self.start();
        while let Some(node) = next {
            let Some(standstill) = self.standstill(node) else { break };
            seen.push(node);
            next = self.leads_on(&on(&standstill), &seen);
            let is_loop = next.is_some_and(|next| seen.contains(&next));
            // A thread that runs a task is told of by the task.
            if !matches!(standstill, Standstill::Runs(_)) {
                steps.push(Step { node, standstill, is_loop });
            }
            if is_loop {
                break;
            }
        }
        steps
    }

    /// Whether anything is known of the test's body.
    pub fn has_body(&self) -> bool {
        self.start().is_some_and(|start| self.standstill(start).is_some())
    }

    /// How far those of the chain have come: the same at two looks where none of them got
    /// on. `None`: nothing is known of the body.
    pub fn progress(&self) -> Option<u64> {
        let steps = self.chain();
        let mut hasher = DefaultHasher::new();
        for step in &steps {
            step.node.hash(&mut hasher);
            self.record(step.node).map(|task| task.polls).hash(&mut hasher);
            match &step.standstill {
                Standstill::Awaits(branches) => branches.len().hash(&mut hasher),
                Standstill::Blocks(call) => {
                    (&call.name, call.since_ns).hash(&mut hasher);
                    self.place(call.stack).hash(&mut hasher);
                }
                // One that is in the same function for as long, and does not yield, is a loop.
                Standstill::Computes { stack, for_ns: Some(_), .. } => {
                    let is_own = |frame: &&Frame| matches!(frame.owner, Owner::Workspace(_));
                    for frame in stack.frames.iter().filter(is_own) {
                        frame.function.hash(&mut hasher);
                    }
                }
                Standstill::Computes { cpu_ns, .. } => cpu_ns.hash(&mut hasher),
                Standstill::Starves { by, .. } => by.hash(&mut hasher),
                Standstill::Runs(node) => node.hash(&mut hasher),
            }
        }
        (!steps.is_empty()).then(|| hasher.finish())
    }

    /// Of those that are all waited for, the one that leads back into the chain, else the
    /// one behind whom most others stand: the first where they are alike.
    fn leads_on(&self, candidates: &[Node], seen: &[Node]) -> Option<Node> {
        let [first, others @ ..] = candidates else { return None };
        if others.is_empty() {
            return Some(*first);
        }
        let rank = |node: &Node| {
            let (length, is_loop) = self.follow(*node, seen);
            (!is_loop, std::cmp::Reverse(length))
        };
        candidates.iter().take(MAX_CANDIDATES).min_by_key(|node| rank(node)).copied()
    }

    /// How many follow, each the first that the one before waits for; and whether the last
    /// one waits for one of them, or of those `seen`.
    fn follow(&self, from: Node, seen: &[Node]) -> (usize, bool) {
        let mut seen = seen.to_vec();
        let mut next = Some(from);
        let mut length = 0;
        while let Some(node) = next.filter(|_| length < MAX_FOLLOWED) {
            if seen.contains(&node) {
                return (length, true);
            }
            seen.push(node);
            length += 1;
            next = self.standstill(node).and_then(|standstill| on(&standstill).first().copied());
        }
        (length, false)
    }

    /// "it waits at src/a.rs:10 for the task spawned at src/b.rs:20, which waits for
    /// data on an mpsc channel at src/b.rs:31".
    pub fn sentence(&self, steps: &[Step<'_>]) -> String {
        let mut text = String::from("it");
        let left_out = steps.len().saturating_sub(MAX_IN_SENTENCE);
        for (at, step) in steps.iter().enumerate() {
            // The first ones and the last one tell most.
            if left_out > 0 && at >= MAX_IN_SENTENCE - 1 && at + 1 < steps.len() {
                if at == MAX_IN_SENTENCE - 1 {
                    text += ", and so on: the last one";
                }
                continue;
            }
            if at > 0 && !(left_out > 0 && at + 1 == steps.len()) {
                text += ", which";
            }
            text += " ";
            text += &self.clause(step);
        }
        text
    }

    /// What one of them waits for: "waits for data on an mpsc channel at src/b.rs:31".
    pub fn clause(&self, step: &Step<'_>) -> String {
        let next = |node: Node| {
            if step.is_loop && node == step.node { "itself".to_owned() } else { self.name(node) }
        };
        match &step.standstill {
            Standstill::Awaits(branches) => self.awaits(step, branches, &next),
            Standstill::Blocks(call) => self.blocks(step, call, &next),
            Standstill::Computes { stack, for_ns, cpu_ns } => {
                let at = self.at(stack);
                match for_ns {
                    Some(ns) => format!(
                        "has computed{at} for {} without a pause at an `.await` ({} on the CPU)",
                        duration(*ns),
                        duration((*cpu_ns).min(*ns))
                    ),
                    None => format!("computes{at} ({} on the CPU)", duration(*cpu_ns)),
                }
            }
            Standstill::Starves { why, by } => {
                let never = self
                    .record(step.node)
                    .filter(|task| task.polls == 0)
                    .map_or("is ready to run", |_| "was never polled");
                match (why, &by[..]) {
                    (Starvation::Pool, [node]) => format!(
                        "waits for a thread of the pool for blocking tasks, which is full: {} has \
                         the one there is",
                        next(*node)
                    ),
                    (Starvation::Pool, [node, ..]) => format!(
                        "waits for a thread of the pool for blocking tasks, which is full: its {} \
                         threads are busy with {} and its like",
                        by.len(),
                        self.name(*node)
                    ),
                    (Starvation::NotDriven, _) => format!(
                        "{never}: `Handle::block_on` drives no task of a runtime of one thread, \
                         and nobody else does"
                    ),
                    (_, [by, ..]) => {
                        format!("{never}, since its thread is kept busy by {}", next(*by))
                    }
                    (_, []) => format!("{never}, though it is ready to run, and nobody polls it"),
                }
            }
            Standstill::Runs(node) => format!("runs {}", next(*node)),
        }
    }

    fn awaits(
        &self,
        step: &Step<'_>,
        branches: &[Branch<'_>],
        next: &dyn Fn(Node) -> String,
    ) -> String {
        let at = step.stack().map_or_else(String::new, |stack| self.at(stack));
        let many = self
            .record(step.node)
            .filter(|task| task.polls > MANY_POLLS)
            .map(|task| format!(", again and again ({})", counted(task.polls, "poll", "polls")))
            .unwrap_or_default();
        let words = |branch: &Branch<'_>| self.awaited(branch);
        match branches {
            [] => "is pending, and no waker is left that could wake it".to_owned(),
            [branch] => match branch.on[..] {
                [] if branch.awaited == Awaited::Other && !many.is_empty() => {
                    format!("yields{at}{many}")
                }
                [] => format!("{}{at}{many}", words(branch)),
                [node] => self.waits_for(branch, &at, &next(node)),
                [node, ..] => self.waits_for(branch, &at, &self.one_of(node, branch.on.len())),
            },
            _ => {
                let mut parts: Vec<String> = Vec::new();
                for branch in branches {
                    let part = match branch.on[..] {
                        [node] if branch.awaited == Awaited::Join => {
                            format!("for {}", next(node))
                        }
                        [node, ..] if branch.awaited == Awaited::Join => {
                            format!("for {}", self.one_of(node, branch.on.len()))
                        }
                        _ => {
                            let words = words(branch);
                            words.strip_prefix("waits ").unwrap_or(&words).to_owned()
                        }
                    };
                    if !parts.contains(&part) {
                        parts.push(part);
                    }
                }
                let all = branches.iter().all(|branch| branch.is_joined);
                format!("waits{at} {}{many}", parts.join(if all { " and " } else { " or " }))
            }
        }
    }

    fn waits_for(&self, branch: &Branch<'_>, at: &str, next: &str) -> String {
        let lock = branch.wait.resource.and_then(|id| self.process.resources.get(&id));
        if matches!(branch.awaited, Awaited::Timer { .. }) {
            let words = self.awaited(branch);
            return format!("{words}{at}, on a runtime whose thread is kept busy by {next}");
        }
        match lock.filter(|_| branch.awaited != Awaited::Join) {
            Some(lock) => {
                let lock = describe::lock_name(self.project, lock);
                format!("waits{at} for {lock}, held by {next}")
            }
            None => format!("waits{at} for {next}"),
        }
    }

    /// "waits for data on an mpsc channel", "waits for a timer due in 3.2 s".
    pub fn awaited(&self, branch: &Branch<'_>) -> String {
        match branch.awaited {
            Awaited::Timer { due_ns: Some(due) } => match due.saturating_sub(self.now_ns()) {
                0..1_000_000 => "waits for a timer that is due".to_owned(),
                ns => format!("waits for a timer due in {}", duration(ns)),
            },
            _ => branch.awaited.to_string(),
        }
    }

    fn blocks(&self, step: &Step<'_>, call: &Call<'_>, next: &dyn Fn(Node) -> String) -> String {
        let at = self.at(call.blamed());
        let kept = self.kept(step.node);
        match (call.lock, call.on) {
            (Some(lock), Some(node)) => {
                let lock = describe::lock_name(self.project, lock);
                format!("waits{at} for {lock}, held by {}", next(node))
            }
            (Some(lock), None) => {
                format!("waits{at} for {}{kept}", describe::lock_name(self.project, lock))
            }
            (None, Some(node)) => format!("waits{at} for {}", next(node)),
            (None, None) => format!("is blocked in {}{at}{kept}", call.name),
        }
    }

    /// ", which keeps its thread from the task spawned at src/b.rs:20", or nothing.
    pub fn kept(&self, node: Node) -> String {
        match self.kept_by(node)[..] {
            [] => String::new(),
            [kept] => format!(", which keeps its thread from {}", self.name(kept)),
            [first, ..] => {
                let others = self.kept_by(node).len() - 1;
                let others = counted(others as u64, "other", "others");
                format!(", which keeps its thread from {} and {others}", self.name(first))
            }
        }
    }

    /// "one of the 40 tasks spawned at src/b.rs:20"
    fn one_of(&self, first: Node, count: usize) -> String {
        let whence = self.record(first).and_then(|task| self.whence(task));
        let spawned = whence.map_or_else(String::new, |at| format!(" spawned at {at}"));
        format!("one of the {count} tasks{spawned}")
    }

    /// " at src/a.rs:10", or nothing.
    fn at(&self, stack: &Stack) -> String {
        self.place(stack).map_or_else(String::new, |place| format!(" at {place}"))
    }

    /// "src/a.rs:10"
    pub fn place(&self, stack: &Stack) -> Option<String> {
        let frame = pointed_frame(stack)?;
        Some(format!("{}:{}", self.project.display_path(frame.file.as_deref()?), frame.line))
    }

    /// Where a task or thread was spawned, "src/b.rs:20".
    pub fn whence(&self, task: &Task) -> Option<String> {
        let is_own = |at: &&crate::model::Site| self.project.package_of(&at.file).is_some();
        let of_site = |at: &crate::model::Site| {
            format!("{}:{}", self.project.display_path(&at.file), at.line)
        };
        let recorded = task.spawned_at.as_ref();
        recorded
            .filter(is_own)
            .map(of_site)
            .or_else(|| self.place(&task.spawn_stack))
            .or_else(|| recorded.map(of_site))
    }

    /// "the task spawned at src/b.rs:20", "thread `worker`".
    pub fn name(&self, node: Node) -> String {
        let record = self.record(node);
        let whence = record.and_then(|task| self.whence(task));
        let spawned = whence.map(|at| format!(" spawned at {at}"));
        let with = |what: &str| match &spawned {
            Some(spawned) => format!("the {what}{spawned}"),
            None => format!("a {what}"),
        };
        match (node, record) {
            _ if Some(node) == self.start() => "the test's body".to_owned(),
            (Node::Thread(number), _) => {
                let name = record.and_then(|task| task.name.clone());
                let name = name.or_else(|| Some(self.thread(number)?.name.clone()));
                match name.filter(|name| !name.is_empty()) {
                    Some(name) if record.is_none_or(|task| task.name.is_some()) => {
                        format!("thread `{name}`{}", spawned.unwrap_or_default())
                    }
                    _ => with("thread"),
                }
            }
            (Node::Task(_), Some(Task { name: Some(name), kind, .. }))
                if *kind != TaskKind::Thread =>
            {
                format!("task `{name}`{}", spawned.unwrap_or_default())
            }
            (Node::Task(_), Some(task)) => match task.kind {
                TaskKind::BlockOn => {
                    let at = self.whence(task).map(|at| format!(" at {at}"));
                    format!("the `block_on`{}", at.unwrap_or_default())
                }
                TaskKind::Blocking => with("blocking task"),
                TaskKind::Thread => with("thread"),
                TaskKind::Task | TaskKind::Local => with("task"),
            },
            (Node::Task(_), None) => "a task".to_owned(),
        }
    }
}

/// Whom it waits for, if that is one and is known; all of them where it needs all.
fn on(standstill: &Standstill<'_>) -> Vec<Node> {
    match standstill {
        Standstill::Awaits(branches) => {
            // A timer beside it gives up some day, and the other one is what hangs.
            let others: Vec<&Branch<'_>> =
                branches.iter().filter(|branch| !branch.awaited.must_come()).collect();
            let [first, rest @ ..] = &others[..] else { return Vec::new() };
            if others.len() > 1 && others.iter().all(|branch| branch.is_joined) {
                return others.iter().flat_map(|branch| branch.on.iter().copied()).collect();
            }
            let is_one = rest.iter().all(|other| other.on == first.on);
            first.on.first().copied().filter(|_| is_one).into_iter().collect()
        }
        Standstill::Blocks(call) => call.on.into_iter().collect(),
        Standstill::Starves { by, .. } => by.clone(),
        Standstill::Runs(node) => vec![*node],
        Standstill::Computes { .. } => Vec::new(),
    }
}
