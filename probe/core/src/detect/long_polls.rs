//! Polls that take long.
//!
//! Looked for by the probe's own thread, from tick to tick, in what each thread says
//! that it polls. Of one that goes on, the system tells how much of the time its
//! thread had the CPU and for how much it waited for one: that is not held against
//! it. Some samples of its stack say what it does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    task::Poll,
};

use crate::{
    detect::by_place::{self, BlockingPoll, Sampled},
    platform::{
        busy::Busy,
        clock, options,
        sample::{self, Sample, Sampling},
        sync::lock as guard,
    },
    record::{
        held_locks::{self, HeldLocks},
        poll_slot::Seen,
        task::{Task, TaskEnd, TaskKind, live},
    },
};

/// A poll is looked at from this age on.
const LEAST_NS: u64 = 10_000_000;

/// A task that could not run for this long was kept waiting.
const KEPT_WAITING_NS: u64 = 10_000_000;

/// Samples are taken at these ages, in quarters of the threshold: two before it, for a
/// poll that ends soon after it, then ever more seldom.
const SAMPLED_AT: [u64; 8] = [2, 3, 4, 6, 8, 16, 32, 64];

/// What the system says of a thread.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    at_ns: u64,
    /// It had the CPU.
    cpu_ns: u64,
    /// It could have run, and had none.
    queued_ns: u64,
}

impl Reading {
    fn take(os_thread: u32) -> Option<Self> {
        let (cpu_ns, queued_ns) = sample::times(os_thread)?;
        Some(Self { at_ns: clock::now_ns(), cpu_ns, queued_ns })
    }
}

/// A poll that goes on.
#[derive(Debug)]
struct Track {
    seen: Seen,
    /// `None`: it may take as long as it likes.
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    task: Arc<Task>,
    os_thread: u32,
    first: Reading,
    /// The last one in the midst of the poll.
    last: Reading,
    /// See [`clock::starved_ns`]: before the poll began.
    starved_at: u64,
    rows: &'static HeldLocks,
    /// See [`crate::record::poll_slot::PollSlot::in_calls_ns`]: before the poll began.
    in_calls_at: u64,
    /// What was added since.
    in_calls: u64,
    sampling: Option<Sampling>,
    /// How many samples were begun.
    begun: usize,
    samples: Vec<Sampled>,
    /// The most tasks that were kept waiting at once.
    waiting: u32,
}

#[derive(Debug, Default)]
struct Watch {
    /// By the address of the thread's rows.
    tracks: BTreeMap<usize, Track>,
    /// See [`clock::starved_ns`], at this tick and at the two before it.
    starved: [u64; 3],
}

static WATCH: Mutex<Watch> = Mutex::new(Watch { tracks: BTreeMap::new(), starved: [0; 3] });

/// Looks at what each thread polls. To be called every 10 ms.
pub fn tick() {
    let _busy = Busy::begin();
    let mut watch = guard(&WATCH);
    watch.starved.rotate_right(1);
    watch.starved[0] = clock::starved_ns();
    let mut ended = std::mem::take(&mut watch.tracks);
    for rows in held_locks::all() {
        let Some(seen) = rows.poll_slot.seen() else { continue };
        let key = std::ptr::from_ref(rows) as usize;
        let known = ended.remove(&key);
        let track = match known {
            Some(mut track) if track.seen == seen => {
                if let Some(watched) = &mut track.watched {
                    watched.look(seen);
                }
                track
            }
            other => {
                if let Some(track) = other {
                    track.finish(true);
                }
                if clock::now_ns().saturating_sub(seen.since_ns) < LEAST_NS {
                    continue;
                }
                Track::begin(rows, seen, watch.starved[2])
            }
        };
        watch.tracks.insert(key, track);
    }
    for track in ended.into_values() {
        track.finish(true);
    }
}

/// The process is about to end: what goes on is told as it is.
pub(crate) fn finish() {
    tick();
    let tracks = std::mem::take(&mut guard(&WATCH).tracks);
    for track in tracks.into_values() {
        track.finish(false);
    }
}

impl Track {
    fn begin(rows: &'static HeldLocks, seen: Seen, starved_at: u64) -> Self {
        let watched = live::find(seen.task).filter(|task| is_of_interest(task)).and_then(|task| {
            let os_thread = rows.poll_slot.target(seen).os_thread;
            let first = Reading::take(os_thread)?;
            Some(Watched {
                task,
                rows,
                os_thread,
                first,
                last: first,
                starved_at,
                // One that goes on has begun in this poll.
                in_calls_at: rows.poll_slot.in_past_calls_ns(),
                in_calls: 0,
                sampling: None,
                begun: 0,
                samples: Vec::new(),
                waiting: 0,
            })
        });
        Self { seen, watched }
    }

    fn finish(self, is_over: bool) {
        if let Some(watched) = self.watched {
            watched.finish(self.seen, is_over);
        }
    }
}

