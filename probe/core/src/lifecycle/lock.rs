//! A lock is waited for, acquired, released.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    context,
    detect::{
        by_place::{self, RecursionKey},
        lock_order::record_edges,
    },
    lifecycle::pause,
    outbox,
    platform::{
        clock, counters, distribution, options,
        stack::{self, Extent},
        sync::lock as guard,
    },
    record::{
        lock::{Acquisition, Hold, Holder, LongHold, MAX_WAITERS, Mode, Waiter, waiters_during},
        resource::{Resource, writer_word},
        run_queue::Parties,
        task::Task,
    },
};

/// `actor` found the lock that it wants taken, perhaps by itself.
pub(crate) fn wait_begins(
    operation: u64,
    wanted: &Acquisition,
    actor: &Arc<Task>,
    since_ns: u64,
) -> Option<RecursionKey> {
    waits(operation, wanted, actor, since_ns, Parties::default());
    if wanted.mode == Mode::Exclusive {
        wanted.resource.note_writers(writer_word(actor.actor_id()));
    }
    let held = held_by_task(actor);
    let again = held.iter().find(|mine| mine.resource.id == wanted.resource.id);
    let recursion = again
        .filter(|mine| !mine.is_movable)
        .map(|mine| by_place::recursion(actor, mine, wanted, true));
    record_edges(actor, &held, wanted, since_ns, true);
    recursion
}

/// As [`wait_begins`], for a lock whose orders are written down already.
pub(crate) fn waits(
    operation: u64,
    wanted: &Acquisition,
    actor: &Arc<Task>,
    since_ns: u64,
    parties: Parties,
) {
    guard(&wanted.resource.waiters).pending.push(Waiter {
        operation,
        actor: Arc::clone(actor),
        stack: wanted.stack,
        since_ns,
        until_ns: 0,
        withheld_ns: 0,
        parties,
    });
}

/// What a task holds that waits, or takes a lock, within its poll on this thread: the
/// locks of its own, and those of the thread that are its.
fn held_by_task(actor: &Task) -> Vec<Acquisition> {
    let mut held = carried_by(actor);
    context::append_held(context::with(|context| context.held_outside.get()), &mut held);
    held
}

/// Locks of one task that orders are written down of, the newest ones. Each acquisition
/// looks at each pair of them.
const MAX_CARRIED: usize = 48;

/// The locks that a task keeps over its awaits, oldest first.
pub(crate) fn carried_by(actor: &Task) -> Vec<Acquisition> {
    if actor.held_count.load(Ordering::Relaxed) == 0 {
        return Vec::new();
    }
    let held = guard(&actor.held);
    let left_out = held.len().saturating_sub(MAX_CARRIED);
    counters::DROPPED_ORDER_EDGES.add(left_out as u64);
    held[left_out..].iter().map(|hold| hold.acquisition.clone()).collect()
}

/// The wait is over, one way or the other.
pub(crate) fn wait_ends(operation: u64, resource: &Resource) {
    let mut waiters = guard(&resource.waiters);
    let Some(index) = waiters.pending.iter().position(|waiter| waiter.operation == operation)
    else {
        return;
    };
    let mut waiter = waiters.pending.swap_remove(index);
    waiter.until_ns = clock::now_ns();
    distribution::LOCK_WAITS.note(waiter.until_ns.saturating_sub(waiter.since_ns));
    // The holder reports its release only after the lock has been passed on, so
    // a wait worth telling outlives its end here.
    if waiter.until_ns.saturating_sub(waiter.since_ns) >= options::get().wait {
        // Files are read for that: not for the many short waits.
        waiter.withheld_ns = waiter.parties.withheld_ns();
        if waiters.past.len() >= MAX_WAITERS {
            waiters.past.remove(0);
        }
        waiters.past.push(waiter);
    }
}

/// The current actor holds `resource` from now on.
pub(crate) fn acquired(resource: &Arc<Resource>, mode: Mode, is_try: bool, is_movable: bool) {
    let Some(actor) = context::current_actor() else { return };
    counters::ACQUISITIONS.add(1);
    let now = clock::now_ns();
    let acquisition = Acquisition {
        resource: Arc::clone(resource),
        mode,
        stack: stack::capture(Extent::Task),
        is_try,
        is_movable,
    };
    if mode == Mode::Exclusive {
        resource.note_writers(writer_word(actor.actor_id()));
    }
    if !is_try {
        let held = held_by_task(&actor);
        let again = held.iter().find(|mine| mine.resource.id == resource.id);
        if let Some(mine) = again.filter(|mine| mine.mode.admits(mode) && !mine.is_movable) {
            by_place::recursion(&actor, mine, &acquisition, false);
        }
        record_edges(&actor, &held, &acquisition, now, false);
    }
    hold(&actor, Hold::new(acquisition, now, clock::starved_ns()));
    pause::after_acquisition();
}

/// Writes down that `actor` holds a lock.
fn hold(actor: &Arc<Task>, hold: Hold) {
    let Acquisition { resource, mode, .. } = &hold.acquisition;
    guard(&resource.holders).push(Holder { actor: Arc::clone(actor), mode: *mode });
    let mut held = guard(&actor.held);
    held.push(hold);
    actor.held_count.store(held.len() as u32, Ordering::Relaxed);
}

/// The poll of `task` returns `Pending` with std or parking_lot locks held, which
/// this thread took in it: they are the task's from now on.
#[cold]
pub(crate) fn carry(task: &Arc<Task>, from: usize) {
    let await_stack = task.await_stack();
    for held in context::take_held(from) {
        let carried = held.hold();
        by_place::across_await(task, &carried.acquisition, await_stack);
        hold(task, carried);
    }
}

/// The current actor let go of `resource`, which it may have been handed.
pub(crate) fn released(resource: &Arc<Resource>, mode: Mode) {
    let current = context::current_actor();
    let holder = {
        let mut holders = guard(&resource.holders);
        let is_mine = |holder: &Holder| {
            current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &holder.actor))
        };
        let index = holders
            .iter()
            .position(|holder| holder.mode == mode && is_mine(holder))
            .or_else(|| holders.iter().position(|holder| holder.mode == mode));
        let Some(index) = index else { return };
        let holder = holders.remove(index);
        if !is_mine(&holder) {
            resource.hand_over();
        }
        holder.actor
    };
    let hold = {
        let mut held = guard(&holder.held);
        let index = held.iter().rposition(|hold| {
            hold.acquisition.resource.id == resource.id && hold.acquisition.mode == mode
        });
        let Some(index) = index else { return };
        let hold = held.remove(index);
        holder.held_count.store(held.len() as u32, Ordering::Relaxed);
        hold
    };
    hold_ended(hold, holder);
}

/// Ships a hold that is over, if it was long.
pub(crate) fn hold_ended(hold: Hold, holder: Arc<Task>) {
    let now = clock::now_ns();
    let options = options::get();
    let held_ns = now.saturating_sub(hold.acquired_ns);
    distribution::LOCK_HOLDS.note(held_ns);
    if held_ns < options.contended_hold.min(options.long_hold) {
        return;
    }
    let waiters = waiters_during(&hold.acquisition.resource, hold.acquired_ns, now, options.wait);
    let starved_ns = hold.starved_ns();
    let is_long = if waiters.is_empty() {
        held_ns >= options.long_hold
    } else {
        held_ns >= options.contended_hold
    };
    if is_long {
        outbox::long_hold(LongHold { hold, holder, released_ns: now, starved_ns, waiters });
    }
}
