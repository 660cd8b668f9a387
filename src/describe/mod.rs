//! How things are called and where they are, in the words that all reports share.

mod actor;
mod identity;
mod lock;
mod place;
mod quantity;

pub use actor::{actor, named};
pub use identity::{class_identity, identity, spot, without_digits};
pub use lock::{lock_kind, lock_name, made, purpose, type_name};
pub use place::{
    at_frame, at_site, at_stack, at_stack_or_site, by, by_frame, labelled, places, site,
    stack_frame,
};
pub use quantity::{counted, duration, group_digits};
