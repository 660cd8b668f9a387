//! Stands in for `std`.
#![no_std]
extern crate concaudit_server as _;
extern crate std as real;
pub use real::*;
