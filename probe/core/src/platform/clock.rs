//! Time since the probe started, and how much of it was withheld.

use std::sync::atomic::{AtomicU64, Ordering};

static START: AtomicU64 = AtomicU64::new(0);
static STARVED: AtomicU64 = AtomicU64::new(0);

#[cfg(target_os = "linux")]
const COARSE: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
#[cfg(not(target_os = "linux"))]
const COARSE: libc::clockid_t = libc::CLOCK_MONOTONIC;

#[inline]
fn read(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for a timespec, and the clocks exist on
    // every system that this crate builds for.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

pub(crate) fn start() {
    // One nanosecond earlier, so that no moment of the run is 0, which means
    // "never" wherever times are kept.
    START.store(read(libc::CLOCK_MONOTONIC) - 1, Ordering::Relaxed);
}

/// Nanoseconds since the probe started; never 0.
#[inline]
pub fn now_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC).wrapping_sub(START.load(Ordering::Relaxed))
}

/// [`now_ns`] as of the last tick of the system (every 1 to 10 ms), at a fifth
/// of the price; never 0.
#[inline]
pub fn coarse_ns() -> u64 {
    // The last tick may lie before the start.
    read(COARSE).saturating_sub(START.load(Ordering::Relaxed)).max(1)
}

/// The CPU time that all threads of the process but the calling one have used.
pub(crate) fn cpu_of_others_ns() -> u64 {
    let own = read(libc::CLOCK_THREAD_CPUTIME_ID);
    read(libc::CLOCK_PROCESS_CPUTIME_ID).saturating_sub(own)
}

/// Adds to [`starved_ns`].
pub fn add_starved(ns: u64) {
    STARVED.fetch_add(ns, Ordering::Relaxed);
}

/// For how long the machine has kept even our own idle thread from running.
/// On an overloaded machine a lock is held for long although nobody is slow;
/// what is counted here is taken off such a hold.
#[inline]
pub fn starved_ns() -> u64 {
    STARVED.load(Ordering::Relaxed)
}

/// For how long what began at `since_ns` has gone on, and what of that the machine
/// withheld since `starved_at`.
pub(crate) fn elapsed(since_ns: u64, starved_at: u64) -> (u64, u64) {
    (now_ns().saturating_sub(since_ns), starved_ns().saturating_sub(starved_at))
}
