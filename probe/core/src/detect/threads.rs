//! Every thread of the process, and what is known of each.
//!
//! The system lists them; those that the probe has met have entered their numbers
//! here. Somebody who looks at a program that hangs wants to see all of them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    platform::{
        process::os_thread,
        sample::{self, Sample, Sampling, Target},
    },
    record::{
        call::{self, Awaited},
        task::Task,
        thread_records::known,
    },
};

/// Further threads are not looked at.
const MAX_THREADS: usize = 1024;

/// The probe's own thread.
static OWN: AtomicU32 = AtomicU32::new(0);

/// The calling thread is the probe's own.
pub fn enter_own() {
    OWN.store(os_thread(), Ordering::Relaxed);
}

/// The system's numbers of all threads but this one, in their order.
fn others() -> Vec<u32> {
    let own = os_thread();
    let mut numbers: Vec<u32> = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| *number != own)
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Whether another thread of the program has a CPU, or waits for one.
pub(crate) fn somebody_runs() -> bool {
    let own = OWN.load(Ordering::Relaxed);
    others().into_iter().filter(|number| *number != own).any(|number| {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{number}/stat"));
        // The thread's name, in parentheses, may hold anything.
        stat.is_ok_and(|stat| {
            stat.rsplit_once(')').is_some_and(|(_, fields)| fields.starts_with(" R"))
        })
    })
}

/// Whether each thread but this one is one of which `is_still` says so by its number
/// with the probe, or waits for another one. The main thread of a test binary only waits
/// for the tests' threads, which may be for no longer than some time.
pub(crate) fn others_are_still(is_still: impl Fn(u64) -> bool) -> bool {
    others().into_iter().all(|os_thread| {
        let (id, record) = known(os_thread);
        let is_main = os_thread == std::process::id();
        (id != 0 && is_still(id))
            || (record.is_none() && sample::waits_for_a_thread(os_thread, is_main))
    })
}

/// Whether every thread of the program waits for another one or for I/O, without a time
/// limit; those of which `is_idle` says so by their number with the probe may have one,
/// and so may the main thread of a test binary, which waits for the tests' threads.
pub(crate) fn all_wait(is_idle: impl Fn(u64) -> bool) -> bool {
    others().into_iter().all(|os_thread| {
        let (id, record) = known(os_thread);
        let may_be_timed =
            (id != 0 && is_idle(id)) || (os_thread == std::process::id() && record.is_none());
        sample::waits_for_anybody(os_thread, may_be_timed)
    })
}

/// A thread at some moment.
#[derive(Debug)]
pub struct Seen {
    /// The system's number; that of the process is its main thread's.
    pub os_thread: u32,
    /// As the system has it: no more than 15 bytes.
    pub name: String,
    /// As in [`Task::thread`]; 0: it has done nothing that the probe sees.
    pub id: u64,
    /// Its record, if it has one.
    pub record: Option<Arc<Task>>,
    /// Time on a CPU in its life.
    pub cpu_ns: u64,
    /// What it was doing; `None` where that could not be seen.
    pub sample: Option<Sample>,
    /// The record of the thread whose end it waits for, or 0.
    pub joins: u64,
}

/// A look at every thread but the calling one, under way.
#[derive(Debug)]
pub struct Look {
    seen: Vec<Seen>,
    /// Of the thread at the same place; `None`: it is done.
    sampling: Vec<Option<Sampling>>,
}

impl Look {
    /// Begins; see [`Self::go_on`].
    #[must_use]
    pub fn begin() -> Self {
        let mut numbers = others();
        numbers.truncate(MAX_THREADS);
        let target = |&os_thread: &u32| Target { os_thread, high: usize::MAX, base: 0 };
        let sampling = numbers.iter().map(|number| Some(Sampling::new(target(number)))).collect();
        Self { seen: numbers.into_iter().map(see).collect(), sampling }
    }

    /// To be called every few milliseconds until it returns `true`; never waits.
    pub fn go_on(&mut self) -> bool {
        let mut is_done = true;
        for (seen, slot) in self.seen.iter_mut().zip(&mut self.sampling) {
            let Some(sampling) = slot else { continue };
            match sampling.look() {
                std::task::Poll::Ready(sample) => {
                    seen.sample = sample;
                    *slot = None;
                }
                std::task::Poll::Pending => is_done = false,
            }
        }
        is_done
    }

    /// What was seen.
    #[must_use]
    pub fn finish(mut self) -> Vec<Seen> {
        for call in call::blocked() {
            let joined = match &call.awaited {
                Awaited::Thread(joined) => joined.id,
                Awaited::Scope(scope) => {
                    call::threads_of_scope(*scope).first().map_or(0, |joined| joined.id)
                }
                Awaited::Event | Awaited::Lock { .. } | Awaited::Condvar { .. } => continue,
            };
            let waiter = self.seen.iter_mut().find(|seen| {
                seen.record.as_ref().is_some_and(|record| Arc::ptr_eq(record, &call.thread))
            });
            if let Some(waiter) = waiter {
                waiter.joins = joined;
            }
        }
        self.seen
    }
}

fn see(os_thread: u32) -> Seen {
    let name = std::fs::read_to_string(format!("/proc/self/task/{os_thread}/comm"));
    let (id, record) = known(os_thread);
    Seen {
        os_thread,
        name: name.unwrap_or_default().trim_end().to_owned(),
        id,
        record,
        cpu_ns: cpu_ns(os_thread),
        sample: None,
        joins: 0,
    }
}

/// The time that a thread of this process has had a CPU; 0 where the system does not
/// tell.
#[cfg(target_os = "linux")]
fn cpu_ns(os_thread: u32) -> u64 {
    /// Of one thread, and as the scheduler counts.
    const PER_THREAD: i32 = 4 | 2;
    let clock = !os_thread.cast_signed() << 3 | PER_THREAD;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time; a thread that has ended is an error.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return 0;
    }
    let ns = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    u64::try_from(ns).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn cpu_ns(_: u32) -> u64 {
    0
}
