//! The wrapper that tokio puts around every task and every root.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicPtr, Ordering},
    task::{Context, Poll},
};

use concaudit_core::{
    detect::drain::Drain,
    record::task::{TaskKind, join_handle::Body},
};

use crate::Span;

/// Wraps a future in a span.
pub trait Instrument: Sized {
    /// Wraps it.
    fn instrument(self, span: Span) -> Instrumented<Self> {
        Instrumented { inner: Some(self), span, held_back: None }
    }
}

impl<T> Instrument for T {}

/// A future, and the task that it is the body of.
///
/// tokio names this type without a bound on `T`, so the value that a root is
/// held back with (see [`concaudit_core::detect::drain`]) has no type here.
pub struct Instrumented<T> {
    /// `None` from the moment a root is ready and held back.
    inner: Option<T>,
    span: Span,
    held_back: Option<HeldBack>,
}

/// The value of a root, on the heap, and the drain that it waits for.
struct HeldBack {
    value: AtomicPtr<()>,
    drop_value: unsafe fn(*mut ()),
    drain: Drain,
}

/// # Safety
///
/// `value` comes from `Box::<T>::into_raw`, and is not used afterwards.
unsafe fn drop_boxed<T>(value: *mut ()) {
    // SAFETY: see above.
    drop(unsafe { Box::from_raw(value.cast::<T>()) });
}

impl HeldBack {
    fn new<T>(value: T, drain: Drain) -> Self {
        let value = Box::into_raw(Box::new(value)).cast();
        Self { value: AtomicPtr::new(value), drop_value: drop_boxed::<T>, drain }
    }

    /// # Safety
    ///
    /// `T` is the type that it was made with.
    unsafe fn release<T>(mut self) -> T {
        let value = std::mem::replace(self.value.get_mut(), std::ptr::null_mut());
        // SAFETY: from `Box::into_raw` of a `Box<T>`, and taken out just once.
        *unsafe { Box::from_raw(value.cast::<T>()) }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        let value = self.value.load(Ordering::Relaxed);
        if !value.is_null() {
            // SAFETY: the pair was made together, and `release` leaves a null.
            unsafe { (self.drop_value)(value) };
        }
    }
}

impl<T> Instrumented<T> {
    /// The span.
    pub fn span(&self) -> &Span {
        &self.span
    }
}

impl<T: Future> Future for Instrumented<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `inner` is pinned structurally: it is polled through a pinned
        // reference and dropped in place, never moved. Nothing else is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(held_back) = &this.held_back {
            if held_back.drain.go_on() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(held_back) = this.held_back.take() {
                // SAFETY: `hold_back` below is the only one to fill it, with
                // this very type.
                return Poll::Ready(unsafe { held_back.release::<T::Output>() });
            }
        }
        let body = Body {
            future: 0,
            address: std::ptr::from_ref(&*this).addr(),
            size: size_of::<Self>(),
            align: align_of::<Self>(),
            output: size_of::<T::Output>(),
        };
        let Some(inner) = &mut this.inner else { return Poll::Pending };
        // SAFETY: see above.
        let inner = unsafe { Pin::new_unchecked(inner) };
        let Some(task) = this.span.task() else { return inner.poll(cx) };
        if task.kind == TaskKind::Worker {
            task.worker_begins();
            let poll = inner.poll(cx);
            if poll.is_ready() {
                task.worker_ends();
            }
            return poll;
        }
        let body = Body { future: std::ptr::from_ref(&*inner).addr(), ..body };
        let poll = task.begin_poll(cx.waker(), &body);
        let mut context = Context::from_waker(poll.waker());
        match inner.poll(&mut context) {
            Poll::Pending => {
                poll.pending();
                Poll::Pending
            }
            Poll::Ready(value) => {
                poll.ready();
                if task.kind == TaskKind::BlockOn
                    && let Some(drain) = Drain::begin()
                {
                    // What the root captured goes first: it may be all that
                    // keeps a task waiting.
                    task.drop_future(|| this.inner = None);
                    this.held_back = Some(HeldBack::new(value, drain));
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(value)
            }
        }
    }
}

impl<T> Drop for Instrumented<T> {
    fn drop(&mut self) {
        if self.inner.is_some()
            && let Some(task) = self.span.task()
        {
            if task.kind == TaskKind::Worker {
                self.inner = None;
                task.worker_ends();
            } else {
                task.drop_future(|| self.inner = None);
            }
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for Instrumented<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrumented")
            .field("inner", &self.inner)
            .field("span", &self.span)
            .finish()
    }
}
