//! What the macros expand to. None of it is generic, so all of it is compiled
//! here, optimised, and not in the crate that uses the macros.

use concaudit_core::{
    is_active,
    lifecycle::scope,
    record::{
        lock::Mode,
        operation::Operation,
        resource::{Resource, ResourceKind, Site},
        task::{Task, TaskKind},
    },
};

use crate::Span;

#[inline(never)]
pub fn inert() -> Span {
    Span::inert()
}

#[inline(never)]
pub fn operation(source: &str) -> Span {
    if !is_active() {
        return Span::inert();
    }
    Operation::begin(source).map_or_else(Span::inert, Span::of_operation)
}

#[inline(never)]
pub fn operation_of(parent: &Span, source: &str) -> Span {
    match parent.resource() {
        Some(resource) if is_active() => Span::of_operation(Operation::on(resource, source)),
        _ => Span::inert(),
    }
}

#[inline(never)]
pub fn polled(is_ready: bool) {
    scope::polled(is_ready);
}

#[inline(never)]
pub fn mutex(locked: bool) {
    if locked {
        scope::acquired(ResourceKind::Mutex, Mode::Exclusive);
    } else {
        scope::released(Mode::Exclusive);
    }
}

#[inline(never)]
pub fn writer(locked: bool) {
    if locked {
        scope::acquired(ResourceKind::RwLock, Mode::Exclusive);
    } else {
        scope::released(Mode::Exclusive);
    }
}

#[inline(never)]
pub fn reader(op: &str) {
    if op == "add" {
        scope::acquired(ResourceKind::RwLock, Mode::Shared);
    } else {
        scope::released(Mode::Shared);
    }
}

#[inline(never)]
pub fn requested(permits: u64) {
    scope::requested(permits);
}

#[inline(never)]
pub fn granted(permits: u64) {
    scope::granted(permits);
}

/// Nobody waited for permits that were released.
#[inline(never)]
pub fn permits_added() {
    scope::permits_added();
}

#[inline(never)]
pub fn sent() {
    scope::sent();
}

#[inline(never)]
pub fn received() {
    scope::received();
}

#[inline(never)]
pub fn arrived() {
    scope::arrived();
}

#[inline(never)]
pub fn timer_set(milliseconds: u64) {
    if is_active() {
        scope::timer_set(milliseconds);
    }
}

#[derive(Debug, Default)]
pub struct Position {
    file: Option<&'static str>,
    line: u32,
    column: u32,
}

impl Position {
    #[inline(never)]
    pub fn file(&mut self, file: &'static str) {
        self.file = Some(file);
    }

    #[inline(never)]
    pub fn line(&mut self, line: u32) {
        self.line = line;
    }

    #[inline(never)]
    pub fn column(&mut self, column: u32) {
        self.column = column;
    }

    fn site(&self) -> Option<Site> {
        self.file.map(|file| Site { file, line: self.line, column: self.column })
    }
}

#[derive(Debug)]
pub struct ResourceAttributes {
    kind: ResourceKind,
    pub position: Position,
    is_internal: bool,
}

impl ResourceAttributes {
    #[inline(never)]
    pub fn new(concrete_type: &str) -> Self {
        Self {
            kind: ResourceKind::from_concrete_type(concrete_type),
            position: Position::default(),
            is_internal: false,
        }
    }

    /// tokio's coarser word ("Sync", "timer"), which the type implies.
    pub fn kind(&mut self, _: &str) {}

    #[inline(never)]
    pub fn internal(&mut self, is_internal: bool) {
        self.is_internal = is_internal;
    }

    #[inline(never)]
    pub fn finish(self) -> Span {
        if !is_active() {
            return Span::inert();
        }
        // The semaphore in a mutex is the mutex, as far as anybody cares.
        if self.is_internal
            && let Some(outer) = scope::enclosing()
        {
            return Span::of_resource(outer);
        }
        Span::of_resource(Resource::new(self.kind, self.position.site(), self.is_internal))
    }

    pub fn name(&mut self, _: &str) {}

    pub fn tokio_id(&mut self, _: u64) {}
}

#[derive(Debug)]
pub struct TaskAttributes {
    kind: TaskKind,
    name: String,
    tokio_id: u64,
    pub position: Position,
}

impl TaskAttributes {
    #[inline(never)]
    #[expect(clippy::new_without_default, reason = "only the macros make them")]
    pub fn new() -> Self {
        Self {
            kind: TaskKind::Task,
            name: String::new(),
            tokio_id: 0,
            position: Position::default(),
        }
    }

    #[inline(never)]
    pub fn kind(&mut self, kind: &str) {
        self.kind = TaskKind::from_name(kind);
    }

    #[inline(never)]
    pub fn name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    #[inline(never)]
    pub fn tokio_id(&mut self, id: u64) {
        self.tokio_id = id;
    }

    pub fn internal(&mut self, _: bool) {}

    #[inline(never)]
    pub fn finish(self) -> Span {
        if !is_active() {
            return Span::inert();
        }
        let kind = if self.is_worker() { TaskKind::Worker } else { self.kind };
        Span::of_task(Task::spawn(kind, &self.name, self.tokio_id, self.position.site()))
    }

    /// The workers of a multi-thread runtime are blocking tasks of tokio's own:
    /// whatever they poll is not a part of them.
    fn is_worker(&self) -> bool {
        self.kind == TaskKind::Blocking
            && self.position.file.is_some_and(|file| {
                file.ends_with("worker.rs")
                    && (file.contains("multi_thread") || file.contains("thread_pool"))
            })
    }
}
