//! Stands in for `std` in tokio.
//!
//! tokio's locks are nobody's business but its own, with one exception: what
//! `watch::Receiver::borrow` returns is the read guard of a `std::sync::RwLock`, which
//! people hold across awaits, and take twice. tokio has no other use for that lock, so
//! all of tokio's are seen. See `concaudit-std` for how this works.

#![no_std]

#[doc(hidden)]
extern crate std as real;

pub use real::*;

pub mod sync {
    //! [`real::sync`], with a reader-writer lock that the probe sees.

    pub use concaudit_std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
    pub use real::sync::*;
}
