//! Panics that end a task or a thread, and whether anybody looks at its handle.
//!
//! A panic hook in front of the one in place notes what each panic says and where,
//! while its frames are still on the stack. A task or thread that unwinds is kept
//! until its `JoinHandle` is read: by tokio with a `mem::replace` of what the task
//! has become, for which tokio has one of ours; by a thread's `join`.

use std::{
    collections::VecDeque,
    panic::PanicHookInfo,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    context,
    platform::{
        busy::Busy,
        clock, counters,
        stack::{self, Extent, StackId},
        sync::lock as guard,
    },
    record::task::{Task, TaskKind, join_handle::Handle},
};

/// Panics under way, or caught by the program, that are remembered.
const MAX_RAISED: usize = 64;

/// Ends that are kept.
const MAX_UNREAD: usize = 1024;

/// Bytes of a message that are kept.
const MAX_MESSAGE: usize = 400;

/// What a panic said, and where.
#[derive(Debug, Clone)]
pub struct Raised {
    /// Its message, in part where it is long; empty where it is no text.
    pub message: Box<str>,
    /// File, line and column.
    pub location: Option<(Box<str>, u32, u32)>,
    /// The stack.
    pub stack: StackId,
    at_ns: u64,
}

/// A task or thread that ended with a panic, with nobody to look at it so far.
#[derive(Debug, Clone)]
pub struct Unread {
    /// It.
    pub actor: Arc<Task>,
    /// `None` where the hook was not called.
    pub raised: Option<Raised>,
    /// Its handle was gone by then.
    pub is_detached: bool,
    /// On a thread that nobody is seen to have spawned: the test's.
    pub is_of_main: bool,
    /// Where the task's future was; 0 for a thread.
    future: usize,
}

static RAISED: Mutex<VecDeque<(u64, Raised)>> = Mutex::new(VecDeque::new());

static UNREAD: Mutex<Vec<Unread>> = Mutex::new(Vec::new());

/// How many of these may yet be read.
static READABLE: AtomicUsize = AtomicUsize::new(0);

/// Puts the probe's hook in front of the one in place, which it calls.
pub fn watch() {
    let next = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        note(info);
        next(info);
    }));
}

fn note(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or_default();
    let raised = Raised {
        message: beginning(message).into(),
        location: info.location().map(|at| (at.file().into(), at.line(), at.column())),
        stack: stack::capture(Extent::Task),
        at_ns: clock::now_ns(),
    };
    raise(raised);
}

/// The task or thread that this one is in the middle of panics.
fn raise(raised: Raised) {
    let Some(actor) = context::current_actor() else { return };
    if actor.is_foreign() {
        let raised = Some(raised);
        keep(Unread { actor, raised, is_detached: false, is_of_main: true, future: 0 });
        return;
    }
    let mut all = guard(&RAISED);
    all.retain(|(id, _)| *id != actor.id);
    if all.len() >= MAX_RAISED {
        all.pop_front();
    }
    all.push_back((actor.id, raised));
}

/// As much of a message as is kept.
fn beginning(message: &str) -> &str {
    let end = (0..=MAX_MESSAGE.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
    &message[..end.unwrap_or(0)]
}

/// What was raised in this poll, or in the life of this thread.
fn raised_by(actor: &Task) -> Option<Raised> {
    let mut all = guard(&RAISED);
    let at = all.iter().position(|(id, _)| *id == actor.id)?;
    let (_, raised) = all.remove(at)?;
    (raised.at_ns >= actor.poll_started_ns()).then_some(raised)
}

fn keep(unread: Unread) {
    let mut all = guard(&UNREAD);
    // One is enough to know that the test is about panics.
    if unread.is_of_main && all.iter().any(|known| known.is_of_main) {
        return;
    }
    if all.len() >= MAX_UNREAD {
        counters::DROPPED_EVENTS.add(1);
        return;
    }
    if !unread.is_detached && !unread.is_of_main {
        READABLE.fetch_add(1, Ordering::Relaxed);
    }
    all.push(unread);
}

/// A poll of the task unwinds. What is not known of its handle is not told. `future` is
/// where its future is.
pub(crate) fn task_unwinds(task: &Arc<Task>, handle: Option<Handle>, future: usize) {
    let raised = raised_by(task);
    let Some(handle) = handle else {
        // The panic of a root goes on to whatever called `block_on`.
        if task.kind == TaskKind::BlockOn
            && let Some(raised) = raised
        {
            raise(raised);
        }
        return;
    };
    keep(Unread {
        actor: Arc::clone(task),
        raised,
        is_detached: handle == Handle::Dropped,
        is_of_main: false,
        future,
    });
}

/// The thread unwinds to its first frame.
pub(crate) fn thread_unwinds(thread: &Arc<Task>) {
    let raised = raised_by(thread);
    if thread.is_panic_noticed() {
        return;
    }
    keep(Unread {
        actor: Arc::clone(thread),
        raised,
        is_detached: false,
        is_of_main: false,
        future: 0,
    });
}

/// Whether the end of anything is yet to be read.
#[inline]
#[must_use]
pub fn is_any_readable() -> bool {
    READABLE.load(Ordering::Relaxed) > 0
}

fn read(is_read: impl Fn(&Unread) -> bool) {
    let mut gone = Vec::new();
    let mut all = guard(&UNREAD);
    let mut at = 0;
    while let Some(unread) = all.get(at) {
        if !unread.is_detached && !unread.is_of_main && is_read(unread) {
            gone.push(all.swap_remove(at));
        } else {
            at += 1;
        }
    }
    READABLE.fetch_sub(gone.len(), Ordering::Relaxed);
    drop(all);
    // Outside of our lock: they may be the last of their tasks.
    drop(gone);
}

/// The value at this address, of this size, is taken out: where it is what a task has
/// become, somebody has read how the task ended.
#[cold]
#[inline(never)]
pub fn taken(address: usize, size: usize) {
    let _busy = Busy::begin();
    read(|unread| unread.future != 0 && unread.future.wrapping_sub(address) < size);
}

/// A future of another task is at this address: what was there can be read no more.
pub(crate) fn replaced(future: usize) {
    for unread in guard(&UNREAD).iter_mut().filter(|unread| unread.future == future) {
        unread.future = 0;
    }
}

/// The thread was joined, or may have been in a way that is not seen.
#[cold]
#[inline(never)]
pub fn joined(thread: &Task) {
    if is_any_readable() {
        let _busy = Busy::begin();
        read(|unread| unread.actor.id == thread.id);
    }
}

/// The ends with a panic that nobody has read.
#[must_use]
pub fn unread() -> Vec<Unread> {
    guard(&UNREAD).clone()
}
