//! What is told once per place, however often it happens: calls that block a
//! poll, polls that take long, guards that are kept over an await, locks that are taken twice.

use std::sync::{Arc, Mutex};

use crate::{
    platform::{
        counters,
        hash::{FastMap, fold},
        process::next_id,
        stack::{self, Extent, StackId},
        sync::lock as guard,
    },
    record::{
        lock::Acquisition,
        resource::Resource,
        task::{Task, TaskKind, live},
    },
};

/// Other tasks of a thread are counted up to here.
const MAX_OTHERS: u32 = 10_000;

/// Places that are kept, of each kind.
const MAX_PLACES: usize = 1024;

/// A call that blocked its thread in the middle of a task's poll.
#[derive(Debug, Clone)]
pub struct BlockingCall {
    /// Unique in this process.
    pub id: u64,
    /// "thread::sleep"
    pub operation: &'static str,
    /// Where.
    pub stack: StackId,
    /// The lock that was waited for.
    pub resource: Option<Arc<Resource>>,
    /// The task, in the longest of the calls.
    pub actor: Arc<Task>,
    /// How long that one took.
    pub longest_ns: u64,
    /// Of that, what the machine withheld.
    pub starved_ns: u64,
    /// Of a root: the thread's whole stack, which shows the runtime that polls it.
    pub thread_stack: StackId,
    /// Of a root: other tasks of its thread that were alive meanwhile.
    pub others: u32,
    /// How often it took long.
    pub count: u64,
}

/// A poll that took long.
#[derive(Debug, Clone)]
pub struct BlockingPoll {
    /// Unique in this process.
    pub id: u64,
    /// The task, in the longest of the polls.
    pub actor: Arc<Task>,
    /// How long that one took, less what calls took that [`BlockingCall`] tells of.
    pub longest_ns: u64,
    /// Of that, what the machine withheld.
    pub starved_ns: u64,
    /// Of that, what was measured,
    pub measured_ns: u64,
    /// and how much of this its thread had the CPU.
    pub cpu_ns: u64,
    /// What it did meanwhile.
    pub samples: Vec<Sampled>,
    /// The most tasks of its thread that were seen to be kept waiting.
    pub waiting: u32,
    /// It was seen to end.
    pub is_over: bool,
    /// How many such polls there were.
    pub count: u64,
    /// The task was polled but once: it has ended in this poll, or is in it still.
    pub is_only: bool,
}

/// A task that wakes itself over and over, and is woken by nobody else as often.
#[derive(Debug, Clone)]
pub struct SelfWaking {
    /// Unique in this process.
    pub id: u64,
    /// The task that did it most.
    pub actor: Arc<Task>,
    /// Of one of these wakes.
    pub stack: StackId,
    /// All wakes of that task.
    pub wakes: u64,
    /// Of these, those in its own polls.
    pub self_wakes: u64,
    /// Tasks that did it.
    pub count: u64,
}

/// A stack that was met in a [`BlockingPoll`].
#[derive(Debug, Clone, Copy)]
pub struct Sampled {
    /// Innermost first.
    pub stack: StackId,
    /// See [`crate::platform::sample::Sample::blocked_in`].
    pub blocked_in: Option<&'static str>,
    /// How often it was met.
    pub count: u32,
}

/// A guard that was held when the poll of its task returned `Pending`.
#[derive(Debug, Clone)]
pub struct AcrossAwait {
    /// Unique in this process.
    pub id: u64,
    /// The lock, and where it was taken.
    pub acquisition: Acquisition,
    /// Where the task waits.
    pub await_stack: StackId,
    /// The task.
    pub actor: Arc<Task>,
    /// How often.
    pub count: u64,
}

/// A lock that is taken, or waited for, by who holds it already.
#[derive(Debug, Clone)]
pub struct Recursion {
    /// Unique in this process.
    pub id: u64,
    /// As it was taken first.
    pub held: Acquisition,
    /// As it is taken again.
    pub wanted: Acquisition,
    /// By whom.
    pub actor: Arc<Task>,
    /// Others do so, too.
    pub is_of_several: bool,
    /// It waits now.
    pub waits: bool,
    /// How often; 0 where it was a mistake.
    pub count: u64,
}

/// Names a [`Recursion`].
pub(crate) type RecursionKey = u64;

