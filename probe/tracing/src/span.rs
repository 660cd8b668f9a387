//! A handle of a task, a resource or an operation, with the face of a
//! `tracing::Span`.

use std::{
    fmt, mem,
    num::NonZeroU64,
    sync::{
        Arc,
        atomic::{AtomicPtr, Ordering},
    },
};

use concaudit_core::{
    is_active,
    lifecycle::scope,
    record::{
        operation::{Operation, ScopePtr},
        resource::Resource,
        task::Task,
    },
};

/// A handle of what tokio calls a span.
///
/// One word: an `Arc`'s pointer with a tag in its low bits; null for a span that
/// is not known yet ([`Span::none`]), and `INERT` for one that never will be.
pub struct Span(AtomicPtr<()>);

const TAG_MASK: usize = 0b11;
const TASK: usize = 0;
const RESOURCE: usize = 1;
const OPERATION: usize = 2;
const INERT: usize = 3;

/// What a [`Span`] is a handle of, borrowed.
#[derive(Clone, Copy)]
enum Target {
    Task(*const Task),
    Resource(*const Resource),
    Operation(*const Operation),
    Nothing,
}

impl Target {
    fn of(pointer: *mut ()) -> Self {
        let untagged = pointer.map_addr(|address| address & !TAG_MASK);
        match pointer.addr() & TAG_MASK {
            _ if pointer.is_null() => Self::Nothing,
            TASK => Self::Task(untagged.cast()),
            RESOURCE => Self::Resource(untagged.cast()),
            OPERATION => Self::Operation(untagged.cast()),
            _ => Self::Nothing,
        }
    }
}

fn tagged<T>(arc: Arc<T>, tag: usize) -> *mut () {
    const { assert!(mem::align_of::<T>() > TAG_MASK) };
    Arc::into_raw(arc).cast_mut().cast::<()>().map_addr(|address| address | tag)
}

impl Span {
    /// A span of which nothing is known yet. tokio gives one to whatever it
    /// makes in a `const fn`.
    #[must_use]
    pub const fn none() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// A span that means nothing to the probe.
    pub(crate) fn inert() -> Self {
        Self(AtomicPtr::new(std::ptr::without_provenance_mut(INERT)))
    }

    pub(crate) fn of_task(task: Arc<Task>) -> Self {
        Self(AtomicPtr::new(tagged(task, TASK)))
    }

    pub(crate) fn of_resource(resource: Arc<Resource>) -> Self {
        Self(AtomicPtr::new(tagged(resource, RESOURCE)))
    }

    pub(crate) fn of_operation(operation: Arc<Operation>) -> Self {
        Self(AtomicPtr::new(tagged(operation, OPERATION)))
    }

    /// What it stands for; settles it first where it is a `const fn`'s.
    fn target(&self) -> Target {
        let pointer = self.0.load(Ordering::Acquire);
        if pointer.is_null() && is_active() { self.settle() } else { Target::of(pointer) }
    }

    /// The first use of something that a `const fn` made: within another
    /// resource (the semaphore in a mutex) it is a part of that, else it is a
    /// resource of its own.
    #[cold]
    fn settle(&self) -> Target {
        let resource = scope::enclosing()
            .unwrap_or_else(|| Resource::met_at(std::ptr::from_ref(self).addr() as u64));
        let new = tagged(resource, RESOURCE);
        match self.0.compare_exchange(
            std::ptr::null_mut(),
            new,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => Target::of(new),
            Err(other) => {
                // Somebody was quicker.
                drop(Self(AtomicPtr::new(new)));
                Target::of(other)
            }
        }
    }

    pub(crate) fn task(&self) -> Option<Arc<Task>> {
        match Target::of(self.0.load(Ordering::Acquire)) {
            // SAFETY: the span owns a count.
            Target::Task(task) => unsafe {
                Arc::increment_strong_count(task);
                Some(Arc::from_raw(task))
            },
            _ => None,
        }
    }

