//! What a task or thread knows to be over, as a vector clock.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    platform::sync::lock as guard,
    record::{
        task::Task,
        vector_clock::{Clock, IS_ANY, Moment, merge_into},
    },
};

impl Task {
    /// It takes locks in some order, at this moment.
    pub(crate) fn stamp(&self) -> Moment {
        IS_ANY.store(true, Ordering::Relaxed);
        let mut state = guard(&self.knowledge.state);
        let epoch = self.knowledge.epoch();
        if state.stamped != epoch {
            state.stamped = epoch;
            state.told = None;
        }
        Moment { epoch, known: state.clock.clone() }
    }

    /// Something leaves it: what whoever gets that may know.
    pub(crate) fn tell(&self) -> Option<Arc<Clock>> {
        let mut state = guard(&self.knowledge.state);
        if state.told.is_none() {
            let mut clock = state.clock.clone();
            if state.stamped != 0 {
                let own = Clock::new(vec![(self.id, state.stamped)], false);
                merge_into(&mut clock, own);
            }
            if state.stamped == self.knowledge.epoch() {
                self.knowledge.epoch.fetch_add(1, Ordering::Relaxed);
                self.knowledge.changes.fetch_add(1, Ordering::Relaxed);
            }
            state.told = clock;
        }
        state.told.clone()
    }

    pub(crate) fn learn(&self, clock: Arc<Clock>) {
        let mut state = guard(&self.knowledge.state);
        if state.clock.as_ref().is_some_and(|known| known.covers(&clock)) {
            return;
        }
        merge_into(&mut state.clock, clock);
        state.told = None;
        self.knowledge.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// It will know this from its next poll (or from the end of its call that blocks) on.
    pub(crate) fn is_told(&self, clock: Arc<Clock>) {
        merge_into(&mut guard(&self.knowledge.state).incoming, clock);
        self.knowledge.has_incoming.store(true, Ordering::Release);
    }

    /// Another one whenever it has told something, or was told.
    #[inline]
    pub(crate) fn moment_key(&self) -> u64 {
        self.id << 24 ^ u64::from(self.knowledge.changes.load(Ordering::Relaxed))
    }

    /// It is about to be woken since a lock, or a permit that somebody had, was passed
    /// on to it. That is chance, and no message.
    pub(crate) fn gets_lock(&self) {
        self.knowledge.lock_wakes.fetch_add(1, Ordering::Relaxed);
    }
}
