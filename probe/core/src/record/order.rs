//! In which order two locks were taken, and by whom.

use std::sync::{Arc, Mutex};

use crate::{
    platform::sync::lock as guard,
    record::{
        lock::{Acquisition, Mode},
        resource::Resource,
        task::Task,
        vector_clock::{Clock, Moment},
    },
};

/// While `from` was held, `to` was acquired or waited for.
#[derive(Debug)]
pub struct OrderEdge {
    /// Unique in this process.
    pub id: u64,
    /// What was held.
    pub from: Acquisition,
    /// What was wanted.
    pub to: Acquisition,
    /// The other locks that the actor held.
    pub gates: Vec<(Arc<Resource>, Mode)>,
    /// Somebody had to wait for `to`.
    pub contended: bool,
    pub(crate) actors: Mutex<Vec<EdgeActor>>,
}

impl OrderEdge {
    /// Who took it; one actor several times in a row, at most 4.
    pub fn actors(&self) -> Vec<EdgeActor> {
        guard(&self.actors).clone()
    }
}

/// Who took an edge, and when. An actor that takes it again and knows more by then, or
/// has told others of it, is written down again.
#[derive(Debug, Clone)]
pub struct EdgeActor {
    /// Who.
    pub actor: Arc<Task>,
    /// First.
    pub first_ns: u64,
    /// And last.
    pub last_ns: u64,
    /// What was over for it when it was first.
    pub known: Option<Arc<Clock>>,
    /// The epoch in which it was last.
    pub epoch: u32,
}

impl EdgeActor {
    pub(crate) fn new(actor: &Arc<Task>, now: u64, moment: Moment) -> Self {
        Self {
            actor: Arc::clone(actor),
            first_ns: now,
            last_ns: now,
            known: moment.known,
            epoch: moment.epoch,
        }
    }

    pub(crate) fn is_at(&self, moment: &Moment) -> bool {
        let id = |known: &Option<Arc<Clock>>| known.as_ref().map(|clock| clock.id);
        self.epoch == moment.epoch && id(&self.known) == id(&moment.known)
    }
}
