//! What the probe sees of a cell that is initialised once: [`real::sync::Once`] and those
//! that are built like it.
//!
//! While its initialiser runs, the cell is held like a lock, and whoever needs the cell
//! meanwhile waits for it.

use core::sync::atomic::{AtomicBool, Ordering};

use concaudit_core::{
    lifecycle::lockdep_map::{Attempt, LockdepMap, Waiting},
    record::{
        lock::{AcquireKind, Mode},
        resource::ResourceKind,
    },
};

use super::hook::{self, Holding};

/// Beside every such cell.
#[derive(Debug)]
pub struct Initialisation {
    lockdep: LockdepMap,
    /// Somebody initialises the cell, or is about to.
    is_claimed: AtomicBool,
}

/// Somebody needs the cell, which is not initialised yet.
#[derive(Debug)]
pub struct Claim<'a> {
    cell: &'a Initialisation,
    attempt: Option<Attempt>,
    waiting: Option<Waiting<'a>>,
    is_own: bool,
}

/// The initialiser runs.
#[derive(Debug)]
pub struct Running<'a> {
    cell: &'a Initialisation,
    _holding: Option<Holding<'a>>,
}

impl Initialisation {
    /// Of a cell whose lockdep map is this.
    pub const fn new(kind: ResourceKind, site: &'static core::panic::Location<'static>) -> Self {
        Self { lockdep: LockdepMap::new(kind, site), is_claimed: AtomicBool::new(false) }
    }

    /// To be called where the cell is used and is initialised already: it might not have
    /// been, and then this thread would have waited with all that it holds.
    #[inline(never)]
    pub fn passed(&self) {
        self.lockdep.passed();
    }

    /// To be called where the cell is not initialised, before the real one is asked.
    #[inline(never)]
    pub fn begin(&self) -> Claim<'_> {
        let attempt = hook::attempt(&self.lockdep, Mode::Exclusive, AcquireKind::Wait);
        let is_own = !self.is_claimed.swap(true, Ordering::AcqRel);
        let waiting = (!is_own).then(|| self.lockdep.wait(&attempt));
        Claim { cell: self, attempt: Some(attempt), waiting, is_own }
    }
}

impl<'a> Claim<'a> {
    /// The real cell has chosen this thread to initialise it.
    #[inline(never)]
    pub fn run(&mut self) -> Running<'a> {
        self.waiting = None;
        // It is `Running`'s from now on; where it was another's, that one has panicked.
        self.is_own = false;
        self.cell.is_claimed.store(true, Ordering::Release);
        let attempt = self.attempt.take();
        let holding =
            attempt.map(|attempt| hook::acquired(&self.cell.lockdep, Mode::Exclusive, attempt));
        Running { cell: self.cell, _holding: holding }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_own {
            self.cell.is_claimed.store(false, Ordering::Release);
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.cell.is_claimed.store(false, Ordering::Release);
    }
}
