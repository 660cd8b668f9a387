//! Stands in for `tracing` in tokio.
//!
//! tokio is compiled with `--cfg tokio_unstable --cfg feature="tracing"` and
//! `--extern tracing=` this crate, so that all that tokio has to say is said to
//! the probe, and to nobody else: the program's own `tracing` is another crate.
//!
//! This is not `tracing` with a subscriber. tokio uses a dozen forms of two
//! macros; each form is matched here, token by token, and becomes one call into
//! `concaudit-core`. There is no callsite, no field visitor, no dispatcher and
//! no registry in between, which matters since all of it would be compiled into
//! programs that are mostly built unoptimised. A form that is not known (a
//! newer tokio) compiles to nothing, so the worst that a new tokio does is to
//! tell less.
//!
//! Two things are better than what `tracing` could do. [`Span::none`] is a
//! `const fn` of ours, so a lock made by tokio's `const_new` (every static one)
//! becomes known when it is first used. And [`instrument::Instrumented`], which
//! tokio wraps around every task, sees polls, panics and drops exactly and puts
//! a waker of ours around tokio's.

#[doc(hidden)]
pub mod __private;
pub mod instrument;
#[macro_use]
mod macros;
mod span;

pub use instrument::Instrument;
pub use span::{Entered, EnteredSpan, Id, Span};
