//! The project's own settings: `concaudit.toml`, or a table of metadata in `Cargo.toml`.
//!
//! [`find()`] looks for them from the project's folder upwards, [`Configuration`] is what they
//! say, and [`ConfigError`] underlines the place that says nothing sensible. Nothing in here
//! knows the command line: who has the last word is decided in `cli`.

mod error;
mod file;
mod find;
mod overrides;
mod schema;
mod thresholds;

pub use error::ConfigError;
pub use file::{
    Allow, Configuration, DEFAULT_TIME_LIMIT, Level, Setting, TIME_LIMIT, Value, nearest,
};
pub use find::find;
pub use overrides::{Override, Overrides};
pub use schema::schema;
pub use thresholds::{Threshold, Thresholds};
