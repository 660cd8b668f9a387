//! What the rules about knots share: what kind of knot it is, and its cycle in words.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::{
    describe::{self, class_identity, duration},
    finding::{
        Confidence, Finding, LabelledStack, Location, Origin, Severity, StuckParty,
        group::{Draft, Groups, Rank},
    },
    model::{
        Acquisition, Frame, Knot, Mode, OrderEdge, Party, Process, Resource, ResourceKind, Run,
        Stack, TaskKind, TestIdentity, is_paused, origin, outlived_its_acquisition, pointed_frame,
        short,
    },
    project::Project,
};

/// Of a knot of many parties, those that are told in a sentence.
const MAX_IN_SENTENCE: usize = 4;

/// The rule that tells of knots in general.
pub const DEADLOCK: &str = "deadlock";
/// The rule that tells of those that a future ties which nobody polls.
pub const FUTURELOCK: &str = "futurelock";

/// The rule that tells of a knot.
pub fn rule_of(knot: &Knot) -> &'static str {
    let is_alone = knot.parties.len() == 1;
    let is_left = |party: &Party| {
        party.held.as_ref().is_some_and(|held| {
            party.is_granted
                || (is_alone
                    && is_paused(&held.stack, &party.stack)
                    && outlived_its_acquisition(&held.stack, &party.first_await, &party.stack))
        })
    };
    let is_task = |party: &Party| party.actor.kind != TaskKind::Thread;
    if knot.parties.iter().any(|party| is_task(party) && is_left(party)) {
        FUTURELOCK
    } else {
        DEADLOCK
    }
}

/// The knots of a run that the rule of this name tells of.
pub fn knots<'a>(run: &'a Run, rule: &'a str) -> impl Iterator<Item = &'a Knot> {
    let processes = run.tests.iter().flat_map(|test| &test.processes);
    processes.flat_map(|process| &process.knots).filter(move |knot| rule_of(knot) == rule)
}

/// Whether a wait for a lock is part of a knot that a rule tells of: no other rule
/// needs to.
///
/// By its line: the stacks of an acquisition and of its wait end in different frames.
pub fn is_reported(
    process: &Process,
    wanted: &Acquisition,
    reports: impl Fn(&Knot) -> bool,
) -> bool {
    let is_it = |party: &Party| {
        party.wanted == Some(wanted.resource) && line(&party.stack) == line(&wanted.stack)
    };
    let knots = process.knots.iter();
    knots.filter(|knot| reports(knot)).any(|knot| knot.parties.iter().any(is_it))
}

/// Where a stack points to: the function, the file and the line.
type Line<'a> = (&'a str, Option<&'a Utf8Path>, u32);

fn line(stack: &Stack) -> Option<Line<'_>> {
    pointed_frame(stack).map(|frame| (frame.function.as_str(), frame.file.as_deref(), frame.line))
}

/// What the knots of a run that a rule tells of consist of: where something is held
/// while something else is waited for.
#[derive(Debug, Default)]
pub struct ReportedKnots<'a>(BTreeSet<(Line<'a>, Line<'a>)>);

impl<'a> ReportedKnots<'a> {
    /// Those of the whole run: what deadlocks in one test need not in another one.
    pub fn of(run: &'a Run, reports: impl Fn(&Knot) -> bool) -> Self {
        let processes = run.tests.iter().flat_map(|test| &test.processes);
        let knots = processes.flat_map(|process| &process.knots);
        let parties = knots.filter(|knot| reports(knot)).flat_map(|knot| &knot.parties);
        let steps = parties
            .filter_map(|party| Some((line(&party.held.as_ref()?.stack)?, line(&party.stack)?)));
        Self(steps.collect())
    }

    /// Whether orders make up such a knot: no other rule needs to tell of them.
    pub fn has<'b>(&self, mut orders: impl Iterator<Item = &'b OrderEdge>) -> bool {
        orders.all(|edge| {
            let lines = line(&edge.from.stack).zip(line(&edge.to.stack));
            lines.is_some_and(|lines| self.0.contains(&lines))
        })
    }
}

/// The cycle of a knot, and what is needed to describe it.
#[derive(Debug)]
pub struct Cycle<'a> {
    /// Whose code is whose.
    pub project: &'a Project,
    /// Where it happened.
    pub process: &'a Process,
    /// Which test's own code is the test's.
    pub identity: &'a TestIdentity,
    /// The knot.
    pub knot: &'a Knot,
    /// In their order; the one to blame first, as far as anything tells.
    pub parties: Vec<&'a Party>,
}

