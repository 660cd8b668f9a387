//! The side of a std or parking_lot lock that the probe sees.
//!
//! A facade keeps a [`Label`] in each of its locks and tells it, in this order:
//! that the lock is about to be taken ([`Label::intend`]), that this has to wait
//! ([`Label::wait`]), that it was taken ([`Label::acquired`]), and that it is about to be
//! released ([`Label::released`]). All of it happens on the thread that does it.

use std::{
    panic::Location,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    is_active,
    lock::Mode,
    next_id,
    resource::{ResourceKind, Site},
};

/// How a lock is about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// For as long as it takes.
    Wait,
    /// Until some moment at the latest: it makes nobody wait for ever.
    Timed,
    /// Now or not at all.
    Try,
    /// Like [`How::Wait`], past queued writers if this thread is a reader already.
    Recursive,
    /// From [`Mode::Upgradable`], which this thread holds, to [`Mode::Exclusive`], for as
    /// long as it takes.
    Upgrade,
}

/// Beside every lock that a facade wraps: who it is. Costs nothing until the lock
/// is first used in an audited process.
#[derive(Debug)]
pub struct Label {
    kind: ResourceKind,
    site: Option<&'static Location<'static>>,
    /// 0 until it is first used.
    id: AtomicU64,
}

/// A lock about to be taken. Dropped without [`Label::acquired`], it was not.
#[derive(Debug)]
#[must_use]
pub struct Intent {
    mode: Mode,
    how: How,
}

/// The lock is taken, and this thread waits for it while this lives.
#[derive(Debug)]
#[must_use]
pub struct Waiting<'a> {
    label: &'a Label,
}

impl Label {
    /// The label of a lock that is created at `site`.
    #[must_use]
    pub const fn new(kind: ResourceKind, site: &'static Location<'static>) -> Self {
        Self { kind, site: Some(site), id: AtomicU64::new(0) }
    }

    /// The label of a lock whose constructor cannot tell where it was called.
    #[must_use]
    pub const fn unplaced(kind: ResourceKind) -> Self {
        Self { kind, site: None, id: AtomicU64::new(0) }
    }

    /// To be called before the lock is tried.
    #[inline]
    pub fn intend(&self, mode: Mode, how: How) -> Intent {
        Intent { mode, how }
    }

    /// To be called where the lock was found taken, before it is waited for.
    pub fn wait(&self, intent: &Intent) -> Waiting<'_> {
        Waiting { label: self }
    }

    /// The lock is this thread's from now on.
    #[inline]
    pub fn acquired(&self, intent: Intent) {}

    /// The hold goes on in another mode: a downgrade, or an upgrade that was granted.
    pub fn converted(&self, from: Mode, to: Mode) {}

    /// The lock is about to be released, by whichever thread.
    #[inline]
    pub fn released(&self, mode: Mode) {}
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {}
}
