//! Whether the whole process rests, and nothing that the kernel knows of will end that.
//!
//! Where no thread has used any time for a while, each is asked for what it waits for: a
//! thread that waits for another one without a time limit, or for I/O without one, can
//! only be woken by somebody else. If all of them do, nothing in the process goes on by
//! itself. Whether somebody outside may answer (a peer, a child process) is for the
//! auditor to judge, who knows what the tasks wait for.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    detect::threads,
    platform::{busy::Busy, clock},
    record::held_locks,
};

/// Looks at how much CPU time has been used.
#[derive(Debug, Default)]
pub struct Watch {
    ticks: u32,
    cpu_ns: u64,
    /// Looks in a row at which nothing had been used.
    quiet: u32,
    /// How often it was told.
    told: u32,
    /// It was found to rest: ticks until that is told, unless a knot is found meanwhile.
    left: Option<u32>,
}

/// Of the calls of [`Watch::tick`], those between two looks.
const TICKS_PER_LOOK: u32 = 5;

/// Looks in a row that must find nothing used.
const QUIET: u32 = 4;

/// Ticks in which knots are looked for, before it is told that the process rests: a knot
/// explains it.
const TICKS_FOR_KNOTS: u32 = 30;

/// What the kernel may charge to somebody though nobody ran, in nanoseconds.
const NOTHING_NS: u64 = 20_000;

/// A process that goes on after it was told of is told of so often, no more.
const MAX_TOLD: u32 = 8;

/// When a standstill was found that the auditor has not been told of; 0: none.
static FOUND: AtomicU64 = AtomicU64::new(0);

/// Takes the moment at which a standstill was found that is news; 0: none.
#[must_use]
pub fn take() -> u64 {
    FOUND.swap(0, Ordering::Relaxed)
}

impl Watch {
    /// To be called by the probe's thread every 10 ms, with whether a knot was found since.
    /// Returns whether knots should be looked for now.
    pub fn tick(&mut self, is_knotted: bool) -> bool {
        if is_knotted {
            self.left = None;
        }
        match &mut self.left {
            Some(0) => {
                self.left = None;
                self.told += 1;
                FOUND.store(clock::now_ns(), Ordering::Relaxed);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.ticks += 1;
        if self.told >= MAX_TOLD || !self.ticks.is_multiple_of(TICKS_PER_LOOK) {
            return false;
        }
        let cpu_ns = clock::cpu_of_others_ns();
        let is_quiet = cpu_ns.saturating_sub(self.cpu_ns) <= NOTHING_NS;
        self.cpu_ns = cpu_ns;
        if !is_quiet {
            (self.quiet, self.left) = (0, None);
            return false;
        }
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet != QUIET {
            return false;
        }
        let _busy = Busy::begin();
        let rests = is_still();
        if rests {
            self.left = Some(TICKS_FOR_KNOTS);
        } else {
            // Looked at again, in case that the last step was yet to come.
            self.quiet = 1;
        }
        rests
    }
}

/// Whether every thread but the probe's waits, and for no longer than until somebody
/// else does something.
fn is_still() -> bool {
    let idle: BTreeSet<u64> = held_locks::idle_threads();
    threads::all_wait(|thread| idle.contains(&thread))
}
