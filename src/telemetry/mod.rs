//! The client side of the probe: announcements, the tokio-console client and
//! the `Audit` client.

pub mod proto;
mod recording;

pub use recording::Recording;
