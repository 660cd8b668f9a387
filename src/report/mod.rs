//! From findings to what a person, a CI job or a dashboard reads.

pub mod finding;
pub mod json;
pub mod summary;