/// Places by what they are told apart by.
#[derive(Debug)]
struct Places<T> {
    by_key: Option<FastMap<u64, T>>,
    unsent: Vec<u64>,
}

impl<T: Clone> Places<T> {
    const fn new() -> Self {
        Self { by_key: None, unsent: Vec::new() }
    }

    /// Changes the element of this place, or makes it.
    fn note(&mut self, key: u64, change: impl FnOnce(&mut T), make: impl FnOnce() -> T) {
        let by_key = self.by_key.get_or_insert_default();
        if let Some(known) = by_key.get_mut(&key) {
            change(known);
        } else if by_key.len() < MAX_PLACES {
            by_key.insert(key, make());
        } else {
            counters::DROPPED_EVENTS.add(1);
            return;
        }
        if !self.unsent.contains(&key) {
            self.unsent.push(key);
        }
    }

    fn take_unsent(&mut self) -> Vec<T> {
        let by_key = self.by_key.get_or_insert_default();
        self.unsent.drain(..).filter_map(|key| by_key.get(&key).cloned()).collect()
    }
}

static BLOCKING_CALLS: Mutex<Places<BlockingCall>> = Mutex::new(Places::new());

static BLOCKING_POLLS: Mutex<Places<BlockingPoll>> = Mutex::new(Places::new());

static SELF_WAKING: Mutex<Places<SelfWaking>> = Mutex::new(Places::new());

static ACROSS_AWAITS: Mutex<Places<AcrossAwait>> = Mutex::new(Places::new());

static RECURSIONS: Mutex<Places<Recursion>> = Mutex::new(Places::new());

/// A call that blocked a poll of `actor` is over.
pub(crate) fn blocking_call(
    actor: &Arc<Task>,
    operation: &'static str,
    stack: StackId,
    resource: Option<Arc<Resource>>,
    took_ns: u64,
    starved_ns: u64,
) {
    let key = fold(u64::from(stack), operation.as_ptr() as u64);
    let (thread_stack, others) = if actor.kind == TaskKind::BlockOn {
        (stack::capture(Extent::Thread), others_of_thread(actor))
    } else {
        (0, 0)
    };
    let longer = |known: &mut BlockingCall| {
        known.count += 1;
        if others >= known.others {
            (known.thread_stack, known.others) = (thread_stack, others);
        }
        if took_ns.saturating_sub(starved_ns) > known.longest_ns.saturating_sub(known.starved_ns) {
            known.actor = Arc::clone(actor);
            (known.longest_ns, known.starved_ns) = (took_ns, starved_ns);
        }
    };
    guard(&BLOCKING_CALLS).note(key, longer, || BlockingCall {
        id: next_id(),
        operation,
        stack,
        resource,
        actor: Arc::clone(actor),
        longest_ns: took_ns,
        starved_ns,
        thread_stack,
        others,
        count: 1,
    });
}

/// How many other tasks a root's thread would have run: those that it polled last, or
/// that were spawned on it and never polled. One that another root left behind is none
/// of its runtime's.
fn others_of_thread(root: &Task) -> u32 {
    let mut others = 0;
    live::all_live(|task| {
        let is_task = matches!(task.kind, TaskKind::Task | TaskKind::Local);
        let is_here = is_task && task.thread() == root.thread();
        let is_of_root = task.parent_kind.is_none() || task.ancestors.contains(&root.id);
        others += u32::from(is_here && is_of_root);
        others < MAX_OTHERS
    });
    others
}

/// A poll that took long; its id and its count do not matter.
pub(crate) fn blocking_poll(poll: BlockingPoll) {
    let stack = poll.samples.iter().max_by_key(|sample| sample.count).map_or(0, |top| top.stack);
    let key = fold(u64::from(stack), u64::from(poll.actor.spawn_stack));
    let poll = BlockingPoll { id: next_id(), count: 1, ..poll };
    let longer = |known: &mut BlockingPoll| {
        let own_ns = |poll: &BlockingPoll| poll.longest_ns.saturating_sub(poll.starved_ns);
        let (id, count) = (known.id, known.count + 1);
        let waiting = known.waiting.max(poll.waiting);
        if own_ns(&poll) > own_ns(known) {
            *known = poll.clone();
        }
        (known.id, known.count, known.waiting) = (id, count, waiting);
    };
    guard(&BLOCKING_POLLS).note(key, longer, || poll.clone());
}

