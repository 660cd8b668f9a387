//! What tokio says it is busy with on this thread, and what happens there.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    context,
    detect::knots,
    lifecycle::{happens_before, lock},
    platform::{clock, process::is_active},
    record::{
        lock::Mode,
        operation::ScopePtr,
        resource::{Resource, ResourceKind},
    },
};

/// What this thread is busy with: the resource, and the name of the operation
/// or an empty string.
pub(crate) fn current() -> Option<(Arc<Resource>, &'static str)> {
    let (resource, operation) = context::scope().upgrade()?;
    Some((resource, operation.map_or("", |operation| operation.source)))
}

/// The resource within which another one is being created.
#[must_use]
pub fn enclosing() -> Option<Arc<Resource>> {
    context::scope().upgrade().map(|(resource, _)| resource)
}

/// Enters a resource or an operation, until [`leave`]. The caller keeps it
/// alive meanwhile.
pub fn enter(scope: ScopePtr) {
    context::push_scope(scope);
}

/// Leaves the innermost scope.
pub fn leave() {
    context::pop_scope();
}

/// tokio polled the operation of the innermost scope.
#[inline(never)]
pub fn polled(is_ready: bool) {
    if !is_active() {
        return;
    }
    let Some((resource, Some(operation))) = context::scope().upgrade() else { return };
    if is_ready {
        if operation.mode.is_some() {
            context::with(|context| context.granted.set((resource.id, operation.is_owned())));
        } else if operation.acquires_permits() {
            happens_before::pick_up(&operation.resource.meeting);
            operation.resource.permits_acquired(context::current_actor().as_ref());
        } else if resource.kind() == ResourceKind::Oneshot {
            happens_before::pick_up(&resource.meeting);
        }
        operation.stop_waiting();
        // A timer registers a waker before it looks whether it is over.
        if let Some(task) = context::current_task() {
            task.place_is_left();
        }
    } else {
        operation.start_waiting();
    }
}

/// The operation of the innermost scope needs so many permits.
#[inline(never)]
pub fn requested(permits: u64) {
    if is_active()
        && let Some((_, Some(operation))) = context::scope().upgrade()
    {
        operation.requested.store(permits, Ordering::Relaxed);
    }
}

/// The operation of the innermost scope was granted so many permits, by whoever
/// released them.
#[inline(never)]
pub fn granted(permits: u64) {
    if !is_active() || permits == 0 {
        return;
    }
    if let Some((_, Some(operation))) = context::scope().upgrade() {
        operation.granted.fetch_add(permits, Ordering::Relaxed);
        let current = context::current_actor();
        if let Some(wait) = operation.wait()
            && current.as_ref().is_none_or(|actor| actor.id != wait.actor.id)
        {
            let passes_on = if operation.acquires_permits() {
                let is_own = operation.resource.is_own_permit(current.as_ref());
                operation.resource.permits_released(current.as_ref());
                is_own
            } else {
                operation.mode.is_some()
            };
            if passes_on && operation.is_granted() {
                wait.actor.gets_lock();
            }
        }
        if operation.takes_room() {
            operation.resource.room_made(current.as_ref());
        }
        knots::note_wait();
    }
}

/// Permits that nobody waits for were added to the semaphore of the innermost scope.
#[inline(never)]
pub fn permits_added() {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing().filter(|it| it.kind() == ResourceKind::Semaphore) {
        let current = context::current_actor();
        if !resource.is_own_permit(current.as_ref()) {
            happens_before::leave(&resource.meeting);
        }
        resource.room_made(current.as_ref());
        resource.permits_released(current.as_ref());
    }
}

/// A message was left in the channel of the innermost scope.
#[inline(never)]
pub fn sent() {
    if is_active()
        && let Some(resource) = enclosing()
    {
        happens_before::leave(&resource.meeting);
    }
}

/// A message was taken out of the channel of the innermost scope.
#[inline(never)]
pub fn received() {
    if is_active()
        && let Some(resource) = enclosing()
    {
        happens_before::pick_up(&resource.meeting);
    }
}

/// Somebody is at the barrier of the innermost scope: after it, whatever all of them did
/// is over.
#[inline(never)]
pub fn arrived() {
    if is_active()
        && let Some(resource) = enclosing()
    {
        happens_before::leave(&resource.meeting);
        happens_before::pick_up(&resource.meeting);
    }
}

/// A waker of ours is cloned in the innermost scope.
pub(crate) fn note_waker() {
    if let Some((_, Some(operation))) = context::scope().upgrade() {
        operation.owns_waker.store(true, Ordering::Relaxed);
    }
}

/// The timer of the innermost scope will fire in `milliseconds`.
#[inline(never)]
pub fn timer_set(milliseconds: u64) {
    if let Some(resource) = enclosing() {
        let due = clock::now_ns().saturating_add(milliseconds.saturating_mul(1_000_000));
        resource.due_ns.store(due, Ordering::Relaxed);
    }
}

/// The lock of the innermost scope was acquired.
#[inline(never)]
pub fn acquired(kind: ResourceKind, mode: Mode) {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing() {
        resource.reveal(kind);
        let (granted, is_owned) = context::with(|context| context.granted.replace((0, true)));
        let is_try = granted != resource.id;
        lock::acquired(&resource, mode, is_try, is_try || is_owned);
    }
}

/// The lock of the innermost scope was released.
#[inline(never)]
pub fn released(mode: Mode) {
    if !is_active() {
        return;
    }
    if let Some(resource) = enclosing() {
        lock::released(&resource, mode);
    }
}
