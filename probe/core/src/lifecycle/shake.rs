//! Small random delays, so that a run takes another schedule.
//!
//! With `--shake` a thread may be delayed before it tries a lock, polls a task, or begins. How
//! likely that is depends on the thread: as with the priorities of probabilistic concurrency
//! testing (Burckhardt, Kothari, Musuvathi and Nagarakatte, ASPLOS 2010), some threads are made
//! slow for the whole run, and others never wait.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use crate::platform::{busy::Busy, options, thread_number};

/// The longest delay.
const LONGEST_NS: u64 = 2_000_000;

/// All delays of a process take no longer.
const TOTAL_NS: u64 = 2_000_000_000;

static SPENT_NS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The thread's random numbers, 0 before the first; and in how many of 16 places it waits.
    static STATE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Where another thread may come first.
#[inline]
pub(crate) fn perhaps_delay() {
    let seed = options::get().shake;
    if seed != 0 {
        delay(seed);
    }
}

#[cold]
fn delay(seed: u64) {
    let (mut state, mut waits) = STATE.with(Cell::get);
    if state == 0 {
        state = mixed(seed ^ thread_number::current().wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
        // One in four never waits, one in four in most places.
        waits = [0, 1, 4, 10][(state >> 62) as usize];
    }
    // Marsaglia's xorshift.
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    STATE.with(|it| it.set((state, waits)));
    if state % 16 >= waits {
        return;
    }
    let length_ns = (state >> 8) % LONGEST_NS;
    if SPENT_NS.fetch_add(length_ns, Ordering::Relaxed) < TOTAL_NS {
        let _busy = Busy::begin();
        thread::sleep(Duration::from_nanos(length_ns));
    }
}

/// The finaliser of Steele, Lea and Flood's `SplitMix`.
fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
