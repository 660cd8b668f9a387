//! From findings to what a person, a CI job or a dashboard reads.
//!
//! [`assemble()`](assemble::assemble) makes the one [`Report`](summary::Report);
//! every renderer is a pure function of it. Nothing here reads, writes or
//! prints.

pub mod assemble;
pub mod human;
pub mod json;
mod paint;
mod source;
pub mod summary;
