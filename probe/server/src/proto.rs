//! The `concaudit.v1` messages and service, generated from `proto/` (the
//! auditor's `tests/bootstrap.rs` regenerates the file and compares).

#![allow(missing_docs, clippy::all, reason = "generated code")]

include!("generated/concaudit.v1.rs");
