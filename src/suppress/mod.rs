//! Findings that are known and do not count: what the settings and comments in the sources
//! allow, and which of these no longer have a use.
//!
//! [`comments()`] reads them off the sources, [`apply()`] marks the findings.

mod apply;
mod comments;

pub use apply::{Allowance, Scope, Where, apply};
pub use comments::comments;
