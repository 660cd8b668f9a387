//! The run as data: tasks, locks, stacks, waits and edges of all processes.
//!
//! Invariants: every id used in a [`Process`] resolves within that process;
//! stacks are symbolised, innermost frame first; times are nanoseconds since
//! the process started.

mod blame;
mod build;
mod facts;
mod items;
mod lock;
mod names;
mod nesting;
mod owner;
mod path;
mod resource;
mod run;
mod runtimes;
#[cfg(test)]
mod shapes;
mod stack;
mod statics;
mod symbols;
mod task;
#[cfg(test)]
pub mod testing;
mod waits;

pub use blame::{
    TestIdentity, blame_frame, origin, origin_of_frame, origin_of_site, origin_of_task,
    pointed_frame, site_frame, spawner, user_frames, went_into_test,
};
pub use build::process_from;
pub use facts::*;
pub use lock::*;
pub use nesting::{Nesting, is_paused, last_polled_at, nested, outlived_its_acquisition};
pub use path::{crate_of, plain, short};
pub use resource::*;
pub use run::*;
pub use runtimes::{drops_own_runtime, in_place, is_worker};
pub use stack::*;
pub use statics::{in_initialiser, is_of_static, static_frame};
pub use symbols::{FileId, Module, Symboliser};
pub use task::*;
pub use waits::{Awaited, BlockingFunction, CallKind, awaited, blocking_function};
