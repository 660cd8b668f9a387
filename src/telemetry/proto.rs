//! The `concaudit.v1` messages and service, generated from `proto/`.
//!
//! The generated file is committed with the probe, which serves what this module
//! asks for; `tests/bootstrap.rs`
//! regenerates it and compares.

#![expect(clippy::pedantic, reason = "generated code")]

include!("../../probe/server/src/generated/concaudit.v1.rs");
