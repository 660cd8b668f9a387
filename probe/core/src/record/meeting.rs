//! Where actors leave what others pick up.

use std::sync::{Arc, Mutex};

use crate::{
    platform::sync::lock as guard,
    record::vector_clock::{Clock, merge_into},
};

/// Where actors leave what others pick up: a oneshot, a barrier.
#[derive(Debug, Default)]
pub struct Meeting(Mutex<Option<Arc<Clock>>>);

impl Meeting {
    /// One at which nobody was.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Somebody leaves what it knows.
    pub(crate) fn add(&self, clock: Arc<Clock>) {
        merge_into(&mut guard(&self.0), clock);
    }

    /// What was left.
    pub(crate) fn get(&self) -> Option<Arc<Clock>> {
        guard(&self.0).clone()
    }
}
