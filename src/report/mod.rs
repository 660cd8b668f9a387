//! From findings to what a person, a CI job or a dashboard reads.
//!
//! [`assemble()`](assemble::assemble) makes the one [`Report`](summary::Report);
//! every renderer is a pure function of it. Nothing here reads, writes or
//! prints.

pub mod assemble;
mod compiler_message;
pub mod diff;
mod format;
#[cfg(test)]
mod format_tests;
mod github;
mod gitlab;
mod html;
pub mod human;
pub mod json;
mod junit;
mod markdown;
pub mod merge;
mod openmetrics;
mod paint;
mod sarif;
pub mod source;
pub mod summary;
mod text;

pub use format::{Context, Format};