/// Whether a poll of this task is to be short. A root that was started in the midst
/// of a poll is within a `block_in_place`, or within a `spawn_blocking`.
fn is_of_interest(task: &Task) -> bool {
    match task.kind {
        TaskKind::Task | TaskKind::Local => true,
        TaskKind::BlockOn => task.parent_kind.is_none(),
        TaskKind::Blocking | TaskKind::Worker | TaskKind::Thread => false,
    }
}

impl Watched {
    fn look(&mut self, seen: Seen) {
        if let Some(reading) = Reading::take(self.os_thread) {
            self.last = reading;
        }
        self.note_calls();
        self.sample(seen);
    }

    fn note_calls(&mut self) {
        let in_calls = self.rows.poll_slot.in_calls_ns().saturating_sub(self.in_calls_at);
        self.in_calls = self.in_calls.max(in_calls);
    }

    fn starved_ns(&self, until: Reading) -> u64 {
        let queued = until.queued_ns.saturating_sub(self.first.queued_ns);
        queued.max(clock::starved_ns().saturating_sub(self.starved_at))
    }

    fn sample(&mut self, seen: Seen) {
        let rows = self.rows;
        if self.sampling.is_none() {
            let age = self.last.at_ns.saturating_sub(seen.since_ns);
            let age = age.saturating_sub(self.starved_ns(self.last));
            let quarter = options::get().blocking_poll / 4;
            let is_due = SAMPLED_AT.get(self.begun).is_some_and(|at| age >= at * quarter);
            if !is_due || rows.poll_slot.is_in_call() {
                return;
            }
            self.begun += 1;
            match waiting(rows.thread(), &self.task, seen.since_ns) {
                Some(waiting) => self.waiting = self.waiting.max(waiting),
                None => return,
            }
            self.sampling = Some(Sampling::new(rows.poll_slot.target(seen)));
        }
        let Some(Poll::Ready(sample)) = self.sampling.as_mut().map(Sampling::look) else { return };
        self.sampling = None;
        let Some(sample) = sample.filter(|sample| sample.stack != 0) else { return };
        // Another poll may have begun in the meantime.
        if rows.poll_slot.seen() != Some(seen) {
            return;
        }
        let known = self
            .samples
            .iter_mut()
            .find(|known| (known.stack, known.blocked_in) == (sample.stack, sample.blocked_in));
        if let Some(known) = known {
            known.count += 1;
        } else {
            let Sample { stack, blocked_in } = sample;
            self.samples.push(Sampled { stack, blocked_in, count: 1 });
        }
    }

    /// The poll is over, or (`!is_over`) will not be seen to end.
    fn finish(mut self, seen: Seen, is_over: bool) {
        self.note_calls();
        let until = Reading::take(self.os_thread).unwrap_or(self.last);
        let ended = self.task.poll_ended_ns();
        let is_known =
            is_over && ended >= seen.since_ns && self.task.poll_started_ns() <= seen.since_ns;
        let ended = if is_known { ended } else { self.last.at_ns };
        let longest_ns = ended.saturating_sub(seen.since_ns).saturating_sub(self.in_calls);
        let cpu_ns = self.last.cpu_ns.saturating_sub(self.first.cpu_ns);
        // What it had was not withheld.
        let starved_ns = self.starved_ns(until).min(longest_ns.saturating_sub(cpu_ns));
        let is_long = longest_ns.saturating_sub(starved_ns) >= options::get().blocking_poll;
        if !is_long || self.samples.is_empty() {
            return;
        }
        let is_only = self.task.first_poll_ns() == seen.since_ns
            && (!is_over || self.task.end() != TaskEnd::Alive);
        by_place::blocking_poll(BlockingPoll {
            id: 0,
            is_only,
            longest_ns,
            starved_ns,
            measured_ns: self.last.at_ns.saturating_sub(self.first.at_ns),
            cpu_ns,
            samples: self.samples,
            waiting: self.waiting,
            is_over,
            actor: self.task,
            count: 1,
        });
    }
}

/// How many tasks of this thread could have run for a while, were it not for the
/// poll of `poller` that began at `since_ns`: woken, or with a timer that is due.
/// `None`: the poll is within a `spawn_blocking` and keeps nobody waiting.
fn waiting(thread: u64, poller: &Task, since_ns: u64) -> Option<u32> {
    let now = clock::now_ns();
    // One that was woken long before is not driven by this thread any more.
    let earliest = since_ns.saturating_sub(options::get().blocking_poll);
    let kept = |at: u64| at >= earliest && at.max(since_ns) + KEPT_WAITING_NS <= now;
    let mut waiting = 0;
    let mut may_block = false;
    live::all_live(|task| {
        if task.id == poller.id || task.thread() != thread {
            return true;
        }
        if task.is_running() {
            may_block |= task.kind == TaskKind::Blocking;
        } else if matches!(task.kind, TaskKind::Task | TaskKind::Local | TaskKind::BlockOn) {
            let is_woken = task.is_scheduled() && kept(task.last_wake_ns().max(task.created_ns));
            waiting += u32::from(is_woken || task.next_due_ns().is_some_and(kept));
        }
        true
    });
    (waiting > 0 || !may_block).then_some(waiting)
}
