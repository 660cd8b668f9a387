//! Everything that one process has told, as it came.

use camino::Utf8PathBuf;

/// Everything that one audited process has told.
#[derive(Debug, Default)]
pub struct Recording {
    pub pid: u32,
    pub exe: Utf8PathBuf,
    /// The last update never came.
    pub truncated: bool,
}
