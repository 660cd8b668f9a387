//! The JSON report.

/// The version of the JSON report's format. Adding a field keeps it.
pub const SCHEMA_VERSION: u32 = 1;
