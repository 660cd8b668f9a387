//! What happens while a project is built, for whoever shows it.

use std::time::Duration;

use camino::Utf8Path;

/// What happens while the probe and the project are built.
#[derive(Debug)]
pub enum BuildEvent<'a> {
    /// Another run builds the probe; this one waits for it.
    ProbeWaiting { lock: &'a Utf8Path },
    /// The probe is not in the cache for this toolchain and is being built.
    ProbeStarted { folder: &'a Utf8Path },
    /// So many of the probe's crates are compiled.
    ProbeCompiled { crates: usize },
    /// The probe is built and in the cache.
    ProbeFinished { crates: usize, elapsed: Duration },
    /// Cargo is started on the project; it writes to standard error from here on.
    BuildStarted { target: &'a str, program: Option<&'a str> },
    /// Cargo said so on standard output, and the user wants to read it.
    Message { json: &'a str },
    /// A build that was not used for longer than others was removed.
    Collected { folder: &'a Utf8Path },
    /// A crate does not compile with a facade and was compiled without it.
    /// Or the whole build begins anew without it. `what` says so.
    FacadeLost { what: &'a str },
    /// The project is built.
    BuildFinished { binaries: usize, elapsed: Duration, program: Option<&'a str> },
}