impl<'a> Cycle<'a> {
    /// A knot of this test's process.
    pub fn new(
        project: &'a Project,
        process: &'a Process,
        identity: &'a TestIdentity,
        knot: &'a Knot,
    ) -> Self {
        let mut parties: Vec<&Party> = knot.parties.iter().collect();
        let rank = |party: &Party| {
            let waits = pointed_frame(&party.stack);
            let holds = party.held.as_ref().and_then(|held| pointed_frame(&held.stack));
            (
                origin(project, &party.stack, identity),
                [describe::identity(waits), describe::identity(holds)],
                waits.map_or(0, |frame| frame.line),
            )
        };
        let first = (0..parties.len()).min_by_key(|at| rank(parties[*at])).unwrap_or(0);
        parties.rotate_left(first);
        Self { project, process, identity, knot, parties }
    }

    /// Whose code takes part, the nearest to the project's own.
    pub fn origin(&self) -> Origin {
        let waits = self.parties.iter().map(|party| &party.stack);
        let holds = self.parties.iter().filter_map(|party| Some(&party.held.as_ref()?.stack));
        waits
            .chain(holds)
            .map(|stack| origin(self.project, stack, self.identity))
            .min()
            .unwrap_or(Origin::Dependency)
    }

    /// What identifies the cause, whoever of the parties came first.
    pub fn cause(&self) -> Vec<String> {
        let class = |lock: Option<&Resource>| {
            lock.map_or_else(String::new, |lock| class_identity(self.project, lock))
        };
        self.parties
            .iter()
            .flat_map(|party| {
                let held = party.held.as_ref();
                [
                    class(self.wanted(party)),
                    describe::identity(pointed_frame(&party.stack)),
                    describe::identity(held.and_then(|held| pointed_frame(&held.stack))),
                ]
            })
            .collect()
    }

