//! Brings about a deadlock that another run has predicted.
//!
//! The runner names the calls that took the first lock of each order of a cycle. Whoever has
//! just taken a lock by one of these is paused until somebody has by each of the others; then
//! all go on, each to the lock that another one has. This is the active phase of DeadlockFuzzer
//! (Joshi, Park, Sen and Naik, "A Randomized Dynamic Program Analysis Technique for Detecting
//! Real Deadlocks", PLDI 2009), which pauses before the second lock; after the first comes to
//! the same, and serves futures as well as threads.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::platform::{
    busy::Busy,
    options::{self, MAX_PAUSES},
    process, stack,
};

/// The longest pause. Shorter than what it takes for a process to be found at a standstill.
const LONGEST: Duration = Duration::from_millis(300);

/// All pauses of a process that nobody ended take no longer.
const IN_VAIN: Duration = Duration::from_secs(5);

struct Meeting {
    /// By the number of the call: somebody is paused there.
    is_there: [bool; MAX_PAUSES],
    /// How often all were there.
    rounds: u64,
    in_vain: Duration,
}

static MEETING: Mutex<Meeting> =
    Mutex::new(Meeting { is_there: [false; MAX_PAUSES], rounds: 0, in_vain: Duration::ZERO });
static MET: Condvar = Condvar::new();

/// This thread has just taken a lock, for itself or for the task that it polls.
#[inline]
pub(crate) fn after_acquisition() {
    let calls = options::get().pauses();
    if !calls.is_empty() {
        pause(calls);
    }
}

#[cold]
fn pause(calls: &[u64]) {
    let is_passed = stack::passes(calls, process::executable_base());
    if !is_passed.contains(&true) {
        return;
    }
    let _busy = Busy::begin();
    let mut meeting = MEETING.lock().unwrap_or_else(PoisonError::into_inner);
    if meeting.in_vain >= IN_VAIN {
        return;
    }
    let free = (0..calls.len()).find(|&call| is_passed[call] && !meeting.is_there[call]);
    let Some(call) = free else { return };
    meeting.is_there[call] = true;
    if meeting.is_there[..calls.len()].iter().all(|is_there| *is_there) {
        meeting.is_there = [false; MAX_PAUSES];
        meeting.rounds += 1;
        MET.notify_all();
        return;
    }
    let round = meeting.rounds;
    let since = Instant::now();
    while meeting.rounds == round {
        let left = LONGEST.saturating_sub(since.elapsed());
        if left.is_zero() {
            meeting.is_there[call] = false;
            meeting.in_vain += LONGEST;
            return;
        }
        meeting = MET.wait_timeout(meeting, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}
