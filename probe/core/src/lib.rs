//! The half of the probe that observes and reduces.
//!
//! It runs inside the audited program, on that program's threads: it never
//! panics, never prints, never waits for anything but its own short critical
//! sections, and does nothing at all until [`activate`] is called. The facades
//! (`concaudit-tracing` for tokio) call in; `concaudit-server` reads out.
//!
//! | module | what it keeps |
//! |---|---|
//! | [`clock`] | time since the start, and how much of it the CPU was withheld |
//! | [`stack`] | frame-pointer walks, each distinct stack stored once |
//! | [`sample`] | the stack of another thread, taken from outside |
//! | [`context`] | what this thread is doing: task, scopes |
//! | [`task`] | tasks, threads as far as they hold locks, and the waker around tokio's |
//! | [`resource`] | locks, timers, channels, and the operations that wait for them |
//! | [`lock`] | who holds what since when; order edges; long holds |
//! | [`label`] | std and parking_lot locks, as their facades tell of them |
//! | `held` | which of those each thread holds |
//! | [`roster`] | every thread of the process, for a look at one that hangs |
//! | [`thread`] | threads of `std::thread`, and what blocks a thread |
//! | [`events`] | what is told once per place: calls that block a poll, and the like |
//! | `seat` | what each thread polls |
//! | [`polls`] | polls that take long |
//! | [`children`] | child processes and where they were spawned |
//! | [`files`] | files and sockets, and where they were opened |
//! | [`stuck`] | actors that can never go on |
//! | [`panics`] | panics that end a task or a thread, and who looks at them |
//! | [`ending`] | tasks that go on though they were told to stop |
//! | [`joins`] | who waits for the end of which task |
//! | `handle` | what tokio tells of the `JoinHandle` of a task |
//! | `last_waker` | tasks whose last waker was dropped without a wake |
//! | [`standstill`] | whether the whole process rests |
//! | [`storms`] | how many tasks of one spawn site are alive at once |
//! | [`orphans`] | tasks that outlive a cancelled parent |
//! | [`drain`] | the moment of grace after a root future |
//! | [`outbox`] | what has yet to leave the process |

pub mod causality;
pub mod children;
pub mod clock;
pub mod context;
pub mod counters;
pub mod drain;
pub mod ending;
pub mod events;
pub mod files;
mod handle;
mod hash;
mod held;
pub mod joins;
pub mod label;
mod last_waker;
pub mod lock;
pub mod options;
pub mod orphans;
pub mod outbox;
pub mod panics;
pub mod polls;
#[cfg(all(target_os = "linux", target_env = "gnu", not(concaudit_static)))]
mod real;
pub mod resource;
pub mod roster;
pub mod sample;
mod seat;
pub mod stack;
pub mod standstill;
pub mod storms;
pub mod stuck;
mod sync;
pub mod task;
pub mod thread;

use std::sync::atomic::{AtomicBool, Ordering};

static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Whether this process is audited. Where it is not, every entry point of the
/// probe returns at once.
#[inline]
pub fn is_active() -> bool {
    ACTIVE.load(Ordering::Relaxed)
}

/// Begins to observe. Called once, before `main`.
pub fn activate(options: options::Options) {
    clock::start();
    files::start();
    options::set(options);
    ACTIVE.store(true, Ordering::Release);
}

/// An id that is unique in this process; never 0.
pub(crate) fn next_id() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
