//! What happens at each moment in the life of a task, a thread or a lock, in its order. The
//! facades and the stand-in for `tracing` call this, and nothing else.

pub mod happens_before;
pub(crate) mod lock;
pub mod lockdep_map;
pub mod operation;
mod pause;
pub mod poll;
pub mod scope;
mod shake;
pub mod task;
pub mod thread;
pub(crate) mod waker;
