//! What is done with a resource and may have to wait.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    context,
    detect::{by_place, knots},
    lifecycle::lock,
    platform::{
        clock,
        stack::{self, Extent},
        sync::{Sharded, lock as guard},
    },
    record::{
        lock::Acquisition,
        operation::{Operation, OperationWait, ScopePtr, WAITING},
        task::{Task, Wait},
    },
};

impl Operation {
    /// Begins an operation within the innermost scope: on the resource there,
    /// or as a part of the operation there or around it, which then serves for
    /// both: a mutex is its semaphore. `None` outside of every scope.
    #[must_use]
    pub fn begin(source: &str) -> Option<Arc<Self>> {
        match context::scope() {
            // SAFETY: a scope is left before its resource or operation is let go of.
            ScopePtr::Resource(resource) => unsafe {
                if let Some(operation) = context::operation_around(resource) {
                    Arc::increment_strong_count(operation);
                    return Some(Arc::from_raw(operation));
                }
                Arc::increment_strong_count(resource);
                Some(Self::on(Arc::from_raw(resource), source))
            },
            // SAFETY: as above.
            ScopePtr::Operation(operation) => unsafe {
                Arc::increment_strong_count(operation);
                Some(Arc::from_raw(operation))
            },
            ScopePtr::None => None,
        }
    }

    pub(crate) fn start_waiting(self: &Arc<Self>) {
        context::with(|context| context.pending.set(self.id));
        let Some(actor) = context::current_actor() else { return };
        // Under a waker of another one (a set of futures polls only those that it was
        // told to) it is waited for though the last poll left it alone.
        let poll = if self.owns_waker() { actor.polls() } else { 0 };
        if self.is_waiting.load(Ordering::Relaxed) {
            self.moved(&actor, poll);
            return;
        }
        let wait = Wait {
            stack: stack::capture(Extent::Task),
            resource: Some(Arc::clone(&self.resource)),
            operation: self.source,
            since_ns: clock::now_ns(),
            poll,
        };
        let (since_ns, stack) = (wait.since_ns, wait.stack);
        actor.awaits_at(stack);
        actor.operation_begins(self.id, wait);
        *guard(&self.wait) = Some(OperationWait { actor: Arc::clone(&actor), since_ns, stack });
        self.is_waiting.store(true, Ordering::Relaxed);
        let waiting = WAITING.get_or_init(Sharded::default);
        guard(waiting.shard(self.id)).insert(self.id, Arc::downgrade(self));
        if let Some(mode) = self.mode {
            let wanted = Acquisition {
                resource: Arc::clone(&self.resource),
                mode,
                stack,
                is_try: false,
                is_movable: self.is_owned(),
            };
            let recursion = lock::wait_begins(self.id, &wanted, &actor, since_ns);
            self.recursion.store(recursion.unwrap_or(0), Ordering::Relaxed);
            knots::note_wait();
        }
    }

    /// It is polled again, maybe at another place, and waits on.
    fn moved(&self, actor: &Task, poll: u64) {
        let stack = stack::capture(Extent::Task);
        actor.operation_moves(self.id, self.resource.id, stack, poll);
        if let Some(wait) = guard(&self.wait).as_mut().filter(|wait| wait.actor.id == actor.id) {
            wait.stack = stack;
        }
    }

    pub(crate) fn stop_waiting(&self) {
        // An operation is polled and dropped by one at a time, so it cannot
        // begin to wait meanwhile.
        if !self.is_waiting.swap(false, Ordering::Relaxed) {
            return;
        }
        self.granted.store(0, Ordering::Relaxed);
        let wait = guard(&self.wait).take();
        if let Some(wait) = wait {
            wait.actor.operation_ends(self.id);
            if context::current_task().is_some_and(|task| task.id == wait.actor.id) {
                wait.actor.place_is_left();
            }
        }
        if let Some(waiting) = WAITING.get() {
            guard(waiting.shard(self.id)).remove(&self.id);
        }
        let recursion = self.recursion.swap(0, Ordering::Relaxed);
        if recursion != 0 {
            by_place::recursion_resolved(recursion);
        }
        if self.mode.is_some() {
            lock::wait_ends(self.id, &self.resource);
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.stop_waiting();
    }
}