/// `actor` wakes itself at `stack`; not for the first time, unless `is_new`.
pub(crate) fn self_waking(actor: &Arc<Task>, stack: StackId, is_new: bool) {
    let key = fold(u64::from(stack), u64::from(actor.spawn_stack));
    let (wakes, self_wakes) = actor.wakes();
    let more = |known: &mut SelfWaking| {
        known.count += u64::from(is_new);
        if self_wakes >= known.self_wakes {
            known.actor = Arc::clone(actor);
            (known.wakes, known.self_wakes) = (wakes, self_wakes);
        }
    };
    guard(&SELF_WAKING).note(key, more, || SelfWaking {
        id: next_id(),
        actor: Arc::clone(actor),
        stack,
        wakes,
        self_wakes,
        count: 1,
    });
}

/// `actor` keeps a guard over an await.
pub(crate) fn across_await(actor: &Arc<Task>, acquisition: &Acquisition, await_stack: StackId) {
    let key = fold(u64::from(acquisition.stack), u64::from(await_stack));
    guard(&ACROSS_AWAITS).note(
        key,
        |known| known.count += 1,
        || AcrossAwait {
            id: next_id(),
            acquisition: acquisition.clone(),
            await_stack,
            actor: Arc::clone(actor),
            count: 1,
        },
    );
}

/// `actor` holds a lock that it takes again, or `waits` for.
pub(crate) fn recursion(
    actor: &Arc<Task>,
    held: &Acquisition,
    wanted: &Acquisition,
    waits: bool,
) -> RecursionKey {
    let key = fold(
        fold(u64::from(held.stack), u64::from(wanted.stack)),
        held.mode.word() << 8 | wanted.mode.word(),
    );
    let again = |known: &mut Recursion| {
        known.is_of_several |= known.actor.id != actor.id;
        if waits && !known.waits {
            known.waits = true;
            known.actor = Arc::clone(actor);
            (known.held, known.wanted) = (held.clone(), wanted.clone());
        }
        known.count += 1;
    };
    guard(&RECURSIONS).note(key, again, || Recursion {
        id: next_id(),
        held: held.clone(),
        wanted: wanted.clone(),
        actor: Arc::clone(actor),
        is_of_several: false,
        waits,
        count: 1,
    });
    key
}

/// The wait is over, so somebody else had the lock, or a timed writer gave up.
pub(crate) fn recursion_resolved(key: RecursionKey) {
    let resolve = |known: &mut Recursion| {
        known.waits = false;
        if !known.held.mode.admits(known.wanted.mode) {
            known.count = 0;
        }
    };
    let mut recursions = guard(&RECURSIONS);
    if let Some(known) = recursions.by_key.get_or_insert_default().get(&key).cloned() {
        recursions.note(key, resolve, || known);
    }
}

/// What the auditor does not know, or not in full.
#[derive(Debug, Default)]
pub struct News {
    /// See [`BlockingCall`].
    pub blocking_calls: Vec<BlockingCall>,
    /// See [`BlockingPoll`].
    pub blocking_polls: Vec<BlockingPoll>,
    /// See [`SelfWaking`].
    pub self_waking: Vec<SelfWaking>,
    /// See [`AcrossAwait`].
    pub across_awaits: Vec<AcrossAwait>,
    /// See [`Recursion`].
    pub recursions: Vec<Recursion>,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocking_calls.is_empty()
            && self.blocking_polls.is_empty()
            && self.self_waking.is_empty()
            && self.across_awaits.is_empty()
            && self.recursions.is_empty()
    }
}

/// Takes what is new.
pub(crate) fn take() -> News {
    News {
        blocking_calls: guard(&BLOCKING_CALLS).take_unsent(),
        blocking_polls: guard(&BLOCKING_POLLS).take_unsent(),
        self_waking: guard(&SELF_WAKING).take_unsent(),
        across_awaits: guard(&ACROSS_AWAITS).take_unsent(),
        recursions: guard(&RECURSIONS).take_unsent(),
    }
}

/// Once more all recursions: their locks may have got a writer since.
pub(crate) fn take_last() -> News {
    let recursions = {
        let mut places = guard(&RECURSIONS);
        places.unsent.clear();
        places.by_key.get_or_insert_default().values().cloned().collect()
    };
    News { recursions, ..take() }
}
