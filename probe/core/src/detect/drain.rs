//! The moment of grace after a root future.
//!
//! When the future that `block_on` was given is ready, its value is held back
//! for a moment while the runtime goes on: a task whose channel closed, or
//! whose token was cancelled, by the end of the test finishes by itself. What is
//! still there after that had its chance.
//!
//! The root drives the moment itself: it is polled, sleeps for a fraction of a
//! millisecond unless somebody has work to do, wakes itself, and so on. No
//! timer is involved. On a current-thread runtime whose clock is paused, tokio
//! moves that clock when the runtime goes idle; it never goes idle with a root
//! that has been woken, so the clock stands still throughout.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    context,
    detect::{late_ends, threads},
    platform::{clock, console, counters, hash::FastMap, options, sync::lock},
    record::task::{Task, TaskKind, drained, live},
};

/// A drain in progress.
#[derive(Debug)]
pub struct Drain {
    started_ns: u64,
    starved_at: u64,
    /// When somebody was last seen at work, or on the way.
    last_busy_ns: AtomicU64,
    /// By task: the timers that it was waited for, by when they are due.
    awaited: Mutex<FastMap<u64, Vec<u64>>>,
}

/// A pause between two looks at the tasks.
const PAUSE: Duration = Duration::from_micros(100);

/// A timer that is late by more than this is not coming: its clock is paused.
const LATE_NS: u64 = 5_000_000;

/// Timers of one task that are waited for, one after the other.
const MAX_TIMERS: usize = 3;

/// Tasks that are scheduled but never polled (their runtime or `LocalSet` is
/// not being run) are given up after this many times the idle time.
const STALLED: u64 = 5;

impl Drain {
    /// Begins a drain, if there is anything to wait for: a task is alive, this
    /// is the thread's outermost root, and the process has not spent its
    /// allowance.
    #[must_use]
    pub fn begin() -> Option<Self> {
        if counters::tasks_alive() == 0
            || context::task_depth() > 0
            || counters::DRAIN_NS.get() >= options::get().drain_total
        {
            return None;
        }
        let started_ns = clock::now_ns();
        drained::note_start(started_ns);
        counters::DRAINS.add(1);
        Some(Self {
            started_ns,
            starved_at: clock::starved_ns(),
            last_busy_ns: AtomicU64::new(started_ns),
            awaited: Mutex::default(),
        })
    }

    /// Whether to go on. Sleeps briefly if nobody has anything to do.
    pub fn go_on(&self) -> bool {
        if console::is_kept_for_console(self.started_ns) {
            std::thread::sleep(PAUSE);
            return true;
        }
        let options = options::get();
        let now = clock::now_ns();
        let (elapsed, starved) = clock::elapsed(self.started_ns, self.starved_at);
        if elapsed.saturating_sub(starved) >= options.drain_max
            || counters::DRAIN_NS.get() + elapsed >= options.drain_total
        {
            return false;
        }
        let mut alive = false;
        let mut working = false;
        let mut expecting = false;
        let mut scheduled = false;
        // Between the end of a blocking task and the wake of whoever waits for it
        // nobody seems to have anything to do.
        let mut last_activity = self.last_busy_ns.load(Ordering::Relaxed);
        live::all_live(|task| {
            match task.kind {
                TaskKind::Task | TaskKind::Local => {
                    alive = true;
                    working |= task.is_running();
                    scheduled |= task.is_scheduled();
                    last_activity = last_activity.max(task.poll_ended_ns()).max(task.created_ns);
                    expecting |= self.expects_a_timer(task, now);
                }
                // Somebody may be waiting for it, to write a last word to a file
                // for one. One that has been at it for long serves for ever.
                TaskKind::Blocking => {
                    expecting |= task.created_ns + options.drain_max > self.started_ns;
                }
                TaskKind::BlockOn | TaskKind::Worker | TaskKind::Thread => {}
            }
            !working
        });
        if working || expecting {
            self.last_busy_ns.store(now, Ordering::Relaxed);
        }
        if working {
            return true;
        }
        if !alive {
            return false;
        }
        if expecting {
            std::thread::sleep(PAUSE);
            return true;
        }
        let idle = now.saturating_sub(last_activity);
        let patience = options.drain_idle.saturating_mul(if scheduled { STALLED } else { 1 });
        if idle >= patience {
            // Whoever a task waits for may be a thread that the machine keeps waiting.
            if !threads::somebody_runs() {
                return false;
            }
            self.last_busy_ns.store(now, Ordering::Relaxed);
        }
        if !scheduled {
            std::thread::sleep(PAUSE);
        }
        true
    }
}

impl Drain {
    /// Whether a timer will wake the task before the drain is over. A task that
    /// goes on and on to the next timer is a loop, and not waited for.
    fn expects_a_timer(&self, task: &Task, now: u64) -> bool {
        let Some(due) = task.next_due_ns() else { return false };
        if due >= self.started_ns + options::get().drain_max || now >= due + LATE_NS {
            return false;
        }
        let mut awaited = lock(&self.awaited);
        let timers = awaited.entry(task.id).or_default();
        if timers.last() != Some(&due) && timers.len() < MAX_TIMERS {
            timers.push(due);
        }
        timers.last() == Some(&due)
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        counters::DRAIN_NS.add(clock::now_ns().saturating_sub(self.started_ns));
        late_ends::note_root_end();
    }
}
