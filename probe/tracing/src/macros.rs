//! `trace_span!` and `trace!`, in the forms that tokio 1.20 to 1.54 uses.

/// A span. What kind it is, its name says; its fields are gathered one by one,
/// and those that the probe has no use for are skipped.
#[macro_export]
macro_rules! trace_span {
    // Only what is polled counts, and that is the operation itself.
    (parent: $parent:expr, "runtime.resource.async_op.poll" $(,)?) => { $crate::__private::inert() };
    ("runtime.resource.async_op.poll" $(,)?) => { $crate::__private::inert() };

    (parent: $parent:expr, "runtime.resource.async_op", source = $source:expr $(, $($rest:tt)*)?) => {
        $crate::__private::operation_of($parent, $source)
    };
    ("runtime.resource.async_op", source = $source:expr $(, $($rest:tt)*)?) => {
        $crate::__private::operation($source)
    };

    ($(parent: None,)? "runtime.resource", concrete_type = $type:expr, $($fields:tt)*) => {{
        let mut attributes = $crate::__private::ResourceAttributes::new($type);
        $crate::__fields!(attributes, $($fields)*,);
        attributes.finish()
    }};

    (target: $target:expr, $(parent: None,)? "runtime.spawn", $($fields:tt)*) => {{
        let mut attributes = $crate::__private::TaskAttributes::new();
        $crate::__fields!(attributes, $($fields)*,);
        attributes.finish()
    }};

    ($($unknown:tt)*) => { $crate::__private::inert() };
}

/// An event.
#[macro_export]
macro_rules! trace {
    (target: "runtime::resource::poll_op", op_name = $name:expr, is_ready = $ready:expr $(,)?) => {
        $crate::__private::polled($ready)
    };
    (target: "runtime::resource::state_update", locked = $locked:expr $(,)?) => {
        $crate::__private::mutex($locked)
    };
    // As a lock is created, and not as it is released.
    (target: "runtime::resource::state_update", write_locked = $locked:expr $(,)?) => {
        ()
    };
    (target: "runtime::resource::state_update", write_locked = $locked:expr, write_locked.op = $op:expr $(,)?) => {
        $crate::__private::writer($locked)
    };
    (target: "runtime::resource::state_update", current_readers = $n:expr, current_readers.op = $op:expr $(,)?) => {
        $crate::__private::reader($op)
    };
    (target: "runtime::resource::async_op::state_update", permits_requested = $n:expr, permits.op = "override" $(,)?) => {
        $crate::__private::requested($n as u64)
    };
    (target: "runtime::resource::async_op::state_update", permits_obtained = $n:expr, permits.op = "add" $(,)?) => {
        $crate::__private::granted($n as u64)
    };
    (target: "runtime::resource::state_update", permits = $n:expr, permits.op = "add" $(,)?) => {
        $crate::__private::permits_added()
    };
    (target: "runtime::resource::state_update", value_sent = true, $($rest:tt)*) => {
        $crate::__private::sent()
    };
    (target: "runtime::resource::state_update", value_received = true, $($rest:tt)*) => {
        $crate::__private::received()
    };
    (target: "runtime::resource::state_update", arrived = 1, $($rest:tt)*) => {
        $crate::__private::arrived()
    };
    (target: "runtime::resource::state_update", duration = $duration:expr, duration.unit = "ms", $($rest:tt)*) => {
        $crate::__private::timer_set($duration)
    };
    ($($unknown:tt)*) => {
        ()
    };
}

/// Hands the fields of a span to its attributes, one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    ($attributes:ident, $(,)*) => {};
    ($attributes:ident, loc.file = $value:expr, $($rest:tt)*) => {
        $attributes.position.file($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, loc.line = $value:expr, $($rest:tt)*) => {
        $attributes.position.line($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, loc.col = $value:expr, $($rest:tt)*) => {
        $attributes.position.column($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, is_internal = $value:expr, $($rest:tt)*) => {
        $attributes.internal($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    // `%kind` is short for `kind = %kind`; tokio has no other of that form.
    ($attributes:ident, %$kind:ident, $($rest:tt)*) => {
        $attributes.kind($kind);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, kind = %$value:expr, $($rest:tt)*) => {
        $attributes.kind($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, task.name = %$value:expr, $($rest:tt)*) => {
        $attributes.name($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, task.id = $value:expr, $($rest:tt)*) => {
        $attributes.tokio_id($value);
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, $($name:ident).+ = $(%)? $value:expr, $($rest:tt)*) => {
        $crate::__fields!($attributes, $($rest)*);
    };
    ($attributes:ident, $name:literal = $(%)? $value:expr, $($rest:tt)*) => {
        $crate::__fields!($attributes, $($rest)*);
    };
    // A form of field that is not known: the rest is done without.
    ($attributes:ident, $($unknown:tt)*) => {};
}
