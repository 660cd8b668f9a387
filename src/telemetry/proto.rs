//! The `concaudit.v1` messages and service, generated from `proto/`.
//!
//! The generated file is committed, and is the probe's too; `tests/bootstrap.rs`
//! regenerates it and compares.

#![expect(clippy::pedantic, reason = "generated code")]

include!("generated/concaudit.v1.rs");