    pub(crate) fn resource(&self) -> Option<Arc<Resource>> {
        match self.target() {
            // SAFETY: the span owns a count.
            Target::Resource(resource) => unsafe {
                Arc::increment_strong_count(resource);
                Some(Arc::from_raw(resource))
            },
            // SAFETY: the span owns a count of the operation, which owns its
            // resource.
            Target::Operation(operation) => Some(Arc::clone(unsafe { &(*operation).resource })),
            _ => None,
        }
    }

    /// The id of the span, where it stands for anything.
    #[inline(never)]
    pub fn id(&self) -> Option<Id> {
        let id = match Target::of(self.0.load(Ordering::Acquire)) {
            // SAFETY: the span owns a count.
            Target::Task(task) => unsafe { (*task).id },
            // SAFETY: as above.
            Target::Resource(resource) => unsafe { (*resource).id },
            // SAFETY: as above.
            Target::Operation(operation) => unsafe { (*operation).id },
            Target::Nothing => return None,
        };
        NonZeroU64::new(id).map(Id)
    }

    /// Enters it; leaving is dropping the guard.
    #[inline(never)]
    pub fn enter(&self) -> Entered<'_> {
        Entered { span: self, pushed: self.push() }
    }

    /// Enters it for good of the guard, which owns it.
    #[inline(never)]
    #[must_use]
    pub fn entered(self) -> EnteredSpan {
        let pushed = self.push();
        EnteredSpan { span: self, pushed }
    }

    /// Runs `f` within it.
    pub fn in_scope<F: FnOnce() -> T, T>(&self, f: F) -> T {
        let _entered = self.enter();
        f()
    }

    fn push(&self) -> bool {
        let scope = match self.target() {
            Target::Resource(resource) => ScopePtr::Resource(resource),
            Target::Operation(operation) => ScopePtr::Operation(operation),
            Target::Task(_) | Target::Nothing => return false,
        };
        scope::enter(scope);
        true
    }
}

impl Clone for Span {
    #[inline(never)]
    fn clone(&self) -> Self {
        match self.target() {
            // SAFETY: the span owns a count, to which one is added for the new
            // one.
            Target::Task(task) => unsafe { Arc::increment_strong_count(task) },
            // SAFETY: as above.
            Target::Resource(resource) => unsafe { Arc::increment_strong_count(resource) },
            // SAFETY: as above.
            Target::Operation(operation) => unsafe { Arc::increment_strong_count(operation) },
            Target::Nothing => {}
        }
        Self(AtomicPtr::new(self.0.load(Ordering::Acquire)))
    }
}

impl Drop for Span {
    #[inline(never)]
    fn drop(&mut self) {
        match Target::of(*self.0.get_mut()) {
            // SAFETY: the span owns a count and gives it back.
            Target::Task(task) => unsafe { Arc::decrement_strong_count(task) },
            // SAFETY: as above.
            Target::Resource(resource) => unsafe { Arc::decrement_strong_count(resource) },
            // SAFETY: as above.
            Target::Operation(operation) => unsafe { Arc::decrement_strong_count(operation) },
            Target::Nothing => {}
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => f.debug_tuple("Span").field(&id.into_u64()).finish(),
            None => f.write_str("Span(none)"),
        }
    }
}

/// A span that is entered, borrowed.
#[derive(Debug)]
pub struct Entered<'a> {
    span: &'a Span,
    pushed: bool,
}

impl Drop for Entered<'_> {
    #[inline(never)]
    fn drop(&mut self) {
        let _ = self.span;
        if self.pushed {
            scope::leave();
        }
    }
}

/// A span that is entered, owned.
#[derive(Debug)]
pub struct EnteredSpan {
    span: Span,
    pushed: bool,
}

impl EnteredSpan {
    /// The id of the span, where it stands for anything.
    pub fn id(&self) -> Option<Id> {
        self.span.id()
    }
}

impl Drop for EnteredSpan {
    #[inline(never)]
    fn drop(&mut self) {
        if self.pushed {
            scope::leave();
        }
    }
}

/// What tokio keeps of a span to name it later.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    /// As a number.
    pub fn into_u64(&self) -> u64 {
        self.0.get()
    }
}
