//! The client side of the probe: announcements, the tokio-console client and
//! the `Audit` client.
//!
//! [`Registry`] is the door: [`crate::run`] binds one per run, gives each test
//! the environment that makes its processes announce themselves, and fetches
//! what they told as [`Recording`]s when the test has ended. Nothing here
//! interprets; [`crate::model`] does.

mod address;
#[cfg(test)]
pub mod fake_probe;
mod folder;
mod options;
pub mod proto;
mod recording;
mod registry;

#[cfg(test)]
pub use address::Address;
pub use options::{MAX_PAUSES, ProbeOptions};
pub use recording::{PackedRecording, Recording};
pub use registry::{LookedAt, Reach, Registry, TOKEN};
