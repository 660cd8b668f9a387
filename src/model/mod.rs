//! The run as data: tasks, locks, stacks, waits and edges of all processes.

mod blame;
mod build;
mod items;
mod nesting;
mod owner;
#[cfg(test)]
mod shapes;
mod symbols;
mod types;
mod waits;

pub use blame::{
    TestIdentity, blame_frame, origin, origin_of_frame, origin_of_site, origin_of_task,
    pointed_frame, site_frame, spawner, user_frames,
};
pub use build::process_from;
pub use nesting::{Nesting, is_paused, last_polled_at, nested, outlived_its_acquisition};
pub use owner::crate_of;
pub use symbols::{FileId, Module, Symboliser};
pub use types::*;
pub use waits::{Awaited, BlockingFunction, CallKind, awaited, blocking_function};
