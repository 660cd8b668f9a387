//! A poll of a task, and the drop of its future.

use std::{
    mem::ManuallyDrop,
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use crate::{
    context,
    detect::{orphans, panics},
    lifecycle::{happens_before, lock, shake, waker},
    platform::{
        clock, distribution,
        stack::{self, Extent},
        sync::lock as guard,
        thread_number,
    },
    record::{
        held_locks::HeldLocks,
        task::{State, Task, TaskEnd, TaskKind, join_handle::Body},
    },
};

impl Task {
    /// Its poll begins on this thread, in the function that calls this.
    /// `inner` is tokio's waker, and `body` where the future is.
    #[inline(never)]
    pub fn begin_poll(self: &Arc<Self>, inner: &Waker, body: &Body) -> Poll {
        shake::perhaps_delay();
        let frame = stack::caller_frame(stack::frame_pointer());
        let now = clock::now_ns();
        if self.holds_locks() {
            self.note_await(now);
        }
        let replaced = {
            let mut known = guard(&self.inner);
            let is_known = known.as_ref().is_some_and(|known| known.will_wake(inner));
            if is_known { None } else { known.replace(inner.clone()) }
        };
        drop(replaced);
        // In this order, so that at no moment it seems to be neither.
        self.is_running.store(true, Ordering::SeqCst);
        if self.is_scheduled.swap(false, Ordering::SeqCst) {
            let since = self.last_wake_ns().max(self.created_ns);
            self.scheduled_ns.fetch_add(now.saturating_sub(since), Ordering::Relaxed);
        }
        self.last_waker.poll_begins(self.clones.load(Ordering::Relaxed));
        if self.kind == TaskKind::Blocking {
            self.note_thread();
        } else {
            self.thread.store(thread_number::current(), Ordering::Relaxed);
        }
        let poll = self.polls.fetch_add(1, Ordering::SeqCst) + 1;
        self.recent.begin(poll);
        self.is_unsettled.store(false, Ordering::Relaxed);
        if poll == 1 {
            self.first_poll_ns.store(now, Ordering::Relaxed);
            self.joins.note(body);
            if panics::is_any_readable() {
                panics::replaced(body.future);
            }
            happens_before::replaced(body.future);
        }
        self.take_notice();
        self.note_whether_awaited(inner);
        self.poll_started_ns.store(now, Ordering::Relaxed);
        context::push_task(self);
        let (outer_frame, outer_task, outer_held, held_before) = context::with(|context| {
            let rows = context.held_or_new();
            let held = rows.map_or(0, HeldLocks::len);
            let outer_task = rows.map_or(0, |rows| {
                let outer = rows.poll_slot.task();
                rows.poll_slot.change(self.id, frame, now);
                if self.kind == TaskKind::Blocking {
                    rows.poll_slot.note_blocking_task();
                }
                outer
            });
            let outer_held = context.held_outside.get();
            // A root blocks its thread until it is done, so that what the thread
            // holds the root holds, too.
            if self.kind != TaskKind::BlockOn {
                context.held_outside.set(held);
            }
            (stack::set_poll_frame(frame), outer_task, outer_held, held)
        });
        Poll {
            task: Arc::clone(self),
            waker: waker::borrowed(self, poll),
            future: body.future,
            outer_frame,
            outer_task,
            outer_held,
            held_before,
            returned: false,
            is_ready: false,
        }
    }

    /// A lock was held over an await that is over now: how long was it?
    fn note_await(&self, now: u64) {
        let since = self.poll_ended_ns();
        let awaited = now.saturating_sub(since);
        let stack = self.await_stack();
        for hold in guard(&self.held).iter_mut() {
            if hold.acquired_ns <= since && awaited > hold.awaited_ns {
                hold.awaited_ns = awaited;
                hold.await_stack = stack;
            }
        }
    }

    /// Of a worker: this is its thread.
    pub fn worker_begins(&self) {
        self.note_thread();
    }

    /// Of a worker: it has ended.
    pub fn worker_ends(self: &Arc<Self>) {
        self.finish(TaskEnd::Completed);
    }

    /// Its future is about to be dropped: runs `drop_future` as a part of it.
    pub fn drop_future(self: &Arc<Self>, drop_future: impl FnOnce()) {
        let unfinished = self.end() == TaskEnd::Alive;
        if unfinished {
            let drop_stack = stack::capture(Extent::Thread);
            *guard(&self.last_state) = Some(Box::new(State { drop_stack, ..self.state() }));
            self.is_dropping.store(true, Ordering::Relaxed);
        }
        let children = if unfinished { guard(&self.children).with_handle() } else { Vec::new() };
        let current = Current::enter(self);
        drop_future();
        drop(current);
        if unfinished {
            self.finish(TaskEnd::Dropped);
            orphans::look(self, children);
        }
        // Dropped outside of our locks: it may be the last of a resource, and
        // what a foreign waker does is not known.
        let inner = guard(&self.inner).take();
        let waits = std::mem::take(&mut *guard(&self.waits));
        drop((inner, waits));
    }
}

/// Makes a task the current one while it lives.
struct Current;

impl Current {
    fn enter(task: &Arc<Task>) -> Self {
        context::push_task(task);
        Self
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        context::pop_task();
    }
}

/// A poll of a task, in progress.
#[derive(Debug)]
pub struct Poll {
    task: Arc<Task>,
    waker: ManuallyDrop<Waker>,
    future: usize,
    outer_frame: usize,
    /// The task that this thread polls again afterwards; 0: none.
    outer_task: u64,
    outer_held: usize,
    /// The locks that this thread held as the poll began.
    held_before: usize,
    /// Stays `false` where the poll unwinds.
    returned: bool,
    is_ready: bool,
}

impl Poll {
    /// The waker to poll with.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The future was ready.
    pub fn ready(mut self) {
        self.returned = true;
        self.is_ready = true;
        self.task.finish(TaskEnd::Completed);
    }

    /// The future has to wait.
    pub fn pending(mut self) {
        self.returned = true;
        let held = context::with(|context| context.held().map_or(0, HeldLocks::len));
        if held > self.held_before {
            lock::carry(&self.task, self.held_before);
        }
        // Not twice in a row: there are futures that end an operation in each poll.
        let is_settling = self.task.is_settling.swap(false, Ordering::Relaxed);
        if self.task.is_unsettled.load(Ordering::Relaxed) && !is_settling {
            self.task.settle();
        }
    }
}

impl Drop for Poll {
    #[inline(never)]
    fn drop(&mut self) {
        let task = &self.task;
        let now = clock::now_ns();
        context::pop_task();
        context::with(|context| {
            stack::set_poll_frame(self.outer_frame);
            if let Some(rows) = context.held() {
                rows.poll_slot.change(self.outer_task, self.outer_frame, now);
            }
            context.held_outside.set(self.outer_held);
        });
        let busy = now.saturating_sub(task.poll_started_ns());
        task.busy_ns.fetch_add(busy, Ordering::Relaxed);
        if task.kind != TaskKind::Blocking {
            distribution::POLLS.note(busy);
        }
        task.poll_ended_ns.store(now, Ordering::Relaxed);
        task.last_waker.poll_ends(task.clones.load(Ordering::Relaxed));
        // What a root drops as it ends is dropped with everything else.
        if self.returned && !(self.is_ready && task.kind == TaskKind::BlockOn) {
            task.look_at_handles();
        }
        task.is_running.store(false, Ordering::SeqCst);
        if self.is_ready || !self.returned {
            task.ends_for_joiners(self.future);
        }
        if !self.returned {
            panics::task_unwinds(task, task.handle(), self.future);
            task.finish(TaskEnd::Panicked);
        }
    }
}