    /// The lock that a party waits for.
    pub fn wanted(&self, party: &Party) -> Option<&'a Resource> {
        self.process.resources.get(&party.wanted?)
    }

    /// Whether a party waits for a resource of which this is so.
    pub fn is_any_wanted(&self, is_it: impl Fn(&Resource) -> bool) -> bool {
        self.parties.iter().any(|party| self.wanted(party).is_some_and(&is_it))
    }

    /// The lock that a party has, where the one before it waits for that.
    pub fn held(&self, party: &Party) -> Option<&'a Resource> {
        self.process.resources.get(&party.held.as_ref()?.resource)
    }

    /// Whether the one before this party waits for room in a channel, and this one was the
    /// last to receive from it.
    fn receives(&self, at: usize) -> bool {
        let before = self.parties[(at + self.parties.len() - 1) % self.parties.len()];
        let is_channel = |lock: &Resource| lock.kind == ResourceKind::TokioMpsc;
        self.parties[at].held.is_none() && self.wanted(before).is_some_and(is_channel)
    }

    /// Whether what it has is a cell whose initialiser it runs.
    fn initialises(&self, party: &Party) -> bool {
        self.held(party).is_some_and(|lock| lock.kind.is_once_cell())
    }

    /// The party that this one (by its place) waits for.
    fn after(&self, at: usize) -> &'a Party {
        self.parties[(at + 1) % self.parties.len()]
    }

    /// "the test's thread", "thread `worker`", "task 12", "the `block_on`".
    pub fn who(&self, party: &Party) -> String {
        let Party { actor, name, .. } = party;
        let of_test = || {
            let name = name.as_deref();
            name == Some("main") || (name.is_some() && name == self.identity.path.as_deref())
        };
        match (actor.kind, name, actor.task) {
            (TaskKind::Thread, Some(_), _) if of_test() => "the test's thread".to_owned(),
            (TaskKind::Thread, Some(name), _) => format!("thread `{name}`"),
            (TaskKind::Thread, None, Some(id)) => format!("thread {id}"),
            (TaskKind::BlockOn, _, _) => "the `block_on`".to_owned(),
            (TaskKind::Blocking, _, Some(id)) => format!("blocking task {id}"),
            (TaskKind::Task | TaskKind::Local, Some(name), _) => format!("task `{name}`"),
            (_, None, Some(id)) => format!("task {id}"),
            _ => format!("thread {}", actor.thread),
        }
    }

    /// The same, and where that one comes from: " spawned at src/lib.rs:20:5".
    fn who_and_whence(&self, party: &Party) -> String {
        let who = self.who(party);
        let how = if party.actor.kind == TaskKind::BlockOn { "at" } else { "spawned at" };
        self.whence(party).map_or(who.clone(), |at| format!("{who} {how} {at}"))
    }

    /// Where it was spawned, as far as that is known.
    fn whence(&self, party: &Party) -> Option<String> {
        let actor = &party.actor;
        let told = actor.spawned_at.as_ref().map(|at| describe::site(self.project, at));
        told.or_else(|| {
            let record = self.process.tasks.get(&actor.task?)?;
            let frame = pointed_frame(&record.spawn_stack)?;
            self.place(frame)
        })
    }

    /// `src/lib.rs:7:9`
    pub fn place(&self, frame: &Frame) -> Option<String> {
        let file = self.project.display_path(frame.file.as_deref()?);
        Some(match frame.column {
            0 => format!("{file}:{}", frame.line),
            column => format!("{file}:{}:{column}", frame.line),
        })
    }

    /// The function in which a party waits, or else who it is.
    pub fn subject(&self, party: &Party) -> String {
        pointed_frame(&party.stack)
            .map_or_else(|| self.who(party), |frame| format!("`{}`", short(&frame.function)))
    }

    /// "waits for static `LOCK` for writing", "waits for the end of thread `worker`".
    fn waits_for(&self, at: usize) -> String {
        let party = self.parties[at];
        match self.wanted(party) {
            Some(lock) => self.name(lock, party.wanted_mode),
            None if party.operation.is_empty() => {
                format!("its thread, which {} blocks", self.who(self.after(at)))
            }
            None => format!("the end of {}", self.who(self.after(at))),
        }
    }

    /// "static `LOCK` for reading"; `None` where others wait for its end.
    fn has(&self, party: &Party) -> Option<String> {
        let (lock, held) = (self.held(party)?, party.held.as_ref()?);
        Some(self.name(lock, held.mode))
    }

    /// "static `LOCK` for reading", "a permit of tokio Semaphore created at ...".
    pub fn name(&self, lock: &Resource, mode: Mode) -> String {
        let name = describe::lock_name(self.project, lock);
        match lock.kind {
            ResourceKind::TokioSemaphore => format!("a permit of {name}"),
            ResourceKind::TokioMpsc => format!("room in {name}"),
            _ => format!("{name}{}", describe::purpose(lock, mode)),
        }
    }

    /// "`Bank::transfer` holds A and waits for B; `Bank::audit` holds B and waits for A".
    pub fn chain(&self) -> String {
        let told = self.parties.len().min(MAX_IN_SENTENCE);
        let mut parts: Vec<String> = (0..told)
            .map(|at| {
                let party = self.parties[at];
                let (subject, waits) = (self.subject(party), self.waits_for(at));
                match self.has(party) {
                    Some(has) if party.is_granted => {
                        format!("{subject} was granted {has} in a future that nobody polls, and waits for {waits}")
                    }
                    Some(has) if self.initialises(party) => {
                        format!("{subject} is initialising {has} and waits for {waits}")
                    }
                    Some(has) => format!("{subject} holds {has} and waits for {waits}"),
                    None if self.receives(at) => {
                        format!("{subject}, which receives from it, waits for {waits}")
                    }
                    None => format!("{subject} waits for {waits}"),
                }
            })
            .collect();
        if self.parties.len() > told {
            parts.push(format!("and {} more", self.parties.len() - told));
        }
        parts.join("; ")
    }

    /// What each party waits for, has, and from where; then where the locks come from.
    pub fn locations(&self) -> Vec<Option<Location>> {
        let mut places = Vec::new();
        for (at, party) in self.parties.iter().enumerate() {
            let who = self.who(party);
            let label = match self.wanted(party) {
                Some(lock) => {
                    format!("{who} waits for {} here, for ever", kind(lock, party.wanted_mode))
                }
                None if party.operation.is_empty() => format!(
                    "{who} waits here, and can only be polled by the thread that {} blocks",
                    self.who(self.after(at))
                ),
                None => format!("{who} waits for the end of {} here", self.who(self.after(at))),
            };
            places.push(describe::at_stack(self.project, &party.stack, label));
            if let (Some(lock), Some(held)) = (self.held(party), &party.held) {
                let kind = kind(lock, held.mode);
                let label = if party.is_granted {
                    format!("{who} was granted {kind} here, in a future that nobody polls")
                } else if self.initialises(party) {
                    format!("{who} began to initialise {kind} here, and is not done")
                } else if self.unreleased().is_some() {
                    format!("{who} took {kind} here, and has never released it")
                } else {
                    format!("{who} took {kind} here, and holds it")
                };
                places.push(describe::at_stack(self.project, &held.stack, label));
            }
        }
        places.extend(self.created());
        places
    }

    /// Where the locks come from.
    pub fn created(&self) -> Vec<Option<Location>> {
        let mut ids: Vec<u64> = Vec::new();
        for party in &self.parties {
            ids.extend(party.wanted.filter(|id| !ids.contains(id)));
        }
        let locks = ids.iter().filter_map(|id| self.process.resources.get(id));
        locks
            .map(|lock| {
                let label = format!("{} {} here", describe::type_name(lock), describe::made(lock));
                lock.created_at.as_ref().map(|at| describe::at_site(self.project, at, label))
            })
            .collect()
    }

    /// The stacks of every party.
    pub fn stacks(&self) -> Vec<LabelledStack> {
        let mut stacks: Vec<LabelledStack> = Vec::new();
        for party in &self.parties {
            let who = self.who(party);
            let kind = if party.actor.kind == TaskKind::Thread { "stack" } else { "await stack" };
            let waits = format!("{kind} of {who}, waiting");
            stacks.extend(describe::labelled(self.project, &party.stack, waits));
            let Some(held) = &party.held else { continue };
            let how = if party.is_granted {
                "asked for what it was granted"
            } else if self.initialises(party) {
                "began to initialise what is waited for"
            } else {
                "took what it holds"
            };
            let label = format!("where {who} {how}");
            stacks.extend(describe::labelled(self.project, &held.stack, label));
        }
        stacks
    }

    /// Of each party what the sentence does not say, and what else is known.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = if self.parties.len() > MAX_IN_SENTENCE {
            (0..self.parties.len()).map(|at| self.note(at)).collect()
        } else {
            self.parties.iter().filter_map(|party| self.short_note(party)).collect()
        };
        if self.parties.iter().any(|party| party.is_granted) {
            notes.push(
                "a future gets on only while it is polled: by an `.await` of it, or as a branch of \
                 a `select!` or `join!`"
                    .to_owned(),
            );
        }
        notes.extend(self.unreleased());
        if self.is_any_wanted(|lock| lock.kind == ResourceKind::TokioSemaphore) {
            notes.push(
                "anybody may add permits: nobody was left in the process who could".to_owned(),
            );
        }
        if self.is_any_wanted(|lock| lock.kind == ResourceKind::TokioMpsc) {
            notes.push(
                "whoever has the receiver may make room: nobody was left in the process who could"
                    .to_owned(),
            );
        }
        match self.knot.behind {
            0 => {}
            1 => notes.push("1 further task or thread is stuck behind them".to_owned()),
            count => notes.push(format!("{count} further tasks or threads are stuck behind them")),
        }
        notes
    }

    /// Each party in full, where the sentence tells the most of it, and when it was found.
    pub fn minor_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.parties.len() <= MAX_IN_SENTENCE {
            notes.extend((0..self.parties.len()).map(|at| self.note(at)));
        }
        // A grant may come long after the waits began.
        if !self.parties.iter().any(|party| party.is_granted) {
            let found = self.knot.found_ns.saturating_sub(self.knot.closed_ns);
            notes.push(format!("certain {} after the last of these waits began", duration(found)));
        }
        notes
    }

    /// "task 2 was spawned at src/lib.rs:20:9, and also holds static `LOCK`"
    fn short_note(&self, party: &Party) -> Option<String> {
        let who = self.who(party);
        let whence = self.whence(party).map(|at| match party.actor.kind {
            TaskKind::BlockOn => format!("{who} is at {at}"),
            _ => format!("{who} was spawned at {at}"),
        });
        match (whence, self.further(party)) {
            (whence, None) => whence,
            (Some(whence), Some(further)) => Some(format!("{whence}, and also holds {further}")),
            (None, Some(further)) => Some(format!("{who} also holds {further}")),
        }
    }

    /// The locks that a party holds beside the one that is waited for.
    fn further(&self, party: &Party) -> Option<String> {
        let is_told = |id: u64| party.held.as_ref().is_some_and(|held| held.resource == id);
        let mut further: Vec<String> = Vec::new();
        for hold in &party.holds {
            let id = hold.acquisition.resource;
            if let Some(lock) = self.process.resources.get(&id).filter(|_| !is_told(id)) {
                further.push(describe::lock_name(self.project, lock));
            }
        }
        further.sort();
        further.dedup();
        (!further.is_empty()).then(|| further.join(" and "))
    }

    /// Of one that waits for itself: the function that took what it has is over, and has not
    /// released it.
    pub fn unreleased(&self) -> Option<String> {
        let [party] = self.parties[..] else { return None };
        let held = party.held.as_ref().filter(|_| !party.is_granted)?;
        let taker = pointed_frame(&held.stack)?;
        let is_over = !party.stack.frames.iter().any(|frame| frame.function == taker.function);
        let what = match self.held(party)?.kind {
            ResourceKind::TokioSemaphore => "permit",
            kind if kind.is_once_cell() => return None,
            _ => "guard",
        };
        is_over.then(|| {
            format!(
                "`{}` took it, is over, and has not released it: the {what} was returned, kept in \
                 a struct, or forgotten (`forget`, `Box::leak`)",
                short(&taker.function)
            )
        })
    }

    fn note(&self, at: usize) -> String {
        let party = self.parties[at];
        let ago = |since: u64| duration(self.knot.found_ns.saturating_sub(since));
        let mut facts = Vec::new();
        if let Some(has) = self.has(party) {
            let (verb, since) =
                if party.is_granted { ("was granted", "asked for") } else { ("holds", "taken") };
            facts.push(format!("{verb} {has} ({since} {} before)", ago(party.held_since_ns)));
        }
        let operation = match party.operation.as_str() {
            "" => String::new(),
            operation => format!(" in `{operation}`"),
        };
        facts.push(format!(
            "waits for {}{operation} (since {})",
            self.waits_for(at),
            ago(party.waits_since_ns)
        ));
        facts.extend(self.further(party).map(|further| format!("also holds {further}")));
        format!("{} {}", self.who_and_whence(party), facts.join(", "))
    }

    /// The parties as data.
    pub fn details(&self) -> Vec<StuckParty> {
        let ms = |since: u64| self.knot.found_ns.saturating_sub(since) / 1_000_000;
        (0..self.parties.len())
            .map(|at| {
                let party = self.parties[at];
                StuckParty {
                    who: self.who(party),
                    spawned_at: self.whence(party),
                    holds: self.has(party),
                    held_ms: party.held.as_ref().map(|_| ms(party.held_since_ns)),
                    is_granted: party.is_granted,
                    waits_for: self.waits_for(at),
                    operation: party.operation.clone(),
                    waited_ms: ms(party.waits_since_ns),
                }
            })
            .collect()
    }

    /// How the parties are called together: "2 tasks", "1 task and 2 threads".
    pub fn crowd(&self) -> String {
        let threads =
            self.parties.iter().filter(|party| party.actor.kind == TaskKind::Thread).count();
        let count = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("a {what}")),
            count => Some(format!("{count} {what}s")),
        };
        let tasks = count(self.parties.len() - threads, "task");
        [tasks, count(threads, "thread")].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// "the std RwLock for reading", "a permit of the tokio Semaphore".
pub fn kind(lock: &Resource, mode: Mode) -> String {
    let kind = describe::type_name(lock);
    match lock.kind {
        ResourceKind::TokioSemaphore => format!("a permit of the {kind}"),
        ResourceKind::TokioMpsc => format!("room in the {kind}"),
        _ => format!("the {kind}{}", describe::purpose(lock, mode)),
    }
}

/// The findings of the rule of this name: one per cause among the knots that are
/// its own, told by `tell`.
pub fn findings(
    run: &Run,
    rule: &'static str,
    tell: impl Fn(&Cycle<'_>) -> Option<Draft>,
) -> Vec<Finding> {
    let mut groups = Groups::new(rule);
    for test in &run.tests {
        for process in &test.processes {
            for knot in process.knots.iter().filter(|knot| rule_of(knot) == rule) {
                let cycle = Cycle::new(&run.project, process, &test.identity, knot);
                let spot = describe::spot(cycle.project, pointed_frame(&cycle.parties[0].stack));
                let rank = Rank {
                    severity: Severity::Error,
                    confidence: Confidence::Observed,
                    weight: knot.behind,
                };
                groups.add(cycle.cause(), spot, rank, [test.name.clone()], || tell(&cycle));
            }
        }
    }
    groups.finish()
}
